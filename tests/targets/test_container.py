import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    permutation_test_score,
    train_test_split,
)

from sklearn_mtl.targets import MultiTaskTarget


@pytest.fixture
def target():
    return MultiTaskTarget(
        {
            "price": np.array([1.0, np.nan, 3.0, 4.0]),
            "type": ["a", None, "b", "a"],
            "grade": pd.Series(pd.Categorical(["x", "y", None, "x"])),
            "rooms": pd.array([1, 2, None, 4], dtype="Int64"),
            "flags": np.eye(4, 2),
        }
    )


def constant():
    # A local class is pickled by value: other processes can't import this file.
    class Constant(BaseEstimator):
        """Predicts the first row; it has no estimator type."""

        def __init__(self, shift=0.0):
            self.shift = shift

        def fit(self, X, y):
            assert isinstance(y, MultiTaskTarget)
            assert len(X) == len(y)
            self.first_ = y[:1]
            return self

        def predict(self, X):
            return self.first_[np.zeros(len(X), dtype=int)]

        def score(self, X, y):
            assert len(X) == len(y)
            return float(-abs(self.shift) - np.abs(y["price"] - self.first_["price"]).mean())

    return Constant()


@pytest.fixture
def X():
    return np.arange(24.0).reshape(12, 2)


@pytest.fixture
def whole():
    return MultiTaskTarget({"price": np.arange(12.0), "type": np.array(["a", "b", "c"] * 4)})


def test_it_counts_rows_and_iterates_over_names(target):
    names = ["price", "type", "grade", "rooms", "flags"]
    assert (len(target), target.shape) == (4, (4,))
    assert list(target) == list(target.keys()) == list(dict(target)) == names
    assert len(target.keys()) == len(target.values()) == len(target.items()) == 5
    assert "price" in target
    assert "prise" not in target
    assert 0 not in target


def test_it_copies_no_array():
    labels = np.arange(3.0)
    assert MultiTaskTarget({"a": labels})["a"] is labels


def test_dtypes_of_pandas_are_kept(target):
    assert isinstance(target["grade"], pd.Categorical)
    assert target["rooms"].dtype == "Int64"
    assert isinstance(MultiTaskTarget({"a": pd.Series([1.0])})["a"], np.ndarray)


@pytest.mark.parametrize(
    ("rows", "positions"),
    [
        (slice(1, 3), [1, 2]),
        ([2, 0], [2, 0]),
        (np.array([3]), [3]),
        (np.array([True, False, True, False]), [0, 2]),
        (pd.Series([True, False, True, False]), [0, 2]),
        ((np.array([1, 1]), Ellipsis), [1, 1]),
        ([], []),
    ],
)
def test_rows_are_the_rows_of_every_task(target, rows, positions):
    taken = target[rows]
    assert isinstance(taken, MultiTaskTarget)
    assert len(taken) == len(positions)
    positions = np.array(positions, dtype=int)
    assert taken == MultiTaskTarget({name: labels[positions] for name, labels in target.items()})


@pytest.mark.parametrize("position", [2, np.int64(2), -2])
def test_an_integer_gives_one_row(target, position):
    row = target[position]
    assert type(row) is dict
    assert (row["price"], row["type"], row["grade"] is np.nan) == (3.0, "b", True)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"price": [1.5, None], "type": pd.Categorical(["a", None]), "rooms": [1, 2]}),
        pd.DataFrame(np.eye(2)),
        pl.DataFrame({"price": [1.5, None], "type": ["a", None]}),
    ],
    ids=["pandas", "integer names", "polars"],
)
def test_a_frame_is_taken_by_its_columns(frame):
    names = [str(name) for name in frame.columns]
    columns = {str(name): frame[name] for name in frame.columns}
    assert list(MultiTaskTarget(frame)) == names
    assert MultiTaskTarget(frame) == MultiTaskTarget(columns)


def test_pandas_and_polars_make_columns_of_tasks(target):
    flat = MultiTaskTarget({name: labels for name, labels in target.items() if name not in ("flags", "type")})
    pd.testing.assert_frame_equal(pd.DataFrame(flat), flat.to_frame())
    pd.testing.assert_frame_equal(
        pd.DataFrame(flat, index=list("wxyz"), columns=["rooms"]), flat.to_frame(list("wxyz"))[["rooms"]]
    )
    text = MultiTaskTarget({"type": ["a", "b"], "price": [1.5, 2.5]})
    assert pd.DataFrame(text).to_dict("list") == {"type": ["a", "b"], "price": [1.5, 2.5]}
    assert pl.DataFrame(text).to_dict(as_series=False) == {"type": ["a", "b"], "price": [1.5, 2.5]}


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.__setitem__("a", [1]),
        lambda y: y.__delitem__("price"),
        lambda y: y.update(a=[1]),
        lambda y: y.setdefault("a", [1]),
        lambda y: y.pop("price"),
        lambda y: y.popitem(),
        lambda y: y.clear(),
        lambda y: y.__ior__({"a": [1]}),
    ],
)
def test_it_does_not_change(target, change):
    with pytest.raises(TypeError, match=r"does not change.*MultiTaskTarget\(\{\*\*old, name: values\}\)"):
        change(target)
    assert list(target) == ["price", "type", "grade", "rooms", "flags"]
    assert list(MultiTaskTarget({**target, "more": np.zeros(4)}))[-1] == "more"


