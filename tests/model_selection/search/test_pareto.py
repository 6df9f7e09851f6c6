"""Task scores of candidates over the folds, and the candidates that no other beats on every task."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.model_selection.search.pareto import not_dominated, pareto_front, task_results
from sklearn_mtl.model_selection.search.results import TrialResult


def trials(*scores):
    return [TrialResult({}, None if one is None else pd.Series(one), 1, []) for one in scores]


def test_a_row_for_each_candidate():
    every = [
        trials({"price": 0.2, "type": 0.5}, {"price": 0.4, "type": np.nan}),
        trials({"price": 0.6, "type": 0.7}, None),
    ]
    found = task_results([{"lr": 1}, {"lr": 2, "trunk": "mlp"}], every, {"iter": [0, 0]})
    assert found.columns.tolist() == [
        "iter",
        "param_lr",
        "param_trunk",
        *("mean_test_price", "std_test_price", "mean_test_type", "std_test_type"),
    ]
    assert found.index.name == "candidate"
    np.testing.assert_allclose(found.loc[0, ["mean_test_price", "std_test_price"]].astype(float), [0.3, 0.1])
    # A fold without a score of a task is left out; a failed fit leaves no mean.
    assert found.at[0, "mean_test_type"] == 0.5
    assert found.filter(like="_test_").loc[1].isna().all()
    assert pd.isna(found.at[0, "param_trunk"])


def test_without_any_score_there_are_no_results():
    assert task_results([{"lr": 1}], [trials(None, None)], {}) is None


@pytest.mark.parametrize(
    ("means", "front"),
    [
        ({"mean_test_a": [0.9, 0.5, 0.5, 0.1], "mean_test_b": [0.1, 0.5, 0.4, 0.9]}, [0, 1, 3]),
        ({"mean_test_a": [0.9, np.nan, 0.5], "mean_test_b": [0.1, 0.9, 0.2]}, [0, 2]),
        ({"mean_test_a": [0.9, 0.5], "mean_test_b": [np.nan, np.nan]}, [0]),
    ],
)
def test_the_front(means, front):
    results = pd.DataFrame({"param_lr": range(len(means["mean_test_a"])), **means})
    assert pareto_front(results).index.tolist() == front


def test_means_that_differ_by_rounding_do_not_beat_each_other():
    scores = np.array([[0.3, 0.7], [0.1 + 0.2, 0.7], [0.3, 0.7 - 1e-12], [0.3, 0.6]])
    assert scores[0, 0] != scores[1, 0]
    assert not_dominated(scores).tolist() == [True, True, True, False]


def test_rounding_is_seen_as_such_whatever_the_scale():
    large = np.array([[-1e12, 0.0], [-1e12 - 1.0, 0.0], [-1e12 - 1e5, 0.0]])
    assert not_dominated(large).tolist() == [True, True, False]
    assert not_dominated(np.array([[1e-3, 0.0], [1.1e-3, 0.0]])).tolist() == [False, True]
