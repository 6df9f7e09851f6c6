"""What may stand beside a trained network: a model whose raw outputs are blended with the network's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn


class ModelBeside(nn.Module):
    """A model beside a network, and its share of each raw output.

    Its tensors are buffers: nothing of it is trained with the network.

    Parameters
    ----------
    **tensors : tensor
        The model's buffers by name; ``share``, of shape (raw_width,), is the share of the model, in [0, 1],
        and what stood there before has the rest.
    """

    #: What the network calls it, and so what the names of its tensors begin with in the network's state.
    name: ClassVar[str]
    #: The dtypes of its buffers; None for that of the network's weights.
    buffer_dtypes: ClassVar[Mapping[str, torch.dtype | None]]

    share: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        for name in self.buffer_dtypes:
            self.register_buffer(name, tensors[name])

    @classmethod
    def in_state(cls, state: Mapping[str, Any]) -> Self | None:
        """Return a model of the shapes that the state of a network has for it; None where it has none.

        Parameters
        ----------
        state : mapping of str to tensor or ndarray
            The state of a `MultiTaskModule`.
        """
        if not cls._names() <= state.keys():
            return None
        dtypes = cls.buffer_dtypes.items()
        return cls(
            **{name: torch.empty(state[f"{cls.name}.{name}"].shape, dtype=dtype) for name, dtype in dtypes}
        )

    @classmethod
    def expected_shapes(
        cls, state: Mapping[str, Any], raw_width: int, n_columns: int
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes that its tensors must have in the state of a network; empty where it has none.

        Parameters
        ----------
        state : mapping of str to ndarray
            The state of a `MultiTaskModule`.
        raw_width, n_columns : int
            Raw outputs of the network, and columns of a table.

        Raises
        ------
        ValueError
            If the numbers themselves describe no model.
        """
        if not cls._names() <= state.keys():
            return {}
        own = {name: state[f"{cls.name}.{name}"] for name in cls.buffer_dtypes}
        return {f"{cls.name}.{name}": shape for name, shape in cls._shapes(own, raw_width, n_columns).items()}

    @classmethod
    @abstractmethod
    def _shapes(
        cls, own: Mapping[str, np.ndarray], raw_width: int, n_columns: int
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes that its buffers must have, given what they are said to be."""

    @classmethod
    def _names(cls) -> set[str]:
        return {f"{cls.name}.{name}" for name in cls.buffer_dtypes}

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs of the model, shape (rows, raw_width)."""

    def blended(self, raw: Tensor, beside: Tensor) -> Tensor:
        """Return the raw outputs of both together.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw_width)
            Those of the network, or of the network and what else stands beside it.
        beside : tensor of shape (rows, raw_width)
            Those of the model, which all members share.
        """
        return raw * (1 - self.share) + (beside * self.share).unsqueeze(1)


def numbers_in(inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the numbers of a table, which models beside a network read: not the codes of its columns.

    The most frequent levels of a column of codes are columns of 0 and 1 among the numbers.

    Parameters
    ----------
    inputs : mapping of str to tensor
        The blocks of a table.
    """
    (table,) = (block for block in inputs.values() if block.is_floating_point())
    return table
