"""Sparse X: read in every format, scaled with its zeros kept, and made dense when it is read."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, OneHotEncoder

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.features import EncodedRows, FeatureEncoder, SparseRows, read_features, takes_sparse
from sklearn_mtl.features.table import smooth_clip

RNG = np.random.default_rng(0)
FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]
DENSE = np.where(RNG.random((40, 12)) < 0.3, RNG.integers(-4, 5, size=(40, 12)), 0).astype(float)
DENSE[:, 3] = 0
DENSE[:, 7] = DENSE[:, 7] > 0


def read(X, *, allow_nan=False, **settings):
    return read_features(BaseEstimator(), X, reset=True, allow_nan=allow_nan, **settings)


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "bool"])
def test_every_format_and_dtype_is_read(form, kind, dtype):
    given = getattr(sparse, f"{form}_{kind}")(DENSE.astype(dtype))
    before = given.copy()
    rows = read(given)
    assert rows.shape == (40, 12)
    assert rows.matrix.dtype == ("float32" if dtype == "float32" else "float64")
    np.testing.assert_array_equal(rows[np.array([7, 2])], DENSE.astype(dtype)[[7, 2]])
    np.testing.assert_array_equal(rows[3:9], DENSE.astype(dtype)[3:9])
    assert given.format == form
    assert given.dtype == before.dtype
    np.testing.assert_array_equal(given.toarray(), before.toarray())


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_either_index_is_read_and_an_index_without_order_is_left_as_it_is(index):
    parts = ([2.0, 1.0, 5.0, 4.0], np.array([2, 0, 1, 1], index), np.array([0, 2, 4], index))
    given = sparse.csr_array(tuple(np.array(part) for part in parts), shape=(2, 3))
    assert read(given)[:].tolist() == [[1, 0, 2], [0, 9, 0]]
    assert given.indices.tolist() == [2, 0, 1, 1]
    assert given.data.tolist() == [2, 1, 5, 4]


def test_zeros_that_are_stored_count_as_zeros():
    stored = sparse.csr_array(DENSE)
    stored.data[::5] = 0
    clean = sparse.csr_array(stored.toarray())
    assert clean.nnz < stored.nnz
    one, other = (FeatureEncoder("auto").fit(read(X)) for X in (stored, clean))
    assert one.spec == other.spec
    np.testing.assert_array_equal(one.transform(read(stored))["x"][:], other.transform(read(clean))["x"][:])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_missing_is_refused_but_where_a_transformer_takes_it(bad, stream):
    X = sparse.csr_array(np.array([[bad, 0.0], [1.0, 2.0]]))
    with pytest.raises(ValueError, match=f"Input X contains {'NaN' if np.isnan(bad) else 'infinity'}"):
        read(X, allow_nan=stream, stream=stream)
    if np.isnan(bad):
        assert np.isnan(read(X, allow_nan=True)[:]).any()


def test_the_default_keeps_zeros_and_what_is_0_or_1_and_drops_constant_columns():
    X = read(sparse.csr_array(DENSE))
    encoder = FeatureEncoder("auto").fit(X)
    block = encoder.transform(X)["x"]
    assert isinstance(block, SparseRows)
    values = block[:]
    assert values.dtype == np.float32
    assert values.shape == (40, 11)
    assert encoder.spec.single.n_continuous == 10
    assert not encoder.spec.single.wide_sparse
    assert encoder.get_feature_names_out().tolist() == [f"x{i}" for i in (0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 7)]
    np.testing.assert_array_equal(values[:, 10], DENSE[:, 7])
    np.testing.assert_array_equal(values[:, :3] == 0, DENSE[:, :3] == 0)
    used = DENSE[:, [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]]
    sizes = np.where(used == 0, np.nan, np.abs(used))
    scale = np.nanquantile(sizes, 0.5, axis=0, method="lower") * (used != 0).mean(axis=0) ** 0.5
    np.testing.assert_allclose(values[:, :10], smooth_clip(used / scale), rtol=1e-6)
    assert np.abs(values).max() < 3


def test_all_zero_is_one_column_and_rows_of_weight_0_tell_nothing():
    encoder = FeatureEncoder("auto").fit(read(sparse.csr_array((5, 3))))
    assert encoder.spec.single.shape == (1,)
    weight = (np.arange(40) >= 10).astype(float)
    one = FeatureEncoder("auto").fit(read(sparse.csr_array(DENSE)), weight)
    other = FeatureEncoder("auto").fit(read(sparse.csr_array(DENSE[10:])))
    np.testing.assert_array_equal(
        *(each.transform(read(sparse.csr_array(DENSE)))["x"][:] for each in (one, other))
    )


@pytest.mark.parametrize("preprocessing", ["auto", None, MaxAbsScaler(), TruncatedSVD(2, random_state=0)])
def test_dense_and_sparse_rows_are_encoded_alike_whatever_was_fitted(preprocessing):
    X = sparse.csr_array(DENSE)
    for fitted_on in (X, DENSE):
        encoder = FeatureEncoder(preprocessing, np.float64).fit(read(fitted_on))
        expected = EncodedRows(encoder, read(DENSE)).read(slice(None))["x"]
        assert len(expected[0]) == encoder.spec.single.shape[0]
        rows = EncodedRows(encoder, read(X))
        np.testing.assert_allclose(rows.read(slice(None))["x"], expected, rtol=1e-12, atol=1e-12)
        some = np.array([5, 1, 30])
        np.testing.assert_allclose(rows.read(some)["x"], expected[some], rtol=1e-12, atol=1e-12)


def test_a_default_of_dense_tables_reads_sparse_ones_row_by_row(monkeypatch):
    encoder = FeatureEncoder("auto").fit(read(DENSE))
    made, original = [], SparseRows.__getitem__
    monkeypatch.setattr(
        SparseRows, "__getitem__", lambda self, rows: (made.append(len(self)), original(self, rows))[1]
    )
    EncodedRows(encoder, read(sparse.csr_array(DENSE))).read(slice(0, 3))
    assert made == [3]


LEVELS = np.array([["u", 1.0], ["v", 2.0], ["u", 7.0], ["w", 3.0]], dtype=object)


@pytest.mark.parametrize(
    ("transformer", "X"),
    [
        (OneHotEncoder(), LEVELS),
        (make_column_transformer((OneHotEncoder(), [0]), ("passthrough", [1]), sparse_threshold=1), LEVELS),
        (KBinsDiscretizer(3, strategy="uniform"), DENSE[:, [0, 1]]),
        (make_union(OneHotEncoder(), OneHotEncoder()), LEVELS),
        (FunctionTransformer(sparse.csc_array), DENSE),
        (FunctionTransformer(sparse.dok_matrix), DENSE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_comes_out_sparse_stays_sparse(transformer, X):
    X = read(X)
    encoder = FeatureEncoder(transformer).fit(X)
    rows = EncodedRows(encoder, X)
    assert isinstance(encoder.transform(X)["x"], SparseRows)
    assert rows.is_streamed
    assert rows.read(slice(0, 2))["x"].shape == (2, *encoder.spec.single.shape)
    dense = transformer.fit_transform(X).toarray().astype(float)
    # Columns that hold nothing are dropped.
    dense = dense[:, (dense != dense[0]).any(axis=0)]
    is_zero = rows.read(slice(None))["x"] == 0
    np.testing.assert_array_equal(is_zero, dense == 0)


def test_what_is_made_dense_of_a_sparse_table_is_not_read_in_batches():
    X = read(sparse.csr_array(DENSE))
    assert not EncodedRows(FeatureEncoder(TruncatedSVD(2)).fit(X), X).is_streamed


def test_of_a_wide_table_no_column_is_continuous():
    X = read(sparse.csr_array(RNG.integers(0, 3, size=(20, 300))))
    for preprocessing in ("auto", None, MaxAbsScaler()):
        block = FeatureEncoder(preprocessing).fit(X).spec.single
        assert block.wide_sparse
        assert block.n_continuous == 0


def test_a_transformer_that_takes_none_says_so():
    scale = make_pipeline(FunctionTransformer(accept_sparse=True), MaxAbsScaler())
    assert takes_sparse(scale)
    assert takes_sparse(None)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        FeatureEncoder(KBinsDiscretizer()).fit(read(sparse.csr_array(DENSE)))


def test_gaps_of_a_sparse_table_are_named_and_what_takes_them():
    X = sparse.csr_array(np.array([[1.0, np.nan, 0.0], [0.0, 1.0, 2.0]] * 10))
    text = r"`X` must not hold missing values where it is sparse; .* Found them in the columns \[1\]"
    with pytest.raises(ValueError, match=text):
        MultiTaskRegressor().fit(X, np.arange(20.0))
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1)
    est.fit(sparse.csr_array(np.nan_to_num(X.toarray())), np.arange(20.0))
    with pytest.raises(ValueError, match=text):
        est.predict(X)
    with pytest.raises(ValueError, match=r"NaN. Found it in \[1\]. A sparse X was fitted, so nothing fills"):
        est.predict(X.toarray())
