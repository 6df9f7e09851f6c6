"""Segmentation: a class for each pixel of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, PositionColumn, positions_of
from sklearn_mtl.tasks.losses.classification import ClassLoss
from sklearn_mtl.tasks.losses.positions import PositionLoss
from sklearn_mtl.tasks.position_task import PositionKind, PositionTask, accuracy


@dataclass(frozen=True, eq=False)
class SegmentationTask(PositionTask):
    """A segmentation whose labels were seen."""

    kind: ClassVar[str] = "segmentation"
    # The labels say where in its row something is.
    of_places: ClassVar[bool] = True

    def _scored(
        self, column: PositionColumn, true: np.ndarray, found: np.ndarray, weight: np.ndarray
    ) -> float:
        if self.scoring == "pixel_accuracy":
            return accuracy(true, found, weight)
        # Classes that ``fit`` did not have are classes of the labels, of which nothing is found.
        if (unknown := (true < 0) & (weight > 0)).any():
            labels = column.values[:, : true.shape[1]][unknown]
            true = true.copy()
            true[unknown] = len(self.classes) + pd.factorize(labels)[0]
        return mean_iou(true, found, weight)


class Segmentation(PositionKind):
    """A class for each pixel of an image.

    Labels are an array of shape (n_rows, height, width), of the height and width of the images. A pixel that
    is not to count is None or NaN; so are all pixels of an image without labels.

    Parameters
    ----------
    loss, class_weight, label_smoothing
        As in `Classification`, of each pixel.
    scoring : {"mean_iou", "pixel_accuracy"}, default="mean_iou"
        What ``score`` returns: the intersection over union of labels and predictions, a mean over classes,
        each counted over all pixels of all rows (Everingham et al. 2010, "The Pascal visual object classes
        (VOC) challenge", section 4.2.3), or the share of pixels that are right.

    Examples
    --------
    >>> from sklearn_mtl.tasks import Segmentation
    >>> Segmentation(class_weight="balanced")
    Segmentation(class_weight='balanced')
    """

    kind: ClassVar[str] = "segmentation"
    scorings: ClassVar[tuple[str, ...]] = ("mean_iou", "pixel_accuracy")

    def __init__(
        self,
        loss: str | ClassLoss = "cross_entropy",
        *,
        class_weight: str | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
        scoring: str = "mean_iou",
    ) -> None:
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.scoring = scoring

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> SegmentationTask:
        """Return the task for the labels of the training rows."""
        given = positions_of(column)
        if len(given.axes) != 2:
            raise ValueError(
                f"Task {shown(column.name)} is a segmentation and needs an image of labels for each row, "
                f"(n_rows, height, width). Found labels of shape {column.values.shape}."
            )
        of_position = self.of_position(given, weight, classes)
        held = (column.name, PositionLoss(of_position.loss, column.name), given.values.shape[1], True)
        return SegmentationTask(*held, given.dtype, of_position, given.axes, given.ragged, self.scoring)


def mean_iou(true: np.ndarray, found: np.ndarray, weight: np.ndarray) -> float:
    """Return the intersection over union, a mean over the classes of labels and predictions.

    Parameters
    ----------
    true, found : ndarray of int, of any one shape
        Class codes; -1 for a label of no class, which no prediction is.
    weight : ndarray of float64, the same shape
        What each counts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.segmentation import mean_iou
    >>> round(mean_iou(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.ones(4)), 3)
    0.583
    """
    n_codes = int(max(true.max(initial=0), found.max(initial=0))) + 1
    masses = [
        np.bincount(codes[chosen], weight[chosen], minlength=n_codes)
        for codes, chosen in ((true, true >= 0), (found, found >= 0), (true, (true == found) & (true >= 0)))
    ]
    of_true, of_found, shared = masses
    union = of_true + of_found - shared
    return float((shared[union > 0] / union[union > 0]).mean()) if (union > 0).any() else float("nan")