def test_an_unknown_task_is_named_with_the_known_ones(target):
    with pytest.raises(KeyError, match=r"no task 'prise'.*'price', 'type'"):
        target["prise"]


@pytest.mark.parametrize("key", [["price"], [0.5], (0, 1), np.zeros((2, 2), dtype=int)])
def test_other_keys_are_refused(target, key):
    with pytest.raises((TypeError, IndexError), match="name of one task"):
        target[key]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([1, 2], TypeError, "must be a mapping. Found list"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, r"unique.*'a'"),
        ({}, ValueError, "at least one task"),
        ({1: [1]}, TypeError, "must be strings. Found 1"),
        ({"price": [1, 2], "type": [1]}, ValueError, r"'price': 2, 'type': 1"),
    ],
)
def test_what_it_refuses(data, error, message):
    with pytest.raises(error, match=message):
        MultiTaskTarget(data)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda y: pickle.loads(pickle.dumps(y))])
def test_copies_are_equal(target, copied):
    assert copied(target) == target


def test_equality_looks_at_names_values_and_gaps():
    one = MultiTaskTarget({"a": [1.0, np.nan], "b": ["x", None]})
    assert one == MultiTaskTarget({"b": ["x", None], "a": [1.0, np.nan]})
    assert one != MultiTaskTarget({"a": [1.0, 2.0], "b": ["x", None]})
    assert one != MultiTaskTarget({"a": [1.0, np.nan], "b": ["y", None]})
    assert one != MultiTaskTarget({"a": [1.0, np.nan]})
    assert one != MultiTaskTarget({"a": [1.0], "b": ["x"]})
    assert one != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_it_never_becomes_one_array(target):
    with pytest.raises(TypeError, match=r"y\['price'\].*est\.task\('price'\).*task_scorer\('price'"):
        np.asarray(target)
    with pytest.raises(TypeError, match=r"numpy\.unique.*y\['price'\]"):
        np.unique(target)


def test_parts_join_to_the_whole(target):
    assert np.concatenate([target[:1], target[1:3], target[3:]]) == target
    assert np.concatenate([target[:1], target[1:]], axis=0) == target
    assert np.concatenate([target[:1], target[1:]])["rooms"].dtype == "Int64"
    assert isinstance(np.concatenate([target[:1], target[1:]])["grade"], pd.Categorical)


@pytest.mark.parametrize("other", [np.zeros(2), MultiTaskTarget({"b": [1]})])
def test_only_parts_of_the_same_tasks_join(other):
    with pytest.raises(TypeError, match="same tasks"):
        np.concatenate([other, MultiTaskTarget({"a": [1]})])


def test_frame_has_a_column_for_each_output(target):
    frame = target.to_frame(index=list("wxyz"))
    assert list(frame) == ["price", "type", "grade", "rooms", "flags_0", "flags_1"]
    assert list(frame.index) == list("wxyz")
    assert [str(dtype) for dtype in frame.dtypes[:4]] == ["float64", "object", "category", "Int64"]
    assert frame["flags_1"].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_repr_is_short():
    text = repr(MultiTaskTarget({f"t{i}": [0.5, 1.5] for i in range(100)}))
    assert text.splitlines()[:2] == ["MultiTaskTarget of 2 rows", "  t0: float64, 2"]
    assert text.splitlines()[-1] == "  ... 90 more tasks"


def test_train_test_split_takes_rows(X, whole):
    X_train, X_test, y_train, y_test = train_test_split(X, whole, random_state=0)
    assert y_train["price"].tolist() == (X_train[:, 0] / 2).tolist()
    assert y_test["price"].tolist() == (X_test[:, 0] / 2).tolist()


def test_splitting_scoring_and_searching_go_through(X, whole):
    assert sum(len(test) for _, test in KFold(3).split(X, whole)) == 12
    assert cross_val_score(constant(), X, whole, cv=3).shape == (3,)
    assert np.isfinite(permutation_test_score(constant(), X, whole, cv=3, n_permutations=3)[0])
    assert learning_curve(constant(), X, whole, cv=3, train_sizes=[0.5, 1.0])[1].shape == (2, 3)


def test_cross_val_predict_gives_a_target_of_all_rows(X, whole):
    predicted = cross_val_predict(constant(), X, whole, cv=3)
    assert isinstance(predicted, MultiTaskTarget)
    assert predicted["price"].tolist() == [4.0] * 4 + [0.0] * 8


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_goes_through(X, whole, n_jobs):
    search = GridSearchCV(constant(), {"shift": [0.0, 1.0]}, cv=3, n_jobs=n_jobs).fit(X, whole)
    assert search.best_params_ == {"shift": 0.0}


def test_an_ensemble_of_single_targets_is_refused_in_our_words(X, whole):
    with pytest.raises(TypeError, match="Bagging"):
        BaggingRegressor().fit(X, whole)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, bool, object, "U1"])
def test_a_frame_of_one_dtype_is_the_frame_of_its_columns(dtype):
    arrays = {name: np.array([0, 1, 1]).astype(dtype) for name in ("a", "b")}
    frame = MultiTaskTarget(arrays).to_frame(index=[5, 6, 7])
    as_given = dtype if dtype is object else None
    expected = pd.DataFrame({k: pd.Series(v, dtype=as_given, index=[5, 6, 7]) for k, v in arrays.items()})
    pd.testing.assert_frame_equal(frame, expected)
    frame.loc[5, "a"] = frame.loc[6, "a"]
    assert arrays["a"][0] != arrays["a"][1]
