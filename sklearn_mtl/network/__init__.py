"""The network as a whole: a trunk, a way of sharing it, heads, and the loss of all tasks.

A `Blueprint` holds the recipes and what is known of inputs and tasks. From it are built a `MultiTaskModule`,
from inputs to the raw outputs of all tasks, and a `BalancedLoss`. `Heads` are the tasks' own branches, those
of one shape as one tensor operation. Raw outputs are (rows, members, raw outputs of all tasks), members
being the networks of an ensemble such as TabM, or one. A `LinearPart`
and a `TreePart` may stand beside a trained network.

Torch's global state is the user's: `in_default_modes` and `seeded` change it for a while and put it back.
`resolve_device` and `resolve_precision` say where and in which dtypes to compute. `shapes_of` says what a
blueprint would build.

Examples
--------
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.balancing import StaticWeights
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.network import Blueprint
>>> from sklearn_mtl.sharing import HardSharing
>>> from sklearn_mtl.targets import read_targets
>>> from sklearn_mtl.tasks import Classification, Regression, TaskSet
>>> from sklearn_mtl.trunks import MLP
>>> columns = read_targets({"price": [1.0, 2.0, 4.0], "type": ["flat", "house", "flat"]}).columns
>>> kinds = {"price": Regression(), "type": Classification()}
>>> tasks = TaskSet(tuple(kind.bind(columns[name], np.ones(3)) for name, kind in kinds.items()))
>>> spec = FeatureSpec((Block("x", (8,), n_continuous=8),))
>>> blueprint = Blueprint(spec, tasks, MLP((16,)), HardSharing(), StaticWeights(), ((), ()), (1.0, 0.5))
>>> inputs = {"x": torch.zeros(3, 8)}
>>> module = blueprint.build(blueprint.fit_statistics(inputs))
>>> raw = module(inputs)
>>> raw.shape
torch.Size([3, 1, 2])
>>> loss = blueprint.build_loss(*(torch.tensor(part) for part in tasks.encode(columns, np.ones((3, 1)))))
>>> loss.weights
tensor([1.0000, 0.5000], dtype=torch.float64)
"""

from sklearn_mtl.network.balanced_loss import BalancedLoss
from sklearn_mtl.network.beside import ModelBeside, numbers_in
from sklearn_mtl.network.generators import (
    GeneratorState,
    draws_alone,
    giving_way,
    is_known,
    is_patched,
    seeded,
)
from sklearn_mtl.network.heads import Heads
from sklearn_mtl.network.linear_part import LinearPart
from sklearn_mtl.network.module import PARTS, Blueprint, MultiTaskModule
from sklearn_mtl.network.pareto_manifold import ParetoManifold
from sklearn_mtl.network.position_heads import PositionHeads
from sklearn_mtl.network.shapes import TooMuchToBuild, shapes_of
from sklearn_mtl.network.torch_state import (
    collect_circles,
    each_in_default_modes,
    give_back_unused,
    in_default_modes,
    is_out_of_memory,
    memory_given_back,
    numpy_dtype,
    resolve_autocast,
    resolve_device,
    resolve_precision,
)
from sklearn_mtl.network.tree_part import TreePart

__all__ = [
    "PARTS",
    "BalancedLoss",
    "Blueprint",
    "GeneratorState",
    "Heads",
    "LinearPart",
    "ModelBeside",
    "MultiTaskModule",
    "ParetoManifold",
    "PositionHeads",
    "TooMuchToBuild",
    "TreePart",
    "collect_circles",
    "draws_alone",
    "each_in_default_modes",
    "give_back_unused",
    "giving_way",
    "in_default_modes",
    "is_known",
    "is_out_of_memory",
    "is_patched",
    "memory_given_back",
    "numbers_in",
    "numpy_dtype",
    "resolve_autocast",
    "resolve_device",
    "resolve_precision",
    "seeded",
    "shapes_of",
]
