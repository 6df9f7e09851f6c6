"""Results are kept candidate by candidate and fold by fold; means leave out folds that can have no score."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from sklearn_mtl.model_selection.search.results import (
    SearchResults,
    TrialResult,
    collected,
    in_order,
    over_folds,
    stacked_frame,
)


def result(score, *, error=None, n_nets=1, reasons=()):
    times = {"fit_time": 0.1, "score_time": 0.2, "n_test_samples": 3}
    return TrialResult({"test_scores": {"a": score}, "fit_error": error, **times}, None, n_nets, [*reasons])


def results_of(scores, failed=()):
    found = SearchResults(len(scores[0]))
    for by_fold, of_candidate in zip(found.add([{"C": i} for i in range(len(scores))]), scores, strict=True):
        for fold, score in reversed(list(enumerate(of_candidate))):
            by_fold[fold] = result(score)
    for candidate, fold in failed:
        found.trials[candidate][fold] = result(np.nan, error="Traceback")
    return found


def cv_results_of(results):
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring=["r2"], refit=False)
    search.n_splits_ = results.n_folds
    return results.cv_results(search)


@pytest.mark.parametrize(
    ("scores", "failed", "expected"),
    [
        ([[0.2, 0.4], [0.6, 0.8]], [], [0.3, 0.7]),
        # No candidate has a score of the second fold.
        ([[0.2, np.nan], [0.6, np.nan]], [], [0.2, 0.6]),
        # One has: that the other has none is its own doing.
        ([[0.2, 0.4], [0.6, np.nan]], [], [0.3, np.nan]),
        # A failed fit has no mean, and does not tell that the fold can have no score.
        ([[0.2, np.nan], [0.6, np.nan]], [(0, 1)], [np.nan, 0.6]),
        ([[0.2, np.nan], [0.6, np.nan]], [(0, 1), (1, 1)], [np.nan, np.nan]),
        ([[np.nan, np.nan]], [], [np.nan]),
    ],
)
def test_means_over_folds(scores, failed, expected):
    failures = np.zeros(np.shape(scores), dtype=bool)
    for place in failed:
        failures[place] = True
    np.testing.assert_allclose(over_folds(np.array(scores), failures), expected)


def test_results_are_in_the_order_of_the_folds():
    found = results_of([[0.1, 0.2, 0.3]])
    assert list(found.trials[0]) == [2, 1, 0]
    assert [one.collected["test_scores"]["a"] for one in in_order(found.trials[0])] == [0.1, 0.2, 0.3]
    assert [one["test_scores"]["a"] for one in collected(found.trials)] == [0.1, 0.2, 0.3]


def test_candidates_come_in_batches_with_columns_of_their_own():
    found = SearchResults(1)
    found.add([{"C": 1}, {"C": 2}], iter=0)
    (last,) = found.add([{"C": 2}], iter=1)
    last[0] = result(0.5)
    assert (found.params, found.more) == ([{"C": 1}, {"C": 2}, {"C": 2}], {"iter": [0, 0, 1]})
    done = found.completed()
    assert (done.params, done.more, done.trials) == ([{"C": 2}], {"iter": [1]}, [last])


def test_a_candidate_is_completed_on_every_fold():
    found = results_of([[0.1, 0.2], [0.3, 0.4]])
    del found.trials[0][1]
    assert found.completed().params == [{"C": 1}]


def test_cv_results_are_those_of_scikit_learn_where_every_fold_has_a_score():
    found = cv_results_of(results_of([[0.2, 0.4], [0.7, 0.9]]))
    np.testing.assert_allclose(found["mean_test_a"], [0.3, 0.8])
    np.testing.assert_allclose(found["std_test_a"], [0.1, 0.1])
    assert found["rank_test_a"].tolist() == [2, 1]


def test_a_fold_without_scores_is_left_out_and_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cv_results_of(results_of([[0.2, np.nan, 0.4], [0.7, np.nan, 0.9]]))
    np.testing.assert_allclose(found["mean_test_a"], [0.3, 0.8])
    np.testing.assert_allclose(found["std_test_a"], [0.1, 0.1])
    assert found["rank_test_a"].tolist() == [2, 1]
    assert np.isnan(found["split1_test_a"]).all()


def test_a_failed_candidate_comes_last_with_the_warning_of_scikit_learn():
    with pytest.warns(UserWarning, match="One or more of the test scores are non-finite"):
        found = cv_results_of(results_of([[0.2, 0.4], [0.7, 0.9]], failed=[(1, 0)]))
    np.testing.assert_allclose(found["mean_test_a"], [0.3, np.nan])
    assert found["rank_test_a"].tolist() == [1, 2]


def test_what_was_stacked():
    found = SearchResults(2)
    one, other = found.add([{"lr": 1}, {"lr": 2}])
    one |= {0: result(0.1), 1: result(0.1, n_nets=2)}
    other |= {0: result(0.1, reasons=["slow", "odd"]), 1: result(0.1, reasons=["odd"])}
    expected = [(0, {"lr": 1}, 3, []), (1, {"lr": 2}, 2, ["slow", "odd"])]
    pd.testing.assert_frame_equal(found.stacked(), stacked_frame(expected))
    assert found.stacked()[["stacked", "reason"]].values.tolist() == [[True, ""], [False, "slow; odd"]]
