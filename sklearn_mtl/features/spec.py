"""Blocks: the input tensors of the network, described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sklearn_mtl.messages import shown

# A table's codes travel under its name with this behind it.
OF_CODES = "_codes"


@dataclass(frozen=True)
class Block:
    """One input tensor of the network, without its leading axis of rows.

    A table whose columns have many levels is two blocks: its numbers, in which the most frequent levels have
    columns of 0 and 1, and the codes of those columns, for which a trunk learns vectors.

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
    wide_sparse : bool
        Whether the rows come from a sparse matrix of many columns: nearly all of a row is 0, and there is
        no telling which columns are continuous.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["float", "codes"] = "float"
    n_continuous: int = 0
    cardinalities: tuple[int, ...] = ()
    wide_sparse: bool = False


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
        """The only block apart from the codes of its columns; a ``ValueError`` where there are several."""
        if not self.blocks or not self._is_one:
            names = [block.name for block in self.blocks]
            raise ValueError(
                f"This trunk takes one input block. Found {len(names)}: {shown(names)}; "
                "combine them with a trunk for several inputs."
            )
        return self.blocks[0]

    @property
    def _is_one(self) -> bool:
        first, *others = self.blocks
        return all(other.name == first.name + OF_CODES for other in others)

    @property
    def codes(self) -> Block | None:
        """The codes of columns of the `single` block's table that have many levels; None where none has."""
        return next((block for block in self.blocks if block.name == self.single.name + OF_CODES), None)

    @property
    def is_table(self) -> bool:
        """Whether a row is one row of a table: numbers, and codes of columns of many levels if there are."""
        first = self.blocks[0]
        return self._is_one and first.kind == "float" and len(first.shape) == 1

    @property
    def numbers(self) -> tuple[Block, ...]:
        """The blocks of numbers."""
        return tuple(block for block in self.blocks if block.kind == "float")

    @property
    def tokens(self) -> tuple[Block, ...]:
        """The blocks of codes of which there are no numbers too."""
        of_tables = {block.name + OF_CODES for block in self.numbers}
        return tuple(block for block in self.blocks if block.kind == "codes" and block.name not in of_tables)
