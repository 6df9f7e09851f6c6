"""A warning of columns that most rows have rare levels of."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features.encoder import FeatureEncoder


def users(n_frequent, n_rare, often=10):
    """As many users that come often as are said, and as many that come once."""
    names = [f"u{i:04}" for i in range(n_frequent + n_rare)]
    values = np.array(names[:n_frequent] * often + names[n_frequent:], dtype=object)
    return np.random.default_rng(0).permutation(values)


@pytest.mark.parametrize("dtype", [object, "category"])
@pytest.mark.parametrize(
    ("n_frequent", "n_rare", "share"), [(2, 100, "83.3 %"), (60, 1400, "70.0 %")], ids=["bits", "codes"]
)
def test_a_column_of_mostly_rare_levels_is_warned_of(n_frequent, n_rare, share, dtype):
    values = users(n_frequent, n_rare)
    X = pd.DataFrame({"user": pd.Series(values, dtype=dtype), "age": np.arange(float(len(values)))})
    with pytest.warns(UserWarning, match=rf"rare levels: 'user' \({share} of rows\)\. .*Merge") as caught:
        encoder = FeatureEncoder("auto").fit(X)
    assert len(caught) == 1
    assert (encoder.spec.codes is None) == (n_frequent == 2)


def test_columns_are_named_together_those_of_an_array_by_place():
    values = users(2, 100)
    X = np.column_stack([values, np.arange(len(values)), values[::-1]]).astype(object)
    with pytest.warns(UserWarning, match=r"levels: 0 \(83\.3 % of rows\), 2 \(83\.3 % of rows\)") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(("n_frequent", "n_rare"), [(3, 0), (10, 100), (60, 0), (60, 600)])
def test_where_most_rows_have_levels_of_their_own_nothing_is_said(n_frequent, n_rare):
    FeatureEncoder("auto").fit(pd.DataFrame({"user": users(n_frequent, n_rare)}))


def test_missing_values_are_no_rare_level():
    values = [None] * 60 + [f"u{i}" for i in range(40)]
    FeatureEncoder("auto").fit(pd.DataFrame({"user": values, "age": np.arange(100.0)}))


def test_levels_are_rare_among_all_rows_of_a_long_table(monkeypatch):
    monkeypatch.setattr("sklearn_mtl.features.encoder.ROWS_FOR_STATISTICS", 200)
    FeatureEncoder("auto").fit(pd.DataFrame({"user": users(100, 0)}))


def test_a_fit_of_several_networks_says_it_once():
    values = users(2, 100)
    X = pd.DataFrame({"user": values, "age": np.arange(float(len(values)))})
    est = MultiTaskRegressor(trunk="mlp", n_bags=3, max_epochs=1, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est.fit(X, {"y": X["age"].to_numpy()})
    assert ["have rare levels" in str(each.message) for each in caught].count(True) == 1
