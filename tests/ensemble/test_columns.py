"""CategoricalColumns: numbers stay numbers, levels become categories that trees can tell apart."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor

from sklearn_mtl.ensemble import CategoricalColumns
from sklearn_mtl.ensemble.columns import MOST_LEVELS


def table(n_rows=60):
    rng = np.random.RandomState(0)
    return pd.DataFrame(
        {
            "area": rng.normal(size=n_rows),
            "open": rng.rand(n_rows) > 0.5,
            "sold": pd.date_range("2024-01-01", periods=n_rows),
            "took": pd.to_timedelta(np.arange(n_rows), "D"),
            "colour": rng.choice(["red", "blue", "green"], n_rows),
            "place": pd.Categorical(rng.choice(["a", "b"], n_rows)),
            "empty": [None] * n_rows,
        }
    )


def test_columns_become_numbers_and_categories():
    X = table()
    X.loc[3, ["area", "sold", "took", "colour"]] = None
    found = CategoricalColumns().fit(X).transform(X)
    kinds = ["f", "f", "f", "f", "category", "category", "f"]
    assert [getattr(of, "kind", of) if of != "category" else "category" for of in found.dtypes] == kinds
    assert found.columns.tolist() == X.columns.tolist()
    assert found.iloc[3, [0, 2, 3, 4]].isna().all()
    assert found.iloc[1, 2] - found.iloc[0, 2] == found.iloc[1, 3] == 24 * 3600
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=3)
    model.fit(found, np.arange(60.0))
    assert model.is_categorical_.tolist() == [kind == "category" for kind in kinds]


def test_a_level_that_was_not_there_is_missing_and_a_row_is_read_by_itself():
    X = table()
    fitted = CategoricalColumns().fit(X)
    whole = fitted.transform(X)
    assert fitted.transform(X.iloc[[7]]).equals(whole.iloc[[7]])
    new = fitted.transform(X.assign(colour="black"))
    assert new.iloc[:, 4].isna().all()
    assert whole.dtypes.equals(new.dtypes)


def test_of_many_levels_the_rare_ones_are_one():
    levels = np.repeat(np.arange(400), np.where(np.arange(400) < 10, 5, 1)).astype(str)
    X = pd.DataFrame({"level": pd.Categorical(levels + "x")})
    codes = CategoricalColumns().fit(X).transform(X).iloc[:, 0].cat.codes.to_numpy()
    assert codes.max() == MOST_LEVELS
    assert np.bincount(codes)[:10].tolist() == [5] * 10
    assert (codes == MOST_LEVELS).sum() == 400 - MOST_LEVELS
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=2)
    model.fit(CategoricalColumns().fit_transform(X), np.arange(len(X), dtype=float))


def test_a_column_without_any_value_is_0():
    X = np.column_stack([np.arange(30.0), np.full(30, np.nan)])
    for table in (X, pd.DataFrame(X), pd.DataFrame({"a": X[:, 0], "b": [None] * 30})):
        columns = CategoricalColumns().fit(table)
        found = np.asarray(columns.transform(table))
        assert (found[:, 1] == 0).all()
        HistGradientBoostingRegressor(max_iter=2).fit(found, X[:, 0])


def test_numbers_pass_as_they_are():
    X = np.random.RandomState(0).normal(size=(20, 3))
    assert (clone(CategoricalColumns()).fit_transform(X) == X).all()
    assert (CategoricalColumns().fit_transform(csr_array(X)) == X).all()
    assert CategoricalColumns().fit(table()).get_feature_names_out().tolist() == list(table())
