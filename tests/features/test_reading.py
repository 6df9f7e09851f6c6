"""X is read as scikit-learn reads it, and frames of either library alike."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_mtl.features import read_features, reading, takes_texts


def read(X, estimator=None, *, reset=True, allow_nan=True, **options):
    estimator = BaseEstimator() if estimator is None else estimator
    return read_features(estimator, X, reset=reset, allow_nan=allow_nan, **options)


@pytest.mark.parametrize("library", [pd, pl])
def test_frame_records_names(library):
    estimator = BaseEstimator()
    frame = read(library.DataFrame({"a": [1, 2], "b": ["u", "v"]}), estimator)
    assert isinstance(frame, pd.DataFrame)
    assert estimator.n_features_in_ == 2
    assert estimator.feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["b", "a"], "must be in the same order"),
        (["a"], "now missing"),
        (["a", "b", "c"], "unseen at fit time"),
    ],
)
def test_frame_with_other_columns(library, columns, message):
    estimator = BaseEstimator()
    read(library.DataFrame({"a": [1, 2], "b": [3, 4]}), estimator)
    with pytest.raises(ValueError, match=message):
        read(library.DataFrame({name: [1, 2] for name in columns}), estimator, reset=False)


@pytest.mark.parametrize("library", [pd, pl])
def test_frame_with_infinity(library):
    with pytest.raises(ValueError, match=r"Input X contains infinity .* column 'b'"):
        read(library.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.inf]}))


def test_nullable_frame_with_infinity():
    with pytest.raises(ValueError, match=r"Input X contains infinity .* column 'b'"):
        read(pd.DataFrame({"b": pd.array([1.0, np.inf, None], dtype="Float64")}))


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("values", [[1.0, None], ["u", None], [True, None]])
def test_frame_with_gaps(library, values):
    X = library.DataFrame({"a": [1, 2], "b": values})
    assert read(X)["b"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match=r"Input X contains NaN.* column 'b'"):
        read(X, allow_nan=False)


@pytest.mark.parametrize("library", [pd, pl])
def test_empty_frames(library):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\) \(shape=\(0, 2\)\)"):
        read(library.DataFrame({"a": [1.0], "b": [2.0]})[:0])
    with pytest.raises(ValueError, match=r"0 (feature|sample)\(s\)"):
        read(library.DataFrame())
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        read(pd.DataFrame(index=range(3)))


def test_frame_with_one_name_twice():
    with pytest.raises(ValueError, match=r"distinct names. Found more than once: \['a'\]"):
        read(pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))


def test_complex_frame():
    with pytest.raises(ValueError, match="Complex data not supported"):
        read(pd.DataFrame({"a": [1j]}))


def test_frame_keeps_its_index_and_values():
    X = pd.DataFrame({"a": [1.0, 2.0]}, index=[7, 8])
    pd.testing.assert_frame_equal(read(X), X)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pl.Series([1, None], dtype=pl.Int64), pd.Series([1, np.nan])),
        (pl.Series([1, 2], dtype=pl.Int8), pd.Series([1, 2], dtype="int8")),
        (pl.Series([1.0, None], dtype=pl.Float32), pd.Series([1, np.nan], dtype="float32")),
        (pl.Series(["1.5", None]).cast(pl.Decimal(9, 2)), pd.Series([1.5, np.nan])),
        (pl.Series([True, None]), pd.Series([True, None], dtype=object)),
        (pl.Series([True, False]), pd.Series([True, False])),
        (pl.Series(["u", None]), pd.Series(["u", None], dtype=object)),
        (pl.Series(["u", None], dtype=pl.Categorical), pd.Series(["u", None], dtype="category")),
        (pl.Series(["u", None], dtype=pl.Enum(["v", "u"])), pd.Series(["u", None], dtype="category")),
        (pl.Series([datetime.date(1, 5, 2), None]), pd.Series(["0001-05-02", None], dtype="datetime64[s]")),
        (
            pl.Series([datetime.datetime(2020, 5, 2, 3), None]),
            pd.Series(["2020-05-02T03:00", None], dtype="datetime64[us]"),
        ),
        (
            pl.Series([datetime.datetime(2020, 5, 2, 3), None]).dt.replace_time_zone("Asia/Tokyo"),
            pd.Series(["2020-05-02T03:00", None], dtype="datetime64[us]").dt.tz_localize("Asia/Tokyo"),
        ),
        (
            pl.Series([datetime.timedelta(1), None]),
            pd.Series([pd.Timedelta("1D"), None], dtype="timedelta64[us]"),
        ),
        (pl.Series([datetime.time(1), None]), pd.Series([datetime.time(1), None], dtype=object)),
    ],
    ids=lambda series: str(series.dtype),
)
def test_polars_column(series, expected):
    pd.testing.assert_series_equal(read(series.to_frame("a"))["a"], expected.rename("a"))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int32", "float64"),
        ("bool", "float64"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("O", "float64"),
    ],
)
def test_table_dtypes(dtype, expected):
    estimator = BaseEstimator()
    assert read(np.ones((3, 2), dtype=dtype), estimator).dtype == expected
    assert estimator.n_features_in_ == 2
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.ones(3), ValueError, "Expected 2D array, got 1D array"),
        (pd.Series([1.0, 2.0]), ValueError, "Expected a 2-dimensional container"),
        (np.ones((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.ones((3, 0)), ValueError, r"0 feature\(s\)"),
        (np.ones((3, 2)) * 1j, ValueError, "Complex data not supported"),
        (csr_array(np.eye(3) * 1j), ValueError, "Complex data not supported"),
        (csr_array(np.full((3, 3), np.inf)), ValueError, "Input X contains infinity"),
        (csr_array((0, 3)), ValueError, r"0 sample\(s\)"),
        (csr_array((3, 0)), ValueError, r"0 feature\(s\)"),
        (coo_array([1.0, 2.0]), ValueError, r"two dimensions where it is sparse\. Found shape \(2,\)"),
        ([[np.inf, 1.0]], ValueError, "Input X contains infinity"),
        (np.array([[{"k": 1}, 1.0]]), TypeError, r"single values.* in the columns \[0\]"),
        ([[1.0], [2.0, 3.0]], ValueError, "inhomogeneous"),
        (
            {"image": np.ones((3, 2)), "text": np.ones((3, 2))},
            TypeError,
            r"Found dict with keys \['image', 'text'\]",
        ),
    ],
)
def test_refused(X, error, message):
    with pytest.raises(error, match=message):
        read(X)


@pytest.mark.parametrize(
    ("X", "dtypes"),
    [
        ([["u", 1.5], [None, 2]], "O"),
        (np.array([["u", 1.5], [None, 2]], dtype=object), "O"),
        (np.array([["u", "v"]]), "U"),
        (np.array([[b"u", b"v"]]), "S"),
        (np.array([["2024-02-29"]], dtype="datetime64[D]"), "M"),
        (np.array([[1]], dtype="timedelta64[s]"), "m"),
    ],
)
def test_arrays_of_other_than_numbers_are_tables(X, dtypes):
    estimator = BaseEstimator()
    table = read(X, estimator)
    assert table.dtype.kind == dtypes
    assert estimator.n_features_in_ == table.shape[1]
    np.testing.assert_array_equal(read(X, estimator, reset=False), table)


def test_gaps_of_arrays_of_objects_are_named():
    with pytest.raises(ValueError, match=r"Input X contains NaN. Found it in the columns \[1\]"):
        read(np.array([["u", None], ["v", 2]], dtype=object), allow_nan=False)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([[1.0, 2.0]], dtype=np.float32), "float32"),
        (np.array([[1.0, 2.0]]), "float64"),
        (np.array([[1, 2]]), "float64"),
        (np.array([[True, True]]), "float64"),
        (np.array([["u", "v"]]), "object"),
        (np.array([["2024", "2025"]], dtype="datetime64[D]"), "datetime64[D]"),
        (np.array([[1, 2]], dtype="timedelta64[s]"), "timedelta64[s]"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_what_a_mask_hides_is_missing(values, dtype):
    masked = np.ma.MaskedArray(values, mask=[[False, True]])
    found = read(masked)
    assert type(found) is np.ndarray
    assert found.dtype == dtype
    assert pd.isna(found).tolist() == [[False, True]]
    assert masked.data[0, 1] == values[0, 1]
    with pytest.raises(ValueError, match="Input X contains NaN"):
        read(masked, allow_nan=False)


def test_a_mask_that_hides_nothing():
    assert read(np.ma.MaskedArray([[1.0, 2.0]]), allow_nan=False).tolist() == [[1, 2]]


def test_masked_images():
    with pytest.raises(ValueError, match="contains NaN"):
        read(np.ma.MaskedArray(np.ones((2, 3, 3)), mask=np.eye(3, dtype=bool)[None].repeat(2, 0)))


TEXTS = ["a good film", "a bad film"]


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, None],
        pd.Series(TEXTS),
        pd.Series(TEXTS, name="film"),
        pd.DataFrame({"film": TEXTS}),
        pl.Series(TEXTS),
        pl.DataFrame({"film": TEXTS}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_one_column_of_texts(X):
    estimator = BaseEstimator()
    table = read(X, estimator, texts=True)
    assert np.asarray(table).tolist() == [[text] for text in TEXTS]
    assert estimator.n_features_in_ == 1


def test_several_columns_where_texts_are_asked_for():
    with pytest.raises(ValueError, match=r"one column of texts .* Found shape \(1, 2\)"):
        read(pd.DataFrame({"a": ["u"], "b": ["v"]}), texts=True)


def test_table_with_gaps():
    assert np.isnan(read([[np.nan, 1.0]])).tolist() == [[True, False]]
    with pytest.raises(ValueError, match="Input X contains NaN"):
        read([[np.nan, 1.0]], allow_nan=False)


def test_table_of_other_width():
    estimator = BaseEstimator()
    read(np.ones((3, 2)), estimator)
    with pytest.raises(ValueError, match="X has 3 features, but BaseEstimator is expecting 2"):
        read(np.ones((3, 3)), estimator, reset=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", ["uint8", "float32", "float64"])
def test_images(given, dtype):
    estimator = BaseEstimator()
    images = read(np.ones((5, 3, 4, 4), dtype=given), estimator, dtype=dtype)
    assert images.shape == (5, 3, 4, 4)
    assert images.dtype == dtype
    assert estimator.n_features_in_ == 3


@pytest.mark.parametrize(("value", "message"), [(np.nan, "contains NaN"), (np.inf, "contains infinity")])
def test_images_must_be_finite(value, message):
    with pytest.raises(ValueError, match=message):
        read(np.full((5, 3, 4), value))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("allow_nan", [False, True])
def test_plain_arrays_come_through_quickly(dtype, allow_nan, monkeypatch):
    estimator = BaseEstimator()
    X = np.ones((3, 2), dtype=dtype)
    read(X, estimator)
    monkeypatch.setattr(reading, "validate_data", lambda *_, **__: pytest.fail("was checked at length"))
    assert read(X, estimator, reset=False, allow_nan=allow_nan) is X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((3, 3)), "X has 3 features"),
        (np.ones((0, 2)), r"0 sample\(s\)"),
        (np.ones(3), "Expected 2D array"),
        (np.array([[np.nan, 1.0]]), "contains NaN"),
        (np.array([[np.inf, 1.0]]), "contains infinity"),
    ],
)
def test_arrays_that_are_not_plain_are_refused_as_ever(X, message):
    estimator = BaseEstimator()
    read(np.ones((3, 2)), estimator)
    with pytest.raises(ValueError, match=message):
        read(X, estimator, reset=False, allow_nan=False)


def test_large_but_finite_numbers_are_numbers():
    estimator = BaseEstimator()
    X = np.full((3, 2), 3e38, dtype=np.float32)
    read(X, estimator)
    assert read(X, estimator, reset=False) is X


def test_an_array_in_place_of_a_frame_is_warned_about():
    estimator = BaseEstimator()
    read(pd.DataFrame({"a": [1.0], "b": [2.0]}), estimator)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        read(np.ones((3, 2)), estimator, reset=False)


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        (TfidfVectorizer(), True),
        (CountVectorizer(), True),
        (HashingVectorizer(), True),
        (make_pipeline(TfidfVectorizer(), TruncatedSVD()), True),
        (make_union(TfidfVectorizer(), CountVectorizer()), True),
        (FrozenEstimator(make_pipeline(CountVectorizer())), True),
        (StandardScaler(), False),
        (OneHotEncoder(), False),
        (make_column_transformer((TfidfVectorizer(), "text")), False),
        (make_pipeline("passthrough"), False),
        (TfidfVectorizer, False),
        ("auto", False),
        (None, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_takes_texts(preprocessing, expected):
    assert takes_texts(preprocessing) is expected
