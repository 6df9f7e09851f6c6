"""Sequences of unequal lengths: which of their steps are real, and one vector for all of them.

Sequences are (rows, steps, width), filled up at the end, and come with their lengths, (rows,), at least 1.
Nothing here lets what was filled up change what comes of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sklearn_mtl.trunks.layers.dropout import Dropout
from sklearn_mtl.trunks.layers.linear import Linear


def lengths_of(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the lengths of sequences: all of their steps where none are given, and at least 1.

    Rows of zeros, of length 0, are added to a batch in some places, and left out of what comes of it.

    Parameters
    ----------
    steps : tensor of shape (rows, steps, …)
        The sequences.
    lengths : tensor of int of shape (rows,), or None
        How many steps of each are real.
    """
    if lengths is None:
        return torch.full((steps.shape[0],), steps.shape[1], dtype=torch.int64, device=steps.device)
    return lengths.clamp(min=1)


def is_real(lengths: Tensor, n_steps: int) -> Tensor:
    """Return which steps are real, (rows, steps).

    Parameters
    ----------
    lengths : tensor of int of shape (rows,)
        How many steps of each row are real.
    n_steps : int
        Steps with those that were filled up.

    Examples
    --------
    >>> is_real(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(n_steps, device=lengths.device) < lengths.unsqueeze(-1)


def only_real(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return sequences with zeros where they were filled up.

    Parameters
    ----------
    steps : tensor of shape (rows, steps, width)
        The sequences; what was filled up may be anything but finite.
    lengths : tensor of int of shape (rows,)
        How many steps of each are real.
    """
    return steps.masked_fill(~is_real(lengths, steps.shape[1]).unsqueeze(-1), 0)


def backwards(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return sequences with their real steps from the last to the first; what was filled up stays behind.

    Parameters
    ----------
    steps : tensor of shape (rows, steps, width)
        The sequences.
    lengths : tensor of int of shape (rows,)
        How many steps of each are real.

    Examples
    --------
    >>> backwards(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2])).flatten()
    tensor([2., 1., 0.])
    """
    places = torch.arange(steps.shape[1], device=steps.device)
    last = lengths.unsqueeze(-1) - 1
    index = torch.where(places <= last, last - places, places)
    return steps.gather(1, index.unsqueeze(-1).expand(-1, -1, steps.shape[2]))


class StepDropout(nn.Module):
    """Dropout of whole channels of a sequence: at all steps of a row the same are 0 while training.

    Gal & Ghahramani (2016), "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks"
    (NeurIPS). What is drawn does not depend on how far a batch was filled up.

    Parameters
    ----------
    p : float
        Share of the channels set to 0, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = Dropout(p) if p > 0 else None

    def forward(self, steps: Tensor) -> Tensor:
        """Return the numbers, multiplied by a new mask in training; shape (rows, steps, width)."""
        if self.dropout is None or not self.training:
            return steps
        return steps * self.dropout(torch.ones_like(steps[:, :1]))


class LastStep(nn.Module):
    """The last real step of each sequence; of what reads backwards the first, where that reading ends.

    Parameters
    ----------
    width : int
        Width of a step.
    n_backwards : int, default=0
        How many of its numbers, the last ones, come from reading backwards.
    """

    def __init__(self, width: int, n_backwards: int = 0) -> None:
        super().__init__()
        self.n_forwards = width - n_backwards

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector for each row, (rows, width)."""
        index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, self.n_forwards)
        last = steps[..., : self.n_forwards].gather(1, index).squeeze(1)
        return torch.cat([last, steps[:, 0, self.n_forwards :]], dim=-1)


class MeanOfSteps(nn.Module):
    """The mean of the real steps of each sequence."""

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector for each row, (rows, width)."""
        return only_real(steps, lengths).sum(1) / lengths.unsqueeze(-1)


class MaxOfSteps(nn.Module):
    """The largest number of each channel among the real steps of each sequence."""

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector for each row, (rows, width)."""
        real = is_real(lengths, steps.shape[1]).unsqueeze(-1)
        return steps.masked_fill(~real, -torch.inf).amax(1)


class AttentionOverSteps(nn.Module):
    """A weighted mean of the real steps of each sequence, the weights learned.

    Yang et al. (2016), "Hierarchical Attention Networks for Document Classification" (NAACL), eq. 5 to 7.

    Parameters
    ----------
    width : int
        Width of a step.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = Linear(width, width)
        self.score = Linear(width, 1, bias=False)

    def weights(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the weight of each step, (rows, steps): 0 where a row was filled up."""
        scores = self.score(self.hidden(steps).tanh()).squeeze(-1)
        return scores.masked_fill(~is_real(lengths, steps.shape[1]), -torch.inf).softmax(-1)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector for each row, (rows, width)."""
        weights = self.weights(steps, lengths).unsqueeze(-1)
        return (only_real(steps, lengths) * weights).sum(1)


# From the width of a step, and how many of its numbers come from reading backwards.
POOLINGS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "last": LastStep,
    "mean": lambda _width, _n_backwards: MeanOfSteps(),
    "max": lambda _width, _n_backwards: MaxOfSteps(),
    "attention": lambda width, _n_backwards: AttentionOverSteps(width),
}
