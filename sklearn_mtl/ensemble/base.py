"""What estimators have in common that predict with several models: rows read, kinds told, answers by task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import ClassifierTags, Tags, indexable

from sklearn_mtl.ensemble.votes import kinds_of_votes, votes_on
from sklearn_mtl.estimators.kinds import KindRule, SeenLabels, seen_labels
from sklearn_mtl.estimators.label_warnings import warn_of_other_order
from sklearn_mtl.estimators.predictions import PredictsByTask
from sklearn_mtl.estimators.row_index import index_of
from sklearn_mtl.estimators.rows import Rows, by_task, read_sample_weight
from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV, n_rows_of, take_rows
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.estimators.task_scores import ScoresByTask
from sklearn_mtl.estimators.task_view import ViewedByTask
from sklearn_mtl.features import splittable_inputs
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.splitting.splitter import splittable
from sklearn_mtl.recipes import resolve
from sklearn_mtl.targets import Layout, read_targets
from sklearn_mtl.tasks import KINDS, TaskKind, TaskSet

# What a fit sets beside its own attributes.
FEATURES = ("n_features_in_", "feature_names_in_")


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """The tasks of an ensemble, as scores, views and predictions ask for them.

    Parameters
    ----------
    tasks : TaskSet
        The tasks that are voted on.
    layout : Layout
        The container that y came in.
    kinds : mapping of str to TaskKind
        The kind of each task.
    left_out : sequence of str
        Tasks of y that had no label in the rows of this fold.
    seen : mapping of str to SeenLabels
        Labels of the tasks whose kind was inferred.
    """

    tasks: TaskSet
    layout: Layout
    kinds: Mapping[str, TaskKind]
    left_out: Sequence[str]
    seen: Mapping[str, SeenLabels]

    @property
    def all_tasks(self) -> list[str]:
        """The names of the tasks, and then of those that were left out."""
        return [*self.tasks.names, *self.left_out]

    @property
    def by_name(self) -> dict[str, Any]:
        """The tasks by name."""
        return {task.name: task for task in self.tasks}

    def only(self, names: Sequence[str]) -> FittedEnsemble:
        """Return this with some of the tasks only.

        Parameters
        ----------
        names : sequence of str
            The tasks to keep.
        """
        tasks = TaskSet(tuple(task for task in self.tasks if task.name in names))
        return replace(self, tasks=tasks)


@dataclass(frozen=True, eq=False)
class ReadTasks:
    """What ``fit`` was given, read.

    Parameters
    ----------
    rows : Rows
        The rows that have a label.
    asked : mapping of str to TaskKind
        The kind of each task as it was given or inferred.
    fitted : FittedEnsemble
        The tasks that are voted on.
    """

    rows: Rows
    asked: Mapping[str, TaskKind]
    fitted: FittedEnsemble

    def only(self, rows: np.ndarray) -> ReadTasks:
        """Return what was read, of some rows.

        Parameters
        ----------
        rows : ndarray of int
            Where the rows are in X, sorted.
        """
        return replace(self, rows=self.rows.take(self.position(rows)))

    def position(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions of rows of X among the rows that have a label."""
        return rows if self.rows.index is None else np.searchsorted(self.rows.index, rows)


def as_rows(X: Any) -> Any:
    """Return X, or an array of it where it can't be indexed by rows.

    Parameters
    ----------
    X : object
        Features as the user gave them.
    """
    (found,) = indexable(splittable_inputs(X))
    return found


def rows_of(values: Any, rows: np.ndarray) -> Any:
    """Return some rows of labels, weights or groups, in their container.

    Parameters
    ----------
    values : object
        One value for each row of X, or several by name.
    rows : ndarray of int
        Where the rows are.
    """
    (found,) = indexable(splittable(values))
    return take_rows(found, rows)


def last_within(estimator: Any, *, searches: bool = True) -> tuple[str, Any]:
    """Return the estimator that Pipelines and searches fit last, and the prefix of its arguments of ``fit``.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    searches : bool, default=True
        Whether to look into searches as well, which pass on all arguments but ``groups``.
    """
    prefix = ""
    while True:
        if isinstance(estimator, Pipeline):
            prefix += f"{estimator.steps[-1][0]}__"
            estimator = estimator.steps[-1][1]
        elif searches and isinstance(estimator, BaseSearchCV):
            estimator = estimator.estimator
        else:
            return prefix, estimator


def is_frozen(estimator: Any) -> bool:
    """Whether an estimator is not fitted anew, be it within a Pipeline or a search.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    """
    return isinstance(last_within(estimator)[1], FrozenEstimator)


