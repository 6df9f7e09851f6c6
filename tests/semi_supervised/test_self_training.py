"""What is sure is learned, task by task, as long as labels that no fit has seen are predicted better."""

from __future__ import annotations

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.semi_supervised import SelfTraining
from sklearn_mtl.semi_supervised.pseudo_labels import PseudoLabels
from sklearn_mtl.semi_supervised.rounds import Learner, self_train
from sklearn_mtl.trunks import MLP

N_ROWS = 120
NETWORK = MultiTaskClassifierRegressor(
    trunk=MLP((8,)), n_bags=2, max_epochs=4, lr=0.03, linear_blend=False, random_state=0
)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3))
    Y = pd.DataFrame(
        {
            "price": np.where(np.arange(N_ROWS) % 3 == 0, 5 * X[:, 0], np.nan),
            "type": np.where(np.arange(N_ROWS) % 2 == 0, np.where(X[:, 1] > 0, "flat", "house"), None),
            "age": 10 + X[:, 2],
        }
    )
    Y.loc[100:] = None  # rows without any label
    return X, Y


@pytest.fixture(scope="module")
def fitted(table):
    return SelfTraining(NETWORK, max_iter=1, max_spread=1.0, random_state=0).fit(*table)


def test_it_has_the_face_of_the_estimator(fitted, table):
    X, Y = table
    predicted = fitted.predict(X)
    assert isinstance(predicted, pd.DataFrame)
    assert list(predicted) == ["price", "type", "age"]
    assert fitted.predict_proba(X)["type"].shape == (N_ROWS, 2)
    assert fitted.classes_["type"].tolist() == ["flat", "house"]
    assert fitted.n_features_in_ == 3
    scores = fitted.score_tasks(X[:100], Y[:100])
    assert fitted.score(X[:100], Y[:100]) == pytest.approx(scores.mean())
    assert fitted.task("price").score(X[:100], Y["price"][:100]) == pytest.approx(scores["price"])
    assert clone(fitted).get_params()["max_spread"] == 1.0
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.predict(X), predicted)


def test_what_it_reports_is_of_the_tasks_with_gaps(fitted, table):
    assert list(fitted.held_out_scores_) == ["price", "type", "age"]
    assert fitted.held_out_scores_.index.tolist() == [0, 1]
    given = table[1].notna()
    for name, iteration in fitted.labeled_iter_.items():
        assert (iteration[given[name]] == 0).all()
        assert iteration[~given[name]].isin([-1, 1]).all()
        assert (iteration == 1).any() == (fitted.n_iter_[name] == 1)
    assert (fitted.n_labeled_ <= (~given).sum()).all(axis=None)
    assert (fitted.n_labeled_.loc[1] > 0).any()


def test_rows_without_any_label_are_learned_from(table):
    X, Y = table
    Y = {"type": Y["type"].to_numpy()}
    rounds = {"threshold": 0.5, "max_iter": 1, "random_state": 0}
    whole = SelfTraining(clone(NETWORK).set_params(max_epochs=1), **rounds).fit(X, Y)
    assert whole.n_labeled_.loc[1, "type"] == (pd.isna(Y["type"])).sum()


def test_the_final_fit_is_one_to_rows_of_labels_and_of_each_probable_class(monkeypatch):
    better = iter(range(9))
    monkeypatch.setattr(Learner, "scores", lambda self, answers, rows: dict.fromkeys(rows, next(better)))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    type_ = np.where(X[:, 1] > 0, "flat", "house").astype(object)
    type_[40:] = None
    Y = {"type": type_, "age": X[:, 2]}
    network = clone(NETWORK).set_params(early_stopping=False, preprocessing=None, max_epochs=2)
    found = SelfTraining(network, max_iter=1, threshold=0.0, random_state=0).fit(X, Y).predict_proba(X)

    before = clone(network).fit(X, Y).predict_proba(X)["type"]
    chance = np.where(before[40:] < 0.02, 0, before[40:])
    chance /= chance.sum(axis=1, keepdims=True)
    row, place = np.nonzero(chance)
    more = {
        "type": np.concatenate([type_, np.array(["flat", "house"], dtype=object)[place]]),
        "age": np.concatenate([Y["age"], np.full(len(row), np.nan)]),
    }
    weight = {"type": np.concatenate([np.ones(90), chance[row, place]]), "age": np.ones(90 + len(row))}
    by_hand = clone(network).fit(np.vstack([X, X[40:][row]]), more, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found["type"], by_hand["type"], atol=1e-5)
    assert np.abs(found["type"] - before).max() > 1e-3


