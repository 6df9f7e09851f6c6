"""A search over task weights that trains one network for all of them: Pareto manifold learning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.fitting import train_together
from sklearn_mtl.estimators.pareto_manifold import ManifoldFit
from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV, constraints_of
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold, with_last
from sklearn_mtl.model_selection.search.preferences import Preference, read_preference, read_preferences
from sklearn_mtl.model_selection.search.results import SearchResults
from sklearn_mtl.model_selection.search.runner import TrialRunner
from sklearn_mtl.model_selection.search.stacked_search import StackedSearch
from sklearn_mtl.model_selection.search.trials import Trial, last_step, why_left_to_scikit_learn
from sklearn_mtl.recipes import is_number

FEWEST_TASKS, MOST_TASKS = 2, 4


class ManifoldSearchCV(StackedSearch):
    """A search over task weights by one fit for each fold, however many weightings there are.

    By Pareto manifold learning [1]_ the weights of a network are a point of a simplex that has a corner for
    each task. All corners are trained together: at each step a preference, which is such a point, is drawn
    from the uniform distribution, the step is made with the network there, and the losses are weighted by
    the same preference. After the training every preference has a network. The one that is best on the test
    parts of the folds says which weights to take. A step costs little more than that of one network. For the
    choice alone a `StackedGridSearchCV` is better, if slower; what this has besides is the whole trade-off.

    Parameters
    ----------
    estimator : estimator object
        A multi-task estimator, or a Pipeline that ends in one.
    preferences : int, list of mapping, DataFrame, or array-like of shape (n_preferences, n_tasks), default=16
        How much each task counts: points of the simplex, by the names of the tasks or in their order. Only
        ratios matter. A number, which must be greater than that of the tasks, stands for at most so many
        points, on the finest even grid inside the simplex that has room, the one of equal numbers first. The
        user's ``task_weights`` are multiplied by a
        preference times the number of tasks; a task of weight 0 has no part in it.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in `StackedGridSearchCV`.

    Attributes
    ----------
    cv_results_ : dict
        As in ``GridSearchCV``, with a row for each preference, whose parameters are the task weights that it
        comes to. The fit time of a row is its share of that of the one fit.
    preferences_ : DataFrame of shape (n_preferences, n_tasks)
        The preferences, in the order of the rows.
    task_results_, pareto_front_ : DataFrame
        As in `StackedGridSearchCV`, with a row for each preference.
    best_estimator_ : estimator object
        The estimator with `best_params_`, fitted to all rows as ``GridSearchCV`` fits it: by itself a network
        is better than it is as a point of the simplex.
    interrupted_ : bool
        As in `StackedGridSearchCV`.
    best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_, multimetric_, classes_, \
