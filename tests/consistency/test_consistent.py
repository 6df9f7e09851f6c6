"""Predictions obey the rules, and are those of the estimator where these obey."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.consistency import (
    AllowedClasses,
    AtMost,
    Consistent,
    Implies,
    Linear,
    ProbabilityAtMost,
    Rule,
    Sum,
)
from sklearn_mtl.consistency.bound_rules import BoundRules
from sklearn_mtl.consistency.decision import nearest_probabilities
from sklearn_mtl.tasks import Ordinal, Regression
from sklearn_mtl.trunks import MLP

N_ROWS = 90
TASKS = {"grade": Ordinal(["poor", "fair", "good"]), "wish": Ordinal(["poor", "fair", "good"])}
NETWORK = MultiTaskClassifierRegressor(
    tasks=TASKS, trunk=MLP((4,)), n_bags=1, max_epochs=2, linear_blend=False, random_state=0
)
RULES = [
    Implies(("type", ["house", "villa"]), ("garden", True)),
    AtMost("living", "area"),
    Sum(["living", "rest"], equals="area"),
    AtMost(0, "rest"),
    ProbabilityAtMost("bought", "clicked"),
    AtMost("grade", "wish"),
]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3))
    grades = np.array(["poor", "fair", "good"])
    living, rest = 80 + 10 * X[:, 2], np.abs(X[:, 0])
    Y = {
        "type": np.array(["flat", "house", "villa"])[rng.integers(0, 3, size=N_ROWS)],
        "garden": rng.random(N_ROWS) > 0.4,
        "living": living,
        "rest": rest,
        "area": living + rest,
        "clicked": X[:, 1] + rng.normal(size=N_ROWS) > 0,
        "bought": X[:, 1] + rng.normal(size=N_ROWS) > 0,
        "grade": grades[rng.integers(0, 3, size=N_ROWS)],
        "wish": grades[rng.integers(0, 3, size=N_ROWS)],
    }
    return X, MultiTaskTarget(Y)


@pytest.fixture(scope="module")
def fitted(table):
    return Consistent(NETWORK, RULES).fit(*table)


def test_predictions_obey_all_rules(fitted, table):
    X = 3 * table[0]
    found = fitted.predict(X)
    assert (found["garden"] | (found["type"] == "flat")).all()
    assert (found["living"] <= found["area"]).all()
    assert (found["rest"] >= 0).all()
    np.testing.assert_allclose(found["living"] + found["rest"], found["area"], rtol=1e-12)
    order = TASKS["grade"].order
    codes = {name: pd.Categorical(found[name], categories=order).codes for name in TASKS}
    assert (codes["grade"] <= codes["wish"]).all()
    chance = fitted.predict_proba(X)
    assert (chance["bought"][:, 1] <= chance["clicked"][:, 1]).all()
    assert (found["clicked"] | ~found["bought"]).all()
    assert fitted.broken(X).any().sum() >= 4  # there was something to do


def test_rows_that_obey_are_those_of_the_estimator(fitted, table):
    X = 3 * table[0]
    before, after = fitted.estimator_.predict(X), fitted.predict(X)
    broken, changed = fitted.broken(X), fitted.changed(X)
    assert list(broken) == [repr(rule) for rule in RULES]
    assert list(changed) == list(table[1])
    for rule in RULES:
        kept = ~broken.iloc[:, [RULES.index(rule), *(RULES.index(other) for other in _related(rule))]].any(
            axis=1
        )
        for name in rule.names:
            np.testing.assert_array_equal(before[name][kept], after[name][kept])
            assert not changed.loc[kept, name].any()
    for name in table[1]:
        differ = before[name] != after[name]
        assert (changed[name] >= differ).all()
    np.testing.assert_array_equal(changed["living"], before["living"] != after["living"])


def _related(rule):
    numbers = RULES[1:4]
    return [other for other in numbers if other is not rule] if rule in numbers else []


def test_what_is_broken_is_told_without_a_decision(fitted, table, monkeypatch):
    broken = fitted.broken(table[0])
    monkeypatch.setattr("sklearn_mtl.consistency.consistent.decide", None)
    pd.testing.assert_frame_equal(fitted.broken(table[0]), broken)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(table[0])["bought"]).sum(axis=1), 1)


def test_without_rules_it_is_the_estimator(fitted, table):
    X, Y = table
    bare = Consistent(FrozenEstimator(fitted.estimator_), []).fit(X, Y)
    assert (bare.predict(X)["area"] == fitted.estimator_.predict(X)["area"]).all()
    assert bare.broken(X).shape == bare.changed(X).shape == (N_ROWS, 0)


@dataclass(frozen=True)
class Together(Rule):
    """Two probabilities have a sum."""

    names = ("clicked", "bought")

    def bind(self, tasks):
        return Linear(dict.fromkeys(self.names, 1.0), 1.5, 1.5, of="probabilities")


def test_nearest_probabilities_are_probabilities(fitted, table):
    class Sure:
        """Says of one event that it is certain, and of the other that it is not."""

        def __init__(self, task, chance):
            self.classes, self.kind, self.position_axes = task.classes, task.kind, task.position_axes
            self.chance, self.codes = chance, task.codes

        def predict_proba(self, response):
            return np.column_stack([1 - self.chance, self.chance])

        def _decided(self, response):
            return (self.chance > 0.5).astype(float)[:, None]

    chance = np.array([[0.9, 0.1], [1.0, 0.0], [0.7, 0.6], [0.2, 0.3]])
    tasks = {
        name: Sure(fitted.estimator_.tasks_[name], of)
        for name, of in zip(Together.names, chance.T, strict=True)
    }
    bound = BoundRules.of([Together()], tasks)
    found = nearest_probabilities(bound, tasks, dict.fromkeys(tasks))
    nearest = np.column_stack([found[name][:, 1] for name in tasks])
    np.testing.assert_allclose(nearest, [[1, 0.5], [1, 0.5], [0.8, 0.7], [0.7, 0.8]], atol=1e-12)


def test_classes_are_the_most_probable_that_obey(fitted, table):
    X = 3 * table[0]
    chance, found = fitted.estimator_.predict_proba(X), fitted.predict(X)
    joint = chance["type"][:, :, None] * chance["garden"][:, None, :]
    joint[:, 1:, 0] = 0  # a house or a villa without a garden
    best = joint.reshape(len(X), -1).argmax(axis=1)
    np.testing.assert_array_equal(fitted.classes_["type"][best // 2], found["type"])
    np.testing.assert_array_equal(best % 2 == 1, found["garden"])


def test_it_has_the_face_of_an_estimator(fitted, table):
    X, Y = table
    found = fitted.predict(X)
    scores = fitted.score_tasks(X, Y)
    assert fitted.score(X, Y) == pytest.approx(scores.mean())
    assert scores["type"] == pytest.approx((found["type"] == Y["type"]).mean())
    assert scores["living"] == pytest.approx(
        1 - ((found["living"] - Y["living"]) ** 2).mean() / np.var(Y["living"])
    )
    by_metric = fitted.score_tasks(
        X, Y, metrics={"type": "accuracy", "living": "r2", "bought": "neg_log_loss"}
    )
    assert by_metric["type", "accuracy"] == pytest.approx(scores["type"])
    assert by_metric["living", "r2"] == pytest.approx(scores["living"])
    chance = fitted.predict_proba(X)["bought"][np.arange(N_ROWS), Y["bought"].astype(int)]
    assert by_metric["bought", "neg_log_loss"] == pytest.approx(np.log(chance).mean())
    np.testing.assert_array_equal(fitted.task("area").predict(X), found["area"])
    np.testing.assert_array_equal(fitted.task("wish").predict(X), found["wish"])
    np.testing.assert_allclose(
        fitted.predict_log_proba(X)["bought"], np.log(fitted.predict_proba(X)["bought"]), atol=1e-12
    )
    assert fitted.decision_function(X)["bought"].shape == (N_ROWS,)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X)["area"], found["area"])
    assert clone(fitted).rules == RULES
    assert fitted.task("bought").fit(X, Y["bought"]).predict(X).dtype == bool


def test_variances_are_those_of_held_out_rows(fitted, table):
    X, Y = table
    (held_out,) = fitted.estimator_._fitted.held_out
    error = fitted.estimator_.predict(X[held_out])["area"] - Y["area"][held_out]
    assert fitted.variances_["area"] == pytest.approx((error**2).mean(), rel=1e-3)
    assert set(fitted.variances_) == {"living", "rest", "area"}


def test_a_fitted_estimator_is_measured_on_the_rows_of_fit(fitted, table):
    X, Y = table
    frozen = Consistent(FrozenEstimator(fitted.estimator_), RULES[1:2]).fit(X[:40], Y[:40])
    assert frozen.estimator_.estimator is fitted.estimator_
    error = fitted.estimator_.predict(X[:40])["area"] - Y["area"][:40]
    assert frozen.variances_["area"] == pytest.approx((error**2).mean())


def test_predicted_variances_decide_which_number_yields(table):
    X, Y = table
    tasks = {name: Regression("gaussian_nll") for name in ("living", "area")}
    network = clone(NETWORK).set_params(tasks=tasks)
    est = Consistent(network, [AtMost("area", "living")]).fit(X, {name: Y[name] for name in tasks})
    before, after = est.estimator_.predict(X), est.predict(X)
    ends = est.estimator_.predict_interval(X, 0.6826894921370859)
    variance = {name: (ends[name][:, 1] - ends[name][:, 0]) ** 2 / 4 for name in tasks}
    rows = est.broken(X).to_numpy().ravel()
    assert rows.any()
    steps = {name: np.abs(after[name] - before[name])[rows] / variance[name][rows] for name in tasks}
    np.testing.assert_allclose(steps["living"], steps["area"], rtol=1e-6)
    ends = est.predict_interval(X, 0.1)["area"]
    assert ((ends[:, 0] <= after["area"]) & (after["area"] <= ends[:, 1])).all()


@dataclass(frozen=True)
class Differ(Rule):
    first: str
    second: str

    @property
    def names(self):
        return (self.first, self.second)

    def bind(self, tasks):
        one, other = (tasks[name].classes for name in self.names)
        return AllowedClasses(self.names, one[:, None] != other)


def test_rules_of_ones_own_within_pipelines_and_folds(table):
    X, Y = table
    own = Consistent(make_pipeline(StandardScaler(), NETWORK), [Differ("grade", "wish")])
    found = own.fit(pd.DataFrame(X), pd.DataFrame(dict(Y))).predict(
        pd.DataFrame(X, index=range(5, 5 + N_ROWS))
    )
    assert (found["grade"] != found["wish"]).all()
    assert found.index[0] == 5
    assert np.isfinite(cross_val_score(Consistent(NETWORK, [Differ("grade", "wish")]), X, Y, cv=2)).all()


def test_conditions_of_several_tasks_hold_together(fitted):
    rule = Implies({"type": "house", "clicked": True}, ("garden", True))
    bound = rule.bind(fitted.estimator_.tasks_)
    assert bound.names == ("type", "clicked", "garden")
    assert np.argwhere(~bound.allowed).tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (
            [Implies(("type", "hut"), ("garden", True))],
            r"must name classes of 'type', .* Found \['hut'\] in Impl",
        ),
        (
            [Implies(("tpye", "house"), ("garden", True))],
            r"must be about tasks of y, .* Found \['tpye'\] in Impl",
        ),
        ([AtMost("type", "area")], "AtMost must be about .* Found task 'area' of kind regression"),
        ([AtMost("type", "grade")], "AtMost must be about regressions, classes that are numbers, or ordinal"),
        ([AtMost("area", "area")], "AtMost must have two tasks, or a task and a finite number"),
        ([Sum(["living", "type"], 3)], "Sum must be about regressions of one output. Found task 'type'"),
        ([Sum("living", "area")], "Sum must have a list of different tasks, and another task or a finite"),
        ([ProbabilityAtMost("type", "garden")], "ProbabilityAtMost must be about tasks of two classes"),
        ([Implies("house", ("garden", True))], "`condition` of Implies must be a task and a class of it"),
        (
            [
                AtMost("living", "area"),
                Implies(("type", "house"), ("garden", True)),
                Implies(("garden", True), ("type", "flat")),
            ],
            r"there is no row of class 'house' of task 'type' .* Found \[Implies.*Implies[^A]*\]",
        ),
        (
            [AtMost("area", 3), AtMost("living", "area"), AtMost(4, "living"), Sum(["rest"], equals=0)],
            "there is no number of each task that obeys all of these. Found .*AtMost.*AtMost.*AtMost[^S]*$",
        ),
    ],
)
def test_rules_are_checked_before_any_training(rules, text, table, monkeypatch):
    monkeypatch.setattr(MultiTaskClassifierRegressor, "fit", None)
    with pytest.raises(ValueError, match=text):
        Consistent(NETWORK, rules).fit(*table)


@pytest.mark.parametrize("rules", [["garden"], Implies(("type", "house"), ("garden", True)), "rules"])
def test_rules_are_a_list_of_rules(rules, table):
    with pytest.raises(TypeError, match="`rules` of Consistent must be a list of rules"):
        Consistent(NETWORK, rules).fit(*table)
