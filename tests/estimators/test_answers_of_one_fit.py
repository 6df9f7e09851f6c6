"""What an estimator answers is of one fit, also where another ends while it answers."""

import pickle
from functools import cache

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.tasks import Regression
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(60, 4, n_regression=1, n_binary=1, noise=1.0, string_labels=True, random_state=0)
Y = {"r": Y["regression0"], "c": Y["binary0"]}
# Of other features, tasks, labels and classes.
LATER = {
    "other scales": (X * 1000 + 5, {"r": -Y["r"], "c": Y["c"][::-1]}),
    "other tasks": (X, {"first": Y["r"], "second": Y["c"]}),
    "other classes": (X, {"r": Y["r"], "c": np.resize(["p", "q", "r"], 60)}),
    "other features": (X[:, :3], Y),
    "another container": (X, np.column_stack([Y["r"], -Y["r"]])),
}
ANSWERS = {
    "predict": lambda est, X: est.predict(X),
    "transform": lambda est, X: est.transform(X),
    "predict_proba": lambda est, X: est.predict_proba(X),
    "predict_log_proba": lambda est, X: est.predict_log_proba(X),
    "decision_function": lambda est, X: est.decision_function(X),
    "predict_interval": lambda est, X: est.predict_interval(X),
    "score": lambda est, X: est.score(X, Y),
    "score_tasks": lambda est, X: est.score_tasks(X, Y),
    "score_tasks by metrics": lambda est, X: est.score_tasks(X, Y, metrics={"r": "r2", "c": "roc_auc"}),
    "view": lambda est, X: est.task("r").predict(X),
    "view's probabilities": lambda est, X: est.task("c").predict_proba(X),
    "view's logarithms": lambda est, X: est.task("c").predict_log_proba(X),
    "view's log-odds": lambda est, X: est.task("c").decision_function(X),
    "view's score": lambda est, X: est.task("c").score(X, Y["c"]),
}


def quick():
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "linear_blend": False, "random_state": 0}
    return MultiTaskClassifierRegressor(**settings)


@cache
def pickled():
    return pickle.dumps(quick().set_params(tasks={"r": Regression("quantile")}).fit(X, Y))


class RowsThatRefit:
    """Rows of X; another fit of the estimator ends when they are read for the first time."""

    shape = X.shape

    def __init__(self, est, later):
        self.est = est
        self.later = later

    def __len__(self):
        return len(X)

    def __array__(self, dtype=None, copy=None):
        if self.later is not None:
            later, self.later = self.later, None
            self.est.set_params(tasks=None).fit(*later)
        return X


def as_arrays(answer):
    return {k: np.asarray(v) for k, v in (answer.items() if hasattr(answer, "items") else [("", answer)])}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_fit_that_ends_meanwhile_changes_no_answer(answer, later):
    est = pickle.loads(pickled())
    before = est._fitted
    expected = ANSWERS[answer](est, X)
    found = ANSWERS[answer](est, RowsThatRefit(est, LATER[later]))
    assert est._fitted is not before
    np.testing.assert_equal(as_arrays(found), as_arrays(expected))


def test_a_view_says_that_a_later_fit_has_dropped_its_task():
    est = quick().fit(X, Y)
    view = est.task("c")
    est.fit(X, {"q": Y["r"]})
    for answer in (view.predict, view.predict_proba, view.decision_function, lambda X: view.score(X, Y["c"])):
        with pytest.raises(NotFittedError, match=r"must have its task, 'c'\. Found the tasks \['q'\]"):
            answer(X)
    assert not hasattr(view, "classes_")
