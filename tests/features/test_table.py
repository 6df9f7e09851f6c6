"""What `preprocessing="auto"` makes of each kind of column."""

import datetime
import decimal
import enum
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl.features import FeatureEncoder, default_preprocessing
from sklearn_mtl.features.table import smooth_clip, to_text

RNG = np.random.default_rng(0)


def encode(X, new=None):
    """Fit on X and return the encoding of `new` (X itself if none) as a mapping from name to column."""
    preprocessing = default_preprocessing().fit(X)
    values = preprocessing.transform(X if new is None else new)
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    return dict(zip(preprocessing.get_feature_names_out(), values.T, strict=True))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, 2.0, 3.0, np.nan, 5.0]),
        pd.Series([1.0, 2.0, 3.0, np.nan, 5.0], dtype="float32"),
        pd.Series([1, 2, 3, None, 5], dtype="Int64"),
        pd.Series([1, 2, 3, None, 5], dtype="Float64"),
        pd.Series([1, 2, 3, None, 5], dtype=object),
        pd.Series([1, 2.0, 3, pd.NA, 5], dtype=object),
        pd.Series([decimal.Decimal(v) for v in (1, 2, 3)] + [None, decimal.Decimal(5)], dtype=object),
        pd.Series([1.0, 2.0, 3.0, np.nan, 5.0], dtype=pd.SparseDtype(float)),
    ],
    ids=lambda column: str(column.dtype),
)
def test_numbers_of_any_dtype(column):
    encoded = encode(column.to_frame("a"))
    assert list(encoded) == ["number__a", "gap__a"]
    # Median 2.5 in the gap and in the middle, quartiles 2 and 3.
    np.testing.assert_allclose(encoded["number__a"], [-1.5, -0.5, 0.5, 0, 2.5], atol=1e-6)
    assert encoded["gap__a"].tolist() == [0, 0, 0, 1, 0]


def test_numbers_are_free_of_unit():
    X = pd.DataFrame({"a": RNG.normal(size=50)})
    np.testing.assert_allclose(encode(X)["number__a"], encode(1e6 * X - 3)["number__a"], atol=1e-8)


def test_quartiles_that_coincide():
    X = pd.DataFrame({"a": np.r_[np.zeros(97), 1000.0, 2000.0, 3000.0]})
    scaled = encode(X)["number__a"]
    assert (scaled[:97] == 0).all()
    assert (np.abs(scaled[97:]) > 1).all()
    assert (np.abs(scaled) < 3).all()


def test_smooth_clip():
    values = np.array([-1e300, -3.0, -0.01, 0.0, 0.01, 3.0, 1e300])
    clipped = smooth_clip(values)
    np.testing.assert_allclose(clipped, [-3, -3 / np.sqrt(2), -0.01, 0, 0.01, 3 / np.sqrt(2), 3], rtol=1e-5)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([0.0, 1.0, 1.0, np.nan]),
        pd.Series([False, True, True, None], dtype=object),
        pd.Series([False, True, True, None], dtype="boolean"),
        pd.Series([0, 1, 1, None], dtype="Int64"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_bits_of_any_dtype(column):
    encoded = encode(column.to_frame("a"))
    assert {name: values.tolist() for name, values in encoded.items()} == {
        "bit__a": [0, 1, 1, 1],
        "gap__a": [0, 0, 0, 1],
    }


def test_bits_stay_bits():
    X = pd.DataFrame({"a": [True, False, True]})
    new = pd.DataFrame({"a": [40.0, np.nan, -2.0]})
    assert encode(X, new)["bit__a"].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("levels", "dtype"),
    [
        (["u", "v"], "str"),
        (["u", "v"], object),
        (["u", "v"], "category"),
        ([1, 2], "category"),
        ([False, True], "category"),
        ([2, "u"], object),
        ([pd.Interval(0.0, 1.0), pd.Interval(1.0, 2.0)], None),
        ([datetime.time(9), datetime.time(10)], object),
    ],
)
def test_levels_of_any_dtype(levels, dtype):
    u, v = levels
    X = pd.DataFrame({"a": pd.Series([u] * 5 + [v] * 6 + [None] * 7, dtype=dtype)})
    encoded = encode(X)
    assert list(encoded) == [f"level__a_{u}", f"level__a_{v}", "level__a_None"]
    assert [int(column.sum()) for column in encoded.values()] == [5, 6, 7]


