"""Boosting of small joint networks: each learns what all tasks still lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils import Tags, check_array, check_random_state, get_tags
from sklearn.utils.validation import validate_data

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.ensemble.base import ReadTasks, TaskEnsemble, is_frozen
from sklearn_mtl.ensemble.boosted_losses import boosted_loss
from sklearn_mtl.ensemble.members import as_multi_task, multi_task_within
from sklearn_mtl.ensemble.rounds import BoostingPlan, Round, scores_after
from sklearn_mtl.estimators import MultiTaskRegressor
from sklearn_mtl.estimators.held_out import is_splitter
from sklearn_mtl.estimators.kinds import KindRule, KindsFromLabels
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.scikit_learn_private import n_rows_of
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import fingerprint, is_integer, is_number
from sklearn_mtl.trunks import MLP


def small_network() -> MultiTaskRegressor:
    """Return the network that ``estimator=None`` stands for: quickly trained, and of few units."""
    return MultiTaskRegressor(
        trunk=MLP((64,)), n_bags=1, max_epochs=5, early_stopping=False, linear_blend=False, tree_blend=False
    )


class MultiTaskBoosting(TaskEnsemble):
    """Boosts small networks: each learns, for all tasks at once, what the rounds before it still lack.

    The scores of a task begin as a constant. In each round one model of several regressions is fitted to the
    negative gradient of every task's loss: to residuals of numbers, and to what probabilities lack. A share
    of its predictions, ``learning_rate``, is added to the scores (Friedman 2001, "Greedy Function
    Approximation: A Gradient Boosting Machine"; with networks Badirli et al. 2020, "Gradient Boosting Neural
    Networks: GrowNet"). A task whose held-out loss has stopped falling gets no more rounds; the others go on.

    Parameters
    ----------
    estimator : estimator, default=None
        What is fitted in each round, to regressions only. None is a small `MultiTaskRegressor`: one hidden
        layer of 64 units, 5 epochs, no early stopping. An estimator of several tasks learns them jointly; a
        regressor of scikit-learn is cloned for each column of residuals.
    n_estimators : int, default=100
        The largest number of rounds.
    learning_rate : float, default=0.3
        The share of each model that is added.
    early_stopping : bool, default=True
        Whether rows are held out, by which each task stops; its best number of rounds is kept. A task that
        has no label in these rows gets as many rounds as the task that needs most, with a warning.
    validation_fraction : float or splitter, default=0.1
        Which rows are held out, as in `MultiTaskClassifierRegressor`.
    patience : int, default=10
        After how many rounds in a row without a lower held-out loss a task stops.
    tasks : mapping of str to str or task object, default=None
        The kind of each task, as in `MultiTaskClassifierRegressor`; tasks it omits are inferred from their
        labels. The loss is the squared error or the log-loss, of an ordinal task that of its classes; kinds
        with other losses or class weights are refused.
    random_state : int, RandomState or None, default=None
        Seed for all that draws random numbers and has no seed of its own.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted model of each round that some task needs; its tasks are those that had not stopped.
    n_estimators_ : dict of str to int
        The number of rounds of each task.
    history_ : DataFrame of float64
        By round and task ``train_loss``, ``valid_loss`` and ``step``, the factor of the predictions, NaN
        after a task has stopped. The losses are the log-loss, and half of the squared error in standard
        deviations.
    tasks_ : dict of str to Task
        The tasks, as in `MultiTaskClassifierRegressor`.
    classes_ : dict, list or ndarray
        Classes by task, in the container of y.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.

    See Also
    --------
    MultiTaskStacking : Models that learn from predictions instead of residuals.

    Notes
    -----
    With scores F, labels y and probabilities p, a round is fitted to ``y - F`` of a regression, ``y - p`` of
    labels and of two classes, and ``1[y = k] - p_k`` of each of more classes; the constants are the mean, the
    log-odds and the logarithms of the shares. A step is 1 for numbers (Friedman 2001, algorithm 2), and one
    Newton step along the predictions otherwise, on the rows that are learned from, one for the whole task and
    not one for each leaf, since networks have none. GrowNet's features of the model before, its second-order
    targets and its corrective training of all models are not used.

    Residuals of a missing label are missing, too, so that rows with some labels take part in every round.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_mtl.ensemble import MultiTaskBoosting
    >>> X, disease = load_diabetes(return_X_y=True)
    >>> Y = {"disease": disease, "severe": disease > 150}
    >>> est = MultiTaskBoosting(n_estimators=5, learning_rate=0.5, random_state=0).fit(X, Y)
    >>> est.score_tasks(X, Y).index.tolist(), max(est.n_estimators_.values()) <= 5
    (['disease', 'severe'], True)
    >>> est.predict_proba(X)["severe"].shape
    (442, 2)
    """

    estimators_: list[Any]
    n_estimators_: dict[str, int]
    records_: list[dict[str, float]]
    constants_: dict[str, np.ndarray]
    steps_: list[dict[str, float]]

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.3,
        early_stopping: bool = True,
        validation_fraction: Any = 0.1,
        patience: int = 10,
        tasks: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tasks = tasks
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit a model in each round.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features, as the model takes them.
        y : mapping, DataFrame or array-like
            Labels by task, as in `MultiTaskClassifierRegressor`; missing ones are left out.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows.
        groups : array-like of shape (n_rows,), optional
            Rows of one group are held out, or learned from, together.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be, or the model takes no sample weights.
        """
        self._check_numbers()
        estimator = self._model()
        rng = check_random_state(self.random_state)
        read = self._read(X, y, sample_weight)
        _check_losses(read)
        reader = BaseEstimator()
        validate_data(reader, read.rows.X, skip_check_array=True)
        train = self._learned_from(read, FitData(read.rows.X, y, groups=groups), rng)
        if self.early_stopping:
            _warn_of_unjudged(read, train)
        patience = int(self.patience if self.early_stopping else self.n_estimators + 1)
        plan = BoostingPlan(estimator, int(self.n_estimators), float(self.learning_rate), patience, rng)
        rounds, tasks, records = plan.boost(read, train, groups)
        self._keep(
            read.fitted,
            reader,
            estimators_=[one.estimator for one in rounds],
            steps_=[one.steps for one in rounds],
            n_estimators_={name: task.best for name, task in tasks.items()},
            constants_={name: task.constant for name, task in tasks.items()},
            records_=records,
        )
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """Losses and steps of every round, by task."""
        now = self._as_of_now()
        columns = [f"{what}_{name}" for name in now.tasks_ for what in ("train_loss", "valid_loss", "step")]
        index = pd.RangeIndex(1, len(now.records_) + 1, name="round")
        return pd.DataFrame(now.records_, columns=columns, index=index, dtype=np.float64)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or parameters of ``estimator`` as ``estimator__parameter``.

        Parameters
        ----------
        **params : object
            Values by name. Where ``estimator`` is None, the network that it stands for is put there before a
            parameter of it is set.

        Returns
        -------
        Self
            The estimator.
        """
        if "estimator" in params:
            self.estimator = params.pop("estimator")
        if self.estimator is None and any(key.startswith("estimator__") for key in params):
            self.estimator = small_network()
        super().set_params(**params)
        return self

    def _votes(self, X: Any) -> dict[str, np.ndarray]:
        if np.ndim(X) == 1 and not hasattr(X, "columns"):
            # scikit-learn raises, and says how to reshape it.
            check_array(X, dtype=None)
        validate_data(self, X, skip_check_array=True, reset=False)
        rounds = [Round(*one) for one in zip(self.estimators_, self.steps_, strict=True)]
        scores = scores_after(rounds, self.n_estimators_, self.constants_, X, n_rows_of(X))
        return {name: boosted_loss(task).votes(scores[name]) for name, task in self.tasks_.items()}

    @property
    def _kind_rule(self) -> KindRule:  # type: ignore[override]
        return KindsFromLabels()

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        self.tasks = {**kinds, **{of: kind for of, kind in (self.tasks or {}).items() if of == name}}
        within = multi_task_within(self.estimator)
        if within is not None:
            within._of_one_task(name, {})

    def _model(self) -> Any:
        """Return the multi-task estimator of a round; a ``ValueError`` unless it learns numbers anew."""
        given = small_network() if self.estimator is None else self.estimator
        if isinstance(given, type) or not hasattr(given, "fit") or is_classifier(given) or is_frozen(given):
            raise ValueError(
                "`estimator` must be None, or an estimator that can be fitted to regressions. Found "
                f"{shown(given)}."
            )
        # A fitted one is cloned, so that what it was fitted to counts for nothing.
        found = clone(as_multi_task("estimator", given))
        within = multi_task_within(found)
        if within is not None and within.tasks:
            raise ValueError(
                "`estimator` must leave `tasks` to MultiTaskBoosting, as what it learns are regressions. "
                f"Found {shown(within.tasks)}."
            )
        return found

    def _learned_from(self, read: ReadTasks, data: FitData, rng: np.random.RandomState) -> np.ndarray:
        """Return which of the labelled rows are learned from."""
        train = np.ones(len(read.rows), dtype=bool)
        if self.early_stopping:
            # Rows are counted, and some containers of features have no length.
            rows = replace(read.rows, X=np.empty((n_rows_of(read.rows.X), 0)))
            seed = int(rng.randint(np.iinfo(np.int32).max))
            how: Any = {"validation_fraction": self.validation_fraction, "n_nets": 1, "seed": seed}
            (split,) = Stages().split(rows, read.asked, data, **how)
            train[split.validation] = False
        return train

    def _check_numbers(self) -> None:
        for name, least in (("n_estimators", 1), ("patience", 1)):
            value = getattr(self, name)
            if not is_integer(value) or value < least:
                raise ValueError(
                    f"`{name}` must be a whole number of at least {least}. Found {shown(value)}."
                )
        rate, share = self.learning_rate, self.validation_fraction
        if not is_number(rate) or rate <= 0:
            raise ValueError(f"`learning_rate` must be a positive number. Found {shown(rate)}.")
        if not isinstance(self.early_stopping, bool | np.bool_):
            raise ValueError(f"`early_stopping` must be True or False. Found {shown(self.early_stopping)}.")
        if not is_splitter(share) and not (is_number(share) and 0 < share < 1):
            raise ValueError(
                "`validation_fraction` must be a number between 0 and 1, or a splitter. Found "
                f"{shown(share)}."
            )

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator: what the model of a round takes."""
        tags = super().__sklearn_tags__()
        given = small_network() if self.estimator is None else self.estimator
        # What is no estimator has no tags, and is refused by `fit`.
        if hasattr(given, "__sklearn_tags__") and not isinstance(given, type):
            tags.input_tags.allow_nan = get_tags(given).input_tags.allow_nan
            tags.input_tags.sparse = get_tags(given).input_tags.sparse
        return tags


def _warn_of_unjudged(read: ReadTasks, train: np.ndarray) -> None:
    """Warn of tasks without held-out labels, by which they would stop."""
    unjudged = read.rows.take(np.flatnonzero(~train)).unlabelled()
    if unjudged:
        are_all = len(unjudged) == len(read.rows.columns)
        rounds = "all `n_estimators` rounds" if are_all else "as many rounds as the task that needs most"
        warn_caller(
            "`validation_fraction` of MultiTaskBoosting should hold out labels of every task. Found none of "
            f"the tasks {shown(unjudged)}, which get {rounds}."
        )


def _check_losses(read: ReadTasks) -> None:
    for name, kind in read.asked.items():
        if fingerprint(kind) != fingerprint(read.fitted.kinds[name]):
            raise ValueError(
                "`tasks` of MultiTaskBoosting must hold kinds with the squared error or the log-loss, "
                f"without class weights or transforms. Found {shown(kind)} for {shown(name)}."
            )
