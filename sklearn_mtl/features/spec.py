"""Blocks: the input tensors of the network, described."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sklearn_mtl.messages import shown

# What belongs to a block travels under its name with one of these behind it: the codes of a table, how many
# steps of a row are real, and whether a row has the input at all.
OF_CODES, OF_LENGTHS, OF_PRESENCE = "_codes", "_lengths", "_present"
SUFFIXES = (OF_CODES, OF_LENGTHS, OF_PRESENCE)


@dataclass(frozen=True)
class Block:
    """One input tensor of the network, without its leading axis of rows.

    A table whose columns have many levels is two blocks: its numbers, in which the most frequent levels have
    columns of 0 and 1, and the codes of those columns, for which a trunk learns vectors. Sequences and texts
    of unequal lengths have a block of lengths beside them.

    Parameters
    ----------
    name : str
        The key under which the tensor travels.
    shape : tuple of int
        Shape of one row: ``(n_columns,)`` for a table, ``(channels, height, width)`` for an image,
        ``(steps, channels)`` for a sequence, ``(tokens,)`` for a text, ``()`` for lengths and presence.
    kind : {"float", "codes", "lengths", "present"}
        ``"float"`` values, or integer ``"codes"`` (categories, tokens), or ``"lengths"``, integers: how many
        steps or tokens of a row are real, the others being 0; in rows of zeros, with which batches are
        filled up, none is. ``"present"`` is 1.0 where a row has the input, and 0.0 where it lacks it.
    n_continuous : int
        How many leading columns of a one-dimensional float block are on a continuous scale; the rest
        hold only 0 and 1.
    cardinalities : tuple of int
        The number of codes of each column of a block of codes; one number for tokens.
    wide_sparse : bool
        Whether the rows come from a sparse matrix of many columns: nearly all of a row is 0, and there is
        no telling which columns are continuous.
    varies : bool
        Whether the first axis of a row may have another length in other rows than those that were fitted, of
        which ``shape`` has the greatest length.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["float", "codes", "lengths", "present"] = "float"
    n_continuous: int = 0
    cardinalities: tuple[int, ...] = ()
    wide_sparse: bool = False
    varies: bool = False


@dataclass(frozen=True)
class FeatureSpec:
    """The blocks of one data set, in order.

    Parameters
    ----------
    blocks : tuple of Block
        At least one. Their tensors travel as a mapping from block name to tensor.

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> photo, table = Block("photo", (3, 32, 32)), Block("table", (4,), n_continuous=4)
    >>> spec = FeatureSpec((photo, Block("photo_present", (), "present"), table))
    >>> spec.inputs
    ('photo', 'table')
    >>> spec.of("photo").is_image, spec.of("table").is_table
    (True, True)
    """

    blocks: tuple[Block, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs: of the blocks that belong to no other."""
        names = {block.name for block in self.blocks}
        belonging = {name + suffix for name in names for suffix in SUFFIXES}
        return tuple(block.name for block in self.blocks if block.name not in belonging)

    def of(self, name: str) -> FeatureSpec:
        """Return the blocks of one input, from which any trunk for a single input can be built.

        Parameters
        ----------
        name : str
            One of `inputs`.
        """
        names = {name, *(name + suffix for suffix in SUFFIXES)}
        return FeatureSpec(tuple(block for block in self.blocks if block.name in names))

    @property
    def row_size(self) -> int:
        """How many numbers an encoded row holds."""
        return sum(math.prod(block.shape) for block in self.blocks)

    @property
    def single(self) -> Block:
        """The only block apart from those that belong to it; a ``ValueError`` where there are several."""
        if not self.blocks or not self._is_one:
            names = list(self.inputs)
            raise ValueError(
                "`trunk` must be one for several inputs, such as Fusion(), where X has these. Found a trunk "
                f"of one input, and {len(names)}: {shown(names)}."
            )
        return self.blocks[0]

    @property
    def flat(self) -> Block:
        """The `single` block, if its rows are numbers of one shape; a ``ValueError`` otherwise."""
        block = self.single
        if block.kind != "float" or block.varies:
            what = "rows of unequal lengths" if block.kind == "float" else "codes of tokens"
            raise ValueError(
                f"This trunk takes numbers of one shape in all rows. Found {what}; a trunk for sequences or "
                "texts takes these."
            )
        return block

    @property
    def _is_one(self) -> bool:
        return len(self.inputs) == 1

    @property
    def codes(self) -> Block | None:
        """The codes of columns of the `single` block's table that have many levels; None where none has."""
        return self._beside(OF_CODES)

    @property
    def lengths(self) -> Block | None:
        """How many steps of the `single` block's rows are real; None where all are."""
        return self._beside(OF_LENGTHS)

    @property
    def presence(self) -> Block | None:
        """Which rows have the `single` block; None where all do."""
        return self._beside(OF_PRESENCE)

    def _beside(self, suffix: str) -> Block | None:
        return next((block for block in self.blocks if block.name == self.single.name + suffix), None)

    @property
    def is_table(self) -> bool:
        """Whether a row is one row of a table: numbers, and codes of columns of many levels if there are."""
        return self._is("float", 1)

    @property
    def is_image(self) -> bool:
        """Whether a row is one image: numbers of shape (channels, height, width)."""
        return self._is("float", 3)

    @property
    def is_sequence(self) -> bool:
        """Whether a row is one sequence: numbers of shape (steps, channels)."""
        return self._is("float", 2)

    @property
    def is_text(self) -> bool:
        """Whether a row is one text: codes of tokens."""
        return self._is("codes", 1)

    def _is(self, kind: str, n_axes: int) -> bool:
        return self._is_one and self.single.kind == kind and len(self.single.shape) == n_axes

    @property
    def numbers(self) -> tuple[Block, ...]:
        """The blocks of numbers."""
        return tuple(block for block in self.blocks if block.kind == "float")

    @property
    def tokens(self) -> tuple[Block, ...]:
        """The blocks of codes of which there are no numbers too."""
        of_tables = {block.name + OF_CODES for block in self.numbers}
        return tuple(block for block in self.blocks if block.kind == "codes" and block.name not in of_tables)