n_features_in_, feature_names_in_
        As in ``GridSearchCV``.

    Raises
    ------
    ValueError
        If y does not have two to four tasks of positive weight, or ``preferences`` is not what it must be.
    TypeError
        If the estimator is no multi-task estimator, or no Pipeline that ends in one.

    See Also
    --------
    StackedGridSearchCV : Trains a network for each weighting.

    Notes
    -----
    Held-out rows tell when to stop by the mean loss at a few points of the simplex. The networks at the
    preferences are calibrated, and blended with models beside them, each on its own. A search
    that is pickled has the encoded training rows in it, which `at` needs.

    References
    ----------
    .. [1] N. Dimitriadis, P. Frossard and F. Fleuret, "Pareto Manifold Learning: Tackling multiple tasks via
       ensembles of single-task models", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.model_selection import ManifoldSearchCV
    >>> X = np.random.default_rng(0).normal(size=(90, 3))
    >>> Y = {"price": X.sum(axis=1), "type": np.where(X[:, 0] > 0, "flat", "house")}
    >>> settings = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "random_state": 0}
    >>> est = MultiTaskClassifierRegressor(max_epochs=3, **settings)
    >>> search = ManifoldSearchCV(est, 3, cv=3).fit(X, Y)
    >>> search.preferences_["price"].tolist()
    [0.5, 0.25, 0.75]
    >>> search.cv_results_["params"][1]
    {'task_weights__price': 0.5, 'task_weights__type': 1.5}
    >>> search.at({"price": 0.9, "type": 0.1}).predict(X)["type"][:2]
    array([...], dtype='<U5')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = constraints_of(
        BaseSearchCV, preferences="no_validation"
    )
    # There is no stack.
    max_members = None
    # The fit to all rows, at all preferences.
    _manifold: Trial

    def __init__(
        self,
        estimator: Any,
        preferences: Any = 16,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.preferences = preferences

    def at(self, preference: Any) -> Any:
        """Return the estimator at any preference, all of one fit to all rows, which the first call trains.

        Parameters
        ----------
        preference : mapping of str to float, Series, or array-like of shape (n_tasks,)
            Non-negative numbers by task, of which only the ratios count; a row of ``preferences_``, say. Task
            weights by the names of parameters as well, as in ``best_params_`` and ``cv_results_["params"]``.

        Returns
        -------
        estimator
            Fitted, with the task weights that the preference comes to.

        Raises
        ------
        NotFittedError
            Before ``fit``, or if it was without ``refit``.
        ValueError
            If the preference is not what it must be.
        """
        if not hasattr(self, "_manifold"):
            raise NotFittedError("This ManifoldSearchCV is not fitted to all rows. Call `fit`, with `refit`.")
        found = read_preference(self._by_task(preference), list(self.preferences_))
        fit = self._manifold.fit
        assert fit is not None
        if not fit.outcomes:
            ((_, fit),) = train_together([fit])
            self._manifold = self._manifold.with_fit(fit)
        trial = self._at(self._manifold, found)
        error = trial.error if trial.fit is None else trial.fit.error
        if error is not None:
            raise error
        return trial.fitted()

    def _candidates(self) -> Iterable[dict[str, Any]]:
        """Return the one candidate that is trained."""
        return [{}]

    def _search(self, runner: TrialRunner, results: SearchResults) -> None:
        """Train the net of each fold at all preferences, and score it at each."""
        reason = why_left_to_scikit_learn(last_step(runner.estimator))
        if reason is not None:
            raise TypeError(
                "`estimator` must be a multi-task estimator of sklearn_mtl, or a Pipeline that ends in one, "
                f"for its weights to be a manifold. Found: {reason}."
            )
        self._set_preferences(last_step(runner.estimator), list(runner.targets.columns))
        preferences = self.preferences_.to_dict("records")
        candidates = [self._params_at(preference) for preference in preferences]
        trials = [_at_all_preferences(trial) for trial in runner.plan(list(self._candidates()))]
        added = results.add(candidates)
        for fold, trained in runner.trained(trials):
            share = _share(trained, len(candidates))
            for found, preference in zip(added, preferences, strict=True):
                found[fold] = self._at(share, preference).scored(runner.scoring)
        self._report_failures(added)

    def _set_preferences(self, last: BaseMultiTask, names: Sequence[str]) -> None:
        weights = dict(zip(names, last._fit_parameters().weights_of(names), strict=True))
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        if not FEWEST_TASKS <= len(self._weights) <= MOST_TASKS:
            raise ValueError(
                f"`y` must have two to four tasks of positive weight for a ManifoldSearchCV. Found "
                f"{len(self._weights)}: {shown(list(self._weights))}. A StackedGridSearchCV over "
                "`task_weights` takes any number."
            )
        found = read_preferences(self.preferences, list(self._weights))
        self.preferences_ = pd.DataFrame(found, columns=list(self._weights))

    def _params_at(self, preference: Preference) -> dict[str, float]:
        """Return the parameters of the estimator that a preference comes to."""
        prefix, estimator = "", self.estimator
        while isinstance(estimator, Pipeline):
            name, estimator = estimator.steps[-1]
            prefix += f"{name}__"
        return {f"{prefix}{name}": weight for name, weight in self._weights_at(preference).items()}

    def _by_task(self, given: Any) -> Any:
        """Return a preference for the task weights that one comes to, and anything else as it is."""
        of_one = self._params_at(dict.fromkeys(self._weights, 1.0))
        if not isinstance(given, Mapping) or set(given) != set(of_one):
            return given
        return {
            name: given[key] / weight if is_number(given[key]) else given[key]
            for name, (key, weight) in zip(self._weights, of_one.items(), strict=True)
        }

    def _weights_at(self, preference: Preference) -> dict[str, float]:
        """Return the task weights that a preference comes to, as parameters of the multi-task estimator."""
        return {
            f"task_weights__{name}": weight * preference[name] * len(self._weights)
            for name, weight in self._weights.items()
        }

    def _at(self, trained: Trial, preference: Preference) -> Trial:
        """Return the ordinary trained trial at a preference of one that is trained at all."""
        if not isinstance(trained.fit, ManifoldFit):
            return trained
        last = copy(last_step(trained.estimator)).set_params(**self._weights_at(preference))
        start = time.perf_counter()
        try:
            fit = trained.fit.at(preference)
        # A fold may have labels of none of the tasks that count.
        except ValueError as error:
            return replace(trained, fit=None, error=error)
        seconds = trained.seconds + time.perf_counter() - start
        return replace(trained, estimator=with_last(trained.estimator, last), fit=fit, seconds=seconds)

    def _set_results(self, results: SearchResults, refit_metric: str) -> None:
        super()._set_results(results, refit_metric)
        del self.stacked_
        self.__dict__.pop("_manifold", None)

    def _refit(self, X: Any, y: Any, fit_params: dict[str, Any], targets: AllTargets) -> None:
        """Fit the best to all rows, and plan the fit at all preferences, which the first `at` trains."""
        super()._refit(X, y, fit_params, targets)
        every = np.arange(len(next(iter(targets.columns.values()))))
        estimator = clone(self.estimator)
        # The folder of a checkpoint has the best fit.
        last_step(estimator).set_params(checkpoint=None)
        with targets.naming_kinds(estimator):
            trial = _at_all_preferences(Trial(Fold(X, y, fit_params, every, every[:0]), estimator).ready())
        if trial.fit is None:
            raise trial.error or RuntimeError("The fit was not planned.")
        # Without the rows as they were given, and with the features of the best: a reader can't be pickled.
        no_rows = Fold(None, None, {}, every[:0], every[:0])
        estimator = with_last(trial.estimator, last_step(self.best_estimator_))
        self._manifold = Trial(no_rows, estimator, replace(trial.fit, reader=None))

    def _fit_by_scikit_learn(self, X: Any, y: Any, params: dict[str, Any]) -> None:
        raise ValueError("A ManifoldSearchCV can't be followed by callbacks of scikit-learn. Found some.")


def _at_all_preferences(trial: Trial) -> Trial:
    return trial if trial.fit is None else trial.with_fit(ManifoldFit.of(trial.fit))


def _share(trained: Trial, n_preferences: int) -> Trial:
    """Return a trained trial with a share of the time that it took."""
    if trained.fit is None:
        return trained
    outcomes = tuple(
        replace(outcome, seconds=outcome.seconds / n_preferences) for outcome in trained.fit.outcomes
    )
    fit = replace(trained.fit, outcomes=outcomes)
    return replace(trained, fit=fit, seconds=trained.seconds / n_preferences)
