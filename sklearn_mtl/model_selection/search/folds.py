"""Rows to train on and to test on, and what the trials on them share."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.once import MadeOnce
from sklearn_mtl.estimators.scikit_learn_private import params_of_rows, take_rows
from sklearn_mtl.features import SharedRows
from sklearn_mtl.recipes import fingerprint

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
        rows = [take_rows(part, self.train) for part in (self.X, self.y) if part is not None]
        return tuple(rows), params_of_rows(self.X, self.fit_params, self.train)

    def asked(self, rows: np.ndarray, estimator: Any) -> tuple[Any, Any]:
        """Return X and y of some rows that a fitted estimator is to be asked about.

        Parameters
        ----------
        rows : ndarray of int
            `train` or `test`.
        estimator : object
            Of this fold. If it is a multi-task estimator itself, the rows are sliced and encoded but once
            for all that share its encoder.
        """
        y = None if self.y is None else self.once(take_rows, self.y, rows)
        if not isinstance(estimator, BaseMultiTask):
            # The steps of a Pipeline may write to what they are given.
            return take_rows(self.X, rows), y
        shared = self.once(_sliced, self.X, rows, estimator._fitted.encoder)
        estimator._shared = [*estimator._shared, shared]
        return shared.X, y

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


def in_place_of_fit(estimator: Any, call: Callable[..., Any]) -> None:
    """Let an estimator's next ``fit`` be a call of something else."""

    def fit(*args: Any, **kwargs: Any) -> Any:
        del estimator.fit
        return call(*args, **kwargs)

    estimator.fit = fit


def _sliced(X: Any, rows: np.ndarray, _encoder: Any) -> SharedRows:
    """Return rows of their own for each encoder: a transformer of the user's may write to them."""
    return SharedRows(take_rows(X, rows))
