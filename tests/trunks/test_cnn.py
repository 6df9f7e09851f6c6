"""`CNN` is a residual network, treats each image by itself, and tells where things are."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import CNN, MLP, StackedTrunks

SMALL = CNN((4, 6), pooled_size=2, hidden_sizes=(5,), dropout=0.0)


def images(n_rows=10, channels=3, height=12, width=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"photo": torch.randn(n_rows, channels, height, width, generator=generator)}


def build(trunk, inputs=None, seed=0):
    shape = tuple((inputs or images())["photo"].shape[1:])
    torch.manual_seed(seed)
    return trunk.build(FeatureSpec((Block("photo", shape),)), {})


def test_it_computes_what_its_papers_say():
    trunk, x = build(SMALL), images()["photo"]
    entry, (hidden,) = trunk.entry, trunk.stages
    weight, norm, _ = entry.stem
    y = norm(F.conv2d(x, weight.weight, padding=1)).relu()
    for number, ((block,), n_in, n_out) in enumerate(zip(entry.levels, (4, 4), (4, 6), strict=True)):
        first, norm1, _, second, norm2 = block.part
        z = norm1(F.conv2d(y, first.weight, stride=1 + number, padding=1)).relu()
        z = norm2(F.conv2d(z, second.weight, padding=1))
        if n_in != n_out:
            y = F.conv2d(F.avg_pool2d(y, 2, ceil_mode=True), block.shortcut[1].weight)
        y = (z + y).relu()
    assert y.shape == (10, 6, 6, 5)
    expected = hidden[0](F.adaptive_avg_pool2d(y, 2).flatten(1)).relu()
    torch.testing.assert_close(trunk(images()), expected.unsqueeze(1))


def test_each_image_is_treated_by_itself_in_training_too():
    trunk = build(SMALL).train()
    inputs = images()
    whole = trunk(inputs)
    alone = [trunk({"photo": inputs["photo"][i : i + 1]}) for i in range(10)]
    torch.testing.assert_close(whole, torch.cat(alone))
    assert not list(trunk.buffers())


def test_the_representation_tells_where_something_is():
    here, there = torch.zeros(2, 1, 1, 16, 16)
    here[..., 3:6, 3:6] = 1
    there[..., 10:13, 10:13] = 1
    trunk = build(CNN((4, 8), hidden_sizes=(), dropout=0.0), {"photo": here})
    one, other = (trunk.entry({"photo": each}).view(8, 3, 3) for each in (here, there))
    first = one[:, 0, 0] - other[:, 0, 0]
    last = one[:, 2, 2] - other[:, 2, 2]
    assert first.abs().max() > 0.01
    assert last.abs().max() > 0.01


@pytest.mark.parametrize(("side", "stride"), [(8, 1), (32, 1), (33, 2), (64, 2), (65, 4), (224, 8)])
def test_large_images_are_shortened_by_the_first_convolution(side, stride):
    spec = FeatureSpec((Block("x", (1, 3, side)),))
    assert SMALL.build(spec, {}).entry.stem[0].stride == (stride, stride)
    assert CNN((4,), stride=3).build(spec, {}).entry.stem[0].stride == (3, 3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 5), (3, 7, 7), (1, 40, 33)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_images_of_any_size(shape, blocks):
    trunk = CNN((3, 10, 16), blocks=blocks, hidden_sizes=(7, 5))
    spec = FeatureSpec((Block("x", shape),))
    built = trunk.build(spec, {})
    inputs = {"x": torch.randn(2, *shape)}
    assert built(inputs).shape == (2, 1, 5)
    rows, positions = built.with_positions(inputs)
    assert rows.shape == (2, 1, 5)
    assert positions.shape == (2, 1, *shape[1:], 29)
    assert built.position_width == 29
    assert built.mask(inputs) is None


def test_a_pixel_reads_all_levels_at_its_place():
    trunk, inputs = build(SMALL).eval(), images(height=8, width=8)
    rows, positions = trunk.with_positions(inputs)
    torch.testing.assert_close(rows, trunk(inputs))
    fine, coarse = trunk.entry._of_levels(inputs)
    torch.testing.assert_close(positions[:, 0, :, :, :4], fine.permute(0, 2, 3, 1))
    enlarged = F.interpolate(coarse, (8, 8), mode="bilinear").permute(0, 2, 3, 1)
    torch.testing.assert_close(positions[:, 0, :, :, 4:], enlarged)


def test_trunks_side_by_side_are_those_trunks():
    trunks = [build(SMALL, seed=seed) for seed in range(3)]
    stacked = StackedTrunks(trunks)
    expected = torch.stack([trunk(images()) for trunk in trunks], dim=2)
    torch.testing.assert_close(stacked(images()), expected)
    stacked(images()).sum().backward()
    assert all(parameter.grad is not None for parameter in stacked.parameters())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"channels": ()}, "`channels` of CNN must hold positive integers, at least one"),
        ({"channels": (4, 0)}, "`channels` of CNN must hold positive integers"),
        ({"hidden_sizes": (4, -1)}, "`hidden_sizes` of CNN must hold positive integers"),
        ({"blocks": 0}, "`blocks` of CNN must be a positive integer"),
        ({"stride": 0}, "`stride` of CNN must be 'auto' or a positive integer. Found 0"),
        ({"stride": "2"}, "`stride` of CNN must be 'auto' or a positive integer. Found '2'"),
        ({"pooled_size": 1.5}, "`pooled_size` of CNN must be a positive integer"),
        ({"dropout": 1.0}, r"`dropout` of CNN must be a number in \[0, 1\)"),
    ],
)
def test_errors(parameters, message):
    with pytest.raises(ValueError, match=message):
        build(CNN(**parameters))


def test_what_is_no_image_is_refused():
    with pytest.raises(
        ValueError, match=r"CNN takes rows of shape \(channels, height, width\). Found \(4,\)"
    ):
        CNN().build(FeatureSpec((Block("x", (4,), n_continuous=4),)), {})


@pytest.fixture(scope="module")
def squares():
    """Images of a square: whether it is in the left half, and how far up it is."""
    random = np.random.default_rng(0)
    X = random.normal(scale=0.2, size=(160, 1, 12, 12)).astype(np.float32)
    places = random.integers(0, 9, size=(160, 2))
    for image, (down, across) in zip(X, places, strict=True):
        image[0, down : down + 3, across : across + 3] += 1
    return X, {"left": places[:, 1] < 4, "height": 9.5 - places[:, 0]}


def test_it_learns_what_is_where(squares):
    X, Y = squares
    est = MultiTaskClassifierRegressor(
        trunk=CNN((8, 16), hidden_sizes=(32,)), preprocessing=None, n_bags=1, max_epochs=25, random_state=0
    ).fit(X[:120], {name: y[:120] for name, y in Y.items()})
    held_out = X[120:], {name: y[120:] for name, y in Y.items()}
    assert est.score_tasks(*held_out).min() > 0.8


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_predictions_of_a_row_do_not_depend_on_the_others(squares, precision):
    X, Y = squares
    est = MultiTaskClassifierRegressor(
        trunk="cnn", preprocessing=None, n_bags=1, max_epochs=2, precision=precision, random_state=0
    ).fit(X, Y)
    whole = est.predict(X)["height"]
    for rows in (slice(0, 1), slice(3, 8), slice(40, 105)):
        np.testing.assert_array_equal(est.predict(X[rows])["height"], whole[rows])
    np.testing.assert_array_equal(est.predict(X[::-1])["height"], whole[::-1])


def test_by_its_short_name(squares):
    X, Y = squares
    est = MultiTaskClassifier(trunk="cnn", preprocessing=None, n_bags=1, max_epochs=2, random_state=0)
    est.set_params(trunk__channels=(4,), trunk__hidden_sizes=()).fit(X, Y["left"])
    assert est.transform(X).shape == (160, 36)
    assert isinstance(est.trunk, CNN)
    assert not CNN.suits(FeatureSpec((Block("x", (3,)),)))
    assert MLP.suits(FeatureSpec((Block("x", (1, 2, 3)),)))
    assert isinstance(est.net_.module_.sharing.trunk.entry.stem, nn.Sequential)
