"""Self-training: an estimator that labels what it is sure of, task by task, and learns from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.held_out import held_out_groups, held_out_rows, read_groups
from sklearn_mtl.estimators.meta_estimator import MetaEstimator
from sklearn_mtl.estimators.rows import FitData, by_task, read_sample_weight
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.semi_supervised.pseudo_labels import LABELLERS
from sklearn_mtl.semi_supervised.rounds import Learner, Rounds, self_train
from sklearn_mtl.tasks import TaskKind

# Of fewer held-out labels, a score says nothing about whether pseudo-labels help.
FEWEST_HELD_OUT = 5


class SelfTraining(MetaEstimator):
    """Gives missing labels the predictions that its members are sure of, and learns from them as well.

    An estimator is fitted to the labels there are. Cells of y without a label whose prediction is sure get it
    as a pseudo-label, each task by itself, and the estimator is fitted again to both; and so on, as long as
    held-out labels of the task are predicted better than before. That is Yarowsky (1995), "Unsupervised Word
    Sense Disambiguation Rivaling Supervised Methods", and scikit-learn's ``SelfTrainingClassifier``, for
    several tasks of any kind. Rows of X without any label take part.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        The estimator that is fitted. It has several nets or members, such as those of ``TabM``, where a
        regression gets pseudo-labels.
    threshold : float or mapping of str to float, default=0.75
        The least probability of a class, or of what a label of a multilabel task is predicted to be, that is
        sure, for all tasks with classes or by task; a mapping's other tasks have the default.
    max_spread : float or mapping of str to float, default=0.15
        The largest standard deviation of the members' predictions that is sure, in standard deviations of the
        labels, for all regressions or by task.
    max_iter : int, default=3
        Most rounds in which labels are added.
    pseudo_label_weight : float, default=1.0
        What a pseudo-label weighs, where a label weighs 1.
    validation_fraction : float, default=0.2
        Share of the labels of each task with gaps that tell how many rounds help.
    random_state : int, RandomState or None, default=None
        Seed of the held-out labels, and of the estimator where it has none.

    Attributes
    ----------
    estimator_ : estimator
        The estimator as it was fitted to all labels, and to the pseudo-labels of the rounds that helped.
    n_labeled_ : DataFrame of int
        How many cells each round labelled while labels were held out, iterations × tasks.
    held_out_scores_ : DataFrame of float
        Score over the held-out labels, iterations × tasks; iteration 0 is without pseudo-labels.
    n_iter_ : dict of str to int
        By task, the rounds that helped, which are those that the final fit has.
    termination_condition_ : dict of str to str
        By task, why no further round was kept: ``"score_not_better"``, ``"no_change"`` (nothing more was
        sure), ``"all_labeled"`` or ``"max_iter"``.
    labeled_iter_ : DataFrame of int
        For each row of X and task, the round of the final fits that labelled it; 0 where it had a label, -1
        where it has none.
    tasks_, classes_, n_features_in_, feature_names_in_
        Those of the estimator.

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : The same for one task of classes.

    Notes
    -----
    A pseudo-label of a class is soft: it is the predicted distribution, a row for each class that weighs
    what it is probable. That is the cross-entropy with the distribution, or the like of any loss. Classes
    below 0.02 are left out. Multilabel tasks get hard labels, regressions the mean of the members. Tasks of
    other kinds are learned from the labels that they have.

    How many rounds help a task is found first, with some labels of the tasks with gaps held out, which no fit
    has seen: a round is kept if their score is better than ever before. Then the estimator is fitted anew to
    all labels, with so many rounds for each task; where none helps, what comes out is the estimator without
    self-training, to the bit. So there are at most ``2 * max_iter + 2`` fits. What nets hold out for early
    stopping are labels only, and a net learns no pseudo-label of a row that it holds out.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.semi_supervised import SelfTraining
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(150, 4))
    >>> type_ = np.where(X[:, 1] + X[:, 2] > 0, "flat", "house").astype(object)
    >>> type_[60:] = None
    >>> Y = {"price": X[:, 0] + X[:, 1], "type": type_}
    >>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=2, max_epochs=5)
    >>> est = SelfTraining(network, max_iter=1, random_state=0).fit(X, Y)
    >>> est.held_out_scores_.columns.tolist(), sorted(est.predict_proba(X))
    (['type'], ['type'])
    """

    n_labeled_: pd.DataFrame
    held_out_scores_: pd.DataFrame
    n_iter_: dict[str, int]
    termination_condition_: dict[str, str]
    labeled_iter_: pd.DataFrame

    def __init__(
        self,
        estimator: Any,
        *,
        threshold: float | Mapping[str, float] = 0.75,
        max_spread: float | Mapping[str, float] = 0.15,
        max_iter: int = 3,
        pseudo_label_weight: float = 1.0,
        validation_fraction: float = 0.2,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.max_spread = max_spread
        self.max_iter = max_iter
        self.pseudo_label_weight = pseudo_label_weight
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the estimator to labels, and to what it is sure of.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features, also of rows without any label.
        y : mapping, DataFrame or array-like of two dimensions
            Labels by task, as in `MultiTaskClassifierRegressor`; the missing ones may be predicted.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows, also of those without a label.
        groups : array-like of shape (n_rows,), optional
            Labels of one group are held out together, or learned from together.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be; this is found before any training.
        """
        self._check_parameters()
        rng = check_random_state(self.random_state)
        template = self._template(rng)
        data = FitData(X, y, sample_weight, groups=groups)
        learner, kinds = self._learner(template, data)
        unlabelled = _unlabelled(learner, kinds)
        held_out = self._held_out(learner, kinds, list(unlabelled), rng)
        unlabelled = {name: cells for name, cells in unlabelled.items() if name in held_out}
        if self.max_iter:
            learner = replace(learner, by_spread=[name for name in unlabelled if _needs_spread(kinds[name])])
        most = dict.fromkeys(unlabelled, int(self.max_iter))
        judged = self_train(learner, unlabelled, held_out, most) if unlabelled else None
        n_kept = {} if judged is None else judged.n_kept
        final = self_train(learner, unlabelled, {}, n_kept)
        self._keep(final, judged)
        return self

    def _keep(self, final: Rounds, judged: Rounds | None) -> None:
        """Take over what the fits left, in one step."""
        found = final if judged is None else judged
        names = list(found.n_kept)
        iteration = pd.RangeIndex(len(found.n_labelled) + 1, name="iteration")
        n_labelled = pd.DataFrame(found.n_labelled, index=iteration[1:], columns=names)
        self.__dict__ = {
            **self.__dict__,
            "estimator_": final.answers.estimator,
            "n_labeled_": n_labelled.fillna(0).astype(int),
            "held_out_scores_": pd.DataFrame(found.scores, index=iteration, columns=names, dtype=float),
            "n_iter_": found.n_kept,
            "termination_condition_": found.stopped,
            "labeled_iter_": pd.DataFrame(final.labelled_in),
        }

    def _template(self, rng: np.random.RandomState) -> BaseMultiTask:
        """Return a clone of the estimator that has a seed."""
        if not isinstance(self.estimator, BaseMultiTask):
            raise TypeError(
                "`estimator` of SelfTraining must be a MultiTaskClassifierRegressor, MultiTaskClassifier or "
                "MultiTaskRegressor: within a Pipeline or a search, SelfTraining itself goes there. Found "
                f"{shown(self.estimator)}."
            )
        template = clone(self.estimator)
        template._for_fold(self._fold)
        if template.random_state is None:
            template.random_state = int(rng.randint(np.iinfo(np.int32).max))
        elif not is_number(template.random_state):
            # One generator would give each round other held-out rows.
            drawn = check_random_state(template.random_state).randint(np.iinfo(np.int32).max)
            template.random_state = int(drawn)
        return template

    def _learner(self, template: BaseMultiTask, data: FitData) -> tuple[Learner, dict[str, TaskKind]]:
        """Return what fits to the data, which is read once, and the kinds of the tasks that it learns."""
        parameters = template._parameters_for(data)
        stages, accepted = Stages(), AcceptedInput.by(parameters.preprocessing)
        read = stages.read(data.X, data.y, data.sample_weight, owner=parameters.owner, accepted=accepted)
        columns = read.targets.columns
        left_out = stages.left_out(read.rows, fold=parameters.fold)
        learned = {name: column for name, column in columns.items() if name not in left_out}
        kinds = parameters.without(left_out, list(columns)).kinds_of(learned)
        # Pseudo-labels are no evidence of what kind a task is.
        template.tasks = kinds
        n_rows = len(read.rows.X)
        weight = read_sample_weight(data.sample_weight, list(columns), n_rows)
        weight = np.broadcast_to(weight / weight[weight > 0].mean(), (n_rows, len(columns)))
        weight_of_pseudo = float(self.pseudo_label_weight)
        learner = Learner(template, data, read, weight, self._most_uncertain(kinds), weight_of_pseudo)
        return learner, kinds

    def _most_uncertain(self, kinds: Mapping[str, TaskKind]) -> dict[str, float]:
        """Return how uncertain a cell of each task may be that is labelled."""
        of_numbers = {
            name: needs for name, kind in kinds.items() if (needs := _needs_spread(kind)) is not None
        }
        found = {}
        for parameter, default, spread in (("threshold", 0.75, False), ("max_spread", 0.15, True)):
            given = getattr(self, parameter)
            by_name = by_task(parameter, given, list(kinds)) if isinstance(given, Mapping) else {}
            other = [name for name in by_name if of_numbers.get(name) is not spread]
            if other:
                wanted = "regressions" if spread else "tasks with classes"
                raise ValueError(
                    f"`{parameter}` of SelfTraining is for {wanted}. Found the tasks "
                    f"{shown({name: kinds[name].kind for name in other})}."
                )
            for name, needs in of_numbers.items():
                if needs is spread:
                    value = by_name.get(name, default if isinstance(given, Mapping) else given)
                    found[name] = float(value) if spread else 1 - float(value)
        return found

    def _held_out(
        self, learner: Learner, kinds: Mapping[str, TaskKind], names: list[str], rng: np.random.RandomState
    ) -> dict[str, np.ndarray]:
        """Return the rows whose label of a task is held out, by task, but for tasks of too few labels."""
        groups = learner.data.groups
        codes = None if groups is None else read_groups(groups, len(learner.weight))
        found, few = {}, {}
        for name in names:
            column = learner.read.targets.columns[name]
            weight = learner.weight[:, learner.names.index(name)]
            known = np.flatnonzero(column.has_label & (weight > 0))
            if codes is None:
                strata = kinds[name].strata(column.take(known))
                several = strata if strata.max() > 0 else None
                (rows,) = held_out_rows(len(known), self.validation_fraction, 1, several, rng)
            else:
                own = np.unique(codes[known], return_inverse=True)[1]
                (rows,) = held_out_groups(own, self.validation_fraction, 1, rng)
            if len(rows) < FEWEST_HELD_OUT:
                few[name] = len(known)
            else:
                found[name] = known[rows]
        if few:
            warn_caller(
                f"Tasks with few labels, {shown(few)}, get no pseudo-labels: of so many, a share of "
                f"{self.validation_fraction:g} is too few to tell whether they help."
            )
        return found

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        super()._of_one_task(name, kinds)
        for parameter in ("threshold", "max_spread"):
            given = getattr(self, parameter)
            if isinstance(given, Mapping):
                setattr(self, parameter, {of: value for of, value in given.items() if of == name})

    def _check_parameters(self) -> None:
        rules = {
            "threshold": ("a number in [0, 1), or such numbers by task", lambda value: 0 <= value < 1),
            "max_spread": ("a positive number, or such numbers by task", lambda value: value > 0),
            "pseudo_label_weight": ("a positive number", lambda value: value > 0),
            "validation_fraction": ("a number between 0 and 1", lambda value: 0 < value < 1),
            "max_iter": ("a whole number of 0 or more", lambda value: value >= 0 and value == int(value)),
        }
        for parameter, (rule, holds) in rules.items():
            given = getattr(self, parameter)
            by_name = isinstance(given, Mapping) and "by task" in rule
            values = list(given.values()) if by_name else [given]
            if not all(is_number(value) and holds(value) for value in values):
                raise ValueError(f"`{parameter}` of SelfTraining must be {rule}. Found {shown(given)}.")


def _needs_spread(kind: TaskKind) -> bool | None:
    """Whether members that agree make a prediction sure, and not a probability; None for other kinds."""
    labeller = LABELLERS.get(kind.kind)
    return None if labeller is None else labeller.needs_spread


def _unlabelled(learner: Learner, kinds: Mapping[str, TaskKind]) -> dict[str, np.ndarray]:
    """Return the cells without a label, of tasks that have some and can be given pseudo-labels."""
    found = {}
    for name, kind in kinds.items():
        missing = learner.read.targets.columns[name].missing.reshape(len(learner.weight), -1)
        cells = missing & (learner.weight[:, [learner.names.index(name)]] > 0)
        if kind.kind in LABELLERS and cells.any():
            found[name] = cells
    return found
