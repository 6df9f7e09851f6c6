"""Texts as X: everything that works for a table works for them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.features import TextPreprocessing
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.tasks import TokenClassification
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import TextCNN, TextEncoder

WORDS = ["sea", "hill", "town", "big", "small", "red", "house", "flat", "garden"]
ENCODERS = ["bag", "cnn", "lstm", "transformer"]


def texts(n):
    rng = np.random.default_rng(n)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 8))) for _ in range(n)]


def labels(X):
    flat = np.array(["yes" if "flat" in text else "no" for text in X])
    return pd.DataFrame({"price": [text.count("sea") + 0.5 * text.count("big") for text in X], "flat": flat})


X = texts(90)
Y = labels(X)


def estimator(**parameters):
    return MultiTaskClassifierRegressor(
        **{"n_bags": 1, "max_epochs": 3, "batch_size": 16, "random_state": 0, **parameters}
    )


@pytest.fixture(scope="module")
def fitted():
    return estimator(max_epochs=60, lr=0.01).fit(X, Y)


def upper(rows):
    return [text.upper() for text in rows]


def test_it_learns(fitted):
    new = texts(60)
    assert fitted.score(new, labels(new)) > 0.8
    assert fitted.predict_proba(new)["flat"].shape == (60, 2)
    assert fitted.transform(new).shape == (60, 128)


def test_a_text_is_predicted_by_itself(fitted):
    together = fitted.predict(X)
    for row in range(5):
        np.testing.assert_array_equal(fitted.predict(X[row : row + 1]), together[row : row + 1])


def test_what_texts_come_in_does_not_matter(fitted):
    series = pd.Series(X, index=np.arange(90) + 5)
    assert fitted.predict(series).index.equals(series.index)
    for given in (series, np.array(X), tuple(X)):
        np.testing.assert_array_equal(fitted.predict(given).to_numpy(), fitted.predict(X).to_numpy())


def test_views_of_tasks(fitted):
    assert fitted.task("price").predict(X).shape == (90,)
    assert fitted.task("flat").score(X, Y["flat"]) > 0.9


def test_copies(fitted, tmp_path):
    est = estimator(
        trunk=TextEncoder(TextCNN(4, kernel_sizes=(1, 2))), preprocessing=TextPreprocessing(min_count=3)
    )
    save(est.fit(X, Y), tmp_path / "model.mtl")
    for again in (load(tmp_path / "model.mtl"), pickle.loads(pickle.dumps(est)), clone(est).fit(X, Y)):
        np.testing.assert_array_equal(again.predict(X).to_numpy(), est.predict(X).to_numpy())
    save(fitted, tmp_path / "default.mtl")
    np.testing.assert_array_equal(
        load(tmp_path / "default.mtl").predict(X)["price"], fitted.predict(X)["price"]
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_bags": 2},
        {"precision": "float64"},
        {"precision": "bf16"},
        {"early_stopping": False},
        {"sharing": "separate"},
        {"preprocessing": TextPreprocessing("characters")},
    ],
    ids=str,
)
def test_ways_of_training(parameters):
    weight = np.arange(90) % 3
    gaps = Y.assign(price=Y["price"].where(np.arange(90) % 4 > 0))
    est = estimator(**parameters).fit(X, gaps, sample_weight=weight)
    assert np.isfinite(est.score(X, Y))


def test_training_goes_on():
    est = estimator().partial_fit(X, Y)
    before = est.score(X, Y)
    for _ in range(20):
        est.partial_fit(["sea and words that are new", *X], labels(["sea", *X]))
    assert est.score(X, Y) > before
    warm = estimator(warm_start=True, lr=0.01).fit(X, Y)
    assert len(warm.set_params(max_epochs=6).fit(X, Y).history_) == 6


def test_a_pipeline():
    est = make_pipeline(FunctionTransformer(upper), estimator(max_epochs=40, lr=0.01)).fit(X, Y)
    assert est.score(X, Y) > 0.8


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_stacked_search_is_the_plain_one(encoder, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    est = estimator(trunk=TextEncoder(encoder, embedding_size=8), precision="float64", max_epochs=2)
    grid = [{"trunk__dropout": [0.1, 0.4]}, {"preprocessing": [TextPreprocessing(max_tokens=4)]}]
    plain, stacked = (
        search(est, grid, cv=KFold(2), refit=False) for search in (GridSearchCV, StackedGridSearchCV)
    )
    for search in (plain, stacked):
        search.fit(X, Y)
    key = "mean_test_score"
    np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-9)
    assert stacked.stacked_["stacked"].all() == (encoder != "lstm")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_labels_of_tokens_beside_one_of_the_text(encoder):
    slots = [["B-place" if word in ("sea", "hill") else "O" for word in text.split()] for text in X]
    est = estimator(
        tasks={"slots": TokenClassification()},
        preprocessing=TextPreprocessing(str.split),
        trunk=TextEncoder(encoder, embedding_size=32),
        max_epochs=12,
        lr=0.01,
    ).fit(X, {"slots": slots, "flat": Y["flat"]})
    scores = est.score_tasks(X, {"slots": slots, "flat": Y["flat"]})
    assert scores["slots"] > 0.95
    assert [len(row) for row in est.predict(X)["slots"]] == [len(text.split()) for text in X]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (["sea", ""] * 45, r"strings with more than spaces. Found '' in row 1"),
        (["sea", None] * 45, "Found None in row 1"),
        (["sea"] * 80, "80"),
    ],
)
def test_bad_texts_are_refused_before_training(bad, message):
    with pytest.raises(ValueError, match=message):
        estimator(preprocessing=TextPreprocessing()).fit(bad, Y)


def test_predict_refuses_what_is_no_text(fitted):
    with pytest.raises((TypeError, ValueError), match="texts"):
        fitted.predict(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="Found '' in row 0"):
        fitted.predict([""])
