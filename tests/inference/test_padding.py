from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.inference import bag_representation, bag_responses, padding
from sklearn_mtl.inference.padding import ENOUGH_ROWS, pad_rows, sizes_that_round_alike, widths_for_vectors
from sklearn_mtl.network import Blueprint
from sklearn_mtl.sharing import HardSharing, Sharing, SharingModule
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.trunks import MLP, ModuleTrunk, StackedTrunks, TabM

# Padding: few rows are padded to a number with which a network rounds as it does with many


class Whimsical(nn.Module):
    """Rounds another way when it is given few rows, as matrix products do."""

    def __init__(self, fewest):
        super().__init__()
        self.fewest = fewest
        self.layer = nn.Linear(4, 8)
        self.given = []

    def forward(self, x):
        self.given.append(len(x))
        return self.layer(x) * (1.0 if len(x) >= self.fewest else 1 + 1e-5)


def fitted(fewest):
    X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    settings = {"n_bags": 1, "max_epochs": 2, "random_state": 0, "preprocessing": None}
    return MultiTaskRegressor(trunk=Whimsical(fewest), **settings).fit(X, X[:, 0]), X


@pytest.mark.parametrize(("fewest", "expected"), [(2, 4), (9, 16), (33, 64), (64, 64)])
def test_rows_are_padded_to_the_least_number_that_rounds_alike(fewest, expected):
    est, X = fitted(fewest)
    module = est.net_.evaluated
    whole = est.predict(X)
    for n_rows in (1, 3, 15, 40, 64):
        np.testing.assert_array_equal(est.predict(X[:n_rows]), whole[:n_rows])
    inner = module.sharing.trunk.entry.module
    inner.given.clear()
    est.predict(X[:1])
    # Linear layers of this size may themselves want more than four rows.
    assert inner.given[0] >= expected
    sizes = sizes_that_round_alike(module, {"x": torch.zeros(1, 4)})
    assert min(size for size in sizes if size >= fewest) == inner.given[0] == sizes[0]
    assert sizes[-1] == ENOUGH_ROWS


def test_sizes_are_tried_once_for_each_network_and_number_of_threads():
    est, X = fitted(9)
    inner = est.net_.evaluated.sharing.trunk.entry.module
    est.predict(X[:1])
    inner.given.clear()
    est.predict(X[:2])
    assert inner.given == [len(pad_rows(est.net_.evaluated, {"x": torch.zeros(2, 4)})["x"])]
    state = torch.get_rng_state()
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        inner.given.clear()
        est.predict(X[:1])
        assert len(inner.given) > 1
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.get_rng_state(), state)


def own_net(seed, width=6, hidden=(5,)):
    net, _ = untrained(MLP((width,)), 3, hidden=hidden, names=("number",))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in net.evaluated.parameters():
            parameter.data.normal_()
    return net.evaluated


def test_networks_that_are_built_alike_are_tried_once(monkeypatch):
    tried = []

    def spy(module, inputs):
        tried.append(module)
        return real(module, inputs)

    real = padding._try_sizes
    monkeypatch.setattr(padding, "_try_sizes", spy)
    monkeypatch.setattr(padding, "_sizes_of_structures", {})
    rows = {"x": torch.zeros(1, 3)}
    # Behind weights of 0 no difference can be seen: what is found of such a network is its own.
    dead = own_net(0)
    for parameter in dead.parameters():
        parameter.data.zero_()
    sizes_that_round_alike(dead, rows)
    first, alike = own_net(1), own_net(2)
    sizes = sizes_that_round_alike(first, rows)
    assert sizes_that_round_alike(alike, rows) == sizes
    assert tried == [dead, first]
    others = [own_net(1, 7), own_net(1).double(), own_net(1, hidden=())]
    for other in others:
        sizes_that_round_alike(other, {"x": rows["x"].to(other.raw_scale.dtype)})
    assert tried == [dead, first, *others]
    # A module of one's own may do as it likes with its rows: each is tried.
    for fewest in (9, 33):
        est, _ = fitted(fewest)
        assert sizes_that_round_alike(est.net_.evaluated, {"x": torch.zeros(1, 4)})[0] >= fewest


def test_what_is_added_is_zeros_in_every_block():
    est, _ = fitted(2)
    rows = {"x": torch.ones(1, 4), "codes": torch.ones(1, 2, 3, dtype=torch.int64)}
    module = est.net_.evaluated
    found = pad_rows(module, {"x": rows["x"]})["x"]
    sizes_that_round_alike(module, rows)
    both = pad_rows(module, rows)
    assert torch.equal(found, both["x"])
    for name, block in both.items():
        assert block.dtype == rows[name].dtype
        assert torch.equal(block[:1], rows[name])
        assert not block[1:].any()


def test_enough_rows_are_left_alone():
    est, _ = fitted(2)
    rows = {"x": torch.ones(ENOUGH_ROWS, 4)}
    assert pad_rows(est.net_.evaluated, rows)["x"] is rows["x"]


# A row is rounded alike in any number of rows, and at any place among them

