"""A kind that was told from labels is doubted where the scored ones would tell another."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from sklearn_mtl import MultiTaskClassifier, MultiTaskTarget
from sklearn_mtl.estimators.kinds import KindsFromLabels, KindsOfType
from sklearn_mtl.estimators.scored_rows import ScoredRows
from sklearn_mtl.model_selection import StackedGridSearchCV, task_scorer
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Multilabel, Regression

COUNT = np.arange(80) % 40  # twenty values in the first quarter, forty in all
FLAG = (np.arange(80) % 2).astype(float)
BLOCK = np.column_stack([FLAG, 1 - FLAG, np.ones(80)])


def with_last(values, last):
    return np.r_[values[:-1], last]


OTHERS = {
    "more integers": (np.arange(80) % 12, COUNT, "classification", "regression"),
    "zero and one, then more": (FLAG, with_last(FLAG, 0.5), "classification", "regression"),
    "a block of 0 and 1, then more": (BLOCK, BLOCK * 0.5, "multilabel", "regression"),
    "whole floats, then gaps": (
        np.arange(80.0) % 7, with_last(np.arange(80.0) % 7, [np.nan]), "regression", "classification",
    ),
    "whole floats with gaps, then more": (
        with_last(np.arange(80.0) % 7, [np.nan]), np.arange(80) + 0.5, "classification", "regression",
    ),
}  # fmt: skip


def fitted(quick, X, labels, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quick(max_epochs=1, **params).fit(X, {"task": labels, "price": 2 * X["area"]})


@pytest.mark.parametrize("case", OTHERS)
def test_labels_that_tell_another_kind(quick, houses, case):
    X, _ = houses
    first, scored, taken, told = OTHERS[case]
    est = fitted(quick, X, first)
    assert est.tasks_["task"].kind == taken
    Y = {"task": scored, "price": 2 * X["area"]}
    for each in (est, pickle.loads(pickle.dumps(est))):
        with pytest.warns(UserWarning, match=rf"'task': '{taken}'.*'task': '{told}'.*`tasks`") as caught:
            _rows_of(each, X, Y)
        assert len(caught) == 1
    named = fitted(quick, X, first, tasks={"task": taken})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _rows_of(named, X, Y)


def _rows_of(est, X, Y):

    ScoredRows.read(est, X, Y, None)


@pytest.mark.parametrize(
    ("first", "scored"),
    [
        (np.arange(80) % 12, np.arange(80) % 15),
        (np.arange(80) % 12, np.arange(80) % 3),
        (COUNT, np.arange(80) % 3),
        (np.arange(80) + 0.5, FLAG),
        (np.array(["a", "b"] * 40), np.array(["a", "c"] * 40)),
        (FLAG > 0, FLAG > 1),
        (pd.Categorical([str(i % 5) for i in range(80)]), pd.Categorical([str(i % 50) for i in range(80)])),
        (BLOCK, 1 - BLOCK),
        (BLOCK + 0.5, BLOCK),
    ],
)
def test_labels_that_tell_the_same_kind(quick, houses, first, scored):
    X, _ = houses
    est = fitted(quick, X, first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _rows_of(est, X, {"task": scored, "price": 2 * X["area"]})


@pytest.mark.parametrize(
    ("run", "n_scores"),
    [
        (lambda est, *data: cross_validate(est, *data, cv=KFold(3), scoring={"a": TASK, "b": score}), 2),
        (lambda est, *data: GridSearchCV(est, {"lr": [0.01]}, cv=KFold(3), refit=False).fit(*data), 1),
    ],
)
def test_the_fold_that_differs_warns(quick, houses, run, n_scores):
    X, _ = houses
    # Of the first two folds together twelve values, of any others more than twenty.
    Y = pd.DataFrame({"task": np.r_[np.arange(52) % 12, np.arange(28)], "price": 2 * X["area"].to_numpy()})
    with pytest.warns(UserWarning, match="told the kinds") as caught:
        run(quick(max_epochs=1), X, Y)
    assert len(caught) == n_scores
    assert "{'task': 'classification'}" in str(caught[0].message)
    # Here it is told from all rows.
    StackedGridSearchCV(quick(max_epochs=1), {"lr": [0.01]}, cv=KFold(3)).fit(X, Y)


TASK = task_scorer("task")


def score(est, X, y):
    return est.score(X, y)


def test_an_estimator_of_one_kind_tells_nothing_from_labels(quick, houses):
    X, _ = houses
    est = quick(MultiTaskClassifier, max_epochs=1).fit(X, {"task": np.arange(80) % 12, "flag": FLAG})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 <= est.score(X, MultiTaskTarget({"task": COUNT, "flag": FLAG})) <= 1


def test_the_rule_of_one_type_goes_by_dimensions_and_refuses_others():
    rule = KindsOfType("classifier", column=Classification, block=Multilabel)
    columns = read_targets({"code": np.arange(4.0), "tags": np.eye(4, 2)}).columns
    assert [type(kind) for kind in rule.infer(columns).values()] == [Classification, Multilabel]
    rule.check("Owner", rule.infer(columns))
    with pytest.raises(ValueError, match=r"`tasks` of Owner .*Found Regression\(\) for task 'code'"):
        rule.check("Owner", {"code": Regression()})


def test_the_rule_of_any_kind_goes_by_labels():
    columns = read_targets({"price": [0.5, 1.5, 2.5], "type": ["a", "b", "a"]}).columns
    kinds = KindsFromLabels().infer(columns)
    assert [type(kind) for kind in kinds.values()] == [Regression, Classification]
