"""From averaged responses to what tasks predict, as torch modules: what ``decode`` does in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.messages import shown
from sklearn_mtl.tasks import (
    BoxTask,
    ClassificationTask,
    ClassTask,
    MultilabelTask,
    OrdinalTask,
    RegressionTask,
    SurvivalTask,
    Task,
)
from sklearn_mtl.tasks.classification import LogOddsTask

PREDICTION, PROBABILITIES, SURVIVAL, RESPONSE = "prediction", "probabilities", "survival", "response"

# Of unsigned integers torch has little but bytes.
_WIDER = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64, np.dtype(np.uint64): np.int64}


class CannotBeHeld(ValueError):
    """The error for what torch or ONNX can't hold."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What stands for the classes of a task, by their codes.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes in the order of their codes.
    """

    classes: np.ndarray

    @property
    def are_text(self) -> bool:
        """Whether all classes are texts, which ONNX has, and torch has not."""
        return all(isinstance(label, str) for label in self.classes.tolist())


class NumberLabels(Labels):
    """Classes that are numbers or booleans, which a tensor can hold."""


def labels_of(task: Task) -> Labels | None:
    """Return what the predictions of a task are among: None where it predicts no class.

    Parameters
    ----------
    task : Task
        A task.
    """
    if not isinstance(task, ClassTask):
        return None
    classes = np.asarray(task.coded)
    if classes.dtype.kind == "O" and all(type(label) is int for label in classes.tolist()):
        classes = classes.astype(np.int64)
    is_number = classes.dtype.kind in "biuf" and classes.dtype.itemsize <= 8
    return (NumberLabels if is_number else Labels)(classes)


class Decoder(nn.Module):
    """From the averaged responses of a task to its outputs.

    Parameters
    ----------
    task : Task
        The task.
    """

    names: tuple[str, ...] = (PREDICTION,)

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.loss = task.loss
        self.two_dimensional = task.two_dimensional

    def keep(self, **arrays: Any) -> None:
        """Keep numbers of the task as buffers of double precision."""
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.array(array, dtype=np.float64)))

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return an output for each name.

        Parameters
        ----------
        response : tensor of float64, shape (rows, n_columns, loss.width)
            Averaged over members and networks.
        """
        return (response,)


class ResponseDecoder(Decoder):
    """The averaged response itself, of a task whose ``decode`` is not known as torch operations."""

    names = (RESPONSE,)


class RegressionDecoder(Decoder):
    """Numbers in the units of the labels, as `RegressionTask` has them."""

    loc: Tensor
    scale: Tensor
    low: Tensor
    high: Tensor
    smearing: Tensor

    def __init__(self, task: RegressionTask) -> None:
        super().__init__(task)
        self.log_scale, self.bounded = task.log_scale, task.bounded
        self.keep(loc=task.loc, scale=task.scale, low=task.low, high=task.high, smearing=task.smearing)

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return the point predictions."""
        values = self.loss.decision(response) * self.scale + self.loc
        values = (values.exp() if self.log_scale else values) * self.smearing
        if self.bounded:
            values = torch.minimum(torch.maximum(values, self.low), self.high)
        return (values if self.two_dimensional else values[:, 0],)


class BoxDecoder(RegressionDecoder):
    """Boxes, their corners in order, as `BoxTask` has them."""

    def __init__(self, task: BoxTask) -> None:
        super().__init__(task)
        self.are_corners = task.coordinates == "xyxy"

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return the boxes."""
        (boxes,) = super().forward(response)
        if not self.are_corners:
            return (boxes,)
        first, second = boxes[:, :2], boxes[:, 2:]
        return (torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=1),)


class ClassDecoder(Decoder):
    """A class, or its code where a tensor can't hold it, and the probabilities of the sorted classes."""

    names = (PREDICTION, PROBABILITIES)
    labels: Tensor | None

    def __init__(self, task: ClassTask) -> None:
        super().__init__(task)
        labels = labels_of(task)
        tensor = None
        if isinstance(labels, NumberLabels):
            classes = labels.classes
            tensor = torch.from_numpy(classes.astype(_WIDER.get(classes.dtype, classes.dtype)))
        self.register_buffer("labels", tensor)
        self.register_buffer("order", torch.from_numpy(task.codes(task.classes).astype(np.int64)))
        self.has_all = task.loss.width == len(task.classes)
        weight = getattr(task, "class_weight", np.ones(1))
        self.corrected = getattr(task, "corrected", False) and bool((weight != 1).any())
        # The odds of a class of weight 0 are 0.
        self.keep(share=np.divide(1.0, weight, out=np.zeros(len(weight)), where=weight > 0))

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return the classes and the probabilities."""
        code = self.loss.decision(response)[:, 0].long()
        if self.has_all:
            probabilities = response[:, 0]
        else:
            second = response[:, 0, :1]
            probabilities = torch.cat([1 - second, second], dim=1)
        if self.corrected:
            odds = probabilities * self.get_buffer("share")
            probabilities = odds / odds.sum(1, keepdim=True)
        probabilities = probabilities.index_select(1, self.get_buffer("order"))
        return code if self.labels is None else self.labels[code], probabilities


class MultilabelDecoder(Decoder):
    """Whether each label is set, and its probability, as `MultilabelTask` has them."""

    names = (PREDICTION, PROBABILITIES)

    def __init__(self, task: MultilabelTask) -> None:
        super().__init__(task)
        self.corrected = task.corrected and bool((task.pos_weight != 1).any())
        self.is_boolean = np.dtype(bool) == task.dtype
        self.keep(pos_weight=task.pos_weight)

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return 0 and 1, and probabilities."""
        is_set = self.loss.decision(response)
        probabilities = response[..., 0]
        if self.corrected:
            odds = probabilities / self.get_buffer("pos_weight")
            probabilities = odds / (odds + 1 - probabilities)
        return is_set if self.is_boolean else is_set.long(), probabilities


class SurvivalDecoder(Decoder):
    """The mean survival time, and the probability to survive each interval, as `SurvivalTask` has them."""

    names = (PREDICTION, SURVIVAL)

    def __init__(self, task: SurvivalTask) -> None:
        super().__init__(task)
        self.keep(widths=np.diff(task.ends, prepend=0.0))

    def forward(self, response: Tensor) -> tuple[Tensor, ...]:
        """Return the area below the survival curve, and the curve."""
        curve = self.loss.decision(response)[:, 0]
        before = torch.cat([torch.ones_like(curve[:, :1]), curve[:, :-1]], dim=1)
        return ((before + curve) / 2 * self.get_buffer("widths")).sum(1), curve


# By the exact class: a class of a user's that derives from one of these may decode otherwise.
_DECODERS: dict[type[Task], Callable[[Any], Decoder]] = {
    RegressionTask: RegressionDecoder,
    BoxTask: BoxDecoder,
    ClassificationTask: ClassDecoder,
    LogOddsTask: ClassDecoder,
    OrdinalTask: ClassDecoder,
    MultilabelTask: MultilabelDecoder,
    SurvivalTask: SurvivalDecoder,
}


def decoder_of(task: Task) -> Decoder:
    """Return the module that decodes a task; one that gives responses for a kind of a user's own.

    Parameters
    ----------
    task : Task
        The task.

    Raises
    ------
    CannotBeHeld
        If the task has a label for each position of a row.
    """
    if task.position_axes:
        raise CannotBeHeld(
            "The tasks must have one label for each row, to be exported. Found one for each position of a "
            f"row, in task {shown(task.name)} of kind {shown(task.kind)}."
        )
    return _DECODERS.get(type(task), ResponseDecoder)(task)
