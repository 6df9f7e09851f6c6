"""What all rows of y tell about the tasks, for estimators that are fitted to some of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.pipeline import Pipeline

from sklearn_mtl.estimators.scikit_learn_private import BaseSearchCV
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.targets import Column, MultiTaskTarget, read_targets
from sklearn_mtl.tasks import TaskKind


@dataclass(frozen=True, eq=False)
class AllTargets:
    """All rows of y, where an estimator is fitted to the rows of a fold.

    Parameters
    ----------
    y : object
        Labels as the user gave them; they are read only where a multi-task estimator is fitted to them.
    """

    y: Any
    _kinds: dict[tuple[type, tuple[str, ...]], Mapping[str, TaskKind]] = field(default_factory=dict)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Labels by task."""
        return read_targets(self.y).columns

    def splitter(self, cv: Any, estimator: Any) -> BaseCrossValidator:
        """Return the splitter that ``cv`` stands for, where a number of folds may mean stratified ones.

        Folds are stratified where ``GridSearchCV`` stratifies them: for a classifier and one column of
        classes. For a ``MultiTaskTarget``, several columns, and a column with missing labels the splitter is
        a ``KFold``; scikit-learn would make one array of all labels to find out.

        Parameters
        ----------
        cv : int, splitter, iterable or None
            What the user gave, as scikit-learn takes it.
        estimator : object
            The estimator to be fitted; left as it is.
        """
        return check_cv(cv, self.y, classifier=is_classifier(estimator) and self._is_one_column)

    @property
    def _is_one_column(self) -> bool:
        """Whether y is an array of one dimension, or of one column without missing labels."""
        if isinstance(self.y, MultiTaskTarget):
            return False
        y = self.y if hasattr(self.y, "shape") else np.asarray(self.y, dtype=object)
        columns = y.shape[1:]
        if columns != (1,):
            return not columns
        return not any(column.missing.any() for column in self.columns.values())

    def prepare(self, estimator: Any, fold: str) -> None:
        """Tell a clone that will be fitted to a fold what the labels of the fold do not show.

        The kind of each task that ``tasks`` does not name is inferred from all rows, once, as a part of the
        labels may look like another kind. A task without a label in the training rows of the fold is left
        out of its fit, unless it has no label in any row.

        Parameters
        ----------
        estimator : object
            A clone: a multi-task estimator, or a Pipeline or a search around one. Any other is left as it
            is, and so is one that is fitted already, such as a frozen one.
        fold : str
            Name of the fold, for messages.
        """
        found = _within(estimator)
        if found is None:
            return
        self._name_kinds(found)
        if not any(column.missing.all() for column in self.columns.values()):
            found._for_fold(fold)

    @contextmanager
    def naming_kinds(self, estimator: Any) -> Iterator[None]:
        """Let ``tasks`` of an estimator name every kind while the estimator is fitted to all rows."""
        found = _within(estimator)
        before = None if found is None else found.tasks
        if found is not None:
            self._name_kinds(found)
        try:
            yield
        finally:
            if found is not None:
                found.tasks = before

    def _name_kinds(self, estimator: TaskEstimator) -> None:
        given = estimator.tasks or {}
        if not isinstance(given, Mapping):
            return
        unnamed = tuple(name for name in self.columns if name not in given)
        key = (type(estimator), unnamed)
        if key not in self._kinds:
            self._kinds[key] = estimator._kind_rule.infer({name: self.columns[name] for name in unnamed})
        estimator.tasks = {**given, **self._kinds[key]}


def _within(estimator: Any) -> TaskEstimator | None:
    """Return the multi-task estimator that will be fitted to the same y, as far as that is known."""
    while isinstance(estimator, Pipeline | BaseSearchCV):
        estimator = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator.estimator
    return estimator if isinstance(estimator, TaskEstimator) and not hasattr(estimator, "_fitted") else None
