import numpy as np
import pytest
import torch

from sklearn_mtl.training import Table, WholeBatches


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
