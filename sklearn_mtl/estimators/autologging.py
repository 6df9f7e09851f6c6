"""Fits that ``mlflow.sklearn.autolog`` logs, as it logs those of scikit-learn's own estimators.

It replaces the methods of scikit-learn's own classes, and has no way to name further classes. What it puts in
the place of a method that these classes inherit does its work for any estimator: around the method
`OutlierMixin.fit_predict`, which is ``self.fit(X).predict(X)``, it logs what ``self`` is. A fit of ours goes
through that, so what is logged, and all that the user has set, is mlflow's own affair.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
# The estimator that mlflow is about to let fit in this thread, and its fit.
_AWAITED: ContextVar[tuple[Any, Callable[[], Any]] | None] = ContextVar("_AWAITED", default=None)


def autologged(fit: F) -> F:
    """Return a method ``fit`` of an estimator or a search that mlflow logs where the user has told it to.

    Parameters
    ----------
    fit : callable
        The method; its arguments by position are X, y and no other than ``sample_weight``.
    """

    @wraps(fit)
    def logged(self: Any, *args: Any, **kwargs: Any) -> Any:
        awaited = _AWAITED.get()
        if awaited is not None and awaited[0] is self:
            return _Done(awaited[1]())
        replaced = _replaced_by_mlflow()
        given = {**dict(zip(("X", "y", "sample_weight"), args, strict=False)), **kwargs}
        if replaced is None or "X" not in given:
            return fit(self, *args, **kwargs)
        return _through(replaced, self, partial(fit, self, *args, **kwargs), given)

    return cast(F, logged)


class _Done:
    """Stands for a fitted estimator where this is asked to predict, for which there is no need."""

    def __init__(self, fitted: Any) -> None:
        self._fitted = fitted

    def predict(self, X: Any) -> Any:
        """Return the fitted estimator."""
        return self._fitted


def _replaced_by_mlflow() -> Callable[..., Any] | None:
    """Return what mlflow has put in the place of an inherited ``fit_predict``; None where it has not."""
    if "mlflow.sklearn" not in sys.modules:
        return None
    from sklearn.covariance import EllipticEnvelope

    return vars(EllipticEnvelope).get("fit_predict")


def _through(
    replaced: Callable[..., Any], estimator: Any, fit: Callable[[], Any], given: dict[str, Any]
) -> Any:
    """Fit through mlflow, in which this estimator's ``fit`` is then called, once."""

    def run() -> Any:
        # What fits within this fit are others', even if it were the same estimator.
        _AWAITED.set(None)
        return fit()

    token = _AWAITED.set((estimator, run))
    try:
        return replaced(estimator, given.pop("X"), **given)
    finally:
        _AWAITED.reset(token)