def test_without_a_round_it_is_the_estimator_to_the_bit(table):
    X, Y = table
    alone = clone(NETWORK).fit(X, Y)
    with_no_round = SelfTraining(NETWORK, max_iter=0).fit(X, Y)
    complete = Y[["age"]][:100]
    without_gaps = SelfTraining(NETWORK).fit(X[:100], complete)
    pd.testing.assert_frame_equal(alone.predict(X), with_no_round.predict(X))
    expected = clone(NETWORK).fit(X[:100], complete).predict(X)
    pd.testing.assert_frame_equal(expected, without_gaps.predict(X))
    assert without_gaps.held_out_scores_.empty


def test_searches_set_its_parameters(table):
    X, Y = table
    network = clone(NETWORK).set_params(max_epochs=1)
    search = GridSearchCV(
        SelfTraining(network, max_iter=0), {"threshold": [0.7], "estimator__lr": [0.1]}, cv=2
    )
    search.fit(X[:100], MultiTaskTarget(Y[["age"]][:100]))
    assert search.best_estimator_.estimator_.lr == 0.1


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"threshold": 1.0}, r"`threshold` of SelfTraining must be a number in \[0, 1\), or such numbers"),
        ({"threshold": {"price": 0.9}}, r"`threshold` of SelfTraining is for tasks with classes. Found"),
        ({"threshold": {"typ": 0.9}}, "`threshold` names unknown tasks"),
        ({"max_spread": {"type": 0.9}}, "`max_spread` of SelfTraining is for regressions. Found"),
        ({"max_spread": 0}, "`max_spread` of SelfTraining must be a positive number"),
        ({"max_iter": 1.5}, "`max_iter` of SelfTraining must be a whole number"),
        ({"validation_fraction": 1}, "`validation_fraction` of SelfTraining must be a number between"),
        ({"pseudo_label_weight": 0}, "`pseudo_label_weight` of SelfTraining must be a positive number"),
    ],
)
def test_parameters_are_checked_before_any_training(parameters, text, table, monkeypatch):
    monkeypatch.setattr("sklearn_mtl.semi_supervised.self_training.self_train", None)
    with pytest.raises(ValueError, match=text):
        SelfTraining(NETWORK, **parameters).fit(*table)


def test_a_pipeline_goes_around_it(table):
    with pytest.raises(TypeError, match="`estimator` of SelfTraining must be a MultiTaskClassifierRegressor"):
        SelfTraining(make_pipeline(NETWORK)).fit(*table)


def test_one_member_can_not_disagree(table, monkeypatch):
    X, Y = table
    monkeypatch.setattr(PlannedFit, "train", None)  # found before any training
    one = clone(NETWORK).set_params(n_bags=1, max_epochs=1)
    with pytest.raises(ValueError, match="must have several members or nets where a regression"):
        SelfTraining(one, max_iter=1).fit(X, Y[["price"]])


def test_tasks_of_few_labels_are_left_alone(table):
    X, Y = table
    Y = Y[["type", "age"]].copy()
    Y.loc[12:, "type"] = None
    Y["age"] = 1.0 * np.arange(N_ROWS)
    with pytest.warns(UserWarning, match="Tasks with few labels, {'type': 6}, get no pseudo-labels"):
        found = SelfTraining(clone(NETWORK).set_params(max_epochs=1), max_iter=2).fit(X, Y)
    assert found.n_iter_ == {}


