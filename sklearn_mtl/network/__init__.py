"""The network as a whole: a trunk, a way of sharing it, heads, and the loss of all tasks.

A `Blueprint` holds the recipes and what was learned about the inputs and the tasks; it builds a
`MultiTaskModule`, from inputs to the raw outputs of all tasks, and a `BalancedLoss`.

Examples
--------
>>> import torch
>>> from sklearn_mtl.network import Heads
>>> heads = Heads(8, members=1, outputs=[1, 3], hidden_sizes=[(), ()], per_task=False)
>>> heads(torch.zeros(5, 1, 8)).shape
torch.Size([5, 1, 4])
"""

from sklearn_mtl.network.heads import Heads
from sklearn_mtl.network.module import BalancedLoss, Blueprint, MultiTaskModule
from sklearn_mtl.network.torch_state import in_default_modes

__all__ = ["BalancedLoss", "Blueprint", "Heads", "MultiTaskModule", "in_default_modes"]
