"""How the rows of a table are drawn for training: how often each, and what is done to a batch of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from sklearn_mtl.data.batch import Batch
from sklearn_mtl.messages import shown


class Augmenting(Protocol):
    """What changes the batches of a training."""

    def augment(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return the batch that is trained on; it may draw from a generator of the CPU, or torch's own."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """How the rows of a table are drawn for training.

    Parameters
    ----------
    rates : tensor of float64, shape (n_rows,), optional
        How often each row is drawn, relative to the others; each once by default.
    for_weights : bool, default=False
        Whether the rates stand for the weights of the rows: what is drawn weighs so much the less.
    augmentation : Augmenting, optional
        What is done to each batch.
    """

    rates: Tensor | None = None
    for_weights: bool = False
    augmentation: Augmenting | None = None

    def order(self, n_rows: int, generator: torch.Generator | None) -> Tensor:
        """Draw the rows of an epoch, as many as there are.

        Drawn are places at equal distances on a line on which each row is as long as its rate ("systematic
        sampling", Madow 1949): the number of times a row is drawn is its expectation, rounded up or down.
        Rows of equal rates are each drawn once.

        Parameters
        ----------
        n_rows : int
            Number of rows.
        generator : torch.Generator or None
            A generator of the CPU, or torch's own.

        Returns
        -------
        tensor of int, shape (n_rows,)
            Positions of rows.
        """
        shuffled = torch.randperm(n_rows, generator=generator)
        if self.rates is None:
            return shuffled
        ends = self.rates[shuffled].cumsum(0)
        start = torch.rand((), generator=generator, dtype=torch.float64)
        places = (torch.arange(n_rows) + start) * (ends[-1] / n_rows)
        last = torch.searchsorted(ends, ends[-1])
        found = shuffled[torch.searchsorted(ends, places, right=True).clamp_max(last)]
        # What is drawn several times is not to follow itself.
        return found[torch.randperm(n_rows, generator=generator)]

    def applied(
        self,
        batches: Iterable[Batch],
        order: Tensor,
        bounds: Sequence[tuple[int, int]],
        generator: torch.Generator | None,
    ) -> Iterator[Batch]:
        """Iterate over batches as they are trained on.

        Parameters
        ----------
        batches : iterable of Batch
            The rows, batch by batch.
        order : tensor of int
            Positions of the rows of all batches.
        bounds : sequence of pairs of int
            The part of ``order`` that each batch has.
        generator : torch.Generator or None
            A generator of the CPU, or torch's own.
        """
        divisor = None
        if self.for_weights and self.rates is not None:
            divisor = self.rates.to(order.device)[order].unsqueeze(1)
        for batch, (start, end) in zip(batches, bounds, strict=True):
            if divisor is not None:
                batch = batch._replace(weight=batch.weight / divisor[start:end].to(batch.weight))
            if self.augmentation is not None:
                batch = _checked(self.augmentation.augment(batch, generator), batch, self.augmentation)
            yield batch


def _checked(found: Any, batch: Batch, augmentation: Augmenting) -> Batch:
    """Return what an augmentation has made of a batch; raise an error if it is nothing to train on."""
    rule = (
        f"`augment` of {type(augmentation).__name__} must return a Batch with the same inputs, of as many "
        "rows, and labels and weights for each of these."
    )
    if not isinstance(found, Batch):
        raise TypeError(f"{rule} Found {shown(found)}, of type {type(found).__name__}.")
    given, made = ({name: len(block) for name, block in each.inputs.items()} for each in (batch, found))
    n_labels = len(found.y)
    if made != given or n_labels < batch.n_rows or n_labels % max(1, batch.n_rows):
        raise ValueError(
            f"{rule} Found inputs of {made} rows and {n_labels} of labels, given {batch.n_rows}."
        )
    if found.y.shape != found.weight.shape:
        shapes = tuple(found.y.shape), tuple(found.weight.shape)
        raise ValueError(f"{rule} Found labels and weights of shapes {shapes}.")
    return found
