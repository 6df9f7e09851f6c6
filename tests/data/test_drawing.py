import math

import numpy as np
import pytest
import torch

from sklearn_mtl.data import Batch, Drawing, RowSplit, Table, WholeBatches, split_table


def drawn(rates, n_epochs=1, seed=0):
    """How often each row is drawn in each of some epochs."""
    rates = torch.as_tensor(rates, dtype=torch.float64)
    drawing, generator = Drawing(rates), torch.Generator().manual_seed(seed)
    orders = [drawing.order(len(rates), generator) for _ in range(n_epochs)]
    assert all(len(order) == len(rates) for order in orders)
    return np.stack([np.bincount(order.numpy(), minlength=len(rates)) for order in orders])


@pytest.mark.parametrize("rate", [1.0, 1 / 3, 1e-30, 1e30])
@pytest.mark.parametrize("n_rows", [1, 2, 7, 1000])
def test_rows_of_equal_rates_are_each_drawn_once(n_rows, rate):
    assert (drawn([rate] * n_rows, n_epochs=5) == 1).all()


def test_a_row_is_drawn_as_often_as_its_rate_says_rounded_up_or_down():
    rates = np.random.default_rng(0).exponential(size=200)
    expected = rates / rates.mean()
    counts = drawn(rates, n_epochs=400)
    assert (counts >= np.floor(expected)).all()
    assert (counts <= np.ceil(expected)).all()
    np.testing.assert_allclose(counts.mean(0), expected, atol=0.1)


def test_a_row_of_rate_0_is_never_drawn():
    rates = np.ones(50)
    rates[[0, 7, 48, 49]] = 0
    assert (drawn(rates, n_epochs=200)[:, rates == 0] == 0).all()


def test_which_rows_are_drawn_together_is_not_a_matter_of_their_places():
    counts = drawn([0.5] * 10 + [1.5] * 10, n_epochs=200)[:, :10]
    assert len(np.unique(counts, axis=0)) > 50


def test_a_row_that_is_drawn_often_is_in_batches_of_the_whole_epoch():
    order = Drawing(torch.tensor([50.0] + [1.0] * 50, dtype=torch.float64)).order(
        51, torch.Generator().manual_seed(0)
    )
    assert {int(part.bincount(minlength=51)[0] > 0) for part in order.split(17)} == {1}


def table(n_rows, weight=None, **drawing):
    x = np.arange(n_rows, dtype=np.float64)[:, None]
    weight = np.ones((n_rows, 2)) if weight is None else weight
    made = Table.from_arrays(
        {"x": x}, np.hstack([x, -x]), weight, device=torch.device("cpu"), dtype=torch.float32
    )
    return Table(made.blocks, made.stored_y, made.stored_weight, Drawing(**drawing))


def test_where_rates_stand_for_weights_what_is_drawn_weighs_the_less():
    weight = np.arange(1.0, 9)[:, None] * [1, 3]
    rates = torch.as_tensor(weight.mean(1))
    for batch in WholeBatches(table(8, weight, rates=rates, for_weights=True), 3, shuffle=True):
        np.testing.assert_allclose(batch.weight, [[0.5, 1.5]] * len(batch.weight), rtol=1e-6)
        assert torch.equal(batch.y[:, 0], batch.inputs["x"][:, 0])


class Negated:
    def augment(self, batch, generator):
        self.drawn = torch.rand(1, generator=generator)
        return batch._replace(inputs={"x": -batch.inputs["x"]})


def test_batches_are_augmented_in_training_and_not_in_their_own_order():
    rows = table(10, augmentation=Negated())
    shuffled = torch.cat([batch.inputs["x"] for batch in WholeBatches(rows, 4, shuffle=True)])
    assert sorted(shuffled[:, 0].tolist()) == [float(-x) for x in range(9, -1, -1)]
    in_order = torch.cat([batch.inputs["x"] for batch in WholeBatches(rows, 4)])
    assert in_order[:, 0].tolist() == [float(x) for x in range(10)]
    assert torch.equal(rows.inputs["x"], in_order)


def test_parts_of_a_table_are_not_drawn_as_the_whole_is():
    rows = table(6, rates=torch.ones(6, dtype=torch.float64), augmentation=Negated())
    assert rows.augmentation is rows.drawing.augmentation
    for part in split_table(rows, RowSplit.from_validation(np.array([1]), 6)):
        assert part.drawing is None
        assert part.augmentation is None


def two_labels(n_rows=3, networks=()):
    """A batch whose row i has the labels 10 i and 10 i + 1."""
    x = torch.arange(n_rows, dtype=torch.float32)
    y = torch.stack([10 * x, 10 * x + 1], 1).reshape(-1, 1)
    batch = Batch({"x": x[:, None]}, y, torch.ones_like(y))
    return Batch(
        {"x": batch.inputs["x"].expand(*networks, -1, -1)},
        y.expand(*networks, -1, -1),
        batch.weight.expand(*networks, -1, -1),
    )


@pytest.mark.parametrize("networks", [(), (4,)], ids=["net", "stack"])
def test_raw_outputs_meet_each_label_of_their_row(networks):
    batch = two_labels(networks=networks)
    assert (batch.n_rows, batch.n_labels) == (3, 2)
    raw = batch.inputs["x"].unsqueeze(-2)
    met = batch.for_labels(raw)
    assert torch.equal((batch.y / 10).floor(), met[..., 0, :])
    assert torch.equal(batch.row_weight, torch.full((*networks, 3, 1), 2.0))


def test_labels_that_are_added_weigh_nothing():
    batch = two_labels()
    more = batch.with_n_labels(4)
    assert (more.n_rows, more.n_labels) == (3, 4)
    assert torch.equal(more.row_weight, batch.row_weight)
    assert torch.equal(more.y[more.weight > 0], batch.y[batch.weight > 0])
    assert batch.with_n_labels(2) is batch
    one = Batch(batch.inputs, batch.y[::2], batch.weight[::2])
    assert one.n_labels == 1
    assert one.for_labels(batch.inputs["x"]) is batch.inputs["x"]
    assert one.row_weight is one.weight
    assert math.isclose(float(one.with_n_labels(3).weight.sum()), 3)
