"""Rows of memory maps and Datasets are read, and checked, when they are asked for."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset

from sklearn_mtl.features.streamed import streamed_rows

X = np.arange(12.0).reshape(6, 2)


class Rows(Dataset):
    def __init__(self, rows):
        self.rows, self.read = rows, []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        self.read.append(i)
        return self.rows[i]


class Batches(Rows):
    def __getitems__(self, positions):
        return [self.rows[i] for i in positions]


def memory_map(path, X=X):
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("kept", [Rows, Batches, lambda rows: Rows(torch.tensor(rows)), "map"])
@pytest.mark.parametrize("rows", [slice(1, 4), slice(None, None, 2), np.array([4, 0, 4])])
def test_rows_are_those_of_the_array(kept, rows, tmp_path):
    streamed = streamed_rows(
        memory_map(tmp_path) if kept == "map" else kept(X), allow_nan=False, dtype=np.float32
    )
    assert (streamed.shape, streamed.ndim, len(streamed)) == ((6, 2), 2, 6)
    np.testing.assert_array_equal(streamed[rows], X[rows])
    assert streamed[rows].flags.writeable


def test_only_what_is_asked_for_is_read():
    kept = Rows(X)
    streamed = streamed_rows(kept, allow_nan=False, dtype=np.float32)
    # The first row tells the shape.
    assert kept.read == [0]
    streamed[np.array([5, 3])]
    assert kept.read == [0, 5, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_come_in_the_dtype_of_the_network_and_tables_as_they_are(dtype):
    assert streamed_rows(Rows(X), allow_nan=False, dtype=dtype)[:2].dtype == np.float64
    images = streamed_rows(Rows(np.ones((3, 2, 2), np.uint8)), allow_nan=True, dtype=dtype)
    assert images[:2].dtype == dtype


@pytest.mark.parametrize("allow_nan", [False, True])
def test_missing_values_are_found_when_they_are_read(allow_nan):
    streamed = streamed_rows(Rows(np.array([[1.0], [np.nan]])), allow_nan=allow_nan, dtype=np.float32)
    assert streamed[:1].tolist() == [[1.0]]
    if allow_nan:
        assert np.isnan(streamed[1:]).all()
    else:
        with pytest.raises(ValueError, match="Input X contains NaN"):
            streamed[1:]


class Endless(IterableDataset):
    def __iter__(self):
        return iter(X)


@pytest.mark.parametrize(
    ("kept", "error", "message"),
    [
        (Endless(), TypeError, "with `__len__` and `__getitem__`.* Found Endless"),
        (Rows([]), ValueError, "0 sample"),
        (Rows([(X[0], 1.0)]), TypeError, "labels go into `y`. Found a tuple of 2"),
        (Rows([{"x": X[0]}]), TypeError, "Found a dict of 1"),
    ],
    ids=["endless", "empty", "pairs", "dicts"],
)
def test_what_is_no_dataset_of_rows_is_refused(kept, error, message):
    with pytest.raises(error, match=message):
        streamed_rows(kept, allow_nan=True, dtype=np.float32)
