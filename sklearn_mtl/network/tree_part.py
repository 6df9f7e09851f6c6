"""Boosted trees beside a trained network, all of them evaluated at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.network.beside import ModelBeside, numbers_in

# Rows times trees, or columns, that are walked through together: some copies of so many integers are in
# memory, best in the processor's caches.
MOST_PLACES = 2**17


class TreePart(ModelBeside):
    """Regression trees of a table, which add up to raw outputs, and their share of each.

    A node of a tree has a column, a number and two children. A row goes to the first child where its value
    in the column is at most the number, and to the second otherwise. A leaf is its own children, and its
    number is what the tree adds. So all trees are walked through at once, in as many steps as the deepest
    of them takes.

    Parameters
    ----------
    column : tensor of int32, shape (n_nodes,)
        The column that is asked about in each node; any in a leaf.
    number : tensor of shape (n_nodes,)
        The number that the value is compared with, or that of a leaf.
    below : tensor of int32, shape (n_nodes, 2)
        The two children of each node.
    root : tensor of int32, shape (n_trees,)
        The first node of each tree, trees of one raw output next to each other.
    n_trees : tensor of int32, shape (raw_width,)
        Number of trees of each raw output.
    start : tensor of shape (raw_width,)
        What the trees' numbers are added to.
    share : tensor of shape (raw_width,)
        The share of the trees, in [0, 1]; what stood there before has the rest.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.network import TreePart
    >>> stump = TreePart(
    ...     column=torch.tensor([1, 0, 0], dtype=torch.int32),
    ...     number=torch.tensor([0.5, -3.0, 3.0]),
    ...     below=torch.tensor([[1, 2], [1, 1], [2, 2]], dtype=torch.int32),
    ...     root=torch.tensor([0], dtype=torch.int32),
    ...     n_trees=torch.tensor([1], dtype=torch.int32),
    ...     start=torch.tensor([10.0]),
    ...     share=torch.tensor([1.0]),
    ... )
    >>> stump({"x": torch.tensor([[9.0, 0.5], [9.0, 0.6]])})
    tensor([[ 7.],
            [13.]])
    """

    name: ClassVar[str] = "trees"
    buffer_dtypes: ClassVar[Mapping[str, torch.dtype | None]] = {
        "column": torch.int32,
        "number": None,
        "below": torch.int32,
        "root": torch.int32,
        "n_trees": torch.int32,
        "start": None,
        "share": None,
    }

    column: Tensor
    number: Tensor
    below: Tensor
    root: Tensor
    n_trees: Tensor
    start: Tensor

    @classmethod
    def _shapes(
        cls, own: Mapping[str, np.ndarray], raw_width: int, n_columns: int
    ) -> dict[str, tuple[int, ...]]:
        n_nodes, n_trees = own["number"].size, own["root"].size
        whole = [own[name] for name in ("column", "below", "root", "n_trees")]
        limits = (n_columns, n_nodes, n_nodes, n_trees + 1)
        for array, limit in zip(whole, limits, strict=True):
            if array.dtype.kind not in "iu" or (array.size and not 0 <= array.min() <= array.max() < limit):
                raise ValueError("its trees have nodes or columns that are not there")
        # Children come after their parents, so that no path goes round in a circle.
        if (own["below"] < np.arange(n_nodes)[:, None]).any():
            raise ValueError("its trees have nodes above themselves")
        if int(np.sum(own["n_trees"], dtype=np.int64)) != n_trees:
            raise ValueError(f"it has {n_trees} trees, and says another number")
        shapes: dict[str, tuple[int, ...]]
        shapes = {"column": (n_nodes,), "number": (n_nodes,), "below": (n_nodes, 2), "root": (n_trees,)}
        return shapes | dict.fromkeys(("n_trees", "start", "share"), (raw_width,))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs of the trees, shape (rows, raw_width)."""
        counts = self.n_trees.tolist()
        raws = []
        for leaves in self.leaf_numbers(numbers_in(inputs)):
            # In double precision, so that no sum depends on the order of its numbers.
            of_outputs = leaves.double().split(counts, dim=1)
            raws.append(torch.stack([numbers.sum(1) for numbers in of_outputs], dim=1))
        return self.start + torch.cat(raws).to(self.start.dtype)

    def leaf_numbers(self, table: Tensor) -> Iterator[Tensor]:
        """Yield the number of the leaf of each tree that each row ends in, for some rows after the other.

        Parameters
        ----------
        table : tensor of shape (rows, n_columns)
            Encoded rows.

        Yields
        ------
        tensor of shape (some rows, n_trees)
            The memory that it takes to find them is bounded by the number of these rows.
        """
        width = max(len(self.root), table.shape[1], 1)
        return (self._leaf_numbers(rows) for rows in table.split(max(MOST_PLACES // width, 1)))

    def _leaf_numbers(self, table: Tensor) -> Tensor:
        n_rows, n_trees = len(table), len(self.root)
        below = self.below.flatten()
        # Flat, since selecting from one axis takes half the time of indexing.
        values = table.flatten()
        first_value = table.shape[1] * torch.arange(n_rows, dtype=torch.int32, device=table.device)
        first_value = first_value.repeat(n_trees)
        # All rows of a tree next to each other, so that its nodes are read while they are in a cache.
        place = self.root.repeat_interleave(n_rows)
        # No path is longer than there are nodes, whatever a file says of them.
        for _ in range(len(self.column)):
            value = values.index_select(0, self.column.index_select(0, place).add_(first_value))
            goes_second = value > self.number.index_select(0, place)
            after = below.index_select(0, (2 * place).add_(goes_second))
            if torch.equal(after, place):
                break
            place = after
        return self.number.index_select(0, place).view(n_trees, n_rows).T.contiguous()