def test_levels_not_seen_in_fit():
    X = pd.DataFrame({"a": ["u", "v"] * 5})
    new = pd.DataFrame({"a": ["w", None, "u"]})
    encoded = encode(X, new)
    assert encoded["level__a_u"].tolist() == [0, 0, 1]
    assert encoded["level__a_v"].tolist() == [0, 0, 0]


def test_rare_levels_share_a_column():
    X = pd.DataFrame({"a": ["u"] * 5 + ["v", "w", None]})
    encoded = encode(X, pd.DataFrame({"a": ["u", "v", "z", None]}))
    assert encoded["level__a_u"].tolist() == [1, 0, 0, 0]
    assert encoded["level__a_infrequent_sklearn"].tolist() == [0, 1, 1, 1]


def test_thousands_of_levels():
    X = pd.DataFrame({"a": [f"level {i}" for i in range(3000)] * 5})
    assert len(encode(X)) == 50


def test_whole_numbers_are_one_level_whatever_their_type():
    X = pd.DataFrame({"a": pd.Series([1, "x"] * 5, dtype=object)})
    new = pd.DataFrame({"a": [1.0, np.nan]})
    assert encode(X, new)["level__a_1"].tolist() == [1, 0]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["2020-01-31T06:00", "2021-07-04T12:00", None], dtype="datetime64[s]"),
        pd.Series(["2020-01-31T06:00", "2021-07-04T12:00", None], dtype="datetime64[ns]"),
        pd.Series([datetime.datetime(2020, 1, 31, 6), datetime.datetime(2021, 7, 4, 12), None], dtype=object),
        pd.Series(["2020-01-31T06:00", "2021-07-04T12:00", None], dtype="datetime64[us]").dt.tz_localize(
            "Asia/Tokyo"
        ),
    ],
    ids=lambda column: str(column.dtype),
)
def test_dates(column):
    preprocessing = default_preprocessing().fit(column.to_frame("a"))
    read = preprocessing["read"].transform(column.to_frame("a"))
    parts = preprocessing["encode"].named_transformers_["date"][0].transform(read)
    seconds = datetime.datetime(2020, 1, 31, 6, tzinfo=datetime.UTC).timestamp()
    friday, hour = 2 * np.pi * 4 / 7, 2 * np.pi * 6 / 24
    expected = [seconds, 2020, 0, 1, np.sin(friday), np.cos(friday), np.sin(hour), np.cos(hour)]
    np.testing.assert_allclose(parts[0], expected, atol=1e-12)
    assert np.isnan(parts[2]).all()
    encoded = encode(column.to_frame("a"))
    assert list(encoded)[:3] == ["date__a_seconds", "date__a_year", "date__a_month_sin"]
    assert encoded["gap__a"].tolist() == [0, 0, 1]


def test_calendar_dates_as_objects():
    X = pd.DataFrame({"a": pd.Series([datetime.date(2020, 1, day) for day in range(1, 9)], dtype=object)})
    assert (np.diff(encode(X)["date__a_seconds"]) > 0).all()


def test_durations():
    X = pd.DataFrame({"a": pd.to_timedelta([1, 2, 3, None, 5], unit="h")})
    numbers = pd.DataFrame({"a": [1, 2, 3, np.nan, 5]})
    np.testing.assert_allclose(encode(X)["duration__a"], encode(numbers)["number__a"], atol=1e-12)
    assert encode(X)["gap__a"].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "values", [[None] * 6, [np.nan] * 6, [pd.NaT] * 6, pd.array([None] * 6, dtype="Int64")]
)
def test_nothing_but_gaps(values):
    assert all((column == column[0]).all() for column in encode(pd.DataFrame({"a": values})).values())


