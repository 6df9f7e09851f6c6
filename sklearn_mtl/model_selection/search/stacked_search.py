"""The ``fit`` that the stacked searches have in common."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Self

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_html_repr, indexable
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.autologging import autologged
from sklearn_mtl.estimators.scikit_learn_private import (
    BaseSearchCV,
    best_index,
    check_refit,
    checks_parameters,
    has_callbacks,
    report_failures,
    routed_params,
    scorers_by_name,
    search_scorers,
)
from sklearn_mtl.features import splittable_inputs
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.scoring.scorers import check_scored
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.pareto import pareto_front, task_results
from sklearn_mtl.model_selection.search.results import (
    SearchResults,
    TrialResult,
    collected,
    stacked_frame,
)
from sklearn_mtl.model_selection.search.runner import TrialRunner
from sklearn_mtl.model_selection.search.search_html import search_html
from sklearn_mtl.model_selection.search.trials import Scoring, last_step
from sklearn_mtl.model_selection.splitting.splitter import splittable

# Parameters that change nothing of what is trained, or that estimator, candidates and folds tell of.
NO_MATTER = frozenset(
    {"estimator", "param_grid", "param_distributions", "cv", "verbose", "n_jobs", "pre_dispatch", "refit"}
    | {"error_score", "return_train_score", "random_state", "scoring"}
)
# Types of the parameters that a stacked search has besides those of the search that it stands for.
CONSTRAINTS = {"max_members": [Integral, None]}


class StackedSearch(BaseSearchCV):
    """Base of the stacked searches: a search says which candidates it tries, and may say how.

    `_candidates` is abstract. A search may override `_search`, which tries all candidates to their end by
    default, and with it `_best_index` and `_finalists`.
    """

    max_members: int | None

    @abstractmethod
    def _candidates(self) -> Iterable[dict[str, Any]]:
        """Return the parameters of each candidate."""

    def _html_repr(self) -> str:
        """Return scikit-learn's picture, and below it, once fitted, the best candidates."""
        picture: str = estimator_html_repr(self)
        return picture + search_html(self) if hasattr(self, "cv_results_") else picture

    @autologged
    @checks_parameters
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Try all candidates on all folds, their nets trained together.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features, as the estimator takes them.
        y : mapping, DataFrame or array-like
            Labels by task; a plain dict too.
        **params : dict of str to object
            What ``fit`` of the estimator, the splitter (``groups``) and the scorer take, routed as in
            scikit-learn.

        Returns
        -------
        Self
            The fitted search.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C has ended the search. The results of the candidates that are done on every fold are
            kept, none is fitted to all rows, and ``interrupted_`` is True; where no candidate is done, the
            search is left as it was, in that too.
        ValueError
            If a scorer of this package scores a task that is not in y, whatever ``error_score`` is. After
            this and any other error the search is as it was.
        """
        before = dict(vars(self))
        try:
            self._search_and_refit(X, y, params)
        except BaseException as error:
            has_results = vars(self).get("cv_results_") is not before.get("cv_results_")
            if isinstance(error, KeyboardInterrupt) and has_results:
                self.interrupted_ = True
            else:
                self.__dict__ = before
            raise
        self.interrupted_ = False
        return self

    def _search_and_refit(self, X: Any, y: Any, params: dict[str, Any]) -> None:
        X, y = splittable_inputs(X), splittable(y)
        params = {name: splittable(v) if name.endswith("sample_weight") else v for name, v in params.items()}
        self._check(y)
        if has_callbacks(self):
            self._fit_by_scikit_learn(X, y, params)
            return

        # Split, plan and run the trials.
        scorer, refit_metric = search_scorers(self)
        X, y = indexable(X, y)
        routed = routed_params(self, X, params)
        targets = AllTargets(y)
        folds = self._folds(X, y, routed, targets)
        scoring = Scoring(scorer, routed.scorer.score, self.return_train_score, self.error_score)
        runner = self._runner(folds, targets, scoring)
        results, interrupt = SearchResults(len(folds)), None
        try:
            with runner.held():
                self._search(runner, results)
        except KeyboardInterrupt as ctrl_c:
            results, interrupt = results.completed(), ctrl_c
            if not results.params:
                raise

        # Compare the candidates, and fit the best to all rows.
        self.scorer_ = scorers_by_name(scorer)
        self._set_results(results, refit_metric)
        if interrupt is not None:
            # The best of an earlier search is not the best of this one.
            self.__dict__.pop("best_estimator_", None)
            raise interrupt
        if self.refit:
            self._refit(X, y, routed.estimator.fit, targets)

    def _check(self, y: Any) -> None:
        if self.max_members is not None and self.max_members < 1:
            raise ValueError(
                f"`max_members` must be None or a positive integer. Found {shown(self.max_members)}."
            )
        check_scored(self.scoring, y)

    def _fit_by_scikit_learn(self, X: Any, y: Any, params: dict[str, Any]) -> None:
        """Fit with callbacks of scikit-learn, which only its own search calls."""
        super().fit(X, y, **params)
        reasons = ["callbacks of scikit-learn follow its own search"]
        every = self.cv_results_["params"]
        self.stacked_ = stacked_frame([(number, of_one, 0, reasons) for number, of_one in enumerate(every)])

    def _folds(self, X: Any, y: Any, routed: Any, targets: AllTargets) -> list[Fold]:
        cv = targets.splitter(self.cv, self.estimator)
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"`cv` must give as many splits as its get_n_splits says, {self.n_splits_}. "
                f"Found {len(splits)}."
            )
        return [Fold(X, y, routed.estimator.fit, train, test) for train, test in splits]

    def _runner(self, folds: list[Fold], targets: AllTargets, scoring: Scoring) -> TrialRunner:
        estimator, checkpoint = clone(self.estimator), None
        if getattr(last_step(estimator), "checkpoint", None) is not None:
            from sklearn_mtl.model_selection.search.checkpointed import SearchCheckpoint

            checkpoint = SearchCheckpoint.taken_from(estimator, self._settings_of_training())
        return TrialRunner(
            estimator,
            folds,
            targets,
            scoring,
            self.max_members,
            self.n_jobs,
            self.pre_dispatch,
            self.verbose,
            checkpoint,
        )

    def _settings_of_training(self) -> dict[str, Any]:
        """Return the parameters by which a search goes on from its checkpoint, or is another one."""
        found: dict[str, Any] = self.get_params(deep=False)
        return {name: value for name, value in found.items() if name not in NO_MATTER}

    def _search(self, runner: TrialRunner, results: SearchResults) -> None:
        """Try all candidates, and keep each result as soon as it is there."""
        candidates = list(self._candidates())
        added = results.add(candidates)
        for position, found in runner.run_all(candidates):
            candidate, fold = divmod(position, results.n_folds)
            added[candidate][fold] = found
        self._report_failures(added)

    def _report_failures(self, trials: Sequence[dict[int, TrialResult]]) -> None:
        """Warn of failed fits; raise where all failed, or where there is none."""
        if not any(trials):
            raise ValueError("No fits were performed: `cv` gave no split, or there are no candidates.")
        report_failures(collected(trials), self.error_score, callable_scoring=callable(self.scoring))

    def _set_results(self, results: SearchResults, refit_metric: str) -> None:
        """Set what is known before the best candidate is fitted to all rows."""
        found = results.cv_results(self)
        first = results.in_order()[0][0].collected["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            # Only now is it known which scores there are.
            check_refit(self, first)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._best_index(refit_metric, found)
            if not callable(self.refit):
                self.best_score_ = found[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = found["params"][self.best_index_]
        self.stacked_ = results.stacked()
        self._set_task_results(results)
        # Last: where they are, everything is.
        self.cv_results_: dict[str, Any] = found

    def _best_index(self, refit_metric: str, results: dict[str, Any]) -> int:
        """Return the best row of ``cv_results_``."""
        return best_index(self.refit, refit_metric, results)

    def _set_task_results(self, results: SearchResults) -> None:
        found = task_results(results.params, results.in_order(), results.more)
        if found is not None:
            self.task_results_ = found
            self.pareto_front_ = pareto_front(found.iloc[self._finalists(results)])
        elif hasattr(self, "task_results_"):
            del self.task_results_, self.pareto_front_

    def _finalists(self, results: SearchResults) -> Sequence[int]:
        """Return the rows that compete for the Pareto front."""
        return range(len(results.params))

    def _refit(self, X: Any, y: Any, fit_params: dict[str, Any], targets: AllTargets) -> None:
        """Fit the best candidate to all rows."""
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        self.__dict__.pop("best_estimator_", None)
        start = time.time()
        try:
            with targets.naming_kinds(best):
                best.fit(X, *(() if y is None else (y,)), **fit_params)
        except KeyboardInterrupt:
            if _is_fitted(best):
                self.best_estimator_ = best
            raise
        self.best_estimator_ = best
        self.refit_time_ = time.time() - start
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
