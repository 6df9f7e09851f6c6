"""Metrics in all the forms in which a user gives them."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, get_scorer, make_scorer, roc_auc_score

from sklearn_mtl.estimators.metrics import (
    are_several,
    check_metric,
    in_words,
    metric_name,
    metrics_by_task,
    scorer_of,
    takes_weights,
)
from sklearn_mtl.estimators.scikit_learn_private import response_method_of


def own(y_true, y_pred):
    return 0.5


def scorer(estimator, X, y):
    return 1.0


@pytest.mark.parametrize(
    ("task", "metric", "error", "words"),
    [
        (3, "r2", TypeError, "A scorer's task must be a string. Found 3"),
        ("price", 3, TypeError, "must be None, a scorer's name or a callable. Found 3"),
        ("price", "acuracy", ValueError, "Found 'acuracy'; the nearest name is 'accuracy'"),
    ],
)
def test_what_is_no_metric(task, metric, error, words):
    with pytest.raises(error, match=words):
        check_metric(task, metric)


def test_a_function_of_labels_is_asked_with_what_its_scorer_asks_for():
    assert response_method_of(scorer_of("type", own)) == "predict"
    asked = np.atleast_1d(response_method_of(scorer_of("type", roc_auc_score))).tolist()
    assert asked == np.atleast_1d(response_method_of(get_scorer("roc_auc"))).tolist()
    assert scorer_of("type", None) is None
    assert scorer_of("type", scorer) is not None


def test_names_and_weights():
    assert [metric_name(one, "r2") for one in (None, "accuracy", own)] == ["r2", "accuracy", "own"]
    assert in_words(own) == "own"
    assert takes_weights(None)
    assert takes_weights(make_scorer(f1_score))
    assert not takes_weights(scorer)


def test_metrics_by_task_or_for_all():
    assert metrics_by_task("r2", ["a", "b"]) == {"a": "r2", "b": "r2"}
    assert metrics_by_task({"a": "r2"}, ["a", "b"]) == {"a": "r2"}
    with pytest.raises(ValueError, match=r"`metrics` names unknown tasks \['c'\]"):
        metrics_by_task({"c": "r2"}, ["a", "b"])
    assert are_several(["r2"])
    assert not are_several("r2")
