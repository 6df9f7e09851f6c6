"""Losses of one labelled cell, by kind of task.

A `RowLoss` gives the loss of every cell, the response, which may be averaged over nets, the decision that
follows from it, and the best constant prediction. `PointLoss`, `LogLinkLoss` and `ClassLoss` need nothing
but the loss itself.

Examples
--------
>>> import torch
>>> from sklearn_mtl.tasks.losses import BinaryCrossEntropy
>>> loss = BinaryCrossEntropy()
>>> raw, y = torch.tensor([[[0.0]], [[2.0]]]), torch.tensor([[1.0], [1.0]])  # 2 rows, 1 column
>>> loss(raw, y)
tensor([[0.6931],
        [0.1269]])
>>> loss.decision(loss.response(raw))
tensor([[False],
        [ True]])
>>> loss.constant(y, torch.ones(2, 1)) > 10  # the log-odds of the share of ones
tensor([[True]])
"""

from sklearn_mtl.tasks.losses.classification import BinaryCrossEntropy, ClassLoss, CrossEntropy
from sklearn_mtl.tasks.losses.gaussian_nll import GaussianNLL
from sklearn_mtl.tasks.losses.ordinal import CumulativeLink
from sklearn_mtl.tasks.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    IntervalLoss,
    LogLinkLoss,
    Pinball,
    PointLoss,
    PoissonDeviance,
    RegressionLoss,
    SquaredError,
)
from sklearn_mtl.tasks.losses.row_loss import ProbabilityLoss, RowLoss
from sklearn_mtl.tasks.losses.survival import DiscreteHazards

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "ClassLoss",
    "CrossEntropy",
    "CumulativeLink",
    "DiscreteHazards",
    "GammaDeviance",
    "GaussianNLL",
    "Huber",
    "IntervalLoss",
    "LogLinkLoss",
    "Pinball",
    "PointLoss",
    "PoissonDeviance",
    "ProbabilityLoss",
    "RegressionLoss",
    "RowLoss",
    "SquaredError",
]
