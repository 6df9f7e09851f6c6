"""All candidates are planned on all folds, and each is yielded once it is done, with its position."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.runner import TrialRunner
from sklearn_mtl.model_selection.search.trials import Scoring

GRID = [{"lr": 0.01}, {"lr": 0.03}]


@pytest.fixture
def make(drawn, target, cheap):
    X, _ = drawn
    folds = [
        Fold(X, target, {}, np.arange(45), np.arange(45, 90)),
        Fold(X, target, {}, np.arange(45, 90), np.arange(45)),
    ]

    def runner(estimator=None, error_score=np.nan, n_jobs=None):
        scoring = Scoring(lambda est, X, y: est.score(X, y), {}, False, error_score)
        estimator = cheap() if estimator is None else estimator
        return TrialRunner(estimator, folds, AllTargets(target), scoring, None, n_jobs, "2*n_jobs", 0)

    return runner


def test_trials_are_planned_candidate_by_candidate(make):
    runner = make()
    trials = runner.plan(GRID)
    assert [trial.estimator.lr for trial in trials] == [0.01, 0.01, 0.03, 0.03]
    assert [trial.fold for trial in trials] == runner.folds * 2
    assert runner.estimator.lr == 0.01
    assert len({id(trial.estimator) for trial in trials}) == 4
    # Fits of one fold have the table in common.
    tables = [trial.fit.plans[0].train for trial in trials]
    assert tables[0] is tables[2]
    assert tables[0] is not tables[1]


def test_a_parameter_that_is_an_estimator_is_cloned(make, cheap):
    candidate = {"alpha": 1.0}
    trials = make(Ridge()).plan([candidate])
    assert {trial.left_alone for trial in trials} == {
        "Ridge is neither a multi-task estimator nor a Pipeline that ends in one"
    }
    assert trials[0].estimator is not trials[1].estimator


def test_each_trial_is_run_once(make):
    runner = make()
    trials = runner.plan([*GRID, {"lr": -1.0}])
    done = {position: (trial, found) for position, trial, found in runner.run(trials)}
    assert sorted(done) == [0, 1, 2, 3, 4, 5]
    assert [done[i][1].failed for i in range(6)] == [False] * 4 + [True] * 2
    assert all(done[i][0].fold is trials[i].fold for i in range(6))
    assert [len(done[i][0].fit.outcomes) for i in range(4)] == [1] * 4


def test_trials_train_on(make):
    runner = make()
    trials = runner.plan(GRID[:1])
    first = {position: trial for position, trial, _ in runner.run(trials, epochs=2)}
    assert [len(first[i].fit.outcomes[0].net.history) for i in range(2)] == [2, 2]
    second = {position: found for position, _, found in runner.run([first[0], first[1]])}
    whole = {position: found for position, _, found in runner.run(runner.plan(GRID[:1]))}
    for i in range(2):
        expected = whole[i].collected["test_scores"]
        assert second[i].collected["test_scores"] == pytest.approx(expected, abs=1e-6)


def test_an_error_of_planning_is_raised_if_asked(make):
    with pytest.raises(ValueError, match="`lr` must be"):
        make(error_score="raise").plan([{"lr": -1.0}])


@pytest.mark.parametrize(("n_jobs", "here"), [(None, True), (1, True), (2, False)])
def test_jobs_run_here_or_in_processes(make, n_jobs, here):
    run_jobs = make(n_jobs=n_jobs)._run_jobs
    assert (run_jobs is None) is here
