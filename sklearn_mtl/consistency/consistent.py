"""An estimator whose predictions of all tasks obey rules between them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_mtl.consistency.bound_rules import BoundRules
from sklearn_mtl.consistency.decided import DecidedClass, DecidedNumber
from sklearn_mtl.consistency.decision import Decision, broken_rules, decide, nearest_probabilities
from sklearn_mtl.consistency.rules import Rule
from sklearn_mtl.ensemble.base import is_frozen
from sklearn_mtl.ensemble.members import fit_arguments
from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.fitted import FittedEstimator
from sklearn_mtl.estimators.meta_estimator import MetaEstimator
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, read_targets
from sklearn_mtl.tasks.log_odds import log_of


class Consistent(MetaEstimator):
    """Predicts for all tasks of a row what is most probable among what obeys the rules between them.

    An estimator predicts each task for itself, and may say that a flat has a garden of its own, or that a
    part is more than the whole. Where a row breaks a rule, it gets the most probable joint prediction that
    breaks none; all other rows stay as they are.

    Parameters
    ----------
    estimator : estimator
        A multi-task estimator, or a Pipeline or search around one, which `fit` fits; in a
        ``FrozenEstimator``, one that is fitted already.
    rules : sequence of Rule
        What holds: `Implies`, `AtMost`, `Sum`, `ProbabilityAtMost`, or rules of one's own.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    variances_ : dict of str to float
        For each regression that rules are about, the mean squared error over rows that were held out.
    tasks_, classes_, n_features_in_, feature_names_in_
        Those of the estimator.

    Notes
    -----
    Tasks are taken to be independent but for the rules, given X. The joint prediction of classes is then the
    allowed assignment of the largest product of probabilities, found among all of them, or by an integer
    programme where there are more than 20,000. The numbers of regressions are those that keep the rules at
    the least Σ (x_t - x̂_t)² / v_t: v_t is the predicted variance with ``loss="gaussian_nll"``, or else that
    in ``variances_``: of the rows that nets have held out, or, where there are none, as with a frozen
    estimator, of the rows that ``fit`` is given. Probabilities are the nearest that keep the rules about
    them, and come first; rules about classes change predictions, and no probabilities.

    With class weights, ``predict`` of the estimator goes by other probabilities than ``predict_proba``; where
    a row breaks a rule, the latter decide.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.consistency import AtMost, Consistent, Implies
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3))
    >>> is_house = X[:, 0] + rng.normal(size=300) > 0
    >>> Y = {
    ...     "type": np.where(is_house, "house", "flat"),
    ...     "garden": is_house | (X[:, 1] > 0),
    ...     "living_area": 80 + 10 * X[:, 2],
    ...     "area": 82 + 10 * X[:, 2] + rng.uniform(size=300),
    ... }
    >>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=5, random_state=0)
    >>> rules = [Implies(("type", "house"), ("garden", True)), AtMost("living_area", "area")]
    >>> est = Consistent(network, rules).fit(X, Y)
    >>> found = est.predict(X)
    >>> bool((found["living_area"] <= found["area"]).all())
    True
    >>> bool(found["garden"][found["type"] == "house"].all())
    True
    >>> est.broken(X).shape, est.changed(X).columns.tolist()
    ((300, 2), ['type', 'garden', 'living_area', 'area'])
    """

    variances_: dict[str, float]
    _bound: BoundRules

    def __init__(self, estimator: Any, rules: Sequence[Rule]) -> None:
        self.estimator = estimator
        self.rules = rules

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the estimator, and find how far its numbers are off.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows.
        y : mapping, DataFrame or array-like
            Labels by task, as the estimator takes them.
        sample_weight, groups : optional
            As the estimator takes them.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a rule is none, or names a task that y does not have; or if it names a class that there is not,
            or rules contradict each other, which is found before training too, but for estimators within a
            Pipeline, a search or another estimator.
        """
        rules = self._rules()
        columns = read_targets(y).columns
        self._check_tasks(rules, list(columns))
        estimator = clone(self.estimator)
        self._check_rules(rules, estimator, columns)
        innermost(estimator)[0]._for_fold(self._fold)
        estimator.fit(X, y, **fit_arguments(estimator, {"sample_weight": sample_weight, "groups": groups}))
        within, inner = innermost(estimator, X)
        bound = BoundRules.of(self._learned(rules, within), within.tasks_)
        seen_anew = not is_frozen(estimator)
        variances = {
            name: _variance(within, inner, columns[name], seen_anew) for name in bound.names["numbers"]
        }
        self.__dict__ = {**self.__dict__, "_bound": bound, "estimator_": estimator, "variances_": variances}
        return self

    def changed(self, X: Any) -> pd.DataFrame:
        """Return which predictions are others than those of the estimator.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        DataFrame of bool
            Rows × the tasks that rules are about. ``changed(X).mean()`` is the share by task, and
            ``changed(X).any(axis=1).mean()`` that of rows.
        """
        decision, index = self._as_of_now()._decided(X)
        return pd.DataFrame(decision.changed, index=_every_row(decision.responses, index))

    def broken(self, X: Any) -> pd.DataFrame:
        """Return which rules the predictions of the estimator itself break.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        DataFrame of bool
            Rows × rules, each column named as the rule is written.
        """
        now = self._as_of_now()
        responses, index = now._before(X)
        broken = broken_rules(now._bound, now._within.tasks_, responses)
        every = _every_row(responses, index)
        columns = [repr(rule) for rule, _ in now._bound.constraints]
        by_rule = np.array(broken, dtype=bool).reshape(len(broken), len(every))
        return pd.DataFrame(by_rule.T, index=every, columns=columns)

    @property
    def tasks_(self) -> dict[str, Any]:  # type: ignore[override]
        """What was decided about each task."""
        found, names = dict(self._within.tasks_), self._bound.names
        of_probabilities = set(names["probabilities"])
        for name in [*names["classes"], *names["probabilities"]]:
            found[name] = DecidedClass(self._within.tasks_[name], name in of_probabilities)
        for name in names["numbers"]:
            found[name] = DecidedNumber(found[name])
        return found

    def _responses(self, X: Any) -> tuple[Mapping[str, np.ndarray], Any]:
        decision, index = self._decided(X)
        return decision.responses, index

    def _log_responses(self, X: Any) -> Mapping[str, np.ndarray]:
        found = dict(super()._log_responses(X))
        if self._bound.probabilities:
            nearest = nearest_probabilities(self._bound, self._within.tasks_, self._before(X)[0])
            found |= {name: log_of(of_task)[:, None] for name, of_task in nearest.items()}
        return found

    def _before(self, X: Any) -> tuple[Mapping[str, np.ndarray], Any]:
        """Return what the estimator itself responds, and the index of X."""
        return super()._responses(X)

    def _decided(self, X: Any) -> tuple[Decision, Any]:
        responses, index = self._before(X)
        return decide(self._bound, self._within.tasks_, responses, self.variances_), index

    def _rules(self) -> list[Rule]:
        """Return the rules; a ``TypeError`` unless each is one."""
        is_list = isinstance(self.rules, Sequence) and not isinstance(self.rules, str)
        if not is_list or not all(isinstance(rule, Rule) for rule in self.rules):
            raise TypeError(
                "`rules` of Consistent must be a list of rules, such as Implies(('type', 'house'), "
                f"('garden', True)). Found {shown(self.rules)}."
            )
        return list(self.rules)

    @staticmethod
    def _check_tasks(rules: Sequence[Rule], names: Sequence[str]) -> None:
        for rule in rules:
            unknown = [name for name in rule.names if name not in names]
            if unknown:
                raise ValueError(
                    f"`rules` of Consistent must be about tasks of y, {shown(list(names))}. Found "
                    f"{shown(unknown)} in {shown(rule)}."
                )

    def _check_rules(self, rules: Sequence[Rule], estimator: Any, columns: Mapping[str, Column]) -> None:
        """Bind the rules to the tasks of the labels, where these are known before training."""
        if not isinstance(estimator, BaseMultiTask) or self._fold is not None:
            return
        names = dict.fromkeys(name for rule in rules for name in rule.names)
        with warnings.catch_warnings():
            # The fit warns of what it guesses.
            warnings.simplefilter("ignore")
            kinds = estimator._fit_parameters().kinds_of(columns)
            tasks = {name: kinds[name].bind(columns[name], np.ones(len(columns[name]))) for name in names}
        BoundRules.of(rules, tasks)

    @staticmethod
    def _learned(rules: Sequence[Rule], within: Any) -> list[Rule]:
        """Return the rules about tasks that had a label in this fold."""
        left_out = set(within._fitted.left_out)
        return [rule for rule in rules if not left_out & set(rule.names)]

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        super()._of_one_task(name, kinds)
        self.rules = [rule for rule in self._rules() if set(rule.names) == {name}]


def _every_row(responses: Mapping[str, np.ndarray], index: Any) -> Any:
    """Return the index of X, or the numbers of its rows: there may be no column to tell these."""
    return pd.RangeIndex(len(next(iter(responses.values())))) if index is None else index


def _variance(estimator: Any, X: Any, column: Column, seen_anew: bool) -> float:
    """Return the mean squared error of a regression over held-out rows, or over all where there are none.

    Rows that nets have held out are rows of X only where the estimator was fitted to X.
    """
    task = estimator.tasks_[column.name]
    known = column.has_label
    labels = np.zeros(len(column))
    labels[known] = column.values.ravel()[known].astype(np.float64)
    has_nets = seen_anew and isinstance(estimator, FittedEstimator)
    held_out = estimator._held_out_responses(X) if has_nets else ()
    errors = [
        (task.predict(responses[column.name]) - labels[rows])[known[rows]] for rows, responses in held_out
    ]
    if not sum(map(len, errors)):
        errors = [(task.predict(estimator._responses(X)[0][column.name]) - labels)[known]]
    return float(np.mean(np.concatenate(errors) ** 2))
