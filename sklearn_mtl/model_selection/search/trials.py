"""One candidate on one fold: planned beside all others, trained with them, scored by scikit-learn."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.scikit_learn_private import fit_and_score, n_rows_of, params_of_rows, scores_of
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.model_selection.search.folds import FailedFit, Fold, Part, with_last
from sklearn_mtl.model_selection.search.whole import Whole
from sklearn_mtl.training import names_of_writers


@dataclass(frozen=True, eq=False)
class Scoring:
    """How trials are scored.

    Parameters
    ----------
    scorer : callable
        scikit-learn's, of one or several metrics.
    params : dict
        What it is given, for all rows.
    return_train_score : bool
        Whether training rows are scored too.
    error_score : "raise" or float
        What a failed fit scores.
    """

    scorer: Any
    params: dict[str, Any]
    return_train_score: bool
    error_score: Any

    def of(self, estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> dict[str, float] | float:
        """Return the scores of a fitted estimator on some rows.

        Parameters
        ----------
        estimator : object
            Fitted.
        X, y : object
            The rows.
        params : dict
            What the scorer is given, for these rows.
        """
        return scores_of(estimator, X, y, self.scorer, params, self.error_score)


@dataclass(frozen=True, eq=False)
class Trial:
    """One candidate on one fold.

    Parameters
    ----------
    candidate : int
        Its number.
    params : dict
        Its parameters.
    fold : Fold
        The rows.
    estimator : object
        With these parameters; the steps before the last fitted.
    fit : PlannedFit or None
        Of the last step; None where there is nothing to stack, or planning failed.
    error : Exception or None
        Why planning failed.
    alone : str or None
        Why the fit is left to scikit-learn.
    seconds : float
        What planning took.
    """

    candidate: int
    params: dict[str, Any]
    fold: Fold
    estimator: Any
    fit: PlannedFit | None = None
    error: Exception | None = None
    alone: str | None = None
    seconds: float = 0.0

    def to_send(self) -> Trial:
        """Return this without what other trials have made, for another process."""
        return replace(self, fold=self.fold.to_send())

    def planned(self, whole: Whole, name: str) -> Trial:
        """Return this with all done that precedes training.

        Parameters
        ----------
        whole : Whole
            All of y.
        name : str
            Of the fold.
        """
        last = last_step(self.estimator)
        start = perf_counter()
        try:
            whole.tell(self.estimator, name)
            if self.alone is not None or not isinstance(last, BaseMultiTask):
                return self
            estimator, (args, kwargs) = self.fold.up_to(self.estimator, last)
            data = FitData(*args, **kwargs)
            check_writes_nothing(last)
            fit = last._plan(data, self.fold.stages)
        except Exception as error:
            return replace(self, error=error, seconds=perf_counter() - start)
        return replace(self, estimator=estimator, fit=fit, seconds=perf_counter() - start)

    def with_fit(self, fit: PlannedFit) -> Trial:
        """Return this with its fit trained."""
        return replace(self, fit=fit)

    def tested(self, scoring: Scoring) -> Tested:
        """Return the scores of a trained trial."""
        seconds = self.seconds
        estimator, error = self.estimator, self.error
        if self.fit is not None:
            seconds += sum(outcome.seconds for outcome in self.fit.outcomes)
            error = self.fit.error
            estimator = estimator if error is not None else self._fitted(self.fit, scoring)
        if error is None:
            result = self._asked(estimator, scoring)
        else:
            result = self._scored(FailedFit(error), scoring, verbose=0)
        result["fit_time"] = seconds
        return self._with_tasks(result, estimator, scoring)

    def fitted_and_tested(self, scoring: Scoring, verbose: int) -> Tested:
        """Return the scores of a trial that is fitted as scikit-learn does it."""
        keeps = isinstance(last_step(self.estimator), BaseMultiTask)
        # It has its parameters, and was told of more: set again, they would undo that.
        result = self._scored(self.estimator, scoring, verbose=verbose, return_estimator=keeps)
        return self._with_tasks(result, result.pop("estimator", None), scoring)

    def _fitted(self, fit: PlannedFit, scoring: Scoring) -> Any:
        """Return the estimator with its last step fitted."""
        parts: tuple[Part, ...] = ("test", "train") if scoring.return_train_score else ("test",)
        # In a Pipeline the last step is asked about other rows than those of the fold.
        is_last = isinstance(self.estimator, BaseMultiTask)
        shared = [self.fold.shared(fit.untrained.encoder, part) for part in parts if is_last]
        fitted = copy(last_step(self.estimator))._keep(fit.fitted(shared), fit.reader)
        return with_last(self.estimator, fitted)

    def _asked(self, estimator: Any, scoring: Scoring) -> dict[str, Any]:
        """Return what scikit-learn keeps of a fit that went well, of rows that the trials share."""
        fold = self.fold
        X, y = fold.asked("test", estimator)
        start = perf_counter()
        scores = scoring.of(estimator, X, y, params_of_rows(fold.X, scoring.params, fold.test))
        result = {"fit_error": None, "test_scores": scores, "score_time": perf_counter() - start}
        if scoring.return_train_score:
            X_train, y_train = fold.asked("train", estimator)
            params = params_of_rows(fold.X, scoring.params, fold.train)
            result["train_scores"] = scoring.of(estimator, X_train, y_train, params)
        return {**result, "n_test_samples": n_rows_of(X)}

    def _scored(self, estimator: Any, scoring: Scoring, **settings: Any) -> dict[str, Any]:
        fold = self.fold
        return fit_and_score(
            estimator,
            fold.X,
            fold.y,
            scorer=scoring.scorer,
            train=fold.train,
            test=fold.test,
            fit_params=fold.fit_params,
            score_params=scoring.params,
            return_train_score=scoring.return_train_score,
            error_score=scoring.error_score,
            **{"parameters": None, **settings},
        )

    def _with_tasks(self, result: dict[str, Any], estimator: Any, scoring: Scoring) -> Tested:
        failed = result["fit_error"] is not None
        ours = not failed and isinstance(last_step(estimator), BaseMultiTask)
        scores = task_scores(estimator, self.fold, scoring) if ours else None
        n_nets = 0 if self.fit is None else self.fit.n_nets
        if self.error is not None:
            reasons = [f"the fit failed before training: {type(self.error).__name__}: {self.error}"]
        elif self.fit is None:
            reasons = [str(self.alone)]
        else:
            reasons = self.fit.alone
        return Tested(result, scores, n_nets, reasons)


@dataclass(frozen=True, eq=False)
class Tested:
    """What came out of a trial.

    Parameters
    ----------
    result : dict
        As scikit-learn's search collects it.
    task_scores : Series or None
        ``score_tasks`` of the test rows; None where there is none.
    n_nets : int
        Nets that were trained here.
    reasons : list of str
        Why some of them were not part of a stack.
    """

    result: dict[str, Any]
    task_scores: pd.Series | None
    n_nets: int
    reasons: list[str]


def last_step(estimator: Any) -> Any:
    """Return the last step of a Pipeline, of one within one too; anything else itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def why_left_to_scikit_learn(last: Any) -> str | None:
    """Say why an estimator's nets can't be handed over before they are trained; None if they can.

    Parameters
    ----------
    last : object
        The estimator, or the last step of the Pipeline.
    """
    if not isinstance(last, BaseMultiTask):
        name = type(last).__name__
        return f"{name} is neither a multi-task estimator nor a Pipeline that ends in one"
    if type(last).fit is not BaseMultiTask.fit:
        return f"{type(last).__name__} has a fit of its own"
    return None


def check_writes_nothing(last: BaseMultiTask) -> None:
    """Raise a ``ValueError`` for callbacks that write to files or the like, which all fits would share.

    Parameters
    ----------
    last : BaseMultiTask
        Its callbacks are looked at.
    """
    found = names_of_writers(last.callbacks)
    if found:
        raise ValueError(
            "`callbacks` of an estimator in a search must not write to one place, which all fits would "
            f"share. Found {found}; leave them out, and set them for the fit of the best candidate."
        )


def task_scores(estimator: Any, fold: Fold, scoring: Scoring) -> pd.Series | None:
    """Return the score of each task on the test rows; None where that fails.

    Parameters
    ----------
    estimator : object
        Fitted.
    fold : Fold
        The rows.
    scoring : Scoring
        Its sample weights are used, where it has any.
    """
    weight = params_of_rows(fold.X, scoring.params, fold.test).get("sample_weight")
    # What there is to warn of, the search's own scores warn of.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            X, y = fold.asked("test", estimator)
            found, X = innermost(estimator, X)
            return found.score_tasks(X, y, weight)
        except Exception:
            return None
