"""Trained networks made smaller: with fewer members, with weights of 0, or with weights of eight bits.

`best_members` and `best_nets` choose members of an ensemble by labelled rows; `with_members` is a net with
some of its members. `prune_weights` sets the smallest weights of a network to 0, and `quantize_layers`
replaces its linear layers by `Int8Linear` and `Int8BatchEnsembleLinear`.

Examples
--------
>>> import torch
>>> from sklearn_mtl.inference.compression import Int8Linear
>>> layer = torch.nn.Linear(3, 2)
>>> x = torch.randn(5, 3)
>>> bool((Int8Linear(layer.weight, layer.bias)(x) - layer(x)).abs().max() < 0.1)
True
"""

from sklearn_mtl.inference.compression.int8 import (
    Int8BatchEnsembleLinear,
    Int8Linear,
    quantize_layers,
    refuse_int8,
)
from sklearn_mtl.inference.compression.members import best_members, best_nets
from sklearn_mtl.inference.compression.weights import prune_weights

__all__ = [
    "Int8BatchEnsembleLinear",
    "Int8Linear",
    "best_members",
    "best_nets",
    "prune_weights",
    "quantize_layers",
    "refuse_int8",
]
