"""From features to a representation.

A trunk is a recipe, a `BaseEstimator` with parameters; its ``build`` makes the network once the widths
are known. The network, a `TrunkModule`, is an entry and a list of stages, and gives a tensor of shape
(rows, members, width); members is 1 unless the trunk is an ensemble (`TabM`).

A trunk of your own is a subclass of `Trunk` with one method, ``build``. If it needs statistics of the
training rows, such as bin edges, ``fit_statistics`` computes them before the network is built. Any
``nn.Module`` will do as well (`ModuleTrunk`). A trunk whose entry is a `PositionEntry` has a representation
for each position of a row beside that of the row: for tasks with a label for each step, token or pixel.

Examples
--------
>>> import torch
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.trunks import MLP
>>> spec = FeatureSpec((Block("x", (4,), n_continuous=4),))
>>> x = {"x": torch.zeros(10, 4)}
>>> MLP(hidden_sizes=(16, 8)).build(spec, statistics={})(x).shape
torch.Size([10, 1, 8])
"""

from torch import nn

from sklearn_mtl.recipes import Recipes
from sklearn_mtl.trunks.cnn import CNN
from sklearn_mtl.trunks.default import OF_AN_INPUT
from sklearn_mtl.trunks.default_trunk import DefaultTrunk
from sklearn_mtl.trunks.fitted_trunk import FittedTrunk
from sklearn_mtl.trunks.ft_transformer import FTTransformer
from sklearn_mtl.trunks.fusion import Fusion
from sklearn_mtl.trunks.mlp import MLP
from sklearn_mtl.trunks.module_trunk import ModuleTrunk
from sklearn_mtl.trunks.resnet import ResNet
from sklearn_mtl.trunks.rnn import RNN
from sklearn_mtl.trunks.sequence import SequenceTrunk
from sklearn_mtl.trunks.stacked import StackedTrunks
from sklearn_mtl.trunks.tabm import TabM
from sklearn_mtl.trunks.tcn import TCN
from sklearn_mtl.trunks.text_encoder import BagOfTokens, TextCNN, TextEncoder
from sklearn_mtl.trunks.transformer_encoder import TransformerEncoder
from sklearn_mtl.trunks.trunk import PositionEntry, Trunk, TrunkModule

TRUNKS: Recipes[Trunk] = Recipes(
    Trunk,
    {**OF_AN_INPUT, "fusion": Fusion},
    "`trunk` must be None, one of {names}, a Trunk such as MLP() or an nn.Module",
    default=DefaultTrunk,
    wraps={nn.Module: ModuleTrunk},
)

__all__ = [
    "CNN",
    "MLP",
    "RNN",
    "TCN",
    "TRUNKS",
    "BagOfTokens",
    "DefaultTrunk",
    "FTTransformer",
    "FittedTrunk",
    "Fusion",
    "ModuleTrunk",
    "PositionEntry",
    "ResNet",
    "SequenceTrunk",
    "StackedTrunks",
    "TabM",
    "TextCNN",
    "TextEncoder",
    "TransformerEncoder",
    "Trunk",
    "TrunkModule",
]
