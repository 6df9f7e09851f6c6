"""What a search has found: the results of its fits, and the tables that it makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV, cv_results

# How scikit-learn's warning of means that are nan begins.
NOT_FINITE = "One or more of the"


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What has come of one candidate on one fold.

    Parameters
    ----------
    collected : dict
        What scikit-learn's search collects of a fit: ``test_scores``, ``fit_error``, ``fit_time`` ….
    task_scores : Series or None
        ``score_tasks`` on the test rows; None where there is none.
    n_nets : int
        Number of networks that the search has trained for it.
    reasons : list of str
        The reasons for which some of them were in no stack.
    """

    collected: dict[str, Any]
    task_scores: pd.Series | None
    n_nets: int
    reasons: list[str]

    @property
    def failed(self) -> bool:
        """Whether the fit raised an error."""
        return self.collected["fit_error"] is not None


@dataclass
class SearchResults:
    """The candidates of a search, and what has come of them so far.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    params : list of dict
        Parameters of each candidate.
    trials : list of dict of int to TrialResult
        Results of each candidate by fold, without the folds that are not done yet.
    more : dict of str to list
        Further columns of ``cv_results_``.
    """

    n_folds: int
    params: list[dict[str, Any]] = field(default_factory=list)
    trials: list[dict[int, TrialResult]] = field(default_factory=list)
    more: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, candidates: Sequence[dict[str, Any]], **more: Any) -> list[dict[int, TrialResult]]:
        """Add candidates, and return the dicts by fold in which their results are to be put.

        Parameters
        ----------
        candidates : sequence of dict
            Parameters of each candidate.
        **more
            Values, the same for all of them, in further columns of ``cv_results_``.
        """
        added: list[dict[int, TrialResult]] = [{} for _ in candidates]
        self.params += candidates
        self.trials += added
        for name, value in more.items():
            self.more.setdefault(name, []).extend([value] * len(candidates))
        return added

    def completed(self) -> SearchResults:
        """Return the results of the candidates that are done on every fold."""
        done = [i for i, by_fold in enumerate(self.trials) if len(by_fold) == self.n_folds]
        more = {name: [values[i] for i in done] for name, values in self.more.items()}
        params, trials = [self.params[i] for i in done], [self.trials[i] for i in done]
        return SearchResults(self.n_folds, params, trials, more)

    def in_order(self) -> list[list[TrialResult]]:
        """Return the results of each candidate, in the order of the folds."""
        return [in_order(by_fold) for by_fold in self.trials]

    def cv_results(self, search: BaseSearchCV) -> dict[str, Any]:
        """Return ``cv_results_``, with means, deviations and ranks over the folds that have a score.

        Parameters
        ----------
        search : BaseSearchCV
            The search, which has ``n_splits_``.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = cv_results(search, self.params, collected(self.trials), self.more)
        failed = np.array([[one.failed for one in by_fold] for by_fold in self.in_order()])
        finite = True
        for key in [key for key in found if key.startswith(("mean_test_", "mean_train_"))]:
            name = key.removeprefix("mean_")
            scores = np.column_stack([found[f"split{fold}_{name}"] for fold in range(self.n_folds)])
            means = over_folds(scores, failed)
            if np.isnan(found[key]).any() and not np.isnan(means).all():
                found[key], found[f"std_{name}"] = means, over_folds(scores, failed, np.std)
                if f"rank_{name}" in found:
                    ranked = np.nan_to_num(means, nan=np.nanmin(means) - 1)
                    found[f"rank_{name}"] = rankdata(-ranked, method="min").astype(np.int32)
            finite &= bool(np.isfinite(found[key]).all())
        for one in caught:
            if not finite or not str(one.message).startswith(NOT_FINITE):
                warnings.warn(one.message, stacklevel=2)
        return found

    def stacked(self) -> pd.DataFrame:
        """Return ``stacked_``: how many networks each candidate had, and why some were in no stack."""
        rows = []
        for number, (params, trials) in enumerate(zip(self.params, self.in_order(), strict=True)):
            reasons = list(dict.fromkeys(reason for one in trials for reason in one.reasons))
            rows.append((number, params, sum(one.n_nets for one in trials), reasons))
        return stacked_frame(rows)


def stacked_frame(rows: Sequence[tuple[int, dict[str, Any], int, Sequence[str]]]) -> pd.DataFrame:
    """Return ``stacked_``.

    Parameters
    ----------
    rows : sequence of tuple
        Number, parameters and number of networks of each candidate, and why some of these were in no stack.
    """
    columns = ["candidate", "params", "n_nets", "stacked", "reason"]
    return pd.DataFrame([(*row, not reasons, "; ".join(reasons)) for *row, reasons in rows], columns=columns)


def in_order(by_fold: dict[int, TrialResult]) -> list[TrialResult]:
    """Return the results of one candidate, in the order of the folds."""
    return [by_fold[fold] for fold in sorted(by_fold)]


def collected(trials: Sequence[dict[int, TrialResult]]) -> list[dict[str, Any]]:
    """Return what scikit-learn's search collects of all fits, those of one candidate next to each other."""
    return [one.collected for by_fold in trials for one in in_order(by_fold)]


def over_folds(
    scores: np.ndarray, failed: np.ndarray, reduce: Callable[..., np.ndarray] = np.mean
) -> np.ndarray:
    """Return the mean score of each candidate, without the folds in which no candidate can have a score.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        Scores, nan where there is none: the fold has no label of the task to learn from or to score, or the
        fit failed.
    failed : ndarray of bool, of the same shape
        Whether each fit failed.
    reduce : callable, default=numpy.mean
        Reduces scores along ``axis``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.model_selection.search.results import over_folds
    >>> scores = np.array([[0.5, np.nan, 0.7], [0.4, np.nan, np.nan]])
    >>> over_folds(scores, failed=np.array([[False] * 3, [False, False, True]]))
    array([0.6, nan])
    """
    absent = np.isnan(scores)
    undefined = (absent | failed).all(axis=0) & (absent & ~failed).any(axis=0)
    if undefined.all():
        return np.full(len(scores), np.nan)
    found = reduce(scores[:, ~undefined], axis=1)
    return np.where((absent & failed).any(axis=1), np.nan, found)