def resolved_kinds(tasks: Any, names: Sequence[str]) -> dict[str, TaskKind]:
    """Return the kinds that a parameter ``tasks`` names.

    Parameters
    ----------
    tasks : mapping or None
        The parameter.
    names : sequence of str
        All tasks of y.
    """
    asked = by_task("tasks", tasks, names)
    return {name: resolve(KINDS, kind, f" for task {shown(name)}") for name, kind in asked.items()}


class TaskEnsemble(PredictsByTask, ScoresByTask, ViewedByTask):
    """Predicts with several models, whose votes are one array by task; not to be used itself."""

    _fitted: FittedEnsemble

    @property
    @abstractmethod
    def _kind_rule(self) -> KindRule:  # type: ignore[override]
        """What decides on the kinds of the tasks that no parameter names: what the models are for."""

    @abstractmethod
    def _votes(self, X: Any) -> dict[str, np.ndarray]:
        """Return the votes on each task, shape (n_rows, n_votes)."""

    def predict(self, X: Any) -> Any:
        """Predict all tasks.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget, DataFrame or ndarray
            The container that y was given in; regression as float64, labels in their own dtype.
        """
        now = self._as_of_now()
        responses, index = now._responses(X)
        predictions = {name: task.predict(responses[name]) for name, task in now.tasks_.items()}
        return now._fitted.layout.restore(predictions, index=index)

    def _responses(self, X: Any) -> tuple[dict[str, np.ndarray], Any]:
        X = as_rows(X)
        index = index_of(X)
        votes = self._votes(X)
        return {name: votes_on(task).response(task, votes[name]) for name, task in self.tasks_.items()}, index

    def _log_responses(self, X: Any) -> dict[str, np.ndarray]:
        responses, _ = self._responses(X)
        return {name: votes_on(task).log_response(responses[name]) for name, task in self.tasks_.items()}

    def _read(self, X: Any, y: Any, sample_weight: Any) -> ReadTasks:
        """Read labels and weights, and tell what kind each task is; X is left as it is."""
        X = as_rows(X)
        warn_of_other_order(X, {"y": y, "sample_weight": sample_weight})
        targets = read_targets(y, n_rows=n_rows_of(X))
        names = list(targets.columns)
        weight = read_sample_weight(sample_weight, names, n_rows_of(X))
        every = Rows(X, targets.columns, weight, sample_weight is not None)
        left_out = Stages().left_out(every.labelled(), fold=self._fold)
        columns = {name: column for name, column in targets.columns.items() if name not in left_out}
        named = {name: kind for name, kind in self._named_kinds(names).items() if name in columns}
        inferred = [name for name in columns if name not in named]
        asked = named | self._kind_rule.infer({name: columns[name] for name in inferred})
        asked = {name: asked[name] for name in columns}
        kinds = kinds_of_votes(type(self).__name__, asked)
        rows = every.without(names=left_out).labelled()
        # The vote has a loss of its own: what the given kinds hold is checked here.
        Stages().bind(rows, kinds=asked, classes={}, calibrate=True)
        tasks = Stages().bind(rows, kinds=kinds, classes={}, calibrate=True)
        seen = seen_labels(rows, names=inferred)
        fitted = FittedEnsemble(tasks, targets.layout, kinds, left_out, seen)
        return ReadTasks(rows, asked, fitted)

    def _named_kinds(self, names: Sequence[str]) -> dict[str, TaskKind]:
        """Return the kinds that parameters name; those of other tasks are told from labels."""
        return resolved_kinds(self.tasks, names)

    def _keep(self, fitted: FittedEnsemble, reader: Any, **attributes: Any) -> None:
        """Take over what a fit left, in one step: whatever fails before it, or looks on, sees all or nothing.

        Parameters
        ----------
        fitted : FittedEnsemble
            The tasks.
        reader : object
            Has the number and names of the features, where these are known.
        **attributes : object
            What else the fit has made.
        """
        made = {*FEATURES, "classes_", *attributes}
        kept = {name: value for name, value in self.__dict__.items() if name not in made}
        features = {name: getattr(reader, name) for name in FEATURES if hasattr(reader, name)}
        tasks = fitted.by_name
        classes = {name: task.classes for name, task in tasks.items() if task.has_classes}
        more = {"classes_": fitted.layout.restore_classes(classes)} if classes else {}
        self.__dict__ = {**kept, **features, **more, "_fitted": fitted, "tasks_": tasks, **attributes}

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        # Without a type, yet with predict_proba: scikit-learn looks here for what it may expect of it.
        tags.classifier_tags = ClassifierTags()
        return tags
