"""The base of what makes a vector of each step of a sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class StepEncoder(nn.Module, ABC):
    """Makes a vector of each step of a sequence, in which it may read the others.

    Parameters
    ----------
    width : int
        Width of the vector.
    n_backwards : int, default=0
        How many of its numbers, the last ones, come from reading the sequence backwards alone.
    """

    def __init__(self, width: int, n_backwards: int = 0) -> None:
        super().__init__()
        self.width = width
        self.n_backwards = n_backwards

    @abstractmethod
    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors, shape (rows, steps, width).

        Parameters
        ----------
        steps : tensor of shape (rows, steps, n_in)
            Sequences, filled up at the end.
        lengths : tensor of int of shape (rows,)
            How many steps of each row are real, at least 1. What was filled up must not change the vectors of
            these; its own vectors may be anything finite.
        """