class Scripted:
    """A learner whose held-out scores are given, and that labels one cell of each task in a round."""

    template = SimpleNamespace(n_bags=1)

    def __init__(self, scores, n_rows=6):
        column = SimpleNamespace(has_label=np.zeros(n_rows, dtype=bool))
        self.read = SimpleNamespace(targets=SimpleNamespace(columns=dict.fromkeys(scores, column)))
        self.given = scores
        self.fits = []

    def fitted(self, hidden, labels, n_bags):
        self.fits.append({name: of.rows.tolist() for name, of in labels.items()})
        return SimpleNamespace(estimator=SimpleNamespace(nets_=[None]))

    def scores(self, answers, rows):
        return {name: self.given[name][len(self.fits) - 1] for name in rows}

    def sure(self, answers, unlabelled):
        found = {}
        for name, cells in unlabelled.items():
            rows = np.flatnonzero(cells)[:1]
            if len(rows):
                one = np.zeros(1)
                found[name] = PseudoLabels(rows, one, one.astype(bool), one + 1)
        return found


def rounds_of(scores, most=3, n_cells=6):
    learner = Scripted(scores)
    cells = np.arange(6)[:, None] < n_cells
    held_out = {name: np.array([5]) for name in scores}
    return learner, self_train(learner, dict.fromkeys(scores, cells), held_out, dict.fromkeys(scores, most))


def test_a_task_whose_score_is_not_better_gives_its_labels_back():
    learner, rounds = rounds_of({"a": [0.5, 0.6, 0.7, 0.8], "b": [0.5, 0.6, 0.6, 0.9]})
    assert rounds.n_kept == {"a": 3, "b": 1}
    assert rounds.stopped == {"a": "max_iter", "b": "score_not_better"}
    assert learner.fits == [{}, {"a": [0], "b": [0]}, {"a": [0, 1], "b": [0, 1]}, {"a": [0, 1, 2], "b": [0]}]
    assert {name: of.rows.tolist() for name, of in rounds.labels.items()} == {"a": [0, 1, 2], "b": [0]}
    assert rounds.labelled_in["b"].tolist() == [1, -1, -1, -1, -1, -1]


def test_it_ends_where_nothing_is_left_to_label():
    learner, rounds = rounds_of({"a": [0.1, 0.2, 0.3, 0.4]}, most=9, n_cells=2)
    assert rounds.stopped == {"a": "all_labeled"}
    assert rounds.n_labelled == [{"a": 1}, {"a": 1}]
    assert len(learner.fits) == 3


def test_held_out_rows_get_no_pseudo_label_where_they_judge():
    learner = Scripted({"a": [0.1, 0.2, 0.3]})
    cells = np.ones((6, 1), dtype=bool)  # of rows that lack an output, and have another
    self_train(learner, {"a": cells}, {"a": np.array([0, 2])}, {"a": 2})
    assert learner.fits == [{}, {"a": [1]}, {"a": [1, 3]}]
    assert cells.all()
    learner.fits.clear()
    self_train(learner, {"a": cells}, {}, {"a": 2})  # the last fits may learn them
    assert learner.fits == [{}, {"a": [0]}, {"a": [0, 1]}]


def test_without_held_out_labels_each_task_has_its_rounds():
    learner = Scripted({"a": [], "b": []})
    cells = dict.fromkeys("ab", np.ones((6, 1), dtype=bool))
    rounds = self_train(learner, cells, {}, {"a": 1, "b": 2})
    assert rounds.n_kept == {"a": 1, "b": 2}
    assert learner.fits[-1] == {"a": [0], "b": [0, 1]}


def test_it_warns_of_guesses_once(table):
    X, Y = table
    Y = {"number": np.where(np.arange(N_ROWS) % 2, np.nan, np.arange(N_ROWS) % 5)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SelfTraining(clone(NETWORK).set_params(max_epochs=1), max_iter=1, threshold=0.0).fit(X, Y)
    assert len([one for one in caught if "whole floats" in str(one.message)]) == 1
