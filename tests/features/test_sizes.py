"""Numbers that are too large to be scaled, or for the network, are refused by the name of their column."""

import contextlib
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(40, 2))
CLASSES = np.repeat([0, 1], 20)


def quick(cls=MultiTaskRegressor, **params):
    return cls(trunk=MLP((4,)), n_bags=1, max_epochs=1, random_state=0, **params)


def containers(values):
    return {
        "array": values,
        "pandas": pd.DataFrame(values, columns=["a", "b"]),
        "polars": pl.DataFrame(values, schema=["a", "b"]),
        "objects": pd.DataFrame(values, columns=["a", "b"]).astype(object),
        "text": pd.DataFrame(values, columns=["a", "b"]).astype(str),
    }


@pytest.mark.filterwarnings("ignore:Columns of `X` that hold text are read")
@pytest.mark.parametrize("container", ["array", "pandas", "polars", "objects", "text"])
@pytest.mark.parametrize("factor", [1e155, 1e200, 1e307, -1e200])
def test_what_can_not_be_scaled_is_refused_by_name(container, factor):
    X = containers(Z * [1, factor])[container]
    name = "1" if container == "array" else "'b'"
    with pytest.raises(ValueError, match=rf"Columns of `X` must hold numbers whose squares .* in \[{name}\]"):
        quick().fit(X, CLASSES)


@pytest.mark.parametrize("container", ["array", "pandas", "polars"])
def test_one_such_number_is_enough(container):
    values = Z.copy()
    values[3, 0] = -1e200
    name = "0" if container == "array" else "'a'"
    with pytest.raises(ValueError, match=rf"squares are finite.* Found 1e\+200 in \[{name}\]"):
        quick().fit(containers(values)[container], CLASSES)


@pytest.mark.parametrize("factor", [1e-140, 1e-10, 1, 1e10, 1e100, 1e140])
def test_columns_of_any_other_size_are_scaled(factor):
    found, expected = quick().fit(Z * factor, CLASSES), quick().fit(Z, CLASSES)
    np.testing.assert_allclose(found.predict(Z * factor), expected.predict(Z), rtol=1e-3, atol=1e-4)


def test_a_large_number_that_is_predicted_for_counts_as_the_largest():
    est = quick().fit(Z, CLASSES)
    assert np.isfinite(est.predict(Z * 1e200)).all()


@pytest.mark.parametrize("container", ["array", "pandas", "polars"])
@pytest.mark.parametrize("method", ["fit", "predict"])
def test_what_the_network_can_not_hold_is_refused_by_name(method, container):
    est = quick(preprocessing=None).fit(containers(Z)[container], CLASSES)
    X = containers(Z * [1, 1e39])[container]
    name = "1" if container == "array" else "'b'"
    with pytest.raises(ValueError, match=rf"too large for dtype\('float32'\). Found it in \[{name}\]"):
        getattr(est, method)(*((X, CLASSES) if method == "fit" else (X,)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        pytest.param(
            np.array([[10**400 + i] for i in range(40)], dtype=object),
            "Column 0 of `X` must hold numbers",
            marks=pytest.mark.skipif(
                pd.__version__.startswith("2."), reason="pandas 2 raises before anybody else sees them"
            ),
        ),
        (
            pd.DataFrame({"a": [10**400 + i for i in range(40)]}, dtype=object),
            "Column 'a' of `X` must hold numbers",
        ),
        (
            pd.DataFrame({"a": np.array([10**13 * i for i in range(40)], dtype="M8[s]")}),
            "Column 'a' of `X` must hold dates",
        ),
        (np.array([[10**7 * i] for i in range(40)], dtype="M8[D]"), "Column 0 of `X` must hold dates"),
        (
            pd.DataFrame({"a": [timedelta(days=999_999_999 - i) for i in range(40)]}),
            "Column 'a' of `X` must hold durations",
        ),
    ],
    ids=["integers", "column of integers", "dates", "array of dates", "durations"],
)
def test_what_numpy_or_pandas_can_not_hold_is_refused_by_name(X, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, CLASSES)


