"""Rows to train on and to test on, and what the trials on them share."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.scikit_learn_private import params_of_rows, take_rows
from sklearn_mtl.estimators.stages import CachedStages
from sklearn_mtl.features import FeatureEncoder, SharedRows
from sklearn_mtl.recipes import fingerprint

# What an estimator's ``fit`` was called with.
Call = tuple[tuple[Any, ...], dict[str, Any]]
Part = Literal["train", "test"]


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
    stages : CachedStages
        What the fits to the training rows have in common.
    """

    X: Any
    y: Any
    fit_params: dict[str, Any]
    train: np.ndarray
    test: np.ndarray
    stages: CachedStages = field(default_factory=CachedStages)
    _labels: dict[Part, Any] = field(default_factory=dict)
    _shared: dict[tuple[int, Part], tuple[FeatureEncoder, SharedRows]] = field(default_factory=dict)
    _reached: dict[Any, tuple[Any, Call]] = field(default_factory=dict)

    def to_send(self) -> Fold:
        """Return this without what trials have made, for another process."""
        return Fold(self.X, self.y, self.fit_params, self.train, self.test)

    def rows(self, part: Part) -> np.ndarray:
        """Return which rows are in a part."""
        return self.train if part == "train" else self.test

    @cached_property
    def training(self) -> Call:
        """What ``fit`` is called with."""
        rows = [take_rows(part, self.train) for part in (self.X, self.y) if part is not None]
        return tuple(rows), params_of_rows(self.X, self.fit_params, self.train)

    def shared(self, encoder: FeatureEncoder, part: Part) -> SharedRows:
        """Return the rows of a part that all estimators with one encoder are asked about.

        Each encoder has rows of its own: a transformer of the user's may write to them.

        Parameters
        ----------
        encoder : FeatureEncoder
            The encoder, the very object.
        part : {"train", "test"}
            Which rows.
        """
        key = (id(encoder), part)
        if key not in self._shared:
            # An id is that of one object only as long as the object lives.
            self._shared[key] = encoder, SharedRows(take_rows(self.X, self.rows(part)))
        return self._shared[key][1]

    def asked(self, part: Part, estimator: Any) -> tuple[Any, Any]:
        """Return X and y that a fitted estimator is to be asked about.

        Parameters
        ----------
        part : {"train", "test"}
            Which rows.
        estimator : object
            Fitted to this fold.
        """
        rows = self.rows(part)
        if self.y is not None and part not in self._labels:
            self._labels[part] = take_rows(self.y, rows)
        if isinstance(estimator, BaseMultiTask):
            X = self.shared(estimator._fitted.encoder, part).X
        else:
            # The steps of a Pipeline may write to what they are given.
            X = take_rows(self.X, rows)
        return X, self._labels.get(part)

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
            recorder = Recorder(last)
            fitted = with_last(estimator, recorder)
            args, kwargs = self.training
            fitted.fit(*args, **kwargs)
            self._reached[key] = fitted, recorder.call
        fitted, call = self._reached[key]
        return with_last(fitted, last), call


class Recorder(BaseEstimator):
    """Stands for the last step of a Pipeline, and keeps what its ``fit`` is called with.

    Parameters
    ----------
    last : BaseMultiTask
        The step, whose metadata it asks for.
    """

    call: Call

    def __init__(self, last: Any) -> None:
        self.last = last

    def fit(self, *args: Any, **kwargs: Any) -> Self:
        """Keep what is given."""
        self.call = args, kwargs
        return self

    def get_metadata_routing(self) -> Any:
        """Return what metadata the step asks for."""
        return self.last.get_metadata_routing()


class FailedFit(BaseEstimator):
    """Raises in ``fit`` what the fit that it stands for has raised.

    Parameters
    ----------
    error : Exception
        What is raised.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error

    def fit(self, *_args: Any, **_kwargs: Any) -> Self:
        """Raise the error."""
        raise self.error


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
