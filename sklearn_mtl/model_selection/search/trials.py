"""One candidate on one fold: planned, trained together with all others, and scored as scikit-learn scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
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
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import FailedFit, Fold, Part, with_last
from sklearn_mtl.model_selection.search.results import TrialResult
from sklearn_mtl.training import names_of_writers

Scores = float | dict[str, float]
# Called with an estimator, X, y and what else it is given; of several metrics it returns scores by name.
Scorer = Callable[..., Scores]


@dataclass(frozen=True, eq=False)
class Scoring:
    """How trials are scored.

    Parameters
    ----------
    scorer : callable
        Scorer of scikit-learn, of one metric or of several.
    params : dict
        What the scorer is given besides, for all rows.
    return_train_score : bool
        Whether training rows are scored too.
    error_score : "raise" or float
        Score of a failed fit.
    """

    scorer: Scorer
    params: dict[str, Any]
    return_train_score: bool
    error_score: Any

    def scores(self, estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> Scores:
        """Return the scores of a fitted estimator on some rows.

        Parameters
        ----------
        estimator : object
            Fitted estimator.
        X, y : object
            Rows to score.
        params : dict
            What the scorer is given besides, for these rows.
        """
        return scores_of(estimator, X, y, self.scorer, params, self.error_score)

    def params_for(self, fold: Fold, part: Part) -> dict[str, Any]:
        """Return what the scorer is given besides, for the rows of a part."""
        return params_of_rows(fold.X, self.params, fold.rows(part))


@dataclass(frozen=True, eq=False)
class Trial:
    """One candidate on one fold: a fit that is planned, then trained, then scored.

    Parameters
    ----------
    fold : Fold
        Rows to train on and to score.
    estimator : object
        Clone with the parameters of the candidate. Once it is planned, the steps before its last are fitted.
    fit : PlannedFit or None
        Fit of the last step; None where planning failed, or where scikit-learn fits.
    error : Exception or None
        The exception that planning raised; None where it raised none.
    left_alone : str or None
        Why the fit is left to scikit-learn; None where it is not.
    seconds : float
        Time that planning took.
    """

    fold: Fold
    estimator: Any
    fit: PlannedFit | None = None
    error: Exception | None = None
    left_alone: str | None = None
    seconds: float = 0.0

    def to_send(self) -> Trial:
        """Return this without the work that trials share, for another process."""
        return replace(self, fold=self.fold.to_send())

    def planned(self, targets: AllTargets, name: str) -> Trial:
        """Return this with all done that precedes training.

        Parameters
        ----------
        targets : AllTargets
            All rows of y.
        name : str
            Name of the fold, for messages.
        """
        prepared = self.prepared(targets, name)
        return prepared if prepared.error is not None else prepared.ready()

    def prepared(self, targets: AllTargets, name: str) -> Trial:
        """Return this with its estimator told what only all rows show.

        Parameters
        ----------
        targets, name
            The same as in `planned`.
        """
        start = perf_counter()
        try:
            targets.prepare(self.estimator, name)
        except Exception as error:
            return replace(self, error=error, seconds=perf_counter() - start)
        return self

    def ready(self) -> Trial:
        """Return this with the steps before the last fitted, and the fit of the last planned."""
        last = last_step(self.estimator)
        if self.left_alone is not None or not isinstance(last, BaseMultiTask):
            return self
        start = perf_counter()
        try:
            estimator, call = self.fold.fit_earlier_steps(self.estimator, last)
            data = FitData(*call.args, **call.kwargs)
            check_writes_nothing(last)
            fit = last._plan(data, self.fold.stages)
        except Exception as error:
            return replace(self, error=error, seconds=perf_counter() - start)
        return replace(self, estimator=estimator, fit=fit, seconds=perf_counter() - start)

    def with_fit(self, fit: PlannedFit) -> Trial:
        """Return this with its fit trained."""
        return replace(self, fit=fit)

    def scored(self, scoring: Scoring) -> TrialResult:
        """Return the result of a trial that is trained."""
        seconds, error, estimator = self.seconds, self.error, self.estimator
        if self.fit is not None:
            seconds += sum(outcome.seconds for outcome in self.fit.outcomes)
            error = self.fit.error
            parts: tuple[Part, ...] = ("test", "train") if scoring.return_train_score else ("test",)
            estimator = estimator if error is not None else self.fitted(parts)
        if error is None:
            found = self._scores(estimator, scoring)
        else:
            found = self._fit_and_score(FailedFit(error), scoring, verbose=0)
        return self._result({**found, "fit_time": seconds}, estimator, scoring)

    def fitted_and_scored(self, scoring: Scoring, verbose: int) -> TrialResult:
        """Return the result of a trial that scikit-learn fits and scores."""
        keeps = isinstance(last_step(self.estimator), BaseMultiTask)
        # The estimator has its parameters, and kinds and fold that `prepare` set: to set the parameters again
        # would undo that.
        found = self._fit_and_score(self.estimator, scoring, verbose=verbose, return_estimator=keeps)
        return self._result(found, found.pop("estimator", None), scoring)

    def fitted(self, parts: Sequence[Part] = ()) -> Any:
        """Return the estimator of a trained trial, with its last step fitted.

        Parameters
        ----------
        parts : sequence of str
            Parts of the fold that it will be asked about, as other trials are.
        """
        assert self.fit is not None
        # The last step of a Pipeline is given other rows than those of the fold.
        is_last = isinstance(self.estimator, BaseMultiTask)
        encoder = self.fit.untrained.encoder
        shared = [self.fold.shared_rows(encoder, part) for part in parts if is_last]
        fitted = copy(last_step(self.estimator))._keep(self.fit.fitted(shared), self.fit.reader)
        return with_last(self.estimator, fitted)

    def _scores(self, estimator: Any, scoring: Scoring) -> dict[str, Any]:
        """Return what scikit-learn collects of a fit that went well."""
        X, y = self.fold.to_score("test", estimator)
        start = perf_counter()
        scores = scoring.scores(estimator, X, y, scoring.params_for(self.fold, "test"))
        found = {"fit_error": None, "test_scores": scores, "score_time": perf_counter() - start}
        if scoring.return_train_score:
            X_train, y_train = self.fold.to_score("train", estimator)
            params = scoring.params_for(self.fold, "train")
            found["train_scores"] = scoring.scores(estimator, X_train, y_train, params)
        return {**found, "n_test_samples": n_rows_of(X)}

    def _fit_and_score(self, estimator: Any, scoring: Scoring, **settings: Any) -> dict[str, Any]:
        """Let scikit-learn fit and score, and return what it collects."""
        return fit_and_score(
            estimator,
            self.fold.X,
            self.fold.y,
            scorer=scoring.scorer,
            train=self.fold.train,
            test=self.fold.test,
            fit_params=self.fold.fit_params,
            score_params=scoring.params,
            return_train_score=scoring.return_train_score,
            error_score=scoring.error_score,
            parameters=None,
            **settings,
        )

    def _result(self, collected: dict[str, Any], estimator: Any, scoring: Scoring) -> TrialResult:
        is_ours = collected["fit_error"] is None and isinstance(last_step(estimator), BaseMultiTask)
        scores = task_scores(estimator, self.fold, scoring) if is_ours else None
        n_nets = 0 if self.fit is None else self.fit.n_nets
        if self.error is not None:
            reasons = [f"the fit failed before training: {type(self.error).__name__}: {self.error}"]
        elif self.fit is None:
            reasons = [str(self.left_alone)]
        else:
            reasons = self.fit.not_stacked_because
        return TrialResult(collected, scores, n_nets, reasons)


def last_step(estimator: Any) -> Any:
    """Return the last step of a Pipeline, also where that is a Pipeline; anything else itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def why_left_to_scikit_learn(last: Any) -> str | None:
    """Return why the networks of an estimator can't be trained with others; None if they can.

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
    """Raise a ``ValueError`` for what writes to files or the like, which all fits would share.

    Parameters
    ----------
    last : BaseMultiTask
        Estimator with its callbacks and checkpoint.
    """
    if last.checkpoint is not None:
        raise ValueError(
            "`checkpoint` must be that of the estimator of a search, which is one for all candidates. Found "
            f"{shown(last.checkpoint)} among the parameters of a candidate."
        )
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
        Fitted estimator.
    fold : Fold
        Rows to score.
    scoring : Scoring
        Gives the sample weights, where there are any.
    """
    weight = scoring.params_for(fold, "test").get("sample_weight")
    # The scores of the search warn of all that there is to warn of.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            X, y = fold.to_score("test", estimator)
            found, X = innermost(estimator, X)
            return found.score_tasks(X, y, weight)
        except Exception:
            return None
