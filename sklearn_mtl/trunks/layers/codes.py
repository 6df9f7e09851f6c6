"""Vectors of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.trunks.layers.linear import joined
from sklearn_mtl.trunks.layers.stacking import stacked, stacked_entry

# How far from 0 the vectors of codes begin.
SPREAD = 0.01


class CodeEmbedding(nn.Module):
    """A learned vector for each code of each column.

    The vectors begin near 0, so that a code that is never met says nothing.

    Parameters
    ----------
    cardinalities : sequence of int
        The number of codes of each column.
    size : int
        Width of a code's vector.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import CodeEmbedding
    >>> CodeEmbedding((1000, 70), size=8)(torch.tensor([[999, 0], [0, 69]])).shape
    torch.Size([2, 16])
    """

    def __init__(self, cardinalities: Sequence[int], size: int) -> None:
        super().__init__()
        # One for each column: in a stack, those of a network with fewer levels are filled up at the end.
        self.tables = nn.ParameterList(
            nn.Parameter(torch.empty(n_codes, size).normal_(0, SPREAD)) for n_codes in cardinalities
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors, side by side.

        Parameters
        ----------
        codes : tensor of int of shape (rows, n_columns)

        Returns
        -------
        tensor of shape (rows, n_columns * size)
        """
        return torch.cat(
            [F.embedding(column, table) for column, table in zip(codes.T, self.tables, strict=True)], dim=1
        )

    @classmethod
    def stacked(cls, embeddings: Sequence[CodeEmbedding]) -> nn.Module:
        """Return what these embeddings make of the same codes, as one."""
        return StackedCodeEmbedding(embeddings)


class StackedCodeEmbedding(nn.Module):
    """Embeddings of trunks side by side: (rows, n_columns) to (rows, n, n_columns * size).

    Parameters
    ----------
    embeddings : sequence of CodeEmbedding
        The embeddings of the n trunks.
    """

    def __init__(self, embeddings: Sequence[CodeEmbedding]) -> None:
        super().__init__()
        of_columns = zip(*(embedding.tables for embedding in embeddings), strict=True)
        self.tables = nn.ParameterList(joined(tables) for tables in of_columns)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of all embeddings, shape (rows, n, n_columns * size)."""
        vectors = [table[:, column] for column, table in zip(codes.T, self.tables, strict=True)]
        return torch.cat(vectors, dim=2).transpose(0, 1)


class WithCodes(nn.Module):
    """The entry of a table, and before its columns the vectors of the codes: (rows, members, width).

    In a stack, the columns of a narrower table are filled up at the end, which is why these come first.

    Parameters
    ----------
    entry : nn.Module
        Gives the table, (rows, members, width), the same to all members.
    name : str
        Name of the block of codes.
    embedding : CodeEmbedding
        Makes vectors of them.
    """

    def __init__(self, entry: nn.Module, name: str, embedding: nn.Module) -> None:
        super().__init__()
        self.entry = entry
        self.name = name
        self.embedding = embedding

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return vectors and table, shape (rows, members, width)."""
        table: Tensor = self.entry(inputs)
        vectors: Tensor = self.embedding(inputs[self.name])
        together = torch.cat([vectors.unsqueeze(1), table[:, :1]], dim=-1)
        return together.expand(-1, table.shape[1], *together.shape[2:])

    @classmethod
    def stacked(cls, entries: Sequence[WithCodes]) -> nn.Module:
        """Return the entry of trunks side by side."""
        first = entries[0]
        entry = stacked_entry([one.entry for one in entries])
        return StackedWithCodes(entry, first.name, stacked([one.embedding for one in entries]))


class StackedWithCodes(WithCodes):
    """The same for trunks side by side: (rows, members, n, width)."""
