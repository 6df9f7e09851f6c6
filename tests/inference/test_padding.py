"""Few rows are padded to a number with which a network rounds as it does with many."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.inference.padding import ENOUGH_ROWS, padded, sizes_that_round_alike


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
    assert inner.given == [len(padded(est.net_.evaluated, {"x": torch.zeros(2, 4)})["x"])]
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


def test_what_is_added_is_zeros_in_every_block():
    est, _ = fitted(2)
    rows = {"x": torch.ones(1, 4), "codes": torch.ones(1, 2, 3, dtype=torch.int64)}
    module = est.net_.evaluated
    found = padded(module, {"x": rows["x"]})["x"]
    sizes_that_round_alike(module, rows)
    both = padded(module, rows)
    assert torch.equal(found, both["x"])
    for name, block in both.items():
        assert block.dtype == rows[name].dtype
        assert torch.equal(block[:1], rows[name])
        assert not block[1:].any()


def test_enough_rows_are_left_alone():
    est, _ = fitted(2)
    rows = {"x": torch.ones(ENOUGH_ROWS, 4)}
    assert padded(est.net_.evaluated, rows)["x"] is rows["x"]
