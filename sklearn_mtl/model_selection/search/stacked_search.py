"""The ``fit`` of the stacked searches: scikit-learn's, but for how the fits are run."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from typing import Any, Self

import pandas as pd
from sklearn.base import clone
from sklearn.utils import indexable

from sklearn_mtl.estimators.scikit_learn_private import (
    BaseSearchCV,
    best_index,
    check_refit,
    checks_parameters,
    cv_results,
    has_callbacks,
    report_failures,
    routed_params,
    scorers_by_name,
    search_scorers,
)
from sklearn_mtl.model_selection.scoring.scorers import check_scored
from sklearn_mtl.model_selection.search.bench import Bench
from sklearn_mtl.model_selection.search.fold_means import with_means
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.pareto import pareto_front, task_results
from sklearn_mtl.model_selection.search.trials import Scoring, Tested
from sklearn_mtl.model_selection.search.whole import Whole
from sklearn_mtl.model_selection.splitting.splitter import splittable

# Beside those of the search that it stands for; scikit-learn checks types by them.
CONSTRAINTS = {"max_members": [Integral, None]}
STACKED = ["candidate", "params", "n_nets", "stacked", "reason"]


@dataclass
class Record:
    """What was tried, and what came of it, fold by fold.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    params : list of dict
        The candidates.
    tested : list of dict of int to Tested
        For each candidate, by fold; without those that are not done.
    more : dict of str to list
        Further columns of ``cv_results_``.
    """

    n_folds: int
    params: list[dict[str, Any]] = field(default_factory=list)
    tested: list[dict[int, Tested]] = field(default_factory=list)
    more: dict[str, list[Any]] = field(default_factory=dict)

    def open(self, candidates: Sequence[dict[str, Any]], **more: Any) -> list[dict[int, Tested]]:
        """Add candidates, and return where what comes of them is to be put.

        Parameters
        ----------
        candidates : sequence of dict
            Their parameters.
        **more
            What further columns of ``cv_results_`` say of all of them.
        """
        opened: list[dict[int, Tested]] = [{} for _ in candidates]
        self.params += candidates
        self.tested += opened
        for name, value in more.items():
            self.more.setdefault(name, []).extend([value] * len(candidates))
        return opened

    def finished(self) -> Record:
        """Return this with the candidates that are done on every fold."""
        done = [i for i, of_folds in enumerate(self.tested) if len(of_folds) == self.n_folds]
        more = {name: [values[i] for i in done] for name, values in self.more.items()}
        return Record(self.n_folds, [self.params[i] for i in done], [self.tested[i] for i in done], more)

    def by_candidate(self) -> list[tuple[dict[str, Any], Sequence[Tested]]]:
        """Return each candidate with what came of it on every fold."""
        return [
            (params, in_order(of_folds)) for params, of_folds in zip(self.params, self.tested, strict=True)
        ]


class StackedSearch(BaseSearchCV):
    """What the stacked searches have in common; not to be used itself."""

    max_members: int | None

    @abstractmethod
    def _candidates(self) -> Iterable[dict[str, Any]]:
        """Return the parameters to try."""

    @checks_parameters
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Try all candidates on all folds, their nets trained together.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features, ...)
            Features.
        y : mapping, DataFrame or array-like
            Labels by task; a plain dict too.
        **params : dict of str to object
            What ``fit`` of the estimator, the splitter (``groups``) and the scorer take, routed as
            scikit-learn does it.

        Returns
        -------
        Self
            The fitted search.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C has ended the search. The results of the candidates that are done on every fold are
            kept, none is fitted anew, and ``interrupted_`` is True; where no candidate is done, the search
            is left as it was.
        ValueError
            If a scorer of this package is of a task that y has not, whatever ``error_score`` is.
        """
        y = splittable(y)
        params = {name: splittable(v) if name.endswith("sample_weight") else v for name, v in params.items()}
        if self.max_members is not None and self.max_members < 1:
            raise ValueError(f"`max_members` must be None or a positive integer. Found {self.max_members!r}.")
        check_scored(self.scoring, y)
        if has_callbacks(self):
            return self._fit_followed(X, y, params)
        scorer, refit_metric = search_scorers(self)
        X, y = indexable(X, y)
        routed = routed_params(self, X, params)
        scoring = Scoring(scorer, routed.scorer.score, self.return_train_score, self.error_score)
        whole = Whole(y)
        folds = self._folds(X, y, routed, whole)
        bench = Bench(
            clone(self.estimator),
            folds,
            whole,
            scoring,
            self.max_members,
            self.n_jobs,
            self.pre_dispatch,
            self.verbose,
        )
        record, interrupt = Record(len(folds)), None
        try:
            self._search(bench, record)
        except KeyboardInterrupt as ctrl_c:
            record, interrupt = record.finished(), ctrl_c
            self.interrupted_ = True
            if not record.params:
                raise
        self._conclude(record, refit_metric)
        self.scorer_ = scorers_by_name(scorer)
        self._finish(interrupt, X, y, routed.estimator.fit, whole)
        return self

    def _fit_followed(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        """Fit with callbacks of scikit-learn, which follow its own search only."""
        super().fit(X, y, **params)
        self.interrupted_ = False
        reason = "callbacks of scikit-learn follow its own search"
        rows = [(i, params, 0, False, reason) for i, params in enumerate(self.cv_results_["params"])]
        self.stacked_ = pd.DataFrame(rows, columns=STACKED)
        return self

    def _folds(self, X: Any, y: Any, routed: Any, whole: Whole) -> list[Fold]:
        cv = whole.splitter(self.cv, self.estimator)
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"`cv` must give as many splits as its get_n_splits says, {self.n_splits_}. "
                f"Found {len(splits)}."
            )
        return [Fold(X, y, routed.estimator.fit, train, test) for train, test in splits]

    def _search(self, bench: Bench, record: Record) -> None:
        """Try all candidates, and record what comes of each as soon as it is there."""
        candidates = list(self._candidates())
        trials = bench.plan(candidates)
        tested = record.open(candidates)
        for position, _, found in bench.run(trials):
            candidate, fold = divmod(position, record.n_folds)
            tested[candidate][fold] = found
        self._check_tested(tested)

    def _check_tested(self, tested: Sequence[dict[int, Tested]]) -> None:
        """Warn of failed fits; raise where all failed, or where there is none."""
        if not any(tested):
            raise ValueError("No fits were performed: `cv` gave no split, or there are no candidates.")
        report_failures(results_of(tested), self.error_score, callable_scoring=callable(self.scoring))

    def _conclude(self, record: Record, refit_metric: str) -> None:
        """Set what is known before the best candidate is fitted anew."""
        tested = results_of(record.tested)
        formatted = partial(cv_results, self, record.params, tested, record.more)
        results = with_means(formatted, tested)
        first = tested[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            # Only now is it known which scores there are.
            check_refit(self, first)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._best_index(refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        self.cv_results_ = results
        self.stacked_ = _stacked(record)
        self._set_task_results(record)

    def _best_index(self, refit_metric: str, results: dict[str, Any]) -> int:
        """Return the best row of ``cv_results_``."""
        return best_index(self.refit, refit_metric, results)

    def _set_task_results(self, record: Record) -> None:
        every = [of_folds for _, of_folds in record.by_candidate()]
        found = task_results(record.params, every, record.more)
        if found is not None:
            self.task_results_ = found
            self.pareto_front_ = pareto_front(found.iloc[self._finalists(record)])
        elif hasattr(self, "task_results_"):
            del self.task_results_, self.pareto_front_

    def _finalists(self, record: Record) -> Sequence[int]:
        """Return which candidates compete for the front."""
        return range(len(record.params))

    def _finish(
        self, interrupt: KeyboardInterrupt | None, X: Any, y: Any, fit_params: dict[str, Any], whole: Whole
    ) -> None:
        """Fit the best candidate anew, or pass on the Ctrl-C that has ended the search."""
        if interrupt is not None:
            # Of an earlier search it would be the best.
            self.__dict__.pop("best_estimator_", None)
            raise interrupt
        self.interrupted_ = False
        if not self.refit:
            return
        try:
            self._refit(X, y, fit_params, whole)
        except KeyboardInterrupt:
            self.interrupted_ = True
            raise

    def _refit(self, X: Any, y: Any, fit_params: dict[str, Any], whole: Whole) -> None:
        best = clone(self.best_params_, safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        start = time.time()
        with whole.told(self.best_estimator_):
            self.best_estimator_.fit(X, *(() if y is None else (y,)), **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def in_order(of_folds: Mapping[int, Tested]) -> list[Tested]:
    """Return what came of a candidate, fold by fold."""
    return [of_folds[fold] for fold in sorted(of_folds)]


def results_of(tested: Sequence[Mapping[int, Tested]]) -> list[dict[str, Any]]:
    """Return what scikit-learn's search collects, candidate by candidate, fold by fold."""
    return [found.result for of_folds in tested for found in in_order(of_folds)]


def _stacked(record: Record) -> pd.DataFrame:
    rows = []
    for number, (params, of_folds) in enumerate(record.by_candidate()):
        reasons = list(dict.fromkeys(reason for tested in of_folds for reason in tested.reasons))
        n_nets = sum(tested.n_nets for tested in of_folds)
        rows.append((number, params, n_nets, not reasons, "; ".join(reasons)))
    return pd.DataFrame(rows, columns=STACKED)