KINDS = {"number": Regression(), "letter": Classification(), "binary": Classification()}
COLUMNS = read_targets(
    {
        "number": np.linspace(-1, 1, 50),
        "letter": np.repeat(list("vwxyz"), 10),
        "binary": np.repeat(["no", "yes"], 25),
    }
).columns


class SideBySide(Sharing):
    """A trunk for each task, all computed at once."""

    def build(self, make_trunk, tasks, spec):
        return SideBySideModule(StackedTrunks([make_trunk() for _ in tasks]))


class SideBySideModule(SharingModule):
    def __init__(self, trunks):
        super().__init__(trunks.width, trunks.members, per_task=True)
        self.trunks = trunks

    def forward(self, inputs, heads):
        return self.trunks(inputs)

    def shared_parameters(self):
        return iter(())


def untrained(trunk, width, *, sharing=None, names=tuple(KINDS), hidden=(), dtype=torch.float32):
    """Return a network, all of whose weights are random, as a trained one."""
    tasks = TaskSet(tuple(KINDS[name].bind(COLUMNS[name], np.ones(50)) for name in names))
    spec = FeatureSpec((Block("x", (width,), n_continuous=width),))
    n_tasks = len(names)
    blueprint = Blueprint(
        spec, tasks, trunk, sharing or HardSharing(), StaticWeights(), (hidden,) * n_tasks, (1.0,) * n_tasks
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = blueprint.build(blueprint.fit_statistics({"x": torch.randn(500, width)})).to(dtype)
        for parameter in module.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    y, weight = tasks.encode({name: COLUMNS[name] for name in names}, np.ones((50, n_tasks)))
    loss = blueprint.build_loss(torch.tensor(y).to(dtype), torch.tensor(weight).to(dtype))
    return SimpleNamespace(evaluated=module.eval(), criterion_=loss), tasks


def assert_alike(trunk, width, *, dtype=torch.float32, n_rows=1300, **settings):
    net, tasks = untrained(trunk, width, dtype=dtype, **settings)
    X = np.random.default_rng(0).standard_normal((n_rows, width)).astype(str(dtype).removeprefix("torch."))

    def found(rows):
        inputs = {"x": X[rows]}
        return [*bag_responses([net], tasks, inputs).values(), bag_representation([net], inputs)]

    whole = found(slice(None))
    for count in (1, 2, 3, 5, 8, 15, 31, 33, 63, 65, 127, 192, 300, 1000):
        for start in (0, 1, 2, 5, n_rows - count):
            rows = slice(start, start + count)
            for part, of_all in zip(found(rows), whole, strict=True):
                np.testing.assert_array_equal(part, of_all[rows], err_msg=f"{count} rows from {start} on")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17, 33, 50, 70, 100, 256])
def test_rows_of_perceptrons_of_any_width_are_rounded_alike(width, dtype):
    assert_alike(MLP((width,)), 33, dtype=dtype)
    assert_alike(MLP((width, width)), 3, names=("number",), dtype=dtype)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu", "selu"])
@pytest.mark.parametrize("width", [5, 7, 50])
def test_rows_are_rounded_alike_whatever_the_activation(width, activation):
    assert_alike(MLP((width, width), activation=activation, normalization="layer"), 7, hidden=(5,))


@pytest.mark.parametrize(
    "trunk",
    [
        TabM((7, 7)),
        TabM((10,), embedding=None, members=5),
        TabM((50,), n_bins=10, embedding_size=3, members=3),
    ],
    ids=["embedded", "as they are", "odd sizes"],
)
def test_rows_of_ensembles_are_rounded_alike(trunk):
    assert_alike(trunk, 9, hidden=(6,))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv1d(1, 3, 3, padding=1), nn.BatchNorm1d(3)
        self.layers = nn.Sequential(nn.Linear(15, 7), nn.Tanh(), nn.Linear(7, 5))

    def forward(self, x):
        return self.layers(self.norm(self.convolution(x.unsqueeze(1))).relu().flatten(1))


@pytest.mark.parametrize(
    "module",
    [nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 9)), Convolutions()],
    ids=["linear", "mixed"],
)
@pytest.mark.parametrize("sharing", [None, SideBySide()], ids=["one trunk", "a trunk for each task"])
def test_rows_of_a_users_linear_layers_are_rounded_alike(module, sharing):
    assert_alike(ModuleTrunk(module), 5, sharing=sharing)


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_rows_are_rounded_alike_with_three_threads(activation):
    # Three threads may share numbers such that none has whole vectors.
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert_alike(MLP((256,), activation=activation), 7, n_rows=2000)
    finally:
        torch.set_num_threads(before)


def test_only_activations_that_are_not_exact_ask_for_whole_vectors():
    rows = {"x": torch.zeros(1, 3)}
    for activation, expected in (("relu", set()), ("identity", set()), ("silu", {5, 7})):
        module = untrained(MLP((5, 7), activation=activation), 3)[0].evaluated
        assert widths_for_vectors(module, lambda: rows) == expected
    # Within a part that is mapped over too.
    layers = nn.Sequential(nn.Linear(3, 5), nn.SiLU(), nn.PReLU())
    module = untrained(ModuleTrunk(layers), 3, sharing=SideBySide())[0].evaluated
    assert widths_for_vectors(module, lambda: rows) == {5}
