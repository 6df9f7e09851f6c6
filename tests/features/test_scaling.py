"""What is scaled, and how."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OrdinalEncoder, StandardScaler

from sklearn_mtl.features import FeatureEncoder, SparseRows
from sklearn_mtl.features.scaling import scaling_of

RNG = np.random.default_rng(0)
SECONDS = 1.7e9 + RNG.integers(0, 10**8, size=(50, 1)).astype(float)
TABLE = np.hstack([SECONDS, RNG.random((50, 1)) < 0.3, RNG.exponential(size=(50, 1)), np.full((50, 1), 7.0)])


def encoded(preprocessing, X, **settings):
    return FeatureEncoder(preprocessing, np.float64).fit(X, **settings).transform(X)["x"]


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_what_comes_out_of_a_transformer_is_standardised_but_for_0_and_1(dtype):
    X = np.round(TABLE).astype(dtype)
    values = encoded(FunctionTransformer(), X)
    np.testing.assert_allclose(values[:, [0, 2, 3]].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(values[:, [0, 2]].std(axis=0), 1)
    np.testing.assert_array_equal(values[:, 1], X[:, 1])
    assert (values[:, 3] == 0).all()


def test_what_is_standardised_already_stays_as_it_is():
    expected = StandardScaler().fit_transform(TABLE[:, [0, 2]])
    np.testing.assert_allclose(encoded(StandardScaler(), TABLE[:, [0, 2]]), expected, atol=1e-12)


@pytest.mark.parametrize("made", [MinMaxScaler(), OrdinalEncoder()])
def test_what_ends_in_passthrough_or_is_frozen_gives_what_it_gives(made):
    expected = made.fit_transform(TABLE)
    pipeline = make_pipeline(made, "passthrough")
    for given in (pipeline, FrozenEstimator(made.fit(TABLE))):
        np.testing.assert_array_equal(encoded(given, TABLE), expected)
    assert not np.allclose(encoded(make_pipeline("passthrough", made), TABLE), expected)


def test_images_numbers_as_they_are_and_the_default_are_not_scaled_again():
    images = RNG.random((5, 3, 4, 4)) + 5
    np.testing.assert_array_equal(encoded(FunctionTransformer(), images), images)
    np.testing.assert_array_equal(encoded(None, TABLE), TABLE)
    sparse = SparseRows(csr_array(TABLE))
    np.testing.assert_array_equal(encoded(None, sparse)[:], TABLE)
    assert FeatureEncoder("auto").fit(TABLE)._scaling is None


def test_weights_count_and_are_as_good_as_rows_again():
    weight = RNG.integers(0, 3, size=50)
    rows = np.repeat(np.arange(50), weight)
    for given in (TABLE, SparseRows(csr_array(TABLE))):
        one = FeatureEncoder(FunctionTransformer(accept_sparse=True), np.float64).fit(given, weight)
        other = FeatureEncoder(FunctionTransformer(accept_sparse=True), np.float64).fit(given, rows=rows)
        left, right = (each.transform(given)["x"][:] for each in (one, other))
        np.testing.assert_allclose(left, right, rtol=1e-9)


@pytest.mark.parametrize("number", [1e200, 1e300])
def test_numbers_that_are_too_large_are_reported_not_made_0(number):
    X = np.array([[number], [0.0], [-number], [1.0]])
    scaling = scaling_of(X)
    assert np.isfinite(scaling.scale).all()
    assert np.abs(scaling.scaled(X)[0]) > 0.1
    if number == 1e300:
        with pytest.raises(ValueError, match="X after preprocessing contains infinity"):
            FeatureEncoder(FunctionTransformer()).fit(X)
    text = rf"numbers whose squares are finite.* Found {number:g} in \[1\]".replace("+", r"\+")
    sparse = SparseRows(csr_array(np.hstack([X > 0, -X])))
    for preprocessing in ("auto", FunctionTransformer(accept_sparse=True)):
        with pytest.raises(ValueError, match=text):
            FeatureEncoder(preprocessing).fit(sparse)


def test_sparse_columns_are_divided_by_about_the_root_of_their_mean_square():
    X = np.array([[0.0, -3.0, 1.0], [4.0, 0.0, 0.0], [2.0, 5.0, 1.0], [0.0, -9.0, 0.0]])
    np.testing.assert_allclose(scaling_of(SparseRows(csr_array(X))).scale, [2 * 0.5**0.5, 5 * 0.75**0.5, 1])
    weighted = scaling_of(SparseRows(csr_array(X)), np.array([1.0, 3.0, 1.0, 5.0]))
    np.testing.assert_allclose(weighted.scale, [4 * 0.4**0.5, 9 * 0.7**0.5, 1])


def test_the_median_of_each_sparse_column_is_that_of_its_numbers():
    X = np.where(RNG.random((31, 40)) < 0.4, RNG.normal(size=(31, 40)), 0)
    X[:, 7] = 0
    medians, shares = SparseRows(csr_array(X)).typical_sizes()
    np.testing.assert_allclose(shares, (X != 0).mean(axis=0))
    for column, found in zip(X.T, medians, strict=True):
        sizes = np.sort(np.abs(column[column != 0]))
        assert found == (sizes[(len(sizes) - 1) // 2] if len(sizes) else 0)


@pytest.mark.parametrize("far", [1e12, -1e140])
def test_one_number_far_away_changes_no_other_of_a_sparse_column(far):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((100, 3)) < 0.3, rng.gamma(2, 3, size=(100, 3)), 0)
    X[5] = 4.0
    plain = FeatureEncoder("auto", np.float64).fit(SparseRows(csr_array(X)))
    others = np.delete(np.arange(100), 5)
    Z = X.copy()
    Z[5, 1] = far
    encoder = FeatureEncoder("auto", np.float64).fit(SparseRows(csr_array(Z)))
    values = encoder.transform(SparseRows(csr_array(Z)))["x"][:]
    np.testing.assert_allclose(values[5, 1], np.sign(far) * 3)
    expected = plain.transform(SparseRows(csr_array(X)))["x"][:]
    np.testing.assert_allclose(values[others], expected[others], rtol=0.2)
    # Also where it comes up in `predict` alone, in rows of either kind.
    for rows in (SparseRows(csr_array(Z)), Z):
        found = plain.transform(rows)["x"][:]
        np.testing.assert_array_equal(found[others], expected[others])
        assert abs(found[5, 1]) <= 3


def test_numbers_that_scaling_makes_infinite_are_at_the_limit():
    encoder = FeatureEncoder("auto").fit(SparseRows(csr_array([[1e-20], [0.0], [3e-20]])))
    assert encoder.transform(np.array([[1e300], [-1e300], [0.0]]))["x"].tolist() == [[3], [-3], [0]]


def test_a_column_transformer_is_scaled_as_a_whole():
    columns = make_column_transformer((FunctionTransformer(np.log), [0]), (FunctionTransformer(), [2]))
    values = encoded(columns, TABLE)
    np.testing.assert_allclose(values.std(axis=0), 1)
