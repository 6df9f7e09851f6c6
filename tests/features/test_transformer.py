"""Transformers of the user's: what they are given, and what is made of what they give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import FeatureEncoder, read_features

TEXTS = ["a good film", "a bad film", "good, good"] * 10
GOOD = np.array([1, 0, 1] * 10)
RNG = np.random.default_rng(0)


def quick(preprocessing, **settings):
    return MultiTaskClassifierRegressor(
        preprocessing=preprocessing, trunk="mlp", n_bags=1, max_epochs=2, random_state=0, **settings
    )


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        CountVectorizer(),
        HashingVectorizer(n_features=16),
        make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)),
        make_union(TfidfVectorizer(), CountVectorizer()),
        FrozenEstimator(CountVectorizer().fit(TEXTS)),
    ],
    ids=lambda vectorizer: type(vectorizer).__name__,
)
def test_vectorizers(vectorizer):
    est = quick(vectorizer).fit(TEXTS, {"good": GOOD})
    predicted = est.predict(TEXTS)["good"]
    assert predicted.shape == (30,)
    for X in (pd.Series(TEXTS), pd.DataFrame({"t": TEXTS}), np.array(TEXTS), np.array(TEXTS)[:, None]):
        again = quick(vectorizer).fit(X, {"good": GOOD})
        np.testing.assert_array_equal(again.predict(X)["good"], predicted)


def test_what_a_vectorizer_gives_is_what_scikit_learn_gives():
    X = read_features(BaseEstimator(), TEXTS, reset=True, allow_nan=True, texts=True)
    encoder = FeatureEncoder(make_pipeline(TfidfVectorizer(), "passthrough"), np.float64).fit(X)
    expected = TfidfVectorizer().fit_transform(TEXTS).toarray()
    np.testing.assert_array_equal(encoder.transform(X)["x"][:], expected)
    assert encoder.get_feature_names_out().tolist() == ["bad", "film", "good"]


def test_predictions_have_the_index_of_a_series():
    X = pd.Series(TEXTS, index=range(100, 130))
    Y = pd.DataFrame({"good": GOOD}, index=X.index)
    assert quick(TfidfVectorizer()).fit(X, Y).predict(X).index.tolist() == list(range(100, 130))


def test_several_columns_for_a_vectorizer():
    X = pd.DataFrame({"a": TEXTS, "b": TEXTS})
    with pytest.raises(ValueError, match=r"`X` must be one column of texts .* Found shape \(30, 2\)"):
        quick(TfidfVectorizer()).fit(X, {"good": GOOD})
    est = quick(make_column_transformer((TfidfVectorizer(), "a"), (CountVectorizer(), "b")))
    est.fit(X, {"good": GOOD}).predict(X)


class Demanding(TransformerMixin, BaseEstimator):
    """Its fit takes nothing but both."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


class Frugal(TransformerMixin, BaseEstimator):
    """Its fit takes X alone."""

    def fit(self, X):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("transformer", [Demanding(), Frugal(), FunctionTransformer()])
def test_what_fit_takes(transformer):
    X = RNG.normal(size=(10, 2))
    values = FeatureEncoder(transformer, np.float64).fit(X).transform(X)["x"]
    np.testing.assert_allclose(values, StandardScaler().fit_transform(X), atol=1e-12)


@pytest.mark.parametrize("weight", [None, np.ones(5)])
def test_a_frozen_transformer_stays_as_it_is(weight):
    X = RNG.normal(size=(10, 2))
    scaler = StandardScaler().fit(X)
    encoder = FeatureEncoder(FrozenEstimator(scaler), np.float64).fit(X[:5] + 7, weight)
    np.testing.assert_array_equal(encoder.transform(X)["x"], scaler.transform(X))


def test_a_transformer_is_given_an_array_of_objects_as_it_is():
    X = read_features(BaseEstimator(), np.array([["u", 1], ["v", 2]], object), reset=True, allow_nan=True)
    given = []
    FeatureEncoder(FunctionTransformer(lambda X: given.append(X) or np.ones((2, 1)))).fit(X)
    assert type(given[0]) is np.ndarray
    assert given[0].tolist() == [["u", 1], ["v", 2]]


def test_a_transformer_must_give_numbers():
    X = pd.DataFrame({"a": ["u", "v"], "b": [1, 2]})
    with pytest.raises(
        ValueError, match=r"`preprocessing` must give columns of numbers. Found others: \['a'\]"
    ):
        FeatureEncoder(FunctionTransformer()).fit(X)
