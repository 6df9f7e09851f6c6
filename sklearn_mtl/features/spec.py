"""The description of the network's inputs: blocks and their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Block:
    """One input tensor of the network, without its leading axis of rows.

    Parameters
    ----------
    name : str
        The key under which the tensor travels.
    shape : tuple of int
        Shape of one row: ``(n_columns,)`` for a table, ``(channels, height, width)`` for an image.
    kind : {"float", "codes"}
        ``"float"`` values, or integer ``"codes"`` (categories, tokens).
    n_continuous : int
        How many leading columns of a one-dimensional float block are on a continuous scale; the rest
        hold only 0 and 1.
    cardinalities : tuple of int
        The number of codes of each column of a block of codes.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["float", "codes"] = "float"
    n_continuous: int = 0
    cardinalities: tuple[int, ...] = ()


@dataclass(frozen=True)
class FeatureSpec:
    """The blocks of one data set, in order.

    Parameters
    ----------
    blocks : tuple of Block
        At least one. Their tensors travel as a mapping from block name to tensor.
    """

    blocks: tuple[Block, ...]

    @property
    def single(self) -> Block:
        """The only block; a ``ValueError`` where there are several."""
        if len(self.blocks) != 1:
            names = [block.name for block in self.blocks]
            raise ValueError(
                f"This trunk takes one input block. Found {len(names)}: {names}; "
                "combine them with a trunk for several inputs."
            )
        return self.blocks[0]
