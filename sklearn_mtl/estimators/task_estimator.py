"""What every estimator of several tasks is to views, scores and searches: something that answers by task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.kinds import KindRule, SeenLabels
from sklearn_mtl.targets import Layout
from sklearn_mtl.tasks import TaskKind, TaskSet


class FittedTasks(Protocol):
    """What a fit leaves behind, as far as views, scores and predictions know it."""

    @property
    def tasks(self) -> TaskSet:
        """The tasks."""

    @property
    def layout(self) -> Layout:
        """The container that y came in."""

    @property
    def kinds(self) -> Mapping[str, TaskKind]:
        """The kind of each task."""

    @property
    def left_out(self) -> Sequence[str]:
        """Tasks of y that had no label in the rows of this fold."""

    @property
    def all_tasks(self) -> list[str]:
        """The names of the tasks, and then of those that were left out."""

    @property
    def seen(self) -> Mapping[str, SeenLabels]:
        """Labels of the tasks whose kind was inferred, and might be another with more labels."""


class TaskEstimator(BaseEstimator):
    """Answers for rows by task, once it is fitted.

    Views of tasks, scores, and what looks into a Pipeline or a search know no more of an estimator than this.
    """

    tasks: Mapping[str, Any] | None
    _fitted: Any
    # Any: some kinds of task have more methods than `Task`.
    tasks_: dict[str, Any]
    # Decides on the kinds of the tasks that ``tasks`` does not name; each estimator has its own.
    _kind_rule: ClassVar[KindRule]
    # The fold that it will be fitted to; see `_for_fold`.
    _fold: str | None = None

    @abstractmethod
    def score_tasks(self, X: Any, y: Any, sample_weight: Any = None, *, metrics: Any = None) -> pd.Series:
        """Return the score of each task."""

    @abstractmethod
    def _responses(self, X: Any) -> tuple[Mapping[str, np.ndarray], Any]:
        """Return the averaged responses of each task, and the index of X where it has one."""

    @abstractmethod
    def _log_responses(self, X: Any) -> Mapping[str, np.ndarray]:
        """Return the logarithms of the responses, for tasks whose responses are probabilities."""

    @abstractmethod
    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        """Set the parameters such that ``fit`` takes a y of one of the tasks only.

        Parameters
        ----------
        name : str
            The task.
        kinds : mapping of str to str
            Its kind, where ``tasks`` need not name it; otherwise empty.
        """

    def _for_fold(self, fold: str | None) -> None:
        """Let later fits leave out tasks that have no label in a fold, while they have some in other rows.

        This is no parameter, since parameters are the user's, and no argument of ``fit``, which a Pipeline
        around the estimator would not pass on.

        Parameters
        ----------
        fold : str or None
            The fold of a search, as messages name it; None for none.
        """
        self._fold = fold

    def _as_of_now(self) -> Self:
        """Return what this estimator is now, to answer from; a ``NotFittedError`` where that is unfitted.

        A method that answers asks this first: should a fit end in another thread meanwhile, all that the
        answer is made of is still that of one fit.
        """
        if not hasattr(self, "_fitted"):
            check_is_fitted(self, "_fitted")
        now = object.__new__(type(self))
        # No copy: a fit gives the estimator another dict, and leaves this one alone.
        now.__dict__ = self.__dict__
        return now

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_fitted")
