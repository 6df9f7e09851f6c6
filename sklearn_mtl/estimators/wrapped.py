"""The multi-task estimator within a Pipeline, a search, or another estimator around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.state import FittedState

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


def innermost(estimator: Any, X: Any = None) -> tuple[BaseMultiTask, Any]:
    """Return the multi-task estimator within, and the X that it sees.

    Parameters
    ----------
    estimator : object
        A multi-task estimator, or a Pipeline that ends in one, or what holds one as
        ``best_estimator_``, ``estimator_`` or ``estimator``.
    X : object, optional
        Features; a Pipeline's steps before the last transform them.

    Returns
    -------
    estimator : BaseMultiTask
    X : object

    Raises
    ------
    TypeError
        If there is none.
    """
    found = estimator
    # Of the estimators' bases the one that a view of a task can import.
    while not isinstance(found, FittedState):
        if isinstance(found, Pipeline):
            before = found[:-1]
            X = X if X is None or len(before) == 0 else before.transform(X)
            found = found[-1]
            continue
        names = [name for name in ("best_estimator_", "estimator_", "estimator") if hasattr(found, name)]
        # A calibration of a frozen estimator predicts other probabilities than that.
        if not names or (names == ["estimator"] and _has_learnt(found)):
            raise TypeError(
                "`estimator` must be a multi-task estimator of sklearn_mtl, or a Pipeline, a search or "
                f"another estimator around one. Found {type(estimator).__name__}."
            )
        found = getattr(found, names[0])
    return cast("BaseMultiTask", found), X


def _has_learnt(wrapper: Any) -> bool:
    """Whether a wrapper has something fitted of its own, and so predicts by more than its parameter."""
    return any(name.endswith("_") and not name.startswith("_") for name in vars(wrapper))
