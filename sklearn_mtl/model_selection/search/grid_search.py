"""A search over every combination of a grid, trained together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_mtl.estimators.scikit_learn_private import constraints_of
from sklearn_mtl.model_selection.search.stacked_search import CONSTRAINTS, StackedSearch


class StackedGridSearchCV(StackedSearch, GridSearchCV):
    """scikit-learn's ``GridSearchCV``, with the networks of all candidates and folds trained together.

    Every candidate is fitted on every fold as ``GridSearchCV`` would fit it: to the same rows, with the same
    held-out rows, seeds and initial weights. Networks of one structure are trained as one stack, and the
    work before training is done once for each fold: the steps of a Pipeline before the estimator, the
    estimator's own preprocessing, and the encoding of the rows. Networks that can't be stacked are trained
    alone; `stacked_` says why.

    Parameters
    ----------
    estimator : estimator object
        A multi-task estimator, or a Pipeline that ends in one. Any other estimator is searched as
        ``GridSearchCV`` searches it.
    param_grid : dict, or list of dict
        Values to try by the name of the parameter.
    scoring : str, callable, list, tuple or dict, default=None
        As in ``GridSearchCV``; None stands for ``score`` of the estimator.
    n_jobs : int, default=None
        Number of processes, or of workers of joblib's backend. Of several, each trains a part of the
        candidates and folds, as stacks where it can; the part of one that is lost is done again.
    refit : bool, str or callable, default=True
        As in ``GridSearchCV``.
    cv : int, splitter or iterable, default=None
        As in ``GridSearchCV``. A number stands for so many folds in the order of the rows; they are
        stratified for a classifier whose y is one column without missing labels, and for no other.
    verbose : int, default=0
        Above 0, a bar shows candidates and folds, how many networks are done, how many are still in training
        and their epoch; where there is neither a terminal nor a notebook, lines do.
    pre_dispatch : int or str, default="2*n_jobs"
        As in ``GridSearchCV``.
    error_score : "raise" or float, default=nan
        Score of a failed fit; "raise" raises its error.
    return_train_score : bool, default=False
        Whether training rows are scored too.
    max_members : int, default=None
        Largest number of networks in one stack; None leaves it to the memory there is.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in ``GridSearchCV``. The fit time of a candidate is its share of the time of its stack.
    task_results_ : DataFrame
        A row for each candidate, as in ``cv_results_``: its parameters in ``param_…``, and the mean and
        standard deviation over the folds of every task's score in ``mean_test_…`` and ``std_test_…``. The
        scores are those of ``score_tasks``, whatever ``scoring`` is, and ``attrs["metrics"]`` names the
        metric of each task. It is not set where the estimator is no multi-task estimator.
    pareto_front_ : DataFrame
        The rows of `task_results_` for which no other row is at least as good on every task and better on
        one. Means that differ in their last digits only are equal.
    stacked_ : DataFrame
        A row for each candidate: ``candidate``, ``params``, ``n_nets``, whether all its networks were
        ``stacked``, and the ``reason`` if not.
    interrupted_ : bool
        Whether Ctrl-C has ended the search that the results are of: these are then of the candidates that
        were done on every fold, and there is no ``best_estimator_``.

    See Also
    --------
    StackedRandomizedSearchCV : Draws the candidates at random.
    StackedHalvingGridSearchCV : Drops the worse candidates while they train.

    Notes
    -----
    Where a step or the estimator has ``random_state=None``, scikit-learn draws a seed for every fit. Here the
    steps before the estimator are nevertheless fitted once for each fold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import StackedGridSearchCV
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> Y = {"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")}
    >>> settings = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "random_state": 0}
    >>> est = MultiTaskClassifierRegressor(max_epochs=3, **settings)
    >>> search = StackedGridSearchCV(est, {"task_weights__type": [0.3, 1.0], "lr": [0.003, 0.01]}, cv=3)
    >>> search.fit(X, Y).best_params_
    {'lr': 0.003, 'task_weights__type': 1.0}
    >>> search.stacked_["n_nets"].tolist()
    [3, 3, 3, 3]
    >>> search.predict(X)["type"][:2]
    array([...], dtype='<U5')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = constraints_of(GridSearchCV, **CONSTRAINTS)

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        max_members: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_members = max_members

    def _candidates(self) -> Iterable[dict[str, Any]]:
        found: Iterable[dict[str, Any]] = ParameterGrid(self.param_grid)
        return found
