"""The weighted mean of several multi-task estimators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_mtl.ensemble.composition import MemberEnsemble
from sklearn_mtl.ensemble.learning import learned_weights, tied_tasks, unseen_votes
from sklearn_mtl.ensemble.member_fits import MemberFits, votes_of
from sklearn_mtl.ensemble.members import Member, as_given, check_fitted_anew, members_of, seed_members
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.ensemble.weights import given_weights
from sklearn_mtl.estimators.wrapped import innermost


class MultiTaskVoting(MemberEnsemble):
    """The weighted mean of several models' predictions, task by task.

    Members are multi-task estimators, such as networks, and single-task models of scikit-learn, which are
    fitted to each task on the rows that have its label. As in scikit-learn's ``VotingRegressor`` and
    ``VotingClassifier`` with ``voting="soft"``, the mean is that of predicted numbers, or of probabilities.

    Parameters
    ----------
    estimators : list of (str, estimator), default=None
        Names and members; None is ``[("network", "network"), ("trees", "trees")]``. A member is

        - an estimator of several tasks: one of this package, or a Pipeline or search around one;
        - a regressor or classifier of scikit-learn where all tasks are of its type, a pair of both, or a
          `PerTask` with preprocessing of its own;
        - ``"network"``: `MultiTaskClassifierRegressor` with its defaults; ``"trees"``: gradient boosting on
          the columns as they are; ``"linear"``: ridge and logistic regression, their penalty chosen in
          cross-validation, on the columns that networks take;
        - ``"drop"``: no member.
    weights : "learned", None, sequence, mapping or DataFrame, default="learned"
        ``"learned"`` finds for each task the weights of the least squared error, or log-loss, on rows that
        the members have not seen; see the notes. None gives all members the same weight. Numbers, in the
        order of the members or by name, hold for all tasks; a mapping or a DataFrame (tasks × members, as
        ``weights_``) has them by task, and a task it omits has equal ones. Those of a task are divided by
        their sum.
    tasks : mapping of str to str or task object, default=None
        The kind of each task for all members, as in `MultiTaskClassifierRegressor`. Tasks it omits are of
        the kind that ``tasks`` of a member says, or else inferred from their labels. Survival has no votes.
    n_jobs : int, default=None
        Number of single-task models that are fitted at the same time, as in joblib.
    random_state : int, RandomState or None, default=None
        Seed for all that draws random numbers and has no seed of its own.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted members, without those that are dropped.
    named_estimators_ : Bunch
        The same by name.
    weights_ : DataFrame of float64
        Weight of each member for each task, tasks × members; those of a task have a sum of 1.
    tasks_ : dict of str to Task
        The tasks, as in `MultiTaskClassifierRegressor`.
    classes_ : dict, list or ndarray
        Classes by task, in the container of y.
    n_features_in_ : int
        Number of features, where a member knows it.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.

    See Also
    --------
    PerTask : Single-task models of scikit-learn as one estimator of all tasks.

    Notes
    -----
    A class is predicted by the largest mean probability, and a grade by its median. Losses and class weights
    of ``tasks`` shape what members predict, but take no part in the mean.

    Learned weights go by the rows that the nets of the first network hold out for early stopping: each is
    predicted by the nets that have not learned from it, and by the other members, fitted anew without it. Up
    to a quarter of the rows are left out of such a fit at once, so that two nets take one of each other
    member. Where no network holds rows out, or only one within a Pipeline or search, whose other parts may
    have seen their labels, all members are cross-fitted in five folds. Tasks with fewer than
    200 labels in these rows share the weights of their least mean loss, and so do a conditional task and its
    condition where all members are networks with `Cascade` that tie them; a weight below 0.05 becomes 0 where
    that raises the loss by a thousandth at most, and single-task models are not fitted to a task for which
    they have none.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.ensemble import MultiTaskVoting
    >>> X, disease = load_diabetes(return_X_y=True)
    >>> Y = {"disease": disease, "severe": disease > 150}
    >>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=5)
    >>> est = MultiTaskVoting([("network", network), ("linear", "linear")], weights=[1, 3], random_state=0)
    >>> est.fit(X, Y).weights_
             network  linear
    disease     0.25    0.75
    severe      0.25    0.75
    >>> est.predict(X)["severe"].dtype
    dtype('bool')
    >>> est.set_params(linear="drop").fit(X, Y).estimators_
    [MultiTaskClassifierRegressor(...)]
    """

    weights_by_task_: dict[str, dict[str, float]]

    def __init__(
        self,
        estimators: list[Member] | None = None,
        *,
        weights: Any = "learned",
        tasks: Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.tasks = tasks
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit all members.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features, as all members take them.
        y : mapping, DataFrame or array-like
            Labels by task, as in `MultiTaskClassifierRegressor`.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows.
        groups : array-like of shape (n_rows,), optional
            Rows of one group are held out together, or learned from together, by networks.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be, or a member takes no sample weights.
        """
        every = [name for name, _ in as_given(self.estimators)]
        self.check_names(every)
        members = members_of(self.estimators)
        rng = check_random_state(self.random_state)
        seed_members(members, rng)
        read = self._read(X, y, sample_weight)
        names = [name for name, _ in members]
        weights = given_weights(self.weights, read.fitted.tasks.names, every, names)
        if weights is None:
            check_fitted_anew(
                members,
                "`weights` must be given, or None, where a member is frozen: 'learned' needs rows that no "
                "member has seen",
            )
        arguments = {"sample_weight": sample_weight, "groups": groups}
        fits = MemberFits(read, y, arguments, self._fold, self.n_jobs)
        # Single-task models last: learned weights tell which of them are needed.
        for _, member in members:
            if not isinstance(member, PerTask):
                fits.fit(member, read.fitted.tasks.names)
        if weights is None:
            weights = learned_weights(read, names, unseen_votes(fits, members, rng), tied_tasks(members))
        for name, member in members:
            if isinstance(member, PerTask):
                fits.fit(member, weights.index[weights[name] > 0].tolist())
        estimators = [member for _, member in members]
        reader = next((one for one in estimators if hasattr(one, "n_features_in_")), None)
        self._keep(
            read.fitted,
            reader,
            estimators_=estimators,
            named_estimators_=Bunch(**dict(members)),
            # Plain values: skops keeps no frames.
            weights_by_task_={task: row.to_dict() for task, row in weights.iterrows()},
        )
        return self

    @property
    def weights_(self) -> pd.DataFrame:
        """Weight of each member for each task, tasks × members."""
        by_task = self._as_of_now().weights_by_task_
        return pd.DataFrame.from_dict(by_task, orient="index", columns=list(self.named_estimators_))

    def _votes(self, X: Any) -> dict[str, np.ndarray]:
        found: dict[str, Any] = dict.fromkeys(self.tasks_, 0.0)
        for name, member in self.named_estimators_.items():
            weights = {task: weight for task, weight in self.weights_[name].items() if weight > 0}
            if weights:
                within, inner = innermost(member, X)
                votes = votes_of(self.tasks_, within.tasks_, within._responses(inner)[0])
                found |= {task: found[task] + weight * votes[task] for task, weight in weights.items()}
        return found

    def _spell_out(self, asked: Collection[str]) -> None:
        """Leave the parameters as they are: none of them has short forms."""

    def _keep_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        weights = self.weights
        if isinstance(weights, pd.DataFrame):
            self.weights = weights.loc[weights.index == name]
        elif isinstance(weights, Mapping) and name in weights:
            self.weights = {name: weights[name]}