@pytest.mark.parametrize("dtype", [pl.Int128, pl.UInt64, pl.Int64], ids=str)
def test_wide_integers_of_polars_are_numbers(dtype):
    whole = (np.abs(Z) * 1e6).astype(int)
    X = pl.DataFrame(whole.tolist(), schema={"a": dtype, "b": dtype}, orient="row")
    expected = quick().fit(whole, CLASSES)
    np.testing.assert_array_equal(quick().fit(X, CLASSES).predict(X), expected.predict(whole))


def test_a_tensor_of_a_graph_is_read_like_its_array():
    X, y = torch.tensor(Z, requires_grad=True), torch.tensor(CLASSES * 1.5, requires_grad=True)
    expected = quick().fit(Z, CLASSES * 1.5)
    np.testing.assert_array_equal(quick().fit(X, y).predict(X), expected.predict(Z))
    assert X.requires_grad


@pytest.mark.parametrize(
    "X",
    [
        pd.Series(pd.period_range("2000", periods=40, freq="M")),
        np.array([b"x", b"y"] * 20),
        [None, 1] * 20,
    ],
    ids=["periods", "bytes", "objects"],
)
def test_one_dimension_of_anything_but_texts_is_refused(X):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        quick().fit(X, CLASSES)


@pytest.mark.parametrize(
    "names",
    [[True, "b"], [("a", 1), ("b", 2)], [0.5, None], pd.MultiIndex.from_tuples([(0, 0), (1, 1)])],
    ids=["booleans", "tuples", "mixed", "levels"],
)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_columns_of_any_names_are_read(names):
    X = pd.DataFrame(Z)
    X.columns = names
    for preprocessing in ("auto", None):
        with contextlib.suppress(TypeError):
            # scikit-learn takes names of one type only, and says so.
            quick(preprocessing=preprocessing).fit(X, CLASSES)
    one = pd.DataFrame({True: Z[:, 0]})
    assert len(quick(preprocessing=None).fit(one, CLASSES).predict(one)) == 40


def test_complex_objects_are_refused_in_words():
    with pytest.raises(ValueError, match=r"[Cc]omplex"):
        quick().fit((Z + 1j).astype(object), CLASSES)


# ------------------------------------------------------------------------------------------- labels


def series_of(values):
    return {"array": np.array(values, dtype=object), "polars": pl.Series(values, dtype=pl.Int128)}


@pytest.mark.parametrize("container", ["array", "polars"])
def test_classes_beyond_64_bits(container):
    y = series_of([10**30 + i for i in CLASSES.tolist()])[container]
    est = quick(MultiTaskClassifier).fit(Z, y)
    assert est.classes_.tolist() == [10**30, 10**30 + 1]
    assert set(est.predict(Z).tolist()) <= {10**30, 10**30 + 1}
    with pytest.raises(ValueError, match=r"say it with tasks=.* integers beyond 64 bits"):
        quick(MultiTaskClassifierRegressor).fit(Z, y)


def test_classes_beyond_signed_integers():
    y = np.where(CLASSES == 1, 2**64 - 1, 2**64 - 2).astype(np.uint64)
    est = quick(MultiTaskClassifierRegressor).fit(Z, y)
    assert est.classes_.tolist() == [2**64 - 2, 2**64 - 1]
    assert est.classes_.dtype == np.uint64
    assert 0 <= est.score(Z, y) <= 1


@pytest.mark.parametrize("container", ["array", "polars"])
def test_numbers_beyond_64_bits(container):
    y = series_of([10**30 * i for i in range(40)])[container]
    assert np.isfinite(quick().fit(Z, y).predict(Z)).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([10**400 + i for i in range(40)], dtype=object), "Task 'y' .* of a size that floats have"),
        (
            np.array([Decimal("1e400") * i for i in range(40)], dtype=object),
            "'y' has 39 infinite labels",
        ),
        (Z[:, 0] * 1e200, "Task 'y' needs labels whose squares are finite"),
    ],
    ids=["integers", "decimals", "floats"],
)
def test_numbers_beyond_floats_are_refused_by_name(y, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(Z, y)


@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e-39, 1e39, 1e140])
def test_labels_of_any_other_size_are_learned(factor):
    est = quick().fit(Z, Z[:, 0] * factor)
    assert np.isfinite(est.predict(Z)).all()
    assert np.isfinite(est.history_["train_loss"]).all()
