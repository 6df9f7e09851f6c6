"""One candidate on one fold: planned beside all others, trained with them, scored by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.once import MadeOnce, fingerprint
from sklearn_mtl.estimators.together import PlannedFit
from sklearn_mtl.model_selection.scikit_learn import fit_and_score, of_rows
from sklearn_mtl.model_selection.wrapped import innermost


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


# What an estimator's ``fit`` was called with.
Call = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on and to test on, and what the trials on them share.

    Parameters
    ----------
    X, y : object
        All rows.
    fit_params : dict
        What ``fit`` is given, for all rows.
    train, test : ndarray of int
        Which rows are which.
    """

    X: Any
    y: Any
    fit_params: dict[str, Any]
    train: np.ndarray
    test: np.ndarray
    once: MadeOnce = field(default_factory=MadeOnce)
    _reached: dict[Any, tuple[Any, Call]] = field(default_factory=dict)

    @cached_property
    def training(self) -> Call:
        """What ``fit`` is called with."""
        rows = [_safe_indexing(part, self.train) for part in (self.X, self.y) if part is not None]
        return tuple(rows), of_rows(self.X, self.fit_params, self.train)

    def up_to(self, estimator: Any, last: BaseMultiTask) -> tuple[Any, Call]:
        """Return the estimator with the steps before its last fitted, and what the last's ``fit`` gets.

        Parameters
        ----------
        estimator : object
            A Pipeline, or the last step itself.
        last : BaseMultiTask
            The last step.
        """
        key = (fingerprint(with_last(estimator, None)), str(last.get_metadata_routing()))
        if key not in self._reached:
            calls: list[Call] = []
            in_place_of_fit(last, lambda *args, **kwargs: calls.append((args, kwargs)))
            args, kwargs = self.training
            try:
                estimator.fit(*args, **kwargs)
            finally:
                last.__dict__.pop("fit", None)
            self._reached[key] = (estimator, calls[0])
        fitted, call = self._reached[key]
        return with_last(fitted, last), call


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
        return replace(self, fold=replace(self.fold, once=MadeOnce(), _reached={}))

    def planned(self) -> Trial:
        """Return this with all done that precedes training."""
        last = last_step(self.estimator)
        if self.alone is not None or not isinstance(last, BaseMultiTask):
            return self
        start = perf_counter()
        try:
            estimator, (args, kwargs) = self.fold.up_to(self.estimator, last)
            fit = PlannedFit.of(last, self.fold.once, *args, **kwargs)
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
            estimator = estimator if error is not None else with_last(estimator, self.fit.fitted())
        in_place_of_fit(estimator, lambda *_, **__: _done(estimator, error))
        result = self._scored(estimator, scoring, verbose=0)
        result["fit_time"] = seconds
        return self._with_tasks(result, estimator, scoring)

    def fitted_and_tested(self, scoring: Scoring, verbose: int) -> Tested:
        """Return the scores of a trial that is fitted as scikit-learn does it."""
        keeps = isinstance(last_step(self.estimator), BaseMultiTask)
        result = self._scored(
            self.estimator, scoring, verbose=verbose, parameters=self.params, return_estimator=keeps
        )
        return self._with_tasks(result, result.pop("estimator", None), scoring)

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


def with_last(estimator: Any, last: Any) -> Any:
    """Return a Pipeline of the same steps but for the last; for anything else that last step.

    Parameters
    ----------
    estimator : object
        Left as it is.
    last : object
        The new last step.
    """
    if not isinstance(estimator, Pipeline):
        return last
    found = copy(estimator)
    *before, (name, step) = estimator.steps
    found.steps = [*before, (name, with_last(step, last))]
    return found


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


def in_place_of_fit(estimator: Any, call: Callable[..., Any]) -> None:
    """Let an estimator's next ``fit`` be a call of something else."""

    def fit(*args: Any, **kwargs: Any) -> Any:
        del estimator.fit
        return call(*args, **kwargs)

    estimator.fit = fit


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
    weight = of_rows(fold.X, scoring.params, fold.test).get("sample_weight")
    # What there is to warn of, the search's own scores warn of.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found, X = innermost(estimator, _safe_indexing(fold.X, fold.test))
            return found.score_tasks(X, _safe_indexing(fold.y, fold.test), weight)
        except Exception:
            return None


def _done(estimator: Any, error: Exception | None) -> Any:
    if error is not None:
        raise error
    return estimator
