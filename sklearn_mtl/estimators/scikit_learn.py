"""All that the stacked searches use of scikit-learn's own search and is not public, in one place."""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils.validation import _check_method_params

__all__ = [
    "BaseSearchCV",
    "_MultimetricScorer",
    "_fit_context",
    "fit_and_score",
    "has_callbacks",
    "of_rows",
    "report_failures",
    "scores_of",
]


def fit_and_score(estimator: Any, X: Any, y: Any, **settings: Any) -> dict[str, Any]:
    """Return what scikit-learn's search keeps of one fit: its scores, its times, its error."""
    found: dict[str, Any] = _fit_and_score(
        estimator, X, y, return_n_test_samples=True, return_times=True, return_parameters=False, **settings
    )
    return found


def scores_of(
    estimator: Any, X: Any, y: Any, scorer: Any, params: dict[str, Any], error_score: Any
) -> dict[str, float] | float:
    """Return the scores of a fitted estimator; what a scorer raises is warned of, or raised if asked."""
    found: dict[str, float] | float = _score(estimator, X, y, scorer, params, error_score)
    return found


def of_rows(X: Any, params: dict[str, Any], rows: Any = None) -> dict[str, Any]:
    """Return metadata, what has a value for each row of X cut down to the given rows."""
    found: dict[str, Any] = _check_method_params(X, params=params, indices=rows)
    return found


def report_failures(results: list[dict[str, Any]], error_score: Any, *, callable_scoring: bool) -> None:
    """Warn of failed fits, or raise if all failed; complete the scores of the failed ones."""
    _warn_or_raise_about_fit_failures(results, error_score)
    # Only the fits that went well tell what a callable returns.
    if callable_scoring:
        _insert_error_scores(results, error_score)


def has_callbacks(search: BaseSearchCV) -> bool:
    """Whether the search has callbacks of scikit-learn, which only its own ``fit`` calls."""
    return bool(getattr(search, "_skl_callbacks", None))
