"""The smallest weights of a network set to 0."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import prune

from sklearn_mtl.network import MultiTaskModule


@torch.no_grad()
def prune_weights(module: MultiTaskModule, amount: float) -> None:
    """Set the weights of least size, of all matrices of a network together, to 0.

    Parameters
    ----------
    module : MultiTaskModule
        The network, which is changed.
    amount : float
        The share of the weights, in (0, 1).
    """
    matrices = ((part, getattr(part, "weight", None)) for part in module.modules())
    parts = [
        (part, "weight") for part, weight in matrices if isinstance(weight, nn.Parameter) and weight.ndim >= 2
    ]
    prune.global_unstructured(parts, pruning_method=prune.L1Unstructured, amount=amount)
    for part, name in parts:
        prune.remove(part, name)
