import numpy as np
import pytest
import torch

from sklearn_mtl.data import RowSplit, Table, WholeBatches, split_table
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP


def table(n_rows):
    rows = np.arange(n_rows, dtype=np.float64)[:, None]
    return Table.from_arrays(
        {"x": rows, "code": rows.astype(np.int64)},
        rows,
        np.ones((n_rows, 1)),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def sizes(n_rows, batch_size):
    return [len(batch.y) for batch in WholeBatches(table(n_rows), batch_size)]


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "expected"),
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 5]),
        (8, 4, [4, 4]),
        (5, 4, [5]),
        (1, 4, [1]),
        (3, 10, [3]),
        (3, 1, [1, 1, 1]),
        (2, 1, [1, 1]),
    ],
)
def test_a_last_single_row_joins_the_batch_before_it(n_rows, batch_size, expected):
    assert sizes(n_rows, batch_size) == expected
    assert len(WholeBatches(table(n_rows), batch_size)) == len(expected)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_pass_sees_every_row_once_and_keeps_rows_together(shuffle):
    batches = list(WholeBatches(table(23), 5, shuffle=shuffle))
    y = torch.cat([batch.y for batch in batches])
    assert sorted(y[:, 0].tolist()) == list(range(23))
    assert torch.equal(torch.cat([batch.inputs["x"] for batch in batches]), y)
    assert torch.equal(torch.cat([batch.inputs["code"] for batch in batches]).float(), y)
    assert (y[:, 0].tolist() == list(range(23))) is not shuffle


def test_every_pass_has_its_own_order_of_the_seed():
    batches = WholeBatches(table(50), 50, shuffle=True)

    def two_passes():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return [next(iter(batches)).y.ravel().tolist() for _ in range(2)]

    first, second = two_passes()
    assert first != second
    assert two_passes() == [first, second]


def test_floats_take_the_dtype_and_codes_keep_theirs():
    blocks = table(3).inputs
    assert blocks["x"].dtype == torch.float32
    assert blocks["code"].dtype == torch.int64


def test_taken_rows_are_those_rows():
    taken = table(10).take(np.array([7, 2]))
    assert taken.y.ravel().tolist() == [7, 2]
    assert taken.inputs["code"].ravel().tolist() == [7, 2]
    assert len(taken) == 2


def test_taken_rows_share_what_is_stored():
    whole = table(10)
    taken = whole.take(np.array([7, 2, 5])).take(np.array([2, 0]))
    assert taken.y.ravel().tolist() == taken.inputs["x"].ravel().tolist() == [5, 7]
    assert taken.weight.ravel().tolist() == [1, 1]
    assert taken.blocks.tensors["x"] is whole.blocks.tensors["x"]
    assert taken.stored_y is whole.stored_y


@pytest.mark.parametrize("taken", [False, True])
def test_batches_are_copies(taken):
    rows = table(10).take(np.arange(10)) if taken else table(10)
    for batch in WholeBatches(rows, 4):
        for tensor in (*batch.inputs.values(), batch.y, batch.weight):
            tensor.zero_()
    rows.rows(slice(2, 4)).inputs["x"].zero_()
    assert rows.y.ravel().tolist() == rows.inputs["x"].ravel().tolist() == list(range(10))


def test_batches_of_taken_rows_are_those_of_a_table_of_them():
    rows = np.array([3, 9, 4, 1, 0, 6, 7])
    arrays = rows[:, None].astype(np.float64)
    alone = Table.from_arrays(
        {"x": arrays}, arrays, np.ones((7, 1)), device=torch.device("cpu"), dtype=torch.float32
    )
    found = []
    for each in (alone, table(10).take(rows)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found.append(
                [batch.inputs["x"].ravel().tolist() for batch in WholeBatches(each, 3, shuffle=True)]
            )
    assert found[0] == found[1]


@pytest.mark.parametrize(("n_rows", "expected"), [(2, 2), (3, 3), (5, 5), (6, 3), (7, 4), (9, 3)])
def test_a_sample_is_evenly_spaced_and_large_enough(n_rows, expected):
    sample = table(n_rows + 1).take(np.arange(1, n_rows + 1)).sample(3)
    found = sample["x"].ravel()
    assert len(found) == expected
    assert len(found.diff().unique()) <= 1
    assert found[0] == 1
    assert set(sample) == {"x", "code"}


def test_a_sample_that_nobody_looks_at_is_not_read(monkeypatch):
    monkeypatch.setattr(Table, "rows", lambda *_: pytest.fail("was read"))
    MLP().fit_statistics(FeatureSpec((Block("x", (1,)),)), table(10).sample(3))


def test_the_parts_of_a_split_share_what_is_stored():
    whole = table(6)
    train, valid = split_table(whole, RowSplit(np.array([0, 2, 5]), np.array([1, 3])))
    assert train.y.ravel().tolist() == [0, 2, 5]
    assert valid.inputs["code"].ravel().tolist() == [1, 3]
    assert train.stored_y is valid.stored_y is whole.stored_y


def test_the_last_of_a_class_is_learned_from_and_its_group_with_it():
    codes, groups = np.array([0, 0, 0, 1, 0, 1, -1]), np.array([0, 0, 1, 2, 2, 3, 3])
    split = RowSplit.from_validation(np.array([3, 4, 5, 6]), 7)
    assert split.train.tolist() == [0, 1, 2]
    alone, whole = (
        split.with_every_class_in_training([codes], None),
        split.with_every_class_in_training([codes], groups),
    )
    assert (alone.train.tolist(), alone.validation.tolist()) == ([0, 1, 2, 3, 5], [4, 6])
    assert (whole.train.tolist(), whole.validation.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [])
    # A class that is learned from elsewhere needs no row back.
    assert split.with_every_class_in_training([np.zeros(7, dtype=int)], groups).validation.tolist() == [
        3,
        4,
        5,
        6,
    ]
