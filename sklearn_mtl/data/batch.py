"""Some rows as tensors: what a step of training or of validation is made on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import pad


class Batch(NamedTuple):
    """Rows of every tensor: inputs by block, encoded targets, cell weights.

    A row may have several labels of each task, such as those of the two rows that it was mixed of: ``y`` and
    ``weight`` then have as many rows for each row of the inputs, one after the other.

    In a stack all tensors have a leading network axis.
    """

    inputs: dict[str, Tensor]
    y: Tensor
    weight: Tensor

    def copied(self) -> Batch:
        """Return the batch with inputs of its own, for a second pass: a module may work on them in place."""
        return self._replace(inputs={name: block.clone() for name, block in self.inputs.items()})

    @property
    def n_rows(self) -> int:
        """Number of rows: of the inputs, where there are any."""
        rows_axis = self.y.ndim - 2
        return next(iter(self.inputs.values()), self.y).shape[rows_axis]

    @property
    def n_labels(self) -> int:
        """How many labels of each task a row has."""
        return self.y.shape[-2] // max(1, self.n_rows)

    @property
    def row_weight(self) -> Tensor:
        """Weights of each row's cells, shape (rows, n_columns): those of all of its labels together."""
        if self.n_labels <= 1:
            return self.weight
        return self.weight.unflatten(-2, (-1, self.n_labels)).sum(-2)

    def for_labels(self, raw: Tensor) -> Tensor:
        """Return raw outputs for each label of each row.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Raw outputs for the rows.
        """
        return raw if self.n_labels <= 1 else raw.repeat_interleave(self.n_labels, -3)

    def with_n_labels(self, n_labels: int) -> Batch:
        """Return the batch with so many labels for each row; those that are added weigh nothing.

        Parameters
        ----------
        n_labels : int
            No fewer than there are.
        """
        if self.n_labels == n_labels or self.n_rows == 0:
            return self
        added = (0, 0, 0, n_labels - self.n_labels)
        y, weight = (
            pad(tensor.unflatten(-2, (-1, self.n_labels)), added).flatten(-3, -2)
            for tensor in (self.y, self.weight)
        )
        return self._replace(y=y, weight=weight)


@dataclass(frozen=True, eq=False)
class PendingBatch:
    """A batch whose rows are still to be picked, so that picking them can be a part of what is recorded.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    given : sequence of tensor
        What differs from batch to batch: the positions of its rows, or else the rows themselves.
    pick : callable
        From ``given`` to the batch; the same function for all batches of a training.
    """

    n_rows: int
    given: Sequence[Tensor]
    pick: Callable[[Sequence[Tensor]], Batch]

    @classmethod
    def of(cls, batch: Batch) -> PendingBatch:
        """Return a batch whose rows are there."""
        names = list(batch.inputs)

        def pick(given: Sequence[Tensor]) -> Batch:
            *blocks, y, weight = given
            return Batch(dict(zip(names, blocks, strict=True)), y, weight)

        return cls(batch.n_rows, (*batch.inputs.values(), batch.y, batch.weight), pick)

    def picked(self) -> Batch:
        """Return the batch."""
        return self.pick(self.given)
