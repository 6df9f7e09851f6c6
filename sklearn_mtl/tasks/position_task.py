"""Tasks with a label for each position of a row, such as a step, a token or a pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, PositionColumn, positions_of, rows_as_objects
from sklearn_mtl.tasks.class_task import ClassTask
from sklearn_mtl.tasks.classification import Classification
from sklearn_mtl.tasks.losses.classification import ClassLoss
from sklearn_mtl.tasks.losses.positions import PositionLoss
from sklearn_mtl.tasks.task import Task, TaskKind


@dataclass(frozen=True, eq=False)
class PositionTask(Task):
    """A task of a class for each position, whose labels were seen.

    Its target columns are the positions of the longest row; those that a row does not have weigh nothing.
    All positions share one head, so that rows to predict may be longer.

    Parameters
    ----------
    of_position : ClassTask
        The task of the label of one position: its classes and their weights.
    axes : tuple of int
        Shape of the labels of a row: ``(steps,)`` of the longest, or ``(height, width)``.
    ragged : bool
        Whether labels were given row by row, and predictions are too.
    scoring : str
        What `score` returns.
    """

    loss: PositionLoss
    of_position: ClassTask
    axes: tuple[int, ...]
    ragged: bool
    scoring: str

    @property
    def position_axes(self) -> int:
        """1 for steps or tokens, 2 for pixels."""
        return len(self.axes)

    @property
    def classes(self) -> np.ndarray:
        """The classes in sorted order; the last axis of the probabilities."""
        return self.of_position.classes

    @property
    def metric(self) -> str:
        """The name of what `score` returns."""
        return self.scoring

    @property
    def only_class(self) -> str:
        """The class, quoted, where there is one only."""
        return self.of_position.only_class

    @property
    def labels_in_words(self) -> str:
        """The classes, or how many there are."""
        return self.of_position.labels_in_words

    def resized(self, n_positions: int) -> Self:
        """Return the task with so many target columns."""
        return self if n_positions == self.n_columns else replace(self, n_columns=n_positions)

    def check_shape(self, column: Column) -> None:
        """Raise a ``ValueError`` if labels are of other axes than those of ``fit``."""
        given = positions_of(column)
        axes = given.axes
        if (given.lengths < 0).all():
            return
        if len(axes) != len(self.axes) or (len(axes) > 1 and axes != self.axes):
            raise ValueError(
                f"Labels of task {shown(self.name)} must have the shape of those of `fit`, "
                f"(n_rows, {', '.join(map(str, self.axes))}). Found shape {(len(column), *axes)}."
            )

    def check_response(self, column: Column, response: np.ndarray) -> None:
        """Raise a ``ValueError`` if a row has another number of labels than of positions."""
        self.check_lengths(column, (~np.isnan(response[..., 0])).sum(axis=1))

    def encode(self, column: Column) -> np.ndarray:
        """Return class codes, shape (n_rows, n_columns); NaN where there is no label."""
        codes = self._codes(positions_of(column))
        missing = self.n_columns - codes.shape[1]
        if missing < 0 and not np.isnan(codes[:, missing:]).all():
            raise ValueError(
                f"A row of task {shown(self.name)} must have at most the {self.n_columns} positions of the "
                f"longest row of `fit`. Found {codes.shape[1]}."
            )
        if missing < 0:
            return codes[:, :missing]
        return np.pad(codes, ((0, 0), (0, missing)), constant_values=np.nan) if missing else codes

    def _codes(self, column: PositionColumn) -> np.ndarray:
        return self.of_position.encode(column.by_position).reshape(column.values.shape)

    def cell_weight(self, encoded: np.ndarray) -> np.ndarray | float:
        """Return the class weight of each cell."""
        found = self.of_position.cell_weight(encoded.reshape(-1, 1))
        return found.reshape(encoded.shape) if isinstance(found, np.ndarray) else found

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Return the classes of codes: one array, or an array of objects of one for each row."""
        labels = self.of_position.decode(np.maximum(decision, 0).reshape(-1, 1))
        return self._by_row(np.asarray(labels).reshape(decision.shape), decision >= 0)

    def predict_proba(self, response: np.ndarray) -> np.ndarray:
        """Return class probabilities in the shape of `decode`, with an axis of the classes behind."""
        return self._of_positions(self.of_position.predict_proba, response)

    def predict_log_proba(self, log_response: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities."""
        return self._of_positions(self.of_position.predict_log_proba, log_response)

    def decision_function(self, log_response: np.ndarray) -> np.ndarray:
        """Return the log-odds of the classes; of the second alone, without that axis, where there are two."""
        return self._of_positions(self.of_position.decision_function, log_response)

    def _of_positions(self, function: Callable[[np.ndarray], np.ndarray], response: np.ndarray) -> np.ndarray:
        """Return what a function of the task of one position gives for all, row by row."""
        real = ~np.isnan(response[..., 0])
        found = function(response[real][:, None])
        every = np.zeros((*real.shape, *found.shape[1:]))
        every[real] = found
        return self._by_row(every, real)

    def _by_row(self, values: np.ndarray, real: np.ndarray) -> np.ndarray:
        if self.ragged or not real.all():
            return rows_as_objects([row[here] for row, here in zip(values, real, strict=True)])
        axes = self.axes if len(self.axes) > 1 else values.shape[1:2]
        return values.reshape(len(values), *axes, *values.shape[2:])

    def calibrated_by(self, calibrate: bool) -> PositionTask:
        """Return the task whose probabilities are, or are not, corrected for class weights."""
        return replace(self, of_position=self.of_position.calibrated_by(calibrate))  # type: ignore[arg-type]

    def widened_by(self, column: Column, weight: np.ndarray) -> PositionTask:
        """Return the task with as many target columns as the longest of these rows has positions."""
        return self.resized(max(self.n_columns, positions_of(column).values.shape[1]))

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Return those labels that are none of the classes."""
        return self.of_position.unknown(labels)

    def unknown_labels(self, column: Column) -> list[Any]:
        """Return the distinct labels that are none of the classes, sorted."""
        return self.of_position.unknown_labels(positions_of(column).by_position)

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return what `scoring` names over the labelled positions; nan where there is none."""
        self.check_response(column, response)
        given, codes = positions_of(column), self._decided(response)
        shared = min(codes.shape[1], given.values.shape[1])
        known = ~given.missing[:, :shared] & (weight > 0)[:, None]
        if not known.any():
            return float("nan")
        true = np.where(np.isnan(of := self._codes(given)), -1, of).astype(np.int64)[:, :shared]
        return self._scored(given, true, codes[:, :shared], known * weight[:, None])

    @abstractmethod
    def _scored(
        self, column: PositionColumn, true: np.ndarray, found: np.ndarray, weight: np.ndarray
    ) -> float:
        """Return the score of codes, -1 for a class not seen in ``fit``, each position of a weight."""

    def check_lengths(self, column: Column, n_positions: np.ndarray, beside: str = "") -> None:
        """Raise a ``ValueError`` if a row has another number of labels than of positions.

        Parameters
        ----------
        column : Column
            Labels of the task.
        n_positions : ndarray of int, shape (n_rows,)
            Number of positions of each row of X.
        beside : str, default=""
            What else to say of positions.
        """
        lengths = positions_of(column).lengths
        wrong = np.flatnonzero((lengths >= 0) & (lengths != n_positions))
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"A row of task {shown(self.name)} must have as many labels as positions, None for a missing "
                f"one. Found {lengths[row]} labels and {n_positions[row]} positions in row {row}"
                f"{f', and other numbers in {len(wrong)} rows in all' if len(wrong) > 1 else ''}{beside}."
            )


class PositionKind(TaskKind):
    """What a user asks of a task of a class for each position; the base of such kinds.

    A kind of one's own must define `bind`, in which `of_position` binds the task of one position.
    """

    loss: str | ClassLoss
    class_weight: str | Mapping[Any, float] | None
    label_smoothing: float
    scoring: str

    #: What may be asked of the score.
    scorings: ClassVar[tuple[str, ...]]

    def of_position(self, column: PositionColumn, weight: np.ndarray, classes: Any) -> ClassTask:
        """Return the task of the label of one position, for the labels of all positions of the rows.

        Parameters
        ----------
        column : PositionColumn
            Labels of the training rows.
        weight : ndarray of float64, shape (n_rows,)
            Sample weights of the same rows.
        classes : array-like or None
            All classes, where not every one of them need be among the labels.
        """
        owner = type(self).__name__
        if not isinstance(self.scoring, str) or self.scoring not in self.scorings:
            raise ValueError(
                f"`scoring` of {owner} must be one of {list(self.scorings)}. Found {shown(self.scoring)}."
            )
        kind = Classification(self.loss, class_weight=self.class_weight, label_smoothing=self.label_smoothing)
        return kind.bind(column.by_position, np.repeat(weight, column.values.shape[1]), classes)


def accuracy(true: np.ndarray, found: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted share of positions whose codes are the same."""
    return float(np.average(true == found, weights=weight))
