"""Rows that are files are read when they are asked for."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from sklearn_mtl.features import Files

IMAGES = np.random.default_rng(0).integers(0, 255, size=(7, 3, 8, 6)).astype(np.uint8)


class Load:
    """Loads rows by their number, and counts it."""

    def __init__(self, rows=IMAGES):
        self.rows, self.read = rows, []

    def __call__(self, number):
        self.read.append(number)
        return self.rows[number]


@pytest.mark.parametrize(
    "rows",
    [slice(1, 4), [4, 0, 4], np.arange(7) < 3, [], (np.array([2, 1]), ...)],
    ids=["slice", "positions", "mask", "none", "of scikit-learn"],
)
def test_some_rows_are_files_of_which_none_is_read(rows):
    load = Load()
    some = Files(range(7), load)[rows]
    key = rows[0] if isinstance(rows, tuple) else rows
    expected = IMAGES[np.array(key, np.intp) if key == [] else key] if isinstance(key, list) else IMAGES[key]
    assert isinstance(some, Files)
    assert load.read == []
    assert len(some) == len(expected)
    for row, image in zip(some, expected, strict=True):
        np.testing.assert_array_equal(row, image)


def test_its_shape_is_read_from_one_file_once():
    load = Load()
    X = Files(range(7), load)
    assert repr(X).startswith("Files(7 rows, load=")
    assert (len(X), load.read) == (7, [])
    assert (X.shape, X.ndim, load.read) == (IMAGES.shape, 4, [0])
    assert (X[3:].shape, load.read) == ((4, 3, 8, 6), [0])
    assert X[np.int64(-1)].tolist() == IMAGES[6].tolist()
    with pytest.raises(IndexError):
        X[7]
    one, other = train_test_split(X, random_state=0)
    assert (len(one), len(other), load.read) == (5, 2, [0, 6])


def test_npy_files_need_no_load(tmp_path):
    for place, image in enumerate(IMAGES):
        np.save(tmp_path / f"{place}.npy", image)
    paths = sorted(tmp_path.iterdir())
    for given in (paths, [str(path) for path in paths], pd.Series(paths, index=range(7, 14))):
        X = pickle.loads(pickle.dumps(Files(given)))
        np.testing.assert_array_equal(np.stack(list(X)), IMAGES)


def test_anything_may_stand_for_a_path():
    X = Files([(0, 1), (2, 3)], lambda pair: np.array(pair))
    assert X.shape == (2, 2)
    assert X[1].tolist() == [2, 3]


def test_rows_without_a_path_are_known():
    X = Files([None, 2, np.nan, pd.NA], Load())
    assert X.missing.tolist() == [True, False, True, True]
    assert X.shape == (4, 3, 8, 6)
    assert X[[0, 2]].shape == (2, 3, 8, 6)
    assert Files([None, None]).shape == (2,)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (([],), ValueError, "`paths` of Files must hold at least one path"),
        (("photo.npy",), TypeError, "`paths` of Files must be a sequence of paths. Found 'photo.npy'"),
        ((Path("photo.npy"),), TypeError, "`paths` of Files must be a sequence of paths"),
        ((3,), TypeError, "`paths` of Files must be a sequence of paths. Found 3"),
        ((["a.npy", "b.jpg"],), ValueError, "`load` of Files must be given for files .* Found 'b.jpg'"),
        ((["a.npy"], "numpy"), TypeError, "`load` of Files must be None, or take a path .* Found 'numpy'"),
    ],
)
def test_what_is_no_list_of_files_is_named(given, error, message):
    with pytest.raises(error, match=message):
        Files(*given)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "b.npy").write_text("not an array")
    np.save(tmp_path / "c.npy", np.zeros(4))
    X = Files([tmp_path / f"{name}.npy" for name in "abcd"])
    with pytest.raises(
        ValueError, match=r"must be readable by `load`. Found ValueError for .*b\.npy"
    ) as caught:
        X[1]
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(
        ValueError, match=r"must hold rows of one shape. Found \(4,\) in .*c\.npy.* \(3,\) in"
    ):
        X[2]
    with pytest.raises(ValueError, match=r"Found FileNotFoundError for .*d\.npy"):
        X[3]
