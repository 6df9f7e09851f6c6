"""Ctrl-C ends a search with the results of the candidates that are done."""

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import (
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
)
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer

X, Y = make_multitask(90, 4, n_regression=1, n_binary=1, random_state=0)
GRID = {"lr": [0.003, 0.01, 0.03, 0.1]}


def quick(**params):
    settings = {"trunk": "mlp", "n_bags": 1, "max_epochs": 4, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def press_in(monkeypatch, of, name, number):
    method, calls = getattr(of, name), []

    def watched(self, *args, **kwargs):
        calls.append(None)
        if len(calls) == number:
            raise KeyboardInterrupt
        return method(self, *args, **kwargs)

    monkeypatch.setattr(of, name, watched)


def interrupted(search, *, kept=True):
    before = dict(vars(search))
    with pytest.raises(KeyboardInterrupt) as raised:
        search.fit(X, Y)
    assert type(raised.value) is KeyboardInterrupt
    if kept:
        assert search.interrupted_ is True
    else:
        assert vars(search).keys() == before.keys()
        assert all(vars(search)[name] is value for name, value in before.items())
    return search


@pytest.mark.parametrize("max_members", [6, None], ids=["stacked", "alone"])
def test_a_grid_keeps_the_candidates_that_are_done(monkeypatch, max_members):
    # By two stacks of two candidates on three folds, or net by net.
    settings = {} if max_members else {"optimizer": "adam"}
    search = StackedGridSearchCV(quick(**settings), GRID, cv=3, max_members=max_members)
    whole = search.fit(X, Y)
    expected, front = whole.cv_results_, whole.task_results_
    assert search.interrupted_ is False
    assert hasattr(search, "best_estimator_")
    of, number = (StackedTrainer, 4 + 2) if max_members else (MultiTaskNet, 4 * 3 * 2 + 4 + 2)
    press_in(monkeypatch, of, "_train" if max_members else "on_epoch_end", number)
    interrupted(search)
    assert search.cv_results_["params"] == expected["params"][:2]
    for name in ("mean_test_score", "split2_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], expected[name][:2])
    assert sorted(search.cv_results_["rank_test_score"]) == [1, 2]
    assert search.best_index_ == np.argmax(expected["mean_test_score"][:2])
    assert search.best_params_ == expected["params"][search.best_index_]
    pd.testing.assert_frame_equal(search.task_results_, front.iloc[:2])
    assert search.stacked_["candidate"].tolist() == [0, 1]
    # The one of before is no result of this search.
    assert not hasattr(search, "best_estimator_")


def test_a_search_without_a_candidate_that_is_done_is_as_it_was(monkeypatch):
    search = StackedRandomizedSearchCV(quick(), GRID, n_iter=2, cv=2, random_state=0, refit=False)
    before = search.fit(X, Y).cv_results_
    press_in(monkeypatch, StackedTrainer, "_train", 2)
    interrupted(search, kept=False)
    assert search.interrupted_ is False
    assert search.cv_results_ is before


def test_what_scikit_learn_fits_is_kept_too(monkeypatch):
    class OfMyOwn(MultiTaskClassifierRegressor):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X, y, sample_weight)

    search = StackedGridSearchCV(OfMyOwn(**quick().get_params(deep=False)), GRID, cv=2, refit=False)
    # Two fits of two folds each of four epochs, and the fifth fit on its way.
    press_in(monkeypatch, MultiTaskNet, "on_epoch_end", 4 * 4 + 2)
    assert interrupted(search).cv_results_["params"] == [{"lr": 0.003}, {"lr": 0.01}]


def test_ctrl_c_while_the_best_is_fitted_anew(monkeypatch):
    search = StackedGridSearchCV(quick(optimizer="adam"), {"lr": [0.003, 0.01]}, cv=2)
    press_in(monkeypatch, MultiTaskNet, "on_epoch_end", 4 * 4 + 3)
    interrupted(search)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_.interrupted_ is True
    assert search.best_estimator_.n_iter_ == 2


def test_halving_keeps_its_iterations(monkeypatch):
    search = StackedHalvingGridSearchCV(quick(), GRID, cv=2, factor=2, min_epochs=1, refit=False)
    whole = search.fit(X, Y)
    iterations, scores = whole.cv_results_["iter"], whole.cv_results_["mean_test_score"]
    assert iterations.tolist() == [0, 0, 0, 0, 1, 1, 2]
    press_in(monkeypatch, StackedTrainer, "_train", 2)
    interrupted(search)
    assert search.cv_results_["iter"].tolist() == [0, 0, 0, 0]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores[:4])
    assert search.n_candidates_ == [4, 2]
    assert search.best_index_ == int(np.argmax(scores[:4]))
    assert len(search.pareto_front_) >= 1
