"""Images are shifted, mirrored, enlarged and have holes, each otherwise, and labels stay."""

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import ImageAugmentation
from sklearn_mtl.data import Batch
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.tasks import BoxRegression, Segmentation
from sklearn_mtl.trunks import CNN

HEIGHT, WIDTH = 16, 24
# Of each pixel its row, its column, and 1, so that an image tells where its pixels came from.
PIXELS = torch.stack(
    [
        torch.arange(1.0, HEIGHT + 1)[:, None].expand(HEIGHT, WIDTH),
        torch.arange(1.0, WIDTH + 1)[None].expand(HEIGHT, WIDTH),
        torch.ones(HEIGHT, WIDTH),
    ]
)
IMAGES = PIXELS.expand(400, -1, -1, -1)


def augmented(images=IMAGES, *, seed=0, **params):
    batch = Batch({"x": images}, torch.zeros(len(images), 1), torch.ones(len(images), 1))
    return ImageAugmentation(**params).augment(batch, torch.Generator().manual_seed(seed)).inputs["x"]


def test_a_shift_moves_by_whole_pixels_and_puts_0_where_nothing_was():
    found = augmented(shift=0.125)
    moves = set()
    for image in found:
        rows, columns, ones = image
        down, across = torch.nonzero(ones)[0].tolist()
        # By how much each pixel that is still there has moved: all by the same.
        steps = (torch.arange(HEIGHT)[:, None] - rows + 1)[ones > 0].unique()
        sideways = (torch.arange(WIDTH)[None] - columns + 1)[ones > 0].unique()
        assert len(steps) == len(sideways) == 1
        moves.add((int(steps), int(sideways)))
        assert ones.sum() == (HEIGHT - abs(steps)) * (WIDTH - abs(sideways))
        assert (down, across) == (max(int(steps), 0), max(int(sideways), 0))
        assert (image * (1 - ones) == 0).all()
    assert {down for down, _ in moves} == set(range(-2, 3))
    assert {across for _, across in moves} == set(range(-3, 4))


@pytest.mark.parametrize(
    ("flip", "axes"), [("horizontal", [(3,)]), ("vertical", [(2,)]), ("both", [(2,), (3,), (2, 3)])]
)
def test_half_of_the_images_are_mirrored(flip, axes):
    found = augmented(shift=0, flip=flip)
    kinds = [IMAGES[:1], *(IMAGES[:1].flip(each) for each in axes)]
    shares = [float((found == kind).flatten(1).all(1).float().mean()) for kind in kinds]
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([1 / len(kinds)] * len(kinds), abs=0.06)


def test_a_crop_is_a_part_of_the_same_shape_enlarged():
    found = augmented(shift=0, crop=0.5)
    rows, columns = found[:, 0], found[:, 1]
    # Inside, where no edge is repeated, pixels lie closer by the same share along both axes.
    down = (rows[:, 9, 0] - rows[:, 6, 0]) / 3
    across = (columns[:, 0, 13] - columns[:, 0, 10]) / 3
    torch.testing.assert_close(down, across)
    assert 0.5 <= float(down.min()) < 0.52
    assert 0.98 < float(down.max()) <= 1
    assert float(rows.min()) < 1.3
    assert float(rows.max()) > HEIGHT - 0.3
    assert (found[:, 2] - 1).abs().max() < 1e-5


def test_a_hole_is_a_square_anywhere():
    found = augmented(shift=0, cutout=0.25)
    holes = found[:, 2] == 0
    assert torch.equal(found[:, 0][~holes], IMAGES[:, 0][~holes])
    sizes = holes.any(2).sum(1), holes.any(1).sum(1)
    assert int(sizes[0].max()) == 4
    assert int(sizes[1].max()) == 6
    assert torch.equal(holes.sum((1, 2)), sizes[0] * sizes[1])
    assert holes.any(0).all()


def test_without_any_of_it_images_and_labels_are_what_they_were():
    assert torch.equal(augmented(shift=0), IMAGES)
    given = IMAGES[:10].clone()
    batch = Batch({"x": given, "table": torch.randn(10, 4)}, torch.randn(10, 2), torch.ones(10, 2))
    found = ImageAugmentation(0.2, flip="both", crop=0.3, cutout=0.3).augment(batch, None)
    assert torch.equal(given, IMAGES[:10])
    assert found.y is batch.y
    assert found.weight is batch.weight
    assert found.inputs["table"] is batch.inputs["table"]
    assert found.inputs["x"].shape == given.shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_number_formats_are_kept(dtype):
    found = augmented(IMAGES[:4].to(dtype), flip="both", crop=0.2, cutout=0.2)
    assert found.dtype == dtype
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"shift": 1}, "`shift` of ImageAugmentation must be a number from 0 to below 1. Found 1"),
        ({"crop": -0.1}, "`crop` of ImageAugmentation must be a number from 0"),
        ({"cutout": "big"}, "`cutout` of ImageAugmentation must be a number from 0"),
        (
            {"flip": "left"},
            r"`flip` of ImageAugmentation must be None or one of \['both', 'horiz.* Found 'left'",
        ),
        ({"flip": True}, "`flip` of ImageAugmentation must be None or one of .* Found True"),
        ({"flip": ["both"]}, "`flip` of ImageAugmentation must be None or one of"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ImageAugmentation(**params).check()


def test_what_is_no_image_is_refused():
    table, photo = Block("table", (4,), n_continuous=4), Block("photo", (3, 8, 8))
    ImageAugmentation().check_data(FeatureSpec((table, photo)), [])
    with pytest.raises(ValueError, match=r"`augmentation` must suit the input.* rows of shape \(4,\)"):
        ImageAugmentation().check_data(FeatureSpec((table,)), [])


def test_labels_that_would_have_to_move_along_are_refused_before_training(monkeypatch):
    monkeypatch.setattr("sklearn_mtl.training.net.MultiTaskNet.open_training", None)
    X = np.zeros((20, 1, 8, 8), dtype=np.float32)
    Y = {"box": np.tile([1.0, 2.0, 5.0, 6.0], (20, 1)), "there": np.arange(20) % 2}
    est = MultiTaskClassifierRegressor(
        tasks={"box": BoxRegression()}, augmentation="images", preprocessing=None, n_bags=1
    )
    with pytest.raises(ValueError, match=r"since they do not move along.*Found .*tasks \['box'\]"):
        est.fit(X, Y)
    moving = {"augmentation__shift": 0, "augmentation__cutout": 0.3}
    with pytest.raises(TypeError, match="NoneType"):
        est.set_params(**moving).fit(X, Y)


def test_a_class_for_each_pixel_is_refused_unless_nothing_moves():
    X = np.random.default_rng(0).normal(size=(24, 1, 8, 8)).astype(np.float32)
    Y = {"pixels": (X[:, 0] > 0).astype(int), "bright": X.mean((1, 2, 3)) > 0}
    est = MultiTaskClassifierRegressor(
        tasks={"pixels": Segmentation()},
        trunk=CNN((4,), pooled_size=1),
        augmentation=ImageAugmentation(0, flip="horizontal"),
        n_bags=1,
        max_epochs=1,
        random_state=0,
    )
    with pytest.raises(ValueError, match=r"since they do not move along.*Found .*tasks \['pixels'\]"):
        est.fit(X, Y)
    est.set_params(augmentation__flip=None, augmentation__cutout=0.3).fit(X, Y)
    assert est.predict(X)["pixels"].shape == (24, 8, 8)
