"""Layers that trunks are made of.

Examples
--------
>>> import torch
>>> from sklearn_mtl.trunks.layers import BatchEnsembleLinear
>>> BatchEnsembleLinear(4, 8, members=3)(torch.zeros(10, 3, 4)).shape
torch.Size([10, 3, 8])
"""

from sklearn_mtl.trunks.layers.batch_ensemble import BatchEnsembleLinear
from sklearn_mtl.trunks.layers.dropout import Dropout
from sklearn_mtl.trunks.layers.piecewise_linear import PiecewiseLinearEmbedding, bin_edges

__all__ = ["BatchEnsembleLinear", "Dropout", "PiecewiseLinearEmbedding", "bin_edges"]
