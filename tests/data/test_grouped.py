"""Rows that are read by groups: in an order of few groups at a time, each group once."""

import numpy as np
import pytest
import torch

from sklearn_mtl.data import Drawing, Table, WholeBatches, grouped, rows_when_read
from sklearn_mtl.data.grouped import Groups, mixed

CPU = torch.device("cpu")
N_ROWS, N_GROUPS = 1000, 50


class Source:
    """Reads rows of two blocks, and notes how many of which groups are read."""

    is_streamed = True
    at_once = 1

    def __init__(self, groups, buffer_size):
        self.groups, self.buffer_size, self.reads = groups, buffer_size, []

    def __len__(self):
        return len(self.groups)

    def read(self, rows):
        self.reads.append(rows)
        return {"x": np.column_stack([rows, rows % 7]).astype(np.float64), "code": rows.astype(np.int64)}


@pytest.fixture
def source():
    return Source(np.repeat(np.arange(N_GROUPS), N_ROWS // N_GROUPS), buffer_size=100)


def table_of(source, weight=None):
    y = np.arange(len(source), dtype=np.float64)[:, None]
    weight = np.ones_like(y) if weight is None else weight
    blocks = rows_when_read(source, CPU, torch.float32)
    return Table.from_rows(blocks, y, weight, device=CPU, dtype=torch.float32)


def drawn(seed, n_rows=N_ROWS):
    return np.random.default_rng(seed).permutation(n_rows)


def in_use(groups):
    """How many groups have been met and will be met again, at each row."""
    first, last = np.full(groups.max() + 1, len(groups)), np.zeros(groups.max() + 1, dtype=int)
    for place, group in enumerate(groups):
        first[group], last[group] = min(first[group], place), place
    return max(np.count_nonzero((first <= place) & (last >= place)) for place in range(len(groups)))


def test_few_groups_are_in_use_at_a_time_and_each_row_is_there_once(source):
    order = drawn(0)
    found = order[mixed(source.groups[order], 100)]
    assert sorted(found) == list(range(N_ROWS))
    # 100 rows are those of five groups; one comes in as another goes.
    assert in_use(source.groups[found]) <= 8
    assert in_use(source.groups[order]) == N_GROUPS


def test_rows_are_mixed_within_the_buffer(source):
    starts, spreads = [], []
    for seed in range(40):
        order = drawn(seed)
        found = source.groups[order[mixed(source.groups[order], 200)]]
        places = np.flatnonzero(found == 7)
        starts.append(places[0])
        spreads.append(np.ptp(places))
    # A group comes anywhere in the epoch, and its rows are spread over the length of the buffer.
    assert np.ptp(starts) > N_ROWS / 2
    assert 100 < np.mean(spreads) < 300


def test_large_groups_come_no_earlier_than_small_ones():
    groups = np.repeat(np.arange(20), [100, 10] * 10)
    middle = []
    for seed in range(200):
        order = drawn(seed, len(groups))
        found = groups[order[mixed(groups[order], 20)]]
        middle.append([np.median(np.flatnonzero(found % 2 == parity)) for parity in (0, 1)])
    large, small = np.mean(middle, axis=0) / len(groups)
    assert abs(large - 0.5) < 0.05
    assert abs(small - 0.5) < 0.08


@pytest.mark.parametrize("is_sorted", [True, False])
def test_batches_hold_the_rows_that_were_asked_for(source, is_sorted):
    if not is_sorted:
        source.groups = source.groups[drawn(3)]
    table = table_of(source).take(np.arange(0, N_ROWS, 2))
    seen = []
    for batch in WholeBatches(table, 32, shuffle=True):
        np.testing.assert_array_equal(batch.inputs["x"][:, 0], batch.y[:, 0])
        np.testing.assert_array_equal(batch.inputs["code"], batch.y[:, 0])
        seen += batch.y[:, 0].tolist()
    assert sorted(seen) == list(range(0, N_ROWS, 2))


def test_an_epoch_reads_each_group_once_and_only_the_rows_that_it_needs(source):
    table = table_of(source).take(np.arange(0, N_ROWS, 4))
    list(WholeBatches(table, 32, shuffle=True))
    assert len(source.reads) == N_GROUPS
    assert sum(map(len, source.reads)) == N_ROWS / 4
    assert all(len(set(source.groups[rows])) == 1 for rows in source.reads)


def test_no_more_rows_than_the_buffer_are_read_once_and_kept(source):
    held_out = table_of(source).take(np.arange(5, N_ROWS, 20))
    for _ in range(3):
        seen = [batch.inputs["x"][:, 0].tolist() for batch in WholeBatches(held_out, 8)]
        assert [row for batch in seen for row in batch] == list(range(5, N_ROWS, 20))
    assert held_out.rows(torch.tensor([3, 0, 3])).inputs["code"].tolist() == [65, 5, 65]
    assert len(source.reads) == N_GROUPS


def test_a_buffer_as_large_as_the_data_leaves_the_order_as_it_was_drawn(source):
    source.buffer_size = N_ROWS
    order = torch.from_numpy(drawn(1))
    assert table_of(source).blocks.arranged(order) is order


def test_rows_drawn_several_times_weigh_the_less(source):
    rates = torch.where(torch.arange(N_ROWS) < 100, 5.0, 0.5).double()
    table = table_of(source)
    table = Table(table.blocks, table.stored_y, table.stored_weight, Drawing(rates, for_weights=True))
    batches = list(WholeBatches(table, 32, shuffle=True))
    y, weight = (torch.cat([getattr(batch, of)[:, 0] for batch in batches]) for of in ("y", "weight"))
    assert torch.bincount(y.long(), minlength=N_ROWS)[:100].min() >= 3
    torch.testing.assert_close(weight.double(), 1 / rates[y.long()])


def test_an_error_of_the_reader_is_raised_and_its_thread_ends(source):
    def broken(rows):
        raise OSError("the disk has a scratch")

    source.read = broken
    with pytest.raises(OSError, match="scratch"):
        list(WholeBatches(table_of(source), 32, shuffle=True))


def test_groups_need_not_be_in_order():
    numbers = np.array([2, 0, 2, 1, 0])
    groups = Groups(numbers)
    assert [groups.rows(number).tolist() for number in range(3)] == [[1, 4], [3], [0, 2]]


def test_the_order_is_the_same_however_many_rows_are_sorted_at_once(source, monkeypatch):
    numbers = source.groups[drawn(5)]
    together = mixed(numbers, 100)
    monkeypatch.setattr(grouped, "FEWEST_TO_SORT", 1)
    np.testing.assert_array_equal(mixed(numbers, 100), together)


def test_groups_of_unequal_sizes_share_the_buffer(source):
    source.groups = np.repeat(np.arange(6), [1, 300, 5, 94, 1, 599])
    table = table_of(source)
    for _ in range(2):
        for batch in WholeBatches(table, 32, shuffle=True):
            np.testing.assert_array_equal(batch.inputs["x"][:, 0], batch.y[:, 0])
    assert len(source.reads) == 2 * 6


def test_one_group_is_read_ahead(source):
    batches = iter(WholeBatches(table_of(source), 10))
    for place in range(0, N_ROWS // 2, 10):
        next(batches)
        # The rows of these groups are asked for in order.
        assert len(source.reads) <= place // 20 + 2
    batches.close()
    assert len(source.reads) <= N_GROUPS / 2 + 2