def test_gaps_first_met_in_prediction():
    X = pd.DataFrame(
        {
            "number": np.arange(10.0),
            "bit": [0, 1] * 5,
            "level": ["u", "v"] * 5,
            "date": pd.date_range("2020", periods=10),
            "duration": pd.to_timedelta(np.arange(10), unit="h"),
        }
    )
    new = pd.DataFrame({name: pd.Series([None], dtype=object) for name in X})
    encoded = encode(X, new)
    assert encoded["number__number"].tolist() == [0]


def test_text_where_numbers_were():
    preprocessing = default_preprocessing().fit(pd.DataFrame({"a": [1.0, 2.0, 3.0]}))
    with pytest.raises(ValueError, match=r"Found text in place of numbers in \['a'\], such as 'many'"):
        preprocessing.transform(pd.DataFrame({"a": ["many"]}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_array_and_frame_agree(dtype):
    X = RNG.normal(size=(40, 4)).astype(dtype)
    X[:, 1] = X[:, 1] > 0
    X[::3, 2] = np.nan
    frame = pd.DataFrame(X, columns=list("abcd"))
    # Up to pandas 2 a frame comes column after column, and means are added up in another order.
    np.testing.assert_allclose(
        default_preprocessing().fit_transform(X), default_preprocessing().fit_transform(frame), rtol=1e-13
    )


def test_columns_named_by_numbers():
    assert list(encode(pd.DataFrame(np.arange(8.0).reshape(4, 2)))) == ["number__x0", "number__x1"]


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_few_rows(n_rows):
    X = pd.DataFrame({"a": ["u", "v", None], "b": [1.0, np.nan, 5.0], "c": [True, False, True]})
    encode(X[:n_rows])


def test_is_a_scikit_learn_transformer():
    X = pd.DataFrame({"a": ["u", "v"] * 5, "b": np.arange(10.0)})
    fitted = clone(default_preprocessing()).fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))
    make_pipeline(default_preprocessing()).fit_transform(X)


def test_global_configuration_of_output():
    X = pd.DataFrame({"a": ["u", "v"] * 5, "b": np.arange(10.0), "c": pd.date_range("2020", periods=10)})
    with sklearn.config_context(transform_output="pandas"):
        encode(X)


def test_x_is_left_alone():
    X = pd.DataFrame({"a": ["u", None] * 5, "b": [1.0, np.nan] * 5})
    before = X.copy()
    encode(X)
    pd.testing.assert_frame_equal(X, before)


class Colour(str, enum.Enum):  # noqa: UP042  (a StrEnum is its value also as text)
    """Text of its own kind: its name is not what it equals."""

    RED = "red"
    BLUE = "blue"


def test_text_is_the_same_whatever_stands_beside_it_and_whatever_holds_it():
    column = pd.Series([Colour.RED, Colour.BLUE, None] * 10, dtype=object)
    expected = to_text(pd.DataFrame({"colour": column}))[:, 0].tolist()
    assert expected[:3] == ["Colour.RED", "Colour.BLUE", None]
    beside = pd.Series([7, *column], dtype=object)
    assert to_text(pd.DataFrame({"colour": beside}))[1:, 0].tolist() == expected
    # An index of strings, as pandas makes it where pyarrow is, would keep the values.
    levels = pd.Index([Colour.RED, Colour.BLUE], dtype=object)
    categories = column.astype(pd.CategoricalDtype(levels))
    assert to_text(pd.DataFrame({"colour": categories}))[:, 0].tolist() == expected


@pytest.mark.parametrize("dtype", [object, "string", "str", "category"])
def test_text_is_plain_text(dtype):
    column = pd.Series(["a", None, np.str_("b")], dtype=dtype)
    found = to_text(pd.DataFrame({"letter": column}))[:, 0]
    assert found.tolist() == ["a", None, "b"]
    assert {type(value) for value in found} == {str, type(None)}
    assert column.isna().tolist() == [False, True, False]


