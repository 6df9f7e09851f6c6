"""Losses of one labelled cell, by kind of task.

A `RowLoss` gives the loss of every cell, the averaged response, the decision that follows from it and the
best constant prediction. `PointLoss`, `LogLinkLoss` and `ClassLoss` need nothing but the loss itself.
"""

from sklearn_mtl.tasks.losses.classification import BinaryCrossEntropy, ClassLoss, CrossEntropy
from sklearn_mtl.tasks.losses.ordinal import CumulativeLink
from sklearn_mtl.tasks.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    GaussianNLL,
    Huber,
    LogLinkLoss,
    Pinball,
    PointLoss,
    PoissonDeviance,
    RegressionLoss,
    SquaredError,
)
from sklearn_mtl.tasks.losses.row_loss import RowLoss
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
    "LogLinkLoss",
    "Pinball",
    "PointLoss",
    "PoissonDeviance",
    "RegressionLoss",
    "RowLoss",
    "SquaredError",
]
