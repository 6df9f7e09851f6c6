"""A search by successive halving: the worse candidates are dropped, the others train for more epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from sklearn_mtl.estimators.scikit_learn_private import constraints_of
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.search.grid_search import StackedGridSearchCV
from sklearn_mtl.model_selection.search.results import SearchResults, TrialResult, in_order, over_folds
from sklearn_mtl.model_selection.search.runner import TrialRunner
from sklearn_mtl.model_selection.search.trials import Trial
from sklearn_mtl.recipes import is_number


class StackedHalvingGridSearchCV(StackedGridSearchCV):
    """A grid search that drops candidates while they train: successive halving over epochs.

    All candidates train together for `min_epochs` on all folds. The best ``1 / factor`` of them, by the mean
    of ``scoring`` over the folds, train on for `factor` times as many epochs in all, and so on. Those that
    are left train until ``max_epochs`` or early stopping ends them. No network starts again: a candidate
    that reaches the end is the fit that `StackedGridSearchCV` would have run.

    Parameters
    ----------
    estimator : estimator object
        A multi-task estimator, or a Pipeline that ends in one.
    param_grid : dict, or list of dict
        Values to try by the name of the parameter; ``max_epochs`` can't be among them.
    factor : float, default=3
        In each iteration ``1 / factor`` of the candidates train on, for `factor` times as many epochs in all.
    min_epochs : int, default=3
        Number of epochs before the first candidates are dropped.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score, max_members
        As in `StackedGridSearchCV`. Of several scores, the one that `refit` names decides.

    Attributes
    ----------
    n_resources_, n_candidates_ : list of int
        Number of epochs in all, and of candidates, in each iteration.
    n_iterations_, n_possible_iterations_, n_required_iterations_ : int
        Number of iterations, the number that there are epochs for, and the number that leaves fewer than
        `factor` candidates.
    n_remaining_candidates_ : int
        Number of candidates that would have trained on after the last iteration.
    max_resources_, min_resources_ : int
        Largest and smallest number of epochs.
    cv_results_ : dict
        As in ``GridSearchCV``, with a row for each candidate in each iteration, and the columns ``iter`` and
        ``n_resources``.
    task_results_, pareto_front_, stacked_ : DataFrame
        As in `StackedGridSearchCV`, with a row for each candidate in each iteration. The first two have the
        columns ``iter`` and ``n_resources`` as well. The front has rows of the last iteration only, as scores
        after fewer epochs do not compare with these.
    interrupted_ : bool
        As in `StackedGridSearchCV`. The last iteration is then the one that was interrupted, if any of its
        candidates was done.
    best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_, classes_, n_features_in_, feature_names_in_
        As in ``GridSearchCV``; the best is one of the last iteration.

    See Also
    --------
    StackedGridSearchCV : Trains every candidate to its end.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import StackedHalvingGridSearchCV
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> Y = {"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")}
    >>> settings = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "random_state": 0}
    >>> est = MultiTaskClassifierRegressor(max_epochs=6, **settings)
    >>> search = StackedHalvingGridSearchCV(est, {"lr": [0.0001, 0.001, 0.01]}, cv=3, min_epochs=2)
    >>> search.fit(X, Y).best_params_
    {'lr': 0.01}
    >>> search.n_candidates_, search.n_resources_
    ([3, 1], [2, 6])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = constraints_of(
        StackedGridSearchCV, factor=[Real], min_epochs=[Integral]
    )

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        factor: float = 3,
        min_epochs: int = 3,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        max_members: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
            max_members=max_members,
        )
        self.factor = factor
        self.min_epochs = min_epochs

    def _search(self, runner: TrialRunner, results: SearchResults) -> None:
        """Try all candidates for a few epochs, and fewer and fewer of them for more."""
        candidates = list(self._candidates())
        self._check_halving(candidates)
        trials = runner.plan(candidates)
        self._set_schedule(len(candidates), trials)
        n_folds = results.n_folds
        left = {i: trials[i * n_folds : (i + 1) * n_folds] for i in range(len(candidates))}
        self.n_candidates_ = []
        for iteration, epochs in enumerate(self.n_resources_):
            is_last = iteration == self.n_iterations_ - 1
            self.n_candidates_.append(len(left))
            added = results.add([candidates[i] for i in left], iter=iteration, n_resources=epochs)
            _run(runner, list(left.values()), None if is_last else epochs, added)
            self._report_failures(added)
            left = {i: left[i] for i in self._best_of(list(left), added)}
            self.n_remaining_candidates_ = len(left)

    def _check_halving(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        if not is_number(self.factor) or self.factor <= 1:
            raise ValueError(f"`factor` must be greater than 1. Found {shown(self.factor)}.")
        if self.min_epochs < 1:
            raise ValueError(f"`min_epochs` must be a positive integer. Found {shown(self.min_epochs)}.")
        searched = {name for params in candidates for name in params if name.split("__")[-1] == "max_epochs"}
        if searched:
            raise ValueError(
                "`param_grid` of a search by halving can't hold the number of epochs, which is what is "
                f"halved by. Found {shown(sorted(searched))}."
            )

    def _set_schedule(self, n_candidates: int, trials: Sequence[Trial]) -> None:
        reasons = [trial.left_alone for trial in trials if trial.left_alone is not None]
        if reasons:
            raise TypeError(
                "`estimator` must be a multi-task estimator of sklearn_mtl, or a Pipeline that ends in one: "
                f"no other can train on. Found: {reasons[0]}."
            )
        most = max((trial.fit.max_epochs for trial in trials if trial.fit is not None), default=1)
        self.min_resources_, self.max_resources_ = min(self.min_epochs, most), most
        self.n_required_iterations_ = _n_powers(self.factor, n_candidates)
        self.n_possible_iterations_ = _n_powers(self.factor, most / self.min_resources_)
        self.n_iterations_ = min(self.n_required_iterations_, self.n_possible_iterations_)
        rungs = [int(self.min_resources_ * self.factor**i) for i in range(self.n_iterations_ - 1)]
        self.n_resources_ = [*rungs, most]

    def _best_of(self, candidates: list[int], trials: Sequence[dict[int, TrialResult]]) -> list[int]:
        """Return the candidates that train on, in the order of the grid."""
        every = [in_order(by_fold) for by_fold in trials]
        scores = np.array([[self._score(one) for one in by_fold] for by_fold in every])
        failed = np.array([[one.failed for one in by_fold] for by_fold in every])
        means = over_folds(scores, failed)
        order = np.argsort(-np.where(np.isnan(means), -np.inf, means), kind="stable")
        return sorted(candidates[i] for i in order[: ceil(len(candidates) / self.factor)])

    def _score(self, trial: TrialResult) -> float:
        scores = trial.collected["test_scores"]
        if not isinstance(scores, dict):
            return float(scores)
        if not isinstance(self.refit, str) or self.refit not in scores:
            raise ValueError(
                f"`refit` must name the score by which candidates are dropped, one of {shown(list(scores))}. "
                f"Found {shown(self.refit)}."
            )
        return float(scores[self.refit])

    def _best_index(self, refit_metric: str, results: dict[str, Any]) -> int:
        """Return the best row of the last iteration."""
        if callable(self.refit):
            return super()._best_index(refit_metric, results)
        last = np.flatnonzero(results["iter"] == np.max(results["iter"]))
        return int(last[np.argmin(results[f"rank_test_{refit_metric}"][last])])

    def _finalists(self, results: SearchResults) -> Sequence[int]:
        iterations = results.more["iter"]
        return [i for i, iteration in enumerate(iterations) if iteration == max(iterations)]

    def _fit_by_scikit_learn(self, X: Any, y: Any, params: dict[str, Any]) -> None:
        raise ValueError("A search by halving can't be followed by callbacks of scikit-learn. Found some.")


def _run(
    runner: TrialRunner,
    left: Sequence[list[Trial]],
    epochs: int | None,
    results: Sequence[dict[int, TrialResult]],
) -> None:
    """Train and score the trials of each candidate, and put the trained ones in their place."""
    trials = [trial for by_fold in left for trial in by_fold]
    for position, trial, found in runner.run(trials, epochs):
        candidate, fold = divmod(position, len(runner.folds))
        left[candidate][fold], results[candidate][fold] = trial, found


def _n_powers(base: float, limit: float) -> int:
    """Return how many powers of the base, from 1 on, are not above the limit."""
    n = 0
    while base**n <= limit:
        n += 1
    return max(n, 1)
