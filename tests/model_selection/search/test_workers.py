"""Parts of a search dealt over workers, those of joblib's own backend and what is lost with one."""

import os
import signal
import sys
from types import ModuleType

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.linear_model import Ridge

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.model_selection import ManifoldSearchCV, StackedGridSearchCV, StackedHalvingGridSearchCV
from sklearn_mtl.model_selection.search import workers
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import Trial
from sklearn_mtl.model_selection.search.workers import is_of_a_lost_worker, parts_of, run_parts
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import MLP

X = np.random.default_rng(0).normal(size=(60, 3))
Y = {"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")}


def estimator(**settings):
    settings = {"trunk": MLP((8,)), "n_bags": 1, "linear_blend": False, "tree_blend": False} | settings
    return MultiTaskClassifierRegressor(max_epochs=2, preprocessing=None, random_state=0, **settings)


def trials(n_folds, candidates):
    folds = [Fold(X, Y, {}, np.arange(40), np.arange(40, 60)) for _ in range(n_folds)]
    return [Trial(fold, one) for one in candidates for fold in folds]


# --------------------------------------------------------------------------- who does what


def test_parts_are_of_nearly_equal_size_and_have_whole_folds():
    every = trials(4, [estimator(lr=lr) for lr in (0.01, 0.02, 0.03)])
    parts = parts_of(every, 2)
    assert [sorted(part.trials) for part in parts] == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    assert [len(part.trials) for part in parts_of(every, 5)] == [2, 2, 3, 2, 3]
    assert [len(part.trials) for part in parts_of(every[:2], 5)] == [1, 1]
    assert parts_of([], 5) == []


def test_where_a_fold_is_cut_equal_recipes_stay_together():
    of_two = [estimator(lr=lr, head_hidden_sizes=sizes) for lr in (0.01, 0.02) for sizes in ((), (4,))]
    parts = parts_of(trials(1, of_two), 2)
    assert [sorted(part.trials) for part in parts] == [[0, 2], [1, 3]]


def test_what_is_left_to_scikit_learn_is_dealt_one_by_one_and_what_failed_is_not():
    every = trials(1, [estimator(), Ridge(), Ridge(), estimator()])
    every[1] = Trial(every[1].fold, Ridge(), left_alone="no task")
    every[2] = Trial(every[2].fold, Ridge(), left_alone="no task")
    every[3] = Trial(every[3].fold, estimator(), error=ValueError())
    assert [list(part.trials) for part in parts_of(every, 2)] == [[0], [1], [2]]


def test_a_part_has_no_rows_until_it_is_there():
    (part,) = parts_of(trials(2, [estimator(), estimator()]), 1)
    assert all(trial.fold.X is None and trial.fold.y is None for trial in part.trials.values())
    found = part.with_rows(X, Y, {"sample_weight": None})
    assert all(trial.fold.X is X for trial in found.values())
    assert len({id(trial.fold) for trial in found.values()}) == 2
    assert found[0].fold is found[2].fold
    assert found[0].fold.fit_params == {"sample_weight": None}


# --------------------------------------------------------------------------- workers that are lost


def test_what_a_lost_worker_had_to_do_is_done_again(tmp_path, monkeypatch):
    here, marker = os.getpid(), str(tmp_path / "died")
    # Sent by value too: each of four workers would import torch for it otherwise.
    monkeypatch.setattr(workers, "_numbered", lambda number, call, *args: (number, call(*args)))

    # Within the test, so that it is sent by value: workers can't import tests.
    def call(rows, part):
        if os.getpid() != here and not os.path.exists(marker):
            open(marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return rows, part, os.getpid()

    with (
        parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1),
        pytest.warns(UserWarning, match="worker of the search was lost"),
    ):
        found = list(run_parts(call, ["rows"], [0, 1, 2]))
    assert os.path.exists(marker)
    assert sorted((rows, part) for rows, part, _ in found) == [("rows", 0), ("rows", 1), ("rows", 2)]
    assert here not in {process for *_, process in found}


def test_a_call_that_fails_is_not_tried_again():
    calls = []

    def fail(part):
        calls.append(part)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        list(run_parts(fail, [], [0]))
    assert calls == [0]


def test_a_part_that_ends_every_worker_is_given_up():
    calls = []

    def lose(part):
        calls.append(part)
        raise TerminatedWorkerError("gone")

    with pytest.warns(UserWarning, match="lost: gone"), pytest.raises(TerminatedWorkerError):
        list(run_parts(lose, [], [7]))
    assert calls == [7, 7, 7]


def test_errors_of_other_backends_are_known_by_name(monkeypatch):
    class KilledWorker(Exception):
        pass

    assert not is_of_a_lost_worker(KilledWorker())
    module = ModuleType("distributed")
    module.KilledWorker = KilledWorker
    monkeypatch.setitem(sys.modules, "distributed", module)
    assert is_of_a_lost_worker(KilledWorker())
    assert not is_of_a_lost_worker(ValueError())


def both(make, monkeypatch):
    """Return a search that trained in workers, and one that trained in this process."""
    alone = make().fit(X, Y)
    with parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1), monkeypatch.context() as here:
        here.setattr(StackedTrainer, "__init__", None)
        here.setattr(MultiTaskNet, "run_single_epoch", None)
        dealt = make().fit(X, Y)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(dealt.cv_results_[name], alone.cv_results_[name], atol=1e-5)
    assert dealt.cv_results_["params"] == alone.cv_results_["params"]
    tables = [one.task_results_["mean_test_price"] for one in (dealt, alone)]
    np.testing.assert_allclose(*tables, atol=1e-5)
    return dealt, alone


def test_a_search_in_workers_finds_what_one_process_finds(capsys, monkeypatch):
    grid = {"lr": [0.003, 0.01, 0.03, 0.1], "task_weights__type": [0.5, 1.0]}
    dealt, _ = both(lambda: StackedGridSearchCV(estimator(), grid, cv=2, refit=False, verbose=1), monkeypatch)
    assert "16 fits trained" in "".join(capsys.readouterr())
    assert dealt.stacked_["stacked"].all()


def test_the_rungs_of_a_search_by_halving_are_trained_in_workers(capsys, monkeypatch):
    grid = {"lr": [0.003, 0.1], "n_bags": [1, 2]}
    settings = {"cv": 2, "min_epochs": 1, "factor": 2, "refit": False, "verbose": 1}
    est = estimator().set_params(max_epochs=4)
    dealt, alone = both(lambda: StackedHalvingGridSearchCV(est, grid, **settings), monkeypatch)
    assert "8 fits trained" in "".join(capsys.readouterr())
    assert dealt.n_resources_ == [1, 2, 4]
    assert dealt.cv_results_["iter"].tolist() == alone.cv_results_["iter"].tolist()
    assert dealt.stacked_["n_nets"].tolist() == alone.stacked_["n_nets"].tolist()


def test_the_folds_of_a_manifold_are_trained_in_workers(monkeypatch):
    both(lambda: ManifoldSearchCV(estimator(), preferences=3, cv=2, refit=False), monkeypatch)
