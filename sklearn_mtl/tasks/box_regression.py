"""Box regression: where in its image the one object of a row is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.losses.regression import RegressionLoss
from sklearn_mtl.tasks.regression import Regression, RegressionTask
from sklearn_mtl.tasks.task import TaskKind

LOSSES = ("huber", "absolute_error", "squared_error")
COORDINATES = ("xyxy", "xywh")


@dataclass(frozen=True, eq=False)
class BoxTask(RegressionTask):
    """A box regression whose labels were seen.

    Parameters
    ----------
    coordinates : {"xyxy", "xywh"}
        What the four numbers of a box are.
    """

    coordinates: str = "xyxy"

    kind: ClassVar[str] = "boxes"
    # The labels say where in its row something is.
    of_places: ClassVar[bool] = True

    @property
    def labels_in_words(self) -> str:
        """What the numbers are, and their range."""
        return f"{self.coordinates}, {self.low.min():,.6g} to {self.high.max():,.6g}"

    @property
    def metric(self) -> str:
        """The mean intersection over union."""
        return "mean_iou"

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Return boxes as float64, shape (n_rows, 4), their corners in order."""
        boxes = super().decode(decision)
        return ordered_corners(boxes) if self.coordinates == "xyxy" else boxes

    @classmethod
    def decode_all(cls, tasks: Sequence[Self], decision: np.ndarray) -> list[Any]:
        """Return the boxes of each of several tasks."""
        ends = np.cumsum([task.n_columns for task in tasks])
        return [task.decode(decision[:, end - 4 : end]) for task, end in zip(tasks, ends, strict=True)]

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return the mean intersection over union of the rows with a box; nan where there is none."""
        boxes = _boxes(column, self.coordinates)
        known = ~np.isnan(boxes).any(axis=1) & (weight > 0)
        if not known.any():
            return float("nan")
        found = corners(self.predict(response)[known], self.coordinates)
        overlap = box_iou(corners(boxes[known], self.coordinates), found)
        return float(np.average(overlap, weights=weight[known]))


class BoxRegression(TaskKind):
    """The box around the one object of each row, such as a finding in a medical image.

    Labels are a block of four numbers for each row, in pixels or any other unit; a row without an object has
    no label, NaN in all four, and another task may say whether there is one. Each number is learned as a
    regression. The score is the mean intersection over union of labelled and predicted boxes, the Jaccard
    index of their areas: 1 where they are the same, 0 where they do not meet.

    Parameters
    ----------
    coordinates : {"xyxy", "xywh"}, default="xyxy"
        Two opposite corners, ``x_min, y_min, x_max, y_max``, or one corner and the size, ``x_min, y_min,
        width, height``.
    loss : {"huber", "absolute_error", "squared_error"} or RegressionLoss, default="huber"
        Loss of each of the four numbers, standardised (Girshick 2015, "Fast R-CNN", eq. 3, for the Huber
        loss).

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is none of these, or labels are no boxes of positive size.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.tasks import BoxRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(200, 2))
    >>> boxes = np.column_stack([X, X + 0.5])
    >>> boxes[:10] = np.nan
    >>> y = {"there": np.arange(200) >= 10, "where": boxes}
    >>> tasks = {"where": BoxRegression()}
    >>> est = MultiTaskClassifierRegressor(tasks=tasks, trunk="mlp", n_bags=1, random_state=0)
    >>> est.fit(X, y).predict(X)["where"].shape
    (200, 4)
    >>> bool(est.score_tasks(X, y)["where"] > 0.8)
    True
    """

    kind: ClassVar[str] = "boxes"
    estimator_type: ClassVar[Literal["classifier", "regressor"] | None] = "regressor"

    def __init__(
        self, coordinates: Literal["xyxy", "xywh"] = "xyxy", *, loss: str | RegressionLoss = "huber"
    ) -> None:
        self.coordinates = coordinates
        self.loss = loss

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> BoxTask:
        """Return the task for the labels of the training rows."""
        self._check_parameters()
        _boxes(column, self.coordinates)
        task = Regression(loss=self.loss).bind(column, weight)
        held = {field.name: getattr(task, field.name) for field in fields(task)}
        return BoxTask(**held, coordinates=self.coordinates)

    def _check_parameters(self) -> None:
        if not isinstance(self.coordinates, str) or self.coordinates not in COORDINATES:
            raise ValueError(
                f"`coordinates` of BoxRegression must be one of {list(COORDINATES)}. "
                f"Found {shown(self.coordinates)}."
            )
        own = isinstance(self.loss, RegressionLoss)
        if own and self.loss.width == 1 and self.loss.support == "real":  # type: ignore[union-attr]
            return
        if own or not isinstance(self.loss, str) or self.loss not in LOSSES:
            raise ValueError(
                f"`loss` of BoxRegression must be one of {list(LOSSES)}, or a RegressionLoss of one output "
                f"that takes labels of any sign. Found {shown(self.loss)}."
            )


def corners(boxes: np.ndarray, coordinates: str) -> np.ndarray:
    """Return boxes as two opposite corners, ``x_min, y_min, x_max, y_max``.

    Parameters
    ----------
    boxes : ndarray of float64, shape (n_rows, 4)
        The boxes.
    coordinates : {"xyxy", "xywh"}
        What their numbers are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.box_regression import corners
    >>> corners(np.array([[1.0, 2.0, 3.0, 4.0]]), "xywh")
    array([[1., 2., 4., 6.]])
    """
    if coordinates == "xyxy":
        return boxes
    return np.concatenate([boxes[:, :2], boxes[:, :2] + np.maximum(boxes[:, 2:], 0.0)], axis=1)


def ordered_corners(boxes: np.ndarray) -> np.ndarray:
    """Return corners such that the first has the smaller numbers; a network may predict them crossed."""
    first, second = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)


def box_iou(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes, row by row.

    Parameters
    ----------
    some, others : ndarray of float64, shape (n_rows, 4)
        Boxes as two opposite corners, ``x_min, y_min, x_max, y_max``.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        In [0, 1]; 0 where both boxes are empty.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.box_regression import box_iou
    >>> box_iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]])).round(3)
    array([0.333])
    """
    low, high = np.maximum(some[:, :2], others[:, :2]), np.minimum(some[:, 2:], others[:, 2:])
    shared = np.maximum(high - low, 0.0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    union = areas[0] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _boxes(column: Column, coordinates: str) -> np.ndarray:
    """Return labels as float64, a row without an object as NaN; a ``ValueError`` if they are no boxes."""
    if column.values.ndim != 2 or column.values.shape[1] != 4:
        raise ValueError(
            f"Task {shown(column.name)} is of boxes and needs four numbers for each row, {coordinates!r}. "
            f"Found labels of shape {column.values.shape}."
        )
    if column.values.dtype.kind not in "biuf":
        raise ValueError(
            f"Task {shown(column.name)} is of boxes and needs numbers. Found labels such as "
            f"{shown(column.known[:3].tolist())}."
        )
    values = np.where(column.missing, np.nan, column.values.astype(np.float64))
    half = np.isnan(values).any(axis=1) & ~np.isnan(values).all(axis=1)
    if half.any():
        raise ValueError(
            f"A row of task {shown(column.name)} must have all four numbers of its box, or none. "
            f"Found {shown(values[half][0].tolist())}."
        )
    at = corners(values, coordinates)
    empty = (at[:, :2] >= at[:, 2:]).any(axis=1)
    if empty.any():
        raise ValueError(
            f"The boxes of task {shown(column.name)} must have a positive width and height, as "
            f"{coordinates!r}. Found {shown(values[empty][0].tolist())}."
        )
    return values
