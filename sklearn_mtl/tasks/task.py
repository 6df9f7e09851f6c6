"""The two extension points: what a user asks of a task, and what it is once its labels were seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, pack_dtype, unpack_dtype
from sklearn_mtl.tasks.log_odds import log_odds, log_of
from sklearn_mtl.tasks.losses.row_loss import RowLoss


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """A task whose labels were seen: how labels become numbers, and numbers predictions.

    A kind of one's own must define `encode`, `decode` and `score`. What else it has, it is asked: it has
    probabilities if it defines ``predict_proba(response)``, classes if it defines ``classes``, intervals if
    it defines ``interval(response, coverage)``, survival curves if it defines ``survival(response, times)``.

    The rest are hooks with a default: `predict_log_proba` and `decision_function` (by ``predict_proba``),
    `n_label_columns` (any number), `check_shape` (by that), `check_response` (by that),
    `position_axes` (0), `cell_weight` (1),
    `decode_all` (task by task), `calibrated_by`,
    `widened_by`, `adjusted_to` (the task), `as_log_odds` (None), `unknown` and `unknown_labels` (none are),
    `matched` (the labels as they are), `metric` (that of the loss), `only_class` (none), `labels_in_words`
    and `has_interval`.

    Parameters
    ----------
    name : str
        The task.
    loss : RowLoss
        Loss of one labelled cell.
    n_columns : int
        Number of target columns: 1, or the number of labels or outputs of a two-dimensional target.
    two_dimensional : bool
        Whether the labels were given as a two-dimensional array.
    dtype : object
        The dtype of the labels as they were given, which predictions have too.
    """

    name: str
    loss: RowLoss
    n_columns: int
    two_dimensional: bool
    dtype: Any

    kind: ClassVar[str]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling, the dtype in words."""
        return {**self.__dict__, "dtype": pack_dtype(self.dtype, f"task {self.name!r}")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state over."""
        self.__dict__.update(state, dtype=unpack_dtype(state["dtype"]))

    @property
    def width(self) -> int:
        """Raw outputs of the network for this task."""
        return self.n_columns * self.loss.width

    @property
    def position_axes(self) -> int:
        """Over how many axes a row has a label for each position; 0 where there is one for the row."""
        return 0

    @property
    def head_width(self) -> int:
        """Outputs of the task's head: for each position the same one gives those of all its columns."""
        return self.loss.width if self.position_axes else self.width

    @property
    def constant_outputs(self) -> list[int]:
        """Positions of the raw outputs that are the same for every row: parameters, such as thresholds."""
        width, n_constant = self.loss.width, self.loss.n_constant
        return [
            column * width + place
            for column in range(self.n_columns)
            for place in range(width - n_constant, width)
        ]

    @property
    def has_classes(self) -> bool:
        """Whether the task has ``classes``: an array, or a list of one for each label."""
        return hasattr(self, "classes")

    @property
    def has_probabilities(self) -> bool:
        """Whether the task has ``predict_proba(response)``."""
        return hasattr(self, "predict_proba")

    @property
    def has_interval(self) -> bool:
        """Whether the task has ``interval(response, coverage)``, and its loss gives one."""
        return hasattr(self, "interval")

    @property
    def has_survival(self) -> bool:
        """Whether the task has ``survival(response, times)``."""
        return hasattr(self, "survival")

    @property
    def only_class(self) -> str:
        """The class that all labels are, quoted; empty where there are no classes, or several."""
        return ""

    @property
    def labels_in_words(self) -> str:
        """A description of the labels that were seen, for the table in a notebook."""
        return f"{self.n_columns} columns" if self.two_dimensional else ""

    @abstractmethod
    def encode(self, column: Column) -> np.ndarray:
        """Return the labels as numbers.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_columns)
            NaN where there is no label, or one that was not seen in ``fit``.
        """

    @property
    def n_label_columns(self) -> int | None:
        """Number of columns that labels must have as they are given, 1 for one dimension; None for any."""
        return None

    def check_shape(self, column: Column) -> None:
        """Raise a ``ValueError`` if labels have another number of columns than in ``fit``."""
        shape, expected = column.values.shape, self.n_label_columns
        if expected is not None and (1 if len(shape) == 1 else shape[1]) != expected:
            raise ValueError(
                f"Labels of task {shown(self.name)} must have the shape of those of `fit`, "
                f"{'(n_rows,)' if expected == 1 else f'(n_rows, {expected})'}. Found shape {shape}."
            )

    def check_response(self, column: Column, response: np.ndarray) -> None:
        """Raise a ``ValueError`` if labels can't be compared with the responses of their rows."""
        self.check_shape(column)

    def cell_weight(self, encoded: np.ndarray) -> np.ndarray | float:
        """Return the factor of each encoded cell's weight, such as a class weight; 1.0 for all alike."""
        return 1.0

    @abstractmethod
    def decode(self, decision: np.ndarray) -> Any:
        """Return predictions in the labels' own units and dtype.

        Parameters
        ----------
        decision : ndarray of shape (n_rows, n_columns)
            What the loss makes of the averaged response: a number, or a class code.
        """

    @classmethod
    def decode_all(cls, tasks: Sequence[Self], decision: np.ndarray) -> list[Any]:
        """Return what `decode` gives for each of several tasks of this class and one loss.

        Parameters
        ----------
        tasks : sequence of Task
            The tasks, side by side.
        decision : ndarray of shape (n_rows, columns of all tasks)
            The decisions of all tasks, as `decode` takes them.
        """
        ends = np.cumsum([task.n_columns for task in tasks])
        return [
            task.decode(decision[:, end - task.n_columns : end])
            for task, end in zip(tasks, ends, strict=True)
        ]

    def predict(self, response: np.ndarray) -> Any:
        """Return the predictions for averaged responses, in the labels' own units and dtype.

        Parameters
        ----------
        response : ndarray of float64, shape (n_rows, n_columns, loss.width)
            Averaged over members and networks.
        """
        return self.decode(self._decided(response))

    def _decided(self, response: np.ndarray) -> np.ndarray:
        decision: np.ndarray = self.loss.decision(torch.from_numpy(response)).numpy()
        return decision

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities of a task that has some, finite.

        Parameters
        ----------
        log_response : ndarray of float64, shape (n_rows, n_columns, loss.width or more)
            The logarithms of the averaged response, as ``log_response`` of the loss has them.
        """
        return log_of(self._probabilities_of(log_response))

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds of the classes of a task that has probabilities.

        Parameters
        ----------
        log_response : ndarray of float64, shape (n_rows, n_columns, loss.width or more)
            The same as in `predict_log_proba`.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            As `log_odds` has them; of a task with a list of classes those of each label.
        """
        probabilities = self._probabilities_of(log_response)
        if isinstance(getattr(self, "classes", None), list):
            return log_of(probabilities) - log_of(1 - probabilities)
        return log_odds(log_of(probabilities))

    def _probabilities_of(self, log_response: np.ndarray) -> np.ndarray:
        task: Any = self
        found: np.ndarray = task.predict_proba(np.exp(log_response[..., -self.loss.width :]))
        return found

    def calibrated_by(self, calibrate: bool) -> Task:
        """Return the task for an estimator with ``calibrate=True``, or with ``calibrate=False``.

        Temperatures belong to the network. Here, with ``calibrate=True``, a regression is clipped to the
        range of its labels, and class weights are taken out of the probabilities of a classification.
        """
        return self

    def widened_by(self, column: Column, weight: np.ndarray) -> Task:
        """Return the task with the range of its labels widened by more of them; the rest stays as it is."""
        return self

    def adjusted_to(self, held_out: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Task:
        """Return the task adjusted to held-out rows: their decisions, labels as numbers, and cell weights."""
        return self

    def as_log_odds(self) -> Task | None:
        """Return the task with the log-odds of its second class in the data as raw output; None without."""
        return None

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Return those of the labels, none of them missing, that are none of the task's classes."""
        return labels[:0]

    def unknown_labels(self, column: Column) -> list[Any]:
        """Return the distinct labels of a column that are none of the task's classes, sorted."""
        return []

    def matched(self, labels: np.ndarray) -> np.ndarray:
        """Return labels as predictions hold them, so that a metric finds 1 and True equal."""
        return labels

    def check_known(self, column: Column) -> None:
        """Raise a ``ValueError`` if some labels are none of the task's classes."""
        unknown = self.unknown_labels(column)
        if unknown:
            raise ValueError(
                f"Labels of task {shown(self.name)} must be among the classes of the first fit, or "
                f"those that `classes` declares in the first `partial_fit`. Found {shown(unknown[:5])}."
            )

    @property
    def metric(self) -> str:
        """Name of what `score` returns: that of the loss, unless a task scores by something else."""
        return self.loss.metric

    @abstractmethod
    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return scikit-learn's default score over the labelled cells; nan where there is none.

        Parameters
        ----------
        column : Column
            The true labels.
        response : ndarray of float64, shape (n_rows, n_columns, loss.width)
            Averaged over members and networks.
        weight : ndarray of float64, shape (n_rows,)
            Sample weights.
        """

    def _squeeze(self, values: np.ndarray) -> np.ndarray:
        return values if self.two_dimensional else values[:, 0]


class TaskKind(BaseEstimator, ABC):
    """What a user asks of a task: a kind with its parameters, before any label was seen.

    A kind of one's own must define `bind`. `strata` is a hook; by default all labels are one stratum.

    Attributes
    ----------
    kind : str
        The kind in a word, for messages and tables.
    estimator_type : {"classifier", "regressor"} or None
        What one task of this kind is to scikit-learn: the type of its view, and which of the estimators
        for a single kind takes it. A classifier's task has ``classes`` and ``predict_proba``.
    """

    kind: ClassVar[str]
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = None

    @staticmethod
    def strata(column: Column) -> np.ndarray:
        """Return the stratum of each row; held-out rows and folds have the same share of each stratum.

        Parameters
        ----------
        column : Column
            The labels.

        Returns
        -------
        ndarray of int, shape (n_rows,)
            Numbers from 0 on, -1 where there is no label.
        """
        return np.where(column.has_label, 0, -1)

    @abstractmethod
    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> Task:
        """Return the task for the labels of the training rows.

        Parameters
        ----------
        column : Column
            Labels of the training rows.
        weight : ndarray of float64, shape (n_rows,)
            Sample weights of the same rows; weights of unlabelled cells do not count.
        classes : array-like, optional
            All classes, where not every one of them need be among the labels.

        Returns
        -------
        Task

        Raises
        ------
        ValueError
            If the labels or the parameters are not what this kind can take.
        """
