"""Transformers of the user's: what they are given, and what is made of what they give."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler, TargetEncoder

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import FeatureEncoder, read_features
from sklearn_mtl.features.transformer import fit_transformer

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


def test_columns_of_objects_are_told_apart_as_those_of_a_frame_are():
    X = np.array([["u", 1], ["v", 2]], dtype=object)
    with pytest.raises(ValueError, match=r"must give columns of numbers. Found others: \[0\]"):
        FeatureEncoder(FunctionTransformer()).fit(X)
    values = FeatureEncoder(FunctionTransformer(lambda X: X[:, 1:]), np.float64).fit(X).transform(X)["x"]
    np.testing.assert_allclose(values, [[-1], [1]])


SHAPES = {
    "fewer rows": lambda X: X[:-1],
    "more rows": lambda X: np.vstack([X, X]),
    "one dimension": lambda X: X[:, 0],
    "a number": lambda X: X.sum(),
    "no column": lambda X: X[:, :0],
    "a series": lambda X: pd.Series(X[:, 0]),
    "fewer sparse rows": lambda X: csr_array(X[:-1]),
    "no sparse column": lambda X: csr_array((len(X), 0)),
    "a frame of fewer rows": lambda X: pd.DataFrame(X[:-1]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("passed", [False, True])
def test_what_comes_out_must_have_a_row_for_each_row(shape, passed):
    transformer = FunctionTransformer(SHAPES[shape])
    transformer = make_pipeline(transformer, "passthrough") if passed else transformer
    with pytest.raises(
        ValueError, match=r"must give one row for each row of `X`.* Found shape \(.*for 10 row"
    ):
        FeatureEncoder(transformer).fit(RNG.normal(size=(10, 2)))


def test_rows_to_predict_must_come_out_one_by_one_too():
    encoder = FeatureEncoder(FunctionTransformer(lambda X: X[:10])).fit(RNG.normal(size=(10, 2)))
    with pytest.raises(ValueError, match=r"Found shape \(10, 2\) for 12 rows"):
        encoder.transform(RNG.normal(size=(12, 2)))


GAPS = [None, np.nan, pd.NA]


@pytest.mark.parametrize("gap", GAPS, ids=["None", "NaN", "NA"])
def test_a_missing_text_is_an_empty_one(gap):
    est = quick(TfidfVectorizer()).fit(["", *TEXTS[1:]], {"good": GOOD})
    for made in (
        list,
        pd.Series,
        lambda texts: pd.DataFrame({"t": texts}),
        lambda texts: np.array(texts, object),
    ):
        est = quick(TfidfVectorizer()).fit(made(["", *TEXTS[1:]]), {"good": GOOD})
        other = quick(TfidfVectorizer()).fit(made([gap, *TEXTS[1:]]), {"good": GOOD})
        np.testing.assert_array_equal(
            other.predict(made([gap] * 2))["good"], est.predict(made([""] * 2))["good"]
        )
        np.testing.assert_array_equal(other.predict(made(TEXTS))["good"], est.predict(made(TEXTS))["good"])


@pytest.mark.parametrize("made", [list, pd.Series, lambda texts: pd.DataFrame({"t": texts})])
def test_numbers_among_texts_are_refused_with_their_row(made):
    with pytest.raises(ValueError, match=r"must hold texts, or dicts, .* Found 2\.5 in row 3\."):
        quick(TfidfVectorizer()).fit(made([*TEXTS[:3], 2.5, *TEXTS[4:]]), {"good": GOOD})
    with pytest.raises(ValueError, match=r"Found 7 in row 1\."):
        quick(TfidfVectorizer()).fit(TEXTS, {"good": GOOD}).predict(made(["good", 7]))


DICTS = [{"word": text.split()[0], "length": len(text)} for text in TEXTS]


@pytest.mark.parametrize(
    "vectorizer",
    [
        DictVectorizer(),
        DictVectorizer(sparse=False),
        FeatureHasher(8, input_type="dict"),
        make_pipeline(DictVectorizer(), StandardScaler(with_mean=False)),
    ],
    ids=["sparse", "dense", "hashed", "pipeline"],
)
def test_dicts(vectorizer, tmp_path):
    est = quick(vectorizer).fit(DICTS, {"good": GOOD})
    predicted = est.predict(DICTS)["good"]
    assert predicted.shape == (30,)
    for X in (pd.Series(DICTS), pd.DataFrame({"d": DICTS}), np.array(DICTS, object)):
        np.testing.assert_array_equal(quick(vectorizer).fit(X, {"good": GOOD}).predict(X)["good"], predicted)
    np.testing.assert_array_equal(est.predict([None, DICTS[0]])["good"], est.predict([{}, DICTS[0]])["good"])
    scores = cross_val_score(quick(vectorizer), DICTS, pd.DataFrame({"good": GOOD}), cv=2)
    assert np.isfinite(scores).all()


def test_columns_of_a_sparse_table_that_hold_nothing_are_dropped():
    hashed = HashingVectorizer(n_features=2**20)
    est = quick(hashed).fit(TEXTS, {"good": GOOD})
    assert est._fitted.encoder.spec.single.shape == (3,)
    assert est.predict(["a new word"])["good"].shape == (1,)
    X = read_features(BaseEstimator(), TEXTS, reset=True, allow_nan=True, texts=True)
    words = CountVectorizer(vocabulary=["zebra", "good", "bad", "film"])
    encoder = FeatureEncoder(words).fit(X)
    assert encoder.get_feature_names_out().tolist() == ["good", "bad", "film"]
    as_it_is = FeatureEncoder(make_pipeline(words, "passthrough")).fit(X)
    assert as_it_is.spec.single.shape == (4,)


class Picky(TransformerMixin, BaseEstimator):
    """Its fit warns of what it finds in y, and takes one column."""

    def fit(self, X, y):
        warnings.warn("y has gaps", UserWarning, stacklevel=1)
        if y.ndim > 1:
            raise ValueError("y must be 1-dimensional.")
        return self

    def transform(self, X):
        return X


def test_what_does_not_take_y_is_said_in_sentences_that_end():
    X = RNG.random((30, 3))
    chosen = make_pipeline(MaxAbsScaler(), SelectKBest(chi2, k=2))
    with pytest.raises(
        ValueError, match=r"Found Pipeline\(MaxAbsScaler, SelectKBest\), which says: .*\w\. Fit"
    ) as info:
        quick(chosen).fit(X, {"good": GOOD, "kind": np.arange(30) % 3})
    assert "0x" not in str(info.value)


@pytest.mark.parametrize("transformer", [TargetEncoder(), Picky()], ids=["TargetEncoder", "Picky"])
def test_nothing_is_warned_of_before_such_an_error(transformer):
    X = pd.DataFrame({"a": ["u", "v", "w"] * 10})
    good = GOOD.astype(float)
    good[4] = np.nan
    Y = pd.DataFrame({"good": good, "also": GOOD})
    est = quick(transformer, tasks={"good": "classification"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="must take the labels of all tasks as y"):
            est.fit(X, Y)
    assert [str(each.message) for each in caught] == []


def test_what_is_warned_of_without_an_error_is_passed_on():
    y = np.where(np.arange(10) == 3, np.nan, 1.0)
    with pytest.warns(UserWarning, match="y has gaps"):
        fit_transformer(Picky(), RNG.normal(size=(10, 2)), None, y)
