"""From X to blocks: order, dtype, row by row."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mtl.features import Block, FeatureEncoder, FeatureSpec, SparseRows, read_features
from sklearn_mtl.features import encoder as encoder_module

RNG = np.random.default_rng(0)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def make_frame(n_rows=60, library=pd):
    columns = {
        "level": RNG.choice(["u", "v", "w"], n_rows).tolist(),
        "bit": RNG.choice([True, False, None], n_rows).tolist(),
        "number": [None if i % 7 == 0 else float(i) ** 2 for i in range(n_rows)],
        "count": RNG.poisson(3, n_rows).tolist(),
        "date": pd.date_range("2020", periods=n_rows, freq="31h").to_pydatetime().tolist(),
        "constant": [4.0] * n_rows,
    }
    X = library.DataFrame(columns)
    return read_features(BaseEstimator(), X, reset=True, allow_nan=True)


def make_array(n_rows=60, dtype=np.float64):
    X = RNG.normal(size=(n_rows, 4)).astype(dtype)
    X[:, 0] = X[:, 0] > 0
    X[:, 2] = 7
    return X


class Encoding(TransformerMixin, BaseEstimator):
    """The encoder as a scikit-learn transformer, for scikit-learn to check."""

    def __init__(self, preprocessing="auto"):
        self.preprocessing = preprocessing

    def fit(self, X, y=None):
        X = read_features(self, X, reset=True, allow_nan=self._allow_nan and not issparse(X))
        self.encoder_ = FeatureEncoder(self.preprocessing, np.float64).fit(X)
        return self

    def transform(self, X):
        X = read_features(self, X, reset=False, allow_nan=self._allow_nan and not issparse(X))
        return self.encoder_.transform(X)["x"][:]

    @property
    def _allow_nan(self):
        return self.preprocessing == "auto"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allow_nan
        tags.input_tags.sparse = True
        return tags


@parametrize_with_checks([Encoding("auto"), Encoding(None)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@DTYPES
@pytest.mark.parametrize("library", [pd, pl])
def test_block(library, dtype):
    X = make_frame(library=library)
    encoder = FeatureEncoder("auto", dtype).fit(X)
    values = encoder.transform(X)["x"]
    block = encoder.spec.single
    assert values.dtype == dtype
    assert values.flags.c_contiguous
    assert values.shape == (60, *block.shape)
    assert block.name == "x"
    assert block.kind == "float"
    assert not np.isin(values[:, : block.n_continuous], [0, 1]).all(axis=0).any()
    assert np.isin(values[:, block.n_continuous :], [0, 1]).all()
    assert (values.min(axis=0) < values.max(axis=0)).all()
    assert len(encoder.get_feature_names_out()) == block.shape[0]


def test_names_are_in_the_order_of_the_block():
    encoder = FeatureEncoder("auto").fit(make_frame())
    names = encoder.get_feature_names_out().tolist()
    assert names[:3] == ["number__number", "number__count", "date__date_seconds"]
    assert names[encoder.spec.single.n_continuous :] == [
        "bit__bit",
        "gap__bit",
        "gap__number",
        "level__level_u",
        "level__level_v",
        "level__level_w",
    ]


@DTYPES
@pytest.mark.parametrize("preprocessing", ["auto", StandardScaler(), None])
def test_rows_of_arrays_are_encoded_one_by_one(preprocessing, dtype):
    X = make_array()
    encoder = FeatureEncoder(preprocessing, dtype).fit(X)
    one_by_one = [encoder.transform(X[[i]])["x"] for i in range(len(X))]
    np.testing.assert_array_equal(np.concatenate(one_by_one), encoder.transform(X)["x"])


@DTYPES
@pytest.mark.parametrize("library", [pd, pl])
def test_rows_of_frames_are_encoded_one_by_one(library, dtype):
    X = make_frame(library=library)
    encoder = FeatureEncoder("auto", dtype).fit(X)
    one_by_one = [encoder.transform(X.iloc[[i]])["x"] for i in range(len(X))]
    np.testing.assert_array_equal(np.concatenate(one_by_one), encoder.transform(X)["x"])


def test_pandas_and_polars_agree():
    rng_state = RNG.bit_generator.state
    ours = make_frame()
    RNG.bit_generator.state = rng_state
    theirs = make_frame(library=pl)
    encoder = FeatureEncoder("auto").fit(ours)
    assert encoder.spec == FeatureEncoder("auto").fit(theirs).spec
    np.testing.assert_array_equal(encoder.transform(ours)["x"], encoder.transform(theirs)["x"])


def test_only_the_fitted_rows_count():
    X = make_array()
    encoder = FeatureEncoder("auto").fit(X[:40])
    before = encoder.transform(X[:40])["x"]
    encoder.transform(1000 * X[40:])
    np.testing.assert_array_equal(encoder.transform(X[:40])["x"], before)


@pytest.mark.parametrize("make", [make_array, make_frame])
def test_weight_zero_is_absence(make):
    X = make()
    weight = np.arange(60) % 3
    weighted = FeatureEncoder("auto").fit(X, weight)
    absent = FeatureEncoder("auto").fit(X[weight > 0])
    np.testing.assert_array_equal(weighted.transform(X)["x"], absent.transform(X)["x"])


def test_weights_reach_a_transformer_that_takes_them():
    X = make_array()
    weight = 1.0 + np.arange(60) % 3
    expected = StandardScaler().fit(X, sample_weight=weight).transform(X)
    values = FeatureEncoder(StandardScaler(), np.float64).fit(X, weight).transform(X)["x"]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    FeatureEncoder(PCA(2)).fit(X, weight)


def test_auto_orders_and_drops_columns():
    X = make_array()
    encoder = FeatureEncoder("auto").fit(X)
    assert encoder.spec == FeatureSpec((Block("x", (3,), n_continuous=2),))
    assert encoder.get_feature_names_out().tolist() == ["number__x1", "number__x3", "bit__x0"]


@DTYPES
def test_none_keeps_every_column_in_its_place(dtype):
    X = make_array(dtype=dtype)
    encoder = FeatureEncoder(None, dtype).fit(X)
    np.testing.assert_array_equal(encoder.transform(X)["x"], X)
    assert encoder.spec == FeatureSpec((Block("x", (4,), n_continuous=4),))
    assert FeatureEncoder(None, dtype).fit(X[:, ::-1]).spec.single.n_continuous == 3
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]


def test_none_with_a_frame():
    X = pd.DataFrame({"a": [1, 2], "b": pd.array([True, False], dtype="boolean")})
    encoder = FeatureEncoder(None).fit(X)
    assert encoder.transform(X)["x"].tolist() == [[1, 1], [2, 0]]
    assert encoder.get_feature_names_out().tolist() == ["a", "b"]


def test_none_refuses_what_is_not_a_number():
    X = pd.DataFrame({"a": [1, 2], "b": ["u", "v"], "c": pd.to_datetime(["2020", "2021"])})
    with pytest.raises(ValueError, match=r"columns of numbers only. Found others: \['b', 'c'\]"):
        FeatureEncoder(None).fit(X)


@pytest.mark.parametrize("n_rows", [1, 5])
def test_one_column_stays_where_all_are_constant(n_rows):
    X = np.full((n_rows, 3), 7.0)
    encoder = FeatureEncoder("auto").fit(X)
    assert encoder.spec == FeatureSpec((Block("x", (1,), n_continuous=0),))
    assert encoder.transform(X)["x"].shape == (n_rows, 1)


@DTYPES
@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_images_pass_as_they_are(preprocessing, dtype):
    images = RNG.normal(size=(5, 3, 4, 4)).astype(dtype)
    encoder = FeatureEncoder(preprocessing, dtype).fit(images)
    assert encoder.spec == FeatureSpec((Block("x", (3, 4, 4)),))
    np.testing.assert_array_equal(encoder.transform(images)["x"], images)
    with pytest.raises(ValueError, match=r"must have shape \(3, 4, 4\), as in `fit`. Found \(3, 4, 5\)"):
        encoder.transform(np.zeros((5, 3, 4, 5)))
    with pytest.raises(ValueError, match="Only columns of a table have names"):
        encoder.get_feature_names_out()


def test_a_transformer_is_given_images_too():
    images = RNG.normal(size=(5, 3, 4, 4))
    encoder = FeatureEncoder(FunctionTransformer(np.negative), np.float64).fit(images)
    np.testing.assert_array_equal(encoder.transform(images)["x"], -images)


@pytest.mark.parametrize(
    "transformer",
    [
        OneHotEncoder(),
        OneHotEncoder(sparse_output=False),
        OneHotEncoder(sparse_output=False).set_output(transform="pandas"),
    ],
    ids=["sparse", "dense", "pandas"],
)
def test_output_of_a_transformer(transformer):
    X = pd.DataFrame({"a": ["u", "v", "u"]})
    encoder = FeatureEncoder(transformer).fit(X)
    block = encoder.transform(X)["x"]
    assert isinstance(block, SparseRows) == (transformer.sparse_output is True)
    values = block[:]
    assert values.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert values.flags.c_contiguous
    assert encoder.get_feature_names_out().tolist() == ["a_u", "a_v"]
    assert not hasattr(transformer, "categories_")


def test_names_of_a_transformer_without_names():
    encoder = FeatureEncoder(FunctionTransformer()).fit(make_array())
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize("preprocessing", ["none", StandardScaler, object(), 1, np.ones(3)])
def test_preprocessing_of_another_kind(preprocessing):
    with pytest.raises(
        TypeError, match=r"`preprocessing` must be 'auto', None or a scikit-learn transformer\. Found"
    ):
        FeatureEncoder(preprocessing).fit(np.ones((3, 2)))


def test_output_must_be_finite():
    X = np.array([[1.0], [np.nan]])
    with pytest.raises(ValueError, match="Input X after preprocessing contains NaN"):
        FeatureEncoder(StandardScaler()).fit(X)
    with pytest.raises(ValueError, match=r"infinity or a value too large for dtype\('float32'\)"):
        FeatureEncoder(None, np.float32).fit(np.array([[1e300], [1.0]]))


def test_x_is_left_alone_and_need_not_be_writeable():
    X = make_array()
    before = X.copy()
    X.flags.writeable = False
    for preprocessing in ("auto", None):
        encoder = FeatureEncoder(preprocessing, np.float64).fit(X)
        assert encoder.transform(X)["x"].flags.writeable
    np.testing.assert_array_equal(X, before)


# Large tables


@DTYPES
@pytest.mark.parametrize("make", [make_array, make_frame])
def test_stretches_of_rows_are_encoded_as_all_at_once(make, dtype, monkeypatch):
    X = make()
    fitted = FeatureEncoder("auto", dtype).fit(X)
    whole = fitted.transform(X)["x"]
    given = []
    columns = type(fitted.transformer["encode"])
    original = columns.transform
    monkeypatch.setattr(columns, "transform", lambda self, X: (given.append(len(X)), original(self, X))[1])
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 25 * X.shape[1])
    stretches = fitted.transform(X)["x"]
    assert given == [25, 25, 10]
    assert stretches.dtype == whole.dtype
    np.testing.assert_array_equal(stretches, whole)
    some = np.arange(3, 57, 2)
    np.testing.assert_array_equal(fitted.transform(X, some)["x"], whole[some])


def test_a_frame_without_preprocessing_is_read_by_stretches_too(monkeypatch):
    X = pd.DataFrame(make_array())
    fitted = FeatureEncoder(None).fit(X)
    whole = fitted.transform(X)["x"]
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 30)
    np.testing.assert_array_equal(fitted.transform(X)["x"], whole)


@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_statistics_are_those_of_evenly_spaced_rows(preprocessing, monkeypatch):
    monkeypatch.setattr(encoder_module, "ROWS_FOR_STATISTICS", 10)
    X = make_array()
    X[::3, 3] = 1
    weight = np.where(np.arange(60) % 2, 1.0, 0.0)
    for rows, weights, expected in [
        (None, None, X[::6]),
        (np.arange(5, 55), None, X[5:55:5]),
        (None, weight, X[1::6]),
    ]:
        sampled = FeatureEncoder(preprocessing).fit(X, weights, rows)
        alone = FeatureEncoder(preprocessing).fit(expected)
        assert sampled.spec == alone.spec
        np.testing.assert_array_equal(sampled.transform(X)["x"], alone.transform(X)["x"])


def test_a_transformer_of_the_users_sees_all_rows_at_once(monkeypatch):
    monkeypatch.setattr(encoder_module, "ROWS_FOR_STATISTICS", 10)
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 10)
    X = make_array()
    centred = make_pipeline(FunctionTransformer(lambda X: X - X.mean(axis=0)), "passthrough")
    values = FeatureEncoder(centred, np.float64).fit(X).transform(X)["x"]
    np.testing.assert_array_equal(values, X - X.mean(axis=0))
    fitted = FeatureEncoder(StandardScaler()).fit(X)
    np.testing.assert_array_equal(fitted.transformer.mean_, StandardScaler().fit(X).mean_)


@DTYPES
def test_numbers_that_need_nothing_are_not_copied(dtype):
    X = make_array(dtype=dtype)
    read = read_features(BaseEstimator(), X, reset=True, allow_nan=False)
    encoder = FeatureEncoder(None, dtype).fit(read)
    assert encoder.transform(read)["x"] is X


@pytest.mark.parametrize("preprocessing", ["auto", None, StandardScaler()])
def test_pickle(preprocessing):
    X = make_array()
    encoder = FeatureEncoder(preprocessing).fit(X)
    copy = pickle.loads(pickle.dumps(encoder))
    assert copy.spec == encoder.spec
    np.testing.assert_array_equal(copy.transform(X)["x"], encoder.transform(X)["x"])


# Whatever holds the values

HOURS = np.arange(60.0)
DAYS = pd.date_range("2024-01-01", periods=60, freq="D")
GAPS = np.arange(60) % 20 == 3
ALIKE = {
    "numbers as text": (HOURS, [*map(str, HOURS)]),
    "numbers as text with gaps": (np.where(GAPS, np.nan, HOURS), np.where(GAPS, "?", HOURS.astype(str))),
    "numbers as text in an object": (HOURS, pd.Series([*HOURS[:30], *map(str, HOURS[30:])], dtype=object)),
    "bits as text": (HOURS % 2, [f"{bit:.0f}" for bit in HOURS % 2]),
    "dates as text": (DAYS, DAYS.strftime("%Y-%m-%d")),
    "instants as text": (DAYS, DAYS.tz_localize("UTC").tz_convert("Asia/Tokyo").map(pd.Timestamp.isoformat)),
    "periods": (DAYS, DAYS.to_period("D")),
    "periods in an object": (DAYS, pd.Series(DAYS.to_period("D")).astype(object)),
    "calendar dates": (DAYS, pd.Series(DAYS.date, dtype=object)),
    "bytes": (["u", "v"] * 30, [b"u", b"v"] * 30),
}


@pytest.mark.filterwarnings("ignore:Columns of `X` that hold text are read")
@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("library", ["frame", "array", "polars"])
def test_values_are_encoded_alike_whatever_holds_them(name, library):
    plain, held = (pd.DataFrame({"a": values, "b": HOURS}) for values in ALIKE[name])
    if library == "array":
        held = held.to_numpy(dtype=object)
    elif library == "polars" and "object" not in name and "period" not in name:
        held = pl.DataFrame({column: held[column].tolist() for column in held})
    held = read_features(BaseEstimator(), held, reset=True, allow_nan=True)
    expected = FeatureEncoder("auto", np.float64).fit(plain)
    encoder = FeatureEncoder("auto", np.float64).fit(held)
    np.testing.assert_array_equal(encoder.transform(held)["x"], expected.transform(plain)["x"])
    assert encoder.spec == expected.spec


def test_durations_of_arrow_are_encoded_as_durations():
    pa = pytest.importorskip("pyarrow")
    plain = pd.DataFrame({"a": pd.to_timedelta(HOURS, unit="h")})
    held = plain.astype(pd.ArrowDtype(pa.duration("us")))
    encoder = FeatureEncoder("auto").fit(held)
    np.testing.assert_array_equal(
        encoder.transform(held)["x"], FeatureEncoder("auto").fit(plain).transform(plain)["x"]
    )


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("sampled", [False, True])
def test_text_in_a_row_that_is_not_fitted_on(sampled, as_array, monkeypatch):
    X = pd.DataFrame({"a": pd.Series(HOURS, dtype=object), "b": HOURS})
    X.loc[59, "a"] = "?"
    before = X.copy()
    X = X.to_numpy(dtype=object) if as_array else X
    monkeypatch.setattr(encoder_module, "ROWS_FOR_STATISTICS", 30 if sampled else 100)
    with pytest.warns(UserWarning, match="read as numbers: ('a'|0)"):
        encoder = FeatureEncoder("auto").fit(X, rows=None if sampled else np.arange(50))
    assert np.isfinite(encoder.transform(X)["x"]).all()
    np.testing.assert_array_equal(X, before.to_numpy() if as_array else before)


def test_text_where_there_is_no_preprocessing_is_named():
    encoder = FeatureEncoder(None).fit(pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]}))
    with pytest.raises(ValueError, match=r"Found text in place of numbers in \['b'\], such as 'x'"):
        encoder.transform(pd.DataFrame({"a": [1.0], "b": ["x"]}))
    with pytest.raises(ValueError, match=r"Found dates in place of numbers in \['a'\]"):
        encoder.transform(pd.DataFrame({"a": pd.to_datetime(["2024-01-01"]), "b": [1]}))
    with pytest.raises(ValueError, match=r"columns of numbers only. Found others: \[0\]"):
        FeatureEncoder(None).fit(np.array([["u", 1.0], ["v", 2.0]], dtype=object))


def test_the_only_block():
    block = Block("x", (3,), n_continuous=2)
    spec = FeatureSpec((block,))
    assert spec.single is block
    assert pickle.loads(pickle.dumps(spec)) == spec == FeatureSpec((Block("x", (3,), n_continuous=2),))


@pytest.mark.parametrize("names", [[], ["table", "image"]])
def test_several_blocks_are_named(names):
    spec = FeatureSpec(tuple(Block(name, (3,)) for name in names))
    with pytest.raises(ValueError, match=rf"of one input, and {len(names)}: \[.*{''.join(names[:1])}"):
        _ = spec.single
