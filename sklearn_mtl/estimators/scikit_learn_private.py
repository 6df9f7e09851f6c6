"""All private parts of scikit-learn that the package uses, in one place.

Each says what breaks if scikit-learn changes it, and why nothing public will do. `tests/test_architecture.py`
finds private names anywhere else, but for `HOOKS`, which our classes must have under these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import _fit_context
from sklearn.metrics import make_scorer
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_method_params, _check_sample_weight, _num_samples

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for that of scikit-learn 1.9: before it there are no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = [
    "CALLBACKS",
    "HOOKS",
    "BaseComposition",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "best_index",
    "callback_context",
    "check_refit",
    "check_sample_weight",
    "checks_parameters",
    "constraints_of",
    "cv_results",
    "fit_and_score",
    "has_callbacks",
    "metric_arguments",
    "metric_of",
    "n_rows_of",
    "params_of_rows",
    "report_failures",
    "response_method_of",
    "routed_params",
    "scorers_by_name",
    "scores_of",
    "search_scorers",
    "take_rows",
    "with_arguments",
    "with_callbacks",
]

# Names that scikit-learn looks for on objects of ours, and what happens if it looks for others.
HOOKS = {
    "_parameter_constraints": "Wrong types of a search's own parameters are found later, with another error.",
    "_html_repr": "The picture of a fitted estimator in a notebook has no table of its tasks.",
    "_accept_sample_weight": "Scorers of ours are passed no sample weights unless metadata routing is on.",
}

# Rows of anything that scikit-learn can split, and their number: our splits must equal those of its searches.
# scikit-learn's documentation has the first of them, under this name; there is no other.
take_rows = _safe_indexing
n_rows_of = _num_samples
# The checks, and the messages, of scikit-learn's own estimators, to which its estimator checks hold us.
check_sample_weight = _check_sample_weight


def params_of_rows(X: Any, params: dict[str, Any], rows: Any = None) -> dict[str, Any]:
    """Return metadata, what has a value for each row of X cut down to the given rows.

    Which metadata has a value for each row is scikit-learn's rule; with another one `fit` would be given
    sample weights of other rows.
    """
    found: dict[str, Any] = _check_method_params(X, params=params, indices=rows)
    return found


# Callbacks of scikit-learn, from 1.9 on. An estimator that has some has this attribute, and tells them of its
# tasks through a context, to which there is no public way. Were they named otherwise, callbacks would be told
# of nothing, and a stacked search would not leave them to scikit-learn's.
CALLBACKS = "_skl_callbacks"


def has_callbacks(estimator: Any) -> bool:
    """Whether an estimator or a search has callbacks of scikit-learn."""
    return bool(getattr(estimator, CALLBACKS, None))


def callback_context(estimator: Any, max_subtasks: int) -> Any:
    """Begin a fit with callbacks: set them up, and return the context of the outermost task.

    The fit must be decorated by `with_callbacks`, which ends it.
    """
    return estimator._init_callback_context(max_subtasks=max_subtasks)


# Scorers. A scorer made by `make_scorer` does not tell publicly what it was made of. Without that, metrics
# would be given no sample weights, metrics of probabilities would fail where a class is absent from the rows,
# and messages could not say what a task lacks.


def metric_of(scorer: Any) -> Any:
    """Return the function of true and predicted labels within a scorer; None where there is none."""
    return getattr(scorer, "_score_func", None)


def response_method_of(scorer: Any) -> str | Sequence[str]:
    """Return the method of an estimator that a scorer calls, or several: it calls the first that there is.

    A callable that is no scorer of scikit-learn is taken to call ``predict``.
    """
    found: str | Sequence[str] = getattr(scorer, "_response_method", "predict")
    return found


def metric_arguments(scorer: Any) -> Mapping[str, Any]:
    """Return the further arguments that a scorer gives its metric."""
    found: Mapping[str, Any] = scorer._kwargs
    return found


def with_arguments(scorer: Any, **arguments: Any) -> Any:
    """Return a scorer that gives its metric these arguments too."""
    return make_scorer(
        scorer._score_func,
        response_method=scorer._response_method,
        greater_is_better=scorer._sign > 0,
        **{**scorer._kwargs, **arguments},
    )


class BaseComposition(_BaseComposition):
    """An estimator of named parts, as a Pipeline and scikit-learn's votes are; there is no public base.

    Without it, ``get_params`` and ``set_params`` would not reach the parts by their names, and the messages
    about names would be others than scikit-learn's.
    """

    def params_with_parts(self, attribute: str, *, deep: bool) -> dict[str, Any]:
        """Return the parameters; with ``deep``, the parts of an attribute and their parameters too."""
        found: dict[str, Any] = self._get_params(attribute, deep=deep)
        return found

    def set_params_with_parts(self, attribute: str, **params: Any) -> None:
        """Set parameters, parts that an attribute names, and parameters of these."""
        self._set_params(attribute, **params)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise a ``ValueError`` for names that are not unique, are parameters, or hold ``__``."""
        self._validate_names(names)


# Searches. GridSearchCV can be told which candidates to try, but not to train them together: the stacked
# searches have a `fit` of their own, and build it of the parts below, so that `cv_results_`, messages and
# failures are those of GridSearchCV. Were one of them gone, no stacked search would run.

# Checks the types of the constructor's parameters before a `fit`, and again those of the estimator within.
checks_parameters = _fit_context(prefer_skip_nested_validation=False)


def constraints_of(search: type[BaseSearchCV], **more: Any) -> dict[str, Any]:
    """Return the types of a search's parameters and of further ones, for `_parameter_constraints`."""
    return {**search._parameter_constraints, **more}


def search_scorers(search: BaseSearchCV) -> tuple[Any, str]:
    """Return the scorer of one or of several metrics, and the name of the metric that decides."""
    scorer, refit_metric = search._get_scorers()
    return scorer, refit_metric


def scorers_by_name(scorer: Any) -> Any:
    """Return the scorers that a scorer of several metrics holds, by name; any other scorer itself."""
    return scorer._scorers if isinstance(scorer, _MultimetricScorer) else scorer


def routed_params(search: BaseSearchCV, X: Any, params: dict[str, Any]) -> Any:
    """Return what `fit` was given by receiver: ``estimator.fit``, ``splitter.split``, ``scorer.score``."""
    return search._get_routed_params_for_fit(params_of_rows(X, params))


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


def report_failures(results: list[dict[str, Any]], error_score: Any, *, callable_scoring: bool) -> None:
    """Warn of failed fits, or raise if all failed; complete the scores of the failed ones."""
    _warn_or_raise_about_fit_failures(results, error_score)
    # Only the fits that went well tell what a callable returns.
    if callable_scoring:
        _insert_error_scores(results, error_score)


def cv_results(
    search: BaseSearchCV,
    params: Sequence[dict[str, Any]],
    results: list[dict[str, Any]],
    more: dict[str, Any],
) -> dict[str, Any]:
    """Return `cv_results_` of fits, those of one candidate next to each other."""
    found: dict[str, Any] = search._format_results(params, search.n_splits_, results, more)
    return found


def check_refit(search: BaseSearchCV, scores: dict[str, float]) -> None:
    """Raise a ``ValueError`` unless ``refit`` names one of several scores."""
    search._check_refit_for_multimetric(scores)


def best_index(refit: Any, refit_metric: str, results: dict[str, Any]) -> int:
    """Return the row of `cv_results_` that ``refit`` takes for the best, whether a name or a callable."""
    found: int = BaseSearchCV._select_best_index(refit, refit_metric, results)
    return found
