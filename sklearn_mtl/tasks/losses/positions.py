"""The loss of a label for each position of a row, all positions alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sklearn_mtl.tasks.losses.row_loss import RowLoss
from sklearn_mtl.tasks.losses.spans import best_legal_tags

# The decision where a row has no position.
NO_POSITION = -1


@dataclass(frozen=True)
class PositionLoss(RowLoss):
    """A loss of classes, of which each column is a position of the row: one constant and one score for all.

    In predictions, responses are NaN where a row has no position, and so is all that is made of them; the
    decision is -1 there.

    Parameters
    ----------
    of_position : RowLoss
        The loss of the label of one position.
    task : str
        The task: those of several are never one expression, since each has a constant of its own.
    """

    of_position: RowLoss
    task: str

    metric: ClassVar[str] = "accuracy"

    @property
    def width(self) -> int:
        """Raw outputs for each position."""
        return self.of_position.width

    @property
    def has_temperature(self) -> bool:
        """Whether the loss of a position has one."""
        return self.of_position.has_temperature

    def __call__(self, raw: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each position."""
        return self.of_position(raw, y)

    def with_slope(self, raw: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each position, and its derivative."""
        return self.of_position.with_slope(raw, y)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best raw output of all positions together."""
        best = self.of_position.constant(y.reshape(-1, 1), weight.reshape(-1, 1))
        return best.expand(y.shape[1], -1)

    def bounded_constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the best constant of one position, shape (1, width), by the labels of all."""
        return self.of_position.bounded_constant(y.reshape(-1, 1), weight.reshape(-1, 1))

    def reference(self, y: Tensor, weight: Tensor) -> Tensor:
        """Return the summed loss of the best constant, spread evenly over the positions."""
        total = self.of_position.reference(y.reshape(-1, 1), weight.reshape(-1, 1))
        return total.expand(y.shape[1]) / y.shape[1]

    def response(self, raw: Tensor) -> Tensor:
        """Return the response of each position."""
        return self.of_position.response(raw)

    def log_response(self, raw: Tensor) -> Tensor:
        """Return the logarithms of the response."""
        return self.of_position.log_response(raw)

    def decision(self, response: Tensor) -> Tensor:
        """Return the class code of each position, -1 where there is none."""
        return torch.where(response[..., 0].isnan(), NO_POSITION, self._decided(response).long())

    def _decided(self, response: Tensor) -> Tensor:
        return self.of_position.decision(response)

    def link(self, response: Tensor) -> Tensor:
        """Return the raw output that has this response."""
        return self.of_position.link(response)

    @property
    def log_loss(self) -> Callable[[Tensor, Tensor], Tensor]:  # type: ignore[override]
        """The function of the loss of a position that gives minus the log-probability of each label."""
        return self.of_position.log_loss

    def score(self, response: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        """Return the metric over all positions, the same for each column."""
        flat = response.flatten(-3, -2).unsqueeze(-2)
        of_all = self.of_position.score(flat, y.flatten(-2).unsqueeze(-1), weight.flatten(-2).unsqueeze(-1))
        return of_all.expand(*of_all.shape[:-1], y.shape[-1])


@dataclass(frozen=True)
class SpanLoss(PositionLoss):
    """The loss of tags that mark spans as BIO, whose decisions are legal sequences.

    Parameters
    ----------
    tags : tuple of str
        The tags in the order of their codes.
    """

    tags: tuple[str, ...]

    def _decided(self, response: Tensor) -> Tensor:
        both = torch.cat([1 - response, response], dim=-1) if self.width == 1 else response
        # Where there is one tag only, no second one can be found.
        return best_legal_tags(both[..., : len(self.tags)], self.tags)