# Columns that vary but reach the network as a constant

N_ROWS = 40
WORDS = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(N_ROWS)]


@pytest.mark.parametrize(
    "lost",
    [
        pd.Series(WORDS),
        pd.Series(WORDS, dtype="category"),
        pd.Series([f"{i},5" for i in range(N_ROWS)]),
        pd.Series([f"{i}.1.2024" for i in range(N_ROWS)]),
        pd.Series([f"{i} %" for i in range(N_ROWS)]),
        pd.Series([f"0{i}" for i in range(N_ROWS)]),
        pd.Series([f"{i} days" for i in range(N_ROWS)]),
        pd.Series([b"id" + word.encode() for word in WORDS]),
        pd.Series(pd.IntervalIndex.from_breaks(range(N_ROWS + 1))),
        pd.Series([*WORDS[:-2], None, None]),
        # Their variance is 0 in double precision.
        pd.Series(np.arange(N_ROWS) * 1e-300),
    ],
    ids=lambda lost: str(lost.iloc[1]),
)
def test_columns_of_rare_levels_are_named(lost):
    level = ["u", "v"] * (N_ROWS // 2)
    X = pd.DataFrame({"number": np.arange(N_ROWS), "first": lost, "second": lost, "level": level})
    with pytest.warns(UserWarning, match=r"as a constant: \['first', 'second'\]") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "kept",
    [
        ["u"] * N_ROWS,
        [None] * N_ROWS,
        ["u"] * (N_ROWS - 1) + [None],
        ["u"] * (N_ROWS - 1) + ["v"],
        [3.5] * N_ROWS,
        [3.5] * (N_ROWS - 1) + [None],
        pd.date_range("2024", periods=N_ROWS),
        pd.to_timedelta(np.arange(N_ROWS), unit="s"),
        pd.Categorical(["u"] * N_ROWS, ["u", "v"]),
        1e9 + np.arange(N_ROWS) * 1e-3,
    ],
    ids=lambda kept: f"{kept[0]}, {kept[-1]}",
)
def test_what_is_constant_or_reaches_the_network_is_not(kept):
    FeatureEncoder("auto").fit(pd.DataFrame({"a": kept, "b": np.arange(N_ROWS)}))


def test_only_the_fitted_rows_count():
    X = pd.DataFrame({"a": ["u"] * 20 + WORDS[:20], "b": np.arange(N_ROWS)})
    FeatureEncoder("auto").fit(X, rows=np.arange(20))
    with pytest.warns(UserWarning, match=r"\['a'\]"):
        FeatureEncoder("auto").fit(X, rows=np.arange(20, N_ROWS))


NOTES = [f"{word} by the {('sea', 'lake')[i % 2]}" for i, word in enumerate(WORDS)]


def test_free_text_is_named_once():
    X = pd.DataFrame({"note": NOTES, "b": np.arange(N_ROWS)})
    with pytest.warns(UserWarning, match="free text") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


def test_free_text_in_the_only_column():
    with pytest.warns(UserWarning, match=r"free text.*\['note'\]"):
        encoder = FeatureEncoder("auto").fit(pd.DataFrame({"note": NOTES}))
    assert encoder.get_feature_names_out()[0] == "words__note_0"


def test_columns_of_arrays_are_named_by_position():
    with pytest.warns(UserWarning, match=r"as a constant: \[1\]"):
        FeatureEncoder("auto").fit(np.array([list(range(N_ROWS)), WORDS], dtype=object).T)


def test_numbers_that_single_precision_cannot_tell_apart():
    X = np.column_stack([1.7e9 + np.arange(30), np.arange(30.0)])
    with pytest.warns(UserWarning, match=r"as a constant: \[0\]"):
        FeatureEncoder(None).fit(X)
    FeatureEncoder(None, np.float64).fit(X)
    FeatureEncoder("auto").fit(X)


def test_a_transformer_of_the_users_is_trusted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FeatureEncoder(OneHotEncoder(min_frequency=5)).fit(pd.DataFrame({"a": WORDS}))
