"""Log-odds and log-probabilities: what they agree with, and what they tell apart at 0 and 1."""

import pickle

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.metrics import make_scorer, roc_auc_score

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import task_scorer
from sklearn_mtl.tasks import Classification, Multilabel, Ordinal
from sklearn_mtl.trunks import MLP

TASKS = {
    "two": Classification(class_weight="balanced"),
    "three": Classification(class_weight={0: 3.0}),
    "labels": Multilabel(pos_weight=2.0),
    "grade": Ordinal(),
    "two grades": Ordinal(order=["low", "high"]),
    "number": "regression",
}
OF_CLASSES = [name for name in TASKS if name != "number"]


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(0).normal(size=(120, 3))
    # Far from all others: probabilities there are 0 or 1 to all digits.
    X[:6] *= np.logspace(3, 5, 6)[:, None]
    Y = {
        "two": X[:, 0] > 0.5,
        "three": np.digitize(X[:, 1], [-0.5, 0.5]),
        "labels": (X[:, :2] > 0).astype(int),
        "grade": np.digitize(X[:, 1], [-0.5, 0.5]),
        "two grades": np.where(X[:, 2] > 0, "high", "low"),
        "number": X[:, 2],
    }
    return X, Y


@pytest.fixture(scope="module")
def fitted(rows):
    est = MultiTaskClassifierRegressor(
        tasks=TASKS,
        trunk=MLP((8,)),
        preprocessing=None,
        n_bags=2,
        max_epochs=15,
        lr=0.02,
        # It would shrink the odds that are to be extreme here.
        linear_blend=False,
        random_state=0,
    )
    return est.fit(*rows)


def test_log_probabilities_are_those_of_the_probabilities_and_finite(fitted, rows):
    logs, probabilities = fitted.predict_log_proba(rows[0]), fitted.predict_proba(rows[0])
    assert isinstance(logs, MultiTaskTarget)
    assert list(logs) == OF_CLASSES
    for name in OF_CLASSES:
        assert np.isfinite(logs[name]).all()
        np.testing.assert_allclose(np.exp(logs[name]), probabilities[name], rtol=1e-9, atol=1e-15)


def test_log_odds_decide_as_predict_does(fitted, rows):
    odds, predicted = fitted.decision_function(rows[0]), fitted.predict(rows[0])
    assert list(odds) == OF_CLASSES
    assert {name: odds[name].shape[1:] for name in OF_CLASSES} == {
        "two": (),
        "three": (3,),
        "labels": (2,),
        "grade": (3,),
        "two grades": (),
    }
    np.testing.assert_array_equal(odds["two"] > 0, predicted["two"])
    np.testing.assert_array_equal(odds["three"].argmax(axis=1), predicted["three"])
    np.testing.assert_array_equal(odds["labels"] > 0, predicted["labels"])
    # The classes are sorted, and not as the order of the grades has them: of equal ones, that comes first.
    assert fitted.classes_["two grades"].tolist() == ["high", "low"]
    np.testing.assert_array_equal(np.where(odds["two grades"] >= 0, "low", "high"), predicted["two grades"])


def test_log_odds_rank_as_probabilities_do_and_where_these_are_equal(fitted, rows):
    odds, probabilities = fitted.decision_function(rows[0]), fitted.predict_proba(rows[0])
    for name in OF_CLASSES:
        assert np.isfinite(odds[name]).all()
        p = probabilities[name]
        columns = p[:, 1:] if odds[name].ndim == 1 else p
        for own, column in zip(odds[name].reshape(columns.shape).T, columns.T, strict=True):
            if name != "three":  # whose class weights are taken out of its probabilities alone
                assert (np.diff(column[np.argsort(own)]) >= -1e-12).all()
            assert len(np.unique(own)) >= len(np.unique(column))
    certain = odds["two"][:6]
    assert ((probabilities["two"][:6] == 0) | (probabilities["two"][:6] == 1)).all(axis=1).any()
    assert len(set(certain.tolist())) == 6


def test_a_row_has_the_same_log_odds_among_any_others(fitted, rows):
    X, _ = rows
    every = fitted.decision_function(X)
    few = fitted.decision_function(X[7:10])
    for name in OF_CLASSES:
        np.testing.assert_array_equal(every[name][7:10], few[name])


def test_a_view_a_pickle_and_a_file_have_them_too(fitted, rows, tmp_path):
    X, _ = rows
    path = tmp_path / "fitted.mtl"
    save(fitted, path)
    for again in (pickle.loads(pickle.dumps(fitted)), load(path)):
        assert again.decision_function(X) == fitted.decision_function(X)
    for name in OF_CLASSES:
        view = fitted.task(name)
        assert is_classifier(view)
        np.testing.assert_array_equal(view.decision_function(X), fitted.decision_function(X)[name])
        np.testing.assert_array_equal(view.predict_log_proba(X), fitted.predict_log_proba(X)[name])
    for method in ("decision_function", "predict_log_proba"):
        assert not hasattr(fitted.task("number"), method)


def test_arrays_have_arrays_and_lists_of_them(quick, rows):
    X, Y = rows
    one = quick(MultiTaskClassifier).fit(X, Y["three"])
    assert one.decision_function(X).shape == (120, 3)
    two = quick(MultiTaskClassifier).fit(X, np.column_stack([Y["two"], Y["three"]]))
    assert [logs.shape for logs in two.predict_log_proba(X)] == [(120, 2), (120, 3)]
    with pytest.raises(AttributeError, match=r"est\.task\('y0'\)\.decision_function\(X\)\. Found a y of two"):
        two.decision_function(X)
    assert two.task("y1").decision_function(X).shape == (120, 3)


@pytest.mark.parametrize("method", ["decision_function", "predict_log_proba"])
def test_without_classes_there_are_none_and_the_error_says_so(quick, rows, method):
    X, Y = rows
    assert not hasattr(MultiTaskRegressor(), method)
    assert hasattr(MultiTaskClassifier(), method)
    est = quick().fit(X, {"number": Y["number"]})
    with pytest.raises(
        AttributeError, match=rf"`{method}` of MultiTaskClassifierRegressor needs a task with"
    ):
        getattr(est, method)


def test_scorers_of_a_task_take_log_odds_where_they_take_nothing_else(fitted, rows):
    X, Y = rows
    expected = roc_auc_score(Y["two"], fitted.predict_proba(X)["two"][:, 1])
    assert task_scorer("two", "roc_auc")(fitted, X, Y) == expected
    by_odds = make_scorer(roc_auc_score, response_method="decision_function")
    found = task_scorer("two", by_odds)(fitted, X, Y)
    assert found == roc_auc_score(Y["two"], fitted.decision_function(X)["two"])
    with pytest.raises(ValueError, match="which needs decision_function: it has none"):
        task_scorer("number", by_odds)(fitted, X, Y)
