"""Rows to train on and rows to score, and the work on them that the trials of a search share."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.cached_stages import CachedStages
from sklearn_mtl.estimators.scikit_learn_private import params_of_rows, take_rows
from sklearn_mtl.features import Encoder, SharedRows
from sklearn_mtl.recipes import fingerprint

Part = Literal["train", "test"]


class FitCall(NamedTuple):
    """What the ``fit`` of an estimator is called with: positional arguments, and keywords."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on and rows to score, and the work on them that the trials of a search share.

    Parameters
    ----------
    X, y : object
        All rows.
    fit_params : dict
        What ``fit`` is given besides, for all rows.
    train, test : ndarray of int
        Numbers of the rows to train on and of the rows to score.
    stages : CachedStages
        Stages of a fit, each done once for all fits to the training rows that have it in common.
    """

    X: Any
    y: Any
    fit_params: dict[str, Any]
    train: np.ndarray
    test: np.ndarray
    stages: CachedStages = field(default_factory=CachedStages)
    _labels: dict[Part, Any] = field(default_factory=dict)
    _shared: dict[tuple[int, Part], tuple[Encoder, SharedRows]] = field(default_factory=dict)
    _earlier_steps: dict[Any, tuple[Any, FitCall]] = field(default_factory=dict)

    def to_send(self) -> Fold:
        """Return this fold without the work that is shared, for another process."""
        return Fold(self.X, self.y, self.fit_params, self.train, self.test)

    def without_rows(self) -> Fold:
        """Return this fold without the rows, and without the work on them, for another process."""
        return Fold(None, None, {}, self.train, self.test)

    def rows(self, part: Part) -> np.ndarray:
        """Return the numbers of the rows of a part."""
        return self.train if part == "train" else self.test

    @cached_property
    def fit_call(self) -> FitCall:
        """What ``fit`` is called with."""
        rows = [take_rows(one, self.train) for one in (self.X, self.y) if one is not None]
        return FitCall(tuple(rows), params_of_rows(self.X, self.fit_params, self.train))

    def shared_rows(self, encoder: Encoder, part: Part) -> SharedRows:
        """Return the rows of a part for all estimators with one encoder, which encodes them once.

        Each encoder has rows of its own, as a transformer of the user's may write to them.

        Parameters
        ----------
        encoder : Encoder
            The encoder; another object with equal parameters is another encoder.
        part : {"train", "test"}
            Whether the rows are those to train on or those to score.
        """
        key = (id(encoder), part)
        if key not in self._shared:
            # An id is that of one object only as long as the object lives, so it is kept.
            self._shared[key] = encoder, SharedRows(take_rows(self.X, self.rows(part)))
        return self._shared[key][1]

    def to_score(self, part: Part, estimator: Any) -> tuple[Any, Any]:
        """Return X and y of a part, on which a fitted estimator is to be scored.

        Parameters
        ----------
        part : {"train", "test"}
            Whether the rows are those to train on or those to score.
        estimator : object
            Estimator fitted to this fold.
        """
        rows = self.rows(part)
        if self.y is not None and part not in self._labels:
            self._labels[part] = take_rows(self.y, rows)
        if isinstance(estimator, BaseMultiTask):
            X = self.shared_rows(estimator._fitted.encoder, part).X
        else:
            # The steps of a Pipeline may write to what they are given.
            X = take_rows(self.X, rows)
        return X, self._labels.get(part)

    def fit_earlier_steps(self, estimator: Any, last: BaseMultiTask) -> tuple[Any, FitCall]:
        """Return the estimator with the steps before its last one fitted, and the call of the last one's fit.

        Steps with equal parameters are fitted once.

        Parameters
        ----------
        estimator : object
            A Pipeline, or the last step itself.
        last : BaseMultiTask
            The last step.
        """
        if not isinstance(estimator, Pipeline):
            return last, self.fit_call
        key = (fingerprint(with_last(estimator, None)), str(last.get_metadata_routing()))
        if key not in self._earlier_steps:
            recorder = FitRecorder(last)
            fitted = with_last(estimator, recorder)
            fitted.fit(*self.fit_call.args, **self.fit_call.kwargs)
            self._earlier_steps[key] = fitted, recorder.call
        fitted, call = self._earlier_steps[key]
        return with_last(fitted, last), call


class FitRecorder(BaseEstimator):
    """Stands for the last step of a Pipeline, and keeps what its ``fit`` is called with.

    Parameters
    ----------
    last : BaseMultiTask
        The step that it stands for, whose metadata it asks for.
    """

    call: FitCall

    def __init__(self, last: Any) -> None:
        self.last = last

    def fit(self, *args: Any, **kwargs: Any) -> Self:
        """Keep what is given."""
        self.call = FitCall(args, kwargs)
        return self

    def get_metadata_routing(self) -> Any:
        """Return what metadata the step asks for."""
        return self.last.get_metadata_routing()


class FailedFit(BaseEstimator):
    """Stands for an estimator whose fit has failed: its own ``fit`` raises the same error.

    Parameters
    ----------
    error : Exception
        The error.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error

    def fit(self, *_args: Any, **_kwargs: Any) -> Self:
        """Raise the error."""
        raise self.error


def with_last(estimator: Any, last: Any) -> Any:
    """Return a Pipeline with another last step; for an estimator that is no Pipeline, that step itself.

    Parameters
    ----------
    estimator : object
        A Pipeline, also one that ends in another, or anything else; left as it is.
    last : object
        The new last step.
    """
    if not isinstance(estimator, Pipeline):
        return last
    found = copy(estimator)
    *before, (name, step) = estimator.steps
    found.steps = [*before, (name, with_last(step, last))]
    return found
