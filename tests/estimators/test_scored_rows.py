"""Rows to be scored: the network runs once, and each task is scored on its labelled rows."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, get_scorer, r2_score

from sklearn_mtl.estimators.scored_rows import PredictedView, ScoredRows


@pytest.fixture
def rows(quick, houses):
    X, Y = houses
    Y = Y.assign(price=Y["price"].where(np.arange(80) % 4 > 0))
    return quick().fit(X, Y), X, Y


def test_scores_are_over_the_labelled_rows(rows):
    est, X, Y = rows
    scored = ScoredRows.read(est, X, Y, None)
    predicted, known = est.predict(X), Y["price"].notna()
    assert scored.tasks == ["price", "type"]
    assert scored.default_score("type") == accuracy_score(Y["type"], predicted["type"])
    r2 = r2_score(Y["price"][known], predicted["price"][known])
    assert scored.score("price", "r2", get_scorer("r2")) == pytest.approx(r2)
    assert scored.default_score("price") == pytest.approx(r2)


def test_rows_of_no_weight_are_none(rows):
    est, X, Y = rows
    weight = pd.DataFrame({"price": np.ones(80), "type": np.zeros(80)})
    scored = ScoredRows.read(est, X, Y, weight)
    assert scored.weighted
    assert scored.has_rows("price", None)
    assert not scored.has_rows("type", None)
    assert np.isnan(scored.score("type", "accuracy", get_scorer("accuracy")))


def test_a_task_that_y_has_not(rows):
    est, X, Y = rows
    with pytest.raises(ValueError, match="y must hold task 'type', which is scored"):
        ScoredRows.read(est, X, Y[["price"]], None).default_score("type")
    with pytest.raises(ValueError, match=r"one of the estimator's tasks \['price', 'type'\]. Found 'prise'"):
        ScoredRows.read(est, X, Y, None).default_score("prise")


def test_a_predicted_view_goes_through_the_network_for_other_rows_only(rows):
    est, X, _ = rows
    response = np.zeros((80, 1, 1))
    view = PredictedView(est.task("price"), X, response)
    assert len(np.unique(view.predict(X))) == 1
    np.testing.assert_array_equal(view.predict(X[:5]), est.predict(X[:5])["price"])
    assert not hasattr(view, "predict_proba")
    assert copy.copy(view).name == "price"


def test_labels_that_do_not_exclude_each_other_have_no_log_loss(quick, houses):
    X, Y = houses
    labels = np.column_stack([Y["price"] > Y["price"].median(), Y["type"] == Y["type"].iloc[0]]).astype(int)
    y = {"both": labels}
    est = quick(tasks={"both": "multilabel"}).fit(X, y)
    for metric in ("neg_log_loss", "d2_log_loss_score"):
        with pytest.raises(ValueError, match=rf"its kind, multilabel. Found .*{metric}.* exclude each other"):
            est.score_tasks(X, y, metrics={"both": [metric]})
