"""Layers that trunks are made of.

Examples
--------
>>> import torch
>>> from sklearn_mtl.trunks.layers import BatchEnsembleLinear
>>> BatchEnsembleLinear(4, 8, members=3)(torch.zeros(10, 3, 4)).shape
torch.Size([10, 3, 8])
"""

from sklearn_mtl.trunks.layers.batch_ensemble import FEWEST_BITS_APART, BatchEnsembleLinear
from sklearn_mtl.trunks.layers.codes import CodeEmbedding, WithCodes
from sklearn_mtl.trunks.layers.dropout import Dropout
from sklearn_mtl.trunks.layers.embedding import PiecewiseLinearEmbedding
from sklearn_mtl.trunks.layers.generators import OwnDraws, drawing_from, own_generator, own_generators
from sklearn_mtl.trunks.layers.linear import Linear, MemberLinear, TaskLinear, aligned, linear
from sklearn_mtl.trunks.layers.residual import Residual
from sklearn_mtl.trunks.layers.stacking import (
    SameForAll,
    are_equal,
    share_tensors,
    stacked,
    stacked_entry,
    tensors_by_place,
)

__all__ = [
    "FEWEST_BITS_APART",
    "BatchEnsembleLinear",
    "CodeEmbedding",
    "Dropout",
    "Linear",
    "MemberLinear",
    "OwnDraws",
    "PiecewiseLinearEmbedding",
    "Residual",
    "SameForAll",
    "TaskLinear",
    "WithCodes",
    "aligned",
    "are_equal",
    "drawing_from",
    "linear",
    "own_generator",
    "own_generators",
    "share_tensors",
    "stacked",
    "stacked_entry",
    "tensors_by_place",
]
