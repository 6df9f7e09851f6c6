"""A search over candidates that are drawn at random, trained together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

from sklearn_mtl.estimators.scikit_learn_private import constraints_of
from sklearn_mtl.model_selection.search.stacked_search import CONSTRAINTS, StackedSearch


class StackedRandomizedSearchCV(StackedSearch, RandomizedSearchCV):
    """scikit-learn's ``RandomizedSearchCV``, with the networks of all candidates trained together.

    `StackedGridSearchCV` says what that means.

    Parameters
    ----------
    estimator : estimator object
        As in `StackedGridSearchCV`.
    param_distributions : dict, or list of dict
        Lists to draw from, or distributions of scipy, by the name of the parameter.
    n_iter : int, default=10
        Number of candidates.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score, max_members
        As in `StackedGridSearchCV`.
    random_state : int, RandomState or None, default=None
        Seed of the candidates.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_, task_results_, \
pareto_front_, stacked_, interrupted_
        As in `StackedGridSearchCV`.

    See Also
    --------
    StackedGridSearchCV : Tries every combination.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.stats import loguniform
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import StackedRandomizedSearchCV
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> Y = {"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, random_state=0)
    >>> weights = {"task_weights__type": loguniform(0.1, 10)}
    >>> search = StackedRandomizedSearchCV(est, weights, n_iter=4, cv=3, random_state=0)
    >>> len(search.fit(X, Y).cv_results_["params"])
    4
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = constraints_of(RandomizedSearchCV, **CONSTRAINTS)

    def __init__(
        self,
        estimator: Any,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        max_members: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_members = max_members

    def _candidates(self) -> Iterable[dict[str, Any]]:
        found: Iterable[dict[str, Any]] = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        return found
