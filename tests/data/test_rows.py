"""Rows that are not on the device are brought there when they are needed."""

import threading

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.data import Table, WholeBatches, rows, rows_for_training, table
from sklearn_mtl.data.rows import BATCHES_AHEAD, read_ahead
from sklearn_mtl.trunks import MLP


class Counted:
    """Encoded rows that count how often they are read."""

    at_once = 1

    def __init__(self, n_rows, *, is_streamed=False):
        self.values = np.arange(n_rows, dtype=np.float32)[:, None]
        self.is_streamed = is_streamed
        self.reads = []

    def __len__(self):
        return len(self.values)

    groups, buffer_size = None, 0

    def read(self, rows):
        self.reads.append(threading.current_thread().name)
        return {"x": self.values[rows], "code": self.values[rows].astype(np.int64)}


def table_of(reader):
    y = np.arange(len(reader), dtype=np.float64)[:, None]
    cpu = torch.device("cpu")
    blocks = rows_for_training(reader, cpu, torch.float32)
    return Table.from_rows(blocks, y, np.ones_like(y), device=cpu, dtype=torch.float32)


def batches_of(table):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return list(WholeBatches(table, 4, shuffle=True))


@pytest.mark.parametrize("taken", [False, True])
def test_batches_that_are_streamed_are_those_in_memory(taken):
    tables = [table_of(Counted(23)), table_of(Counted(23, is_streamed=True))]
    if taken:
        tables = [table.take(np.arange(3, 20, 2)) for table in tables]
    for kept, streamed in zip(*map(batches_of, tables), strict=True):
        assert torch.equal(kept.inputs["x"], streamed.inputs["x"])
        assert torch.equal(kept.inputs["code"], streamed.inputs["code"])
        assert kept.inputs["code"].dtype == streamed.inputs["code"].dtype == torch.int64
        assert torch.equal(kept.y, streamed.y)
        assert torch.equal(streamed.y, streamed.inputs["x"])
    assert torch.equal(tables[0].inputs["x"], tables[1].inputs["x"])
    assert torch.equal(tables[0].sample(3)["x"], tables[1].sample(3)["x"])


def test_what_is_in_memory_is_read_once_and_without_a_thread():
    reader = Counted(23)
    batches_of(table_of(reader))
    assert reader.reads == [threading.current_thread().name]


def test_what_is_streamed_is_read_by_a_thread_batch_by_batch():
    reader = Counted(23, is_streamed=True)
    table = table_of(reader)
    assert reader.reads == []
    batches_of(table)
    assert len(reader.reads) == 6
    assert all(name.startswith("sklearn_mtl-reader") for name in reader.reads)


def test_reading_stays_a_few_steps_ahead_and_ends_with_the_iteration():
    started = []
    before = threading.active_count()

    def read(place):
        started.append(place)
        return {"x": torch.tensor(place)}

    steps = read_ahead(read, range(10))
    for step in range(3):
        assert next(steps)["x"] == step
        assert len(started) <= step + 1 + BATCHES_AHEAD
    steps.close()
    assert threading.active_count() == before
    assert len(started) <= 3 + BATCHES_AHEAD


def test_what_reading_raises_is_raised_after_what_was_read_before():
    def read(place):
        if place == 2:
            raise OSError("no")
        return {"x": torch.tensor(place)}

    steps, before = read_ahead(read, range(10)), threading.active_count()
    assert [int(next(steps)["x"]) for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match="no"):
        next(steps)
    assert threading.active_count() == before


@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_rows_that_do_not_fit_on_the_device_are_brought_there_by_batches(preprocessing, monkeypatch):
    X = np.random.default_rng(0).normal(size=(200, 4))
    settings = {
        "trunk": MLP((8,)),
        "n_bags": 2,
        "max_epochs": 3,
        "preprocessing": preprocessing,
        # The linear model takes all rows at once, on the CPU.
        "linear_blend": False,
        "random_state": 0,
    }
    kept = MultiTaskRegressor(**settings).fit(X, X[:, 0])
    read = []
    original = rows.ArrayReader.read
    monkeypatch.setattr(table, "free_memory", lambda device: 200 * 4 * 4)
    monkeypatch.setattr(
        rows.ArrayReader,
        "read",
        lambda self, rows: (read.append(len(original(self, rows)["x"])), original(self, rows))[1],
    )
    brought = MultiTaskRegressor(**settings).fit(X, X[:, 0])
    assert read
    assert max(read) < 180
    np.testing.assert_array_equal(brought.predict(X), kept.predict(X))
    read.clear()
    monkeypatch.setattr(table, "free_memory", lambda device: 2 * 200 * 4 * 4)
    MultiTaskRegressor(**settings).fit(X, X[:, 0])
    assert not read


@pytest.mark.gpu
@pytest.mark.parametrize("fits", [False, True])
def test_streams_to_a_gpu(fits, monkeypatch):
    X = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "preprocessing": None, "random_state": 0}
    kept = MultiTaskRegressor(**settings, device="cuda").fit(X, X[:, 0])
    if not fits:
        monkeypatch.setattr(table, "free_memory", lambda device: 0)
    brought = MultiTaskRegressor(**settings, device="cuda").fit(X, X[:, 0])
    assert next(brought.net_.module_.parameters()).is_cuda
    np.testing.assert_allclose(brought.predict(X), kept.predict(X), rtol=1e-5, atol=1e-6)
