"""Boosted trees beside a network, computed without a loop whose length depends on the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import starmap
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.network import TreePart, numbers_in

OPERATOR = "TreeEnsembleRegressor"


class FixedTrees(nn.Module):
    """What a `TreePart` computes, in as many steps as its deepest tree has, whatever the rows.

    Parameters
    ----------
    part : TreePart
        The trees.
    number_of_net : int, optional
        With one, it is traced as the operator that ONNX has for trees, which is marked by this number and has
        no trees yet: torch would take a minute for them. `trees_put_in` puts them in. Trees of double
        precision are traced as they are, since the operator rounds.
    """

    def __init__(self, part: TreePart, number_of_net: int | None = None) -> None:
        super().__init__()
        self.part = part
        self.number_of_net = None if part.number.dtype == torch.float64 else number_of_net
        self.depth = _depth(part.below.numpy(), part.root.numpy())
        self.counts = part.n_trees.tolist()

    @property
    def share(self) -> Tensor:
        """The share of the trees in each raw output."""
        return self.part.share

    def blended(self, raw: Tensor, beside: Tensor) -> Tensor:
        """Return the raw outputs of both together, as the part does."""
        return self.part.blended(raw, beside)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs of the trees, shape (rows, raw_width)."""
        table, part = numbers_in(inputs), self.part
        if not len(part.root):
            return part.start.expand(table.shape[0], -1)
        if self.number_of_net is not None:
            found: Tensor = torch.onnx.ops.symbolic(
                f"ai.onnx.ml::{OPERATOR}",
                (table,),
                {"n_targets": self.number_of_net},
                dtype=torch.float32,
                shape=(table.shape[0], len(part.start)),
                version=3,
            )
            return part.start + found
        leaves = self._leaves(table).double()
        of_outputs = [numbers.sum(1) for numbers in leaves.split(self.counts, dim=1)]
        return part.start + torch.stack(of_outputs, dim=1).to(part.start.dtype)

    def _leaves(self, table: Tensor) -> Tensor:
        part = self.part
        place = part.root.long().expand(table.shape[0], -1)
        column, below = part.column.long(), part.below.long()
        for _ in range(self.depth):
            goes_second = table.gather(1, column[place]) > part.number[place]
            place = torch.where(goes_second, below[:, 1][place], below[:, 0][place])
        return part.number[place]


def _depth(below: np.ndarray, root: np.ndarray) -> int:
    """Return how many steps the longest path has."""
    places, depth = np.unique(root), 0
    while len(places):
        inner = places[(below[places] != places[:, None]).any(axis=1)]
        if not len(inner):
            return depth
        places, depth = np.unique(below[inner]), depth + 1
    return depth


def trees_put_in(model: Any, networks: Sequence[Any]) -> None:
    """Put the trees into the operators of an ONNX model that were traced without.

    Parameters
    ----------
    model : onnx.ModelProto
        The model, which is changed.
    networks : sequence of MultiTaskModule
        The networks whose trees are `FixedTrees`, by the number that these were given.
    """
    for node in model.graph.node:
        if node.op_type == OPERATOR:
            part = networks[node.attribute[0].i].trees.part
            del node.attribute[:]
            node.attribute.extend(starmap(import_module("onnx").helper.make_attribute, _attributes(part)))


def _attributes(part: TreePart) -> Iterable[tuple[str, Any]]:
    """Return the trees as the attributes of ONNX's operator, which numbers the nodes of each tree from 0."""
    column, number, below = (getattr(part, name).numpy() for name in ("column", "number", "below"))
    root, place = part.root.numpy(), np.arange(len(part.column))
    tree = np.searchsorted(root, place, side="right") - 1
    first = root[tree]
    is_leaf = below[:, 0] == place
    child = np.where(is_leaf[:, None], 0, below - first[:, None])
    output_of_tree = np.repeat(np.arange(len(part.n_trees)), part.n_trees.numpy())
    leaves = np.flatnonzero(is_leaf)
    found = {
        "aggregate_function": "SUM",
        "n_targets": len(part.start),
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": (place - first).tolist(),
        "nodes_featureids": column.tolist(),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values": np.where(is_leaf, 0.0, number).tolist(),
        "nodes_truenodeids": child[:, 0].tolist(),
        "nodes_falsenodeids": child[:, 1].tolist(),
        "target_treeids": tree[leaves].tolist(),
        "target_nodeids": (leaves - first[leaves]).tolist(),
        "target_ids": output_of_tree[tree[leaves]].tolist(),
        "target_weights": number[leaves].tolist(),
    }
    return found.items()
