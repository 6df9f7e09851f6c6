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
from sklearn_mtl.trunks.layers.generators import (
    OwnDraws,
    drawing_from,
    own_generator,
    own_generators,
    part_of_batch,
)
from sklearn_mtl.trunks.layers.linear import Linear, MemberLinear, TaskLinear, aligned, linear
from sklearn_mtl.trunks.layers.recurrent import CELLS, Recurrent
from sklearn_mtl.trunks.layers.residual import Residual
from sklearn_mtl.trunks.layers.self_attention import SelfAttention, positional_encoding
from sklearn_mtl.trunks.layers.stacking import (
    MappedParts,
    SameForAll,
    are_equal,
    share_tensors,
    stacked,
    stacked_entry,
    tensors_by_place,
)
from sklearn_mtl.trunks.layers.step_encoder import StepEncoder
from sklearn_mtl.trunks.layers.steps import POOLINGS, StepDropout, backwards, is_real, lengths_of, only_real
from sklearn_mtl.trunks.layers.temporal import TemporalBlocks, TemporalConvolution
from sklearn_mtl.trunks.layers.tokens import ParallelConvolutions, TokenEmbedding, TokensAsTheyAre

__all__ = [
    "CELLS",
    "FEWEST_BITS_APART",
    "POOLINGS",
    "BatchEnsembleLinear",
    "CodeEmbedding",
    "Dropout",
    "Linear",
    "MappedParts",
    "MemberLinear",
    "OwnDraws",
    "ParallelConvolutions",
    "PiecewiseLinearEmbedding",
    "Recurrent",
    "Residual",
    "SameForAll",
    "SelfAttention",
    "StepDropout",
    "StepEncoder",
    "TaskLinear",
    "TemporalBlocks",
    "TemporalConvolution",
    "TokenEmbedding",
    "TokensAsTheyAre",
    "WithCodes",
    "aligned",
    "are_equal",
    "backwards",
    "drawing_from",
    "is_real",
    "lengths_of",
    "linear",
    "only_real",
    "own_generator",
    "own_generators",
    "part_of_batch",
    "positional_encoding",
    "share_tensors",
    "stacked",
    "stacked_entry",
    "tensors_by_place",
]
