"""The contestants that are libraries: this package, skorch and scikit-learn, told to do the same work."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from skorch import NeuralNet
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.by_hand import Outputs, TwoHeads
from benchmarks.data import Data, Recipe
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import MLP

TASKS = {"number": "regression", "code": "classification"}


def ours(recipe: Recipe, **changed: Any) -> MultiTaskClassifierRegressor:
    """Return this package's estimator as a plain network: nothing held out, averaged or calibrated.

    Parameters
    ----------
    recipe : Recipe
        Network and training.
    **changed
        Parameters that differ from that.
    """
    plain: dict[str, Any] = {
        "tasks": TASKS,
        "trunk": MLP(recipe.hidden),
        "preprocessing": None,
        "n_bags": 1,
        "early_stopping": False,
        "ema_decay": None,
        "lr_schedule": None,
        "calibrate": False,
        "device": "cpu",
    }
    return MultiTaskClassifierRegressor(
        **{**plain, **changed},
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        batch_size=recipe.batch_size,
        max_epochs=recipe.epochs,
        random_state=recipe.seed,
    )


class TwoLosses(nn.Module):
    """The scale-free losses of both tasks, weighed and added, of targets side by side."""

    def __init__(self, entropy: float, code_weight: float = 1.0) -> None:
        super().__init__()
        self.entropy = entropy
        self.code_weight = code_weight

    def forward(self, outputs: Outputs, y: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        classified = F.cross_entropy(outputs[1], y[:, 1].long()) / self.entropy
        return F.mse_loss(outputs[0], y[:, 0]) + self.code_weight * classified


class TwoHeadedNet(NeuralNet):
    """skorch's net around the same module, with skorch's own data set and loader."""

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Return the mean of R² and accuracy."""
        number, logits = self.forward(X)
        accuracy = accuracy_score(y[:, 1], logits.argmax(1))
        return float((r2_score(y[:, 0], number) + accuracy) / 2)


def skorch_net(data: Data, recipe: Recipe) -> TwoHeadedNet:
    """Return a net that is not fitted: AdamW, all rows trained on, nothing printed."""
    return TwoHeadedNet(
        TwoHeads,
        module__n_features=data.n_features,
        module__n_classes=data.n_classes,
        module__hidden=recipe.hidden,
        criterion=TwoLosses,
        criterion__entropy=data.entropy,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=recipe.weight_decay,
        optimizer__fused=True,
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        max_epochs=recipe.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def fit_skorch(data: Data, recipe: Recipe) -> TwoHeadedNet:
    """Fit skorch's net and return it."""
    torch.manual_seed(recipe.seed)
    return skorch_net(data, recipe).fit(data.X, data.side_by_side)


def fit_scikit_learn(data: Data, recipe: Recipe) -> tuple[MLPRegressor, MLPClassifier]:
    """Fit scikit-learn's perceptrons, one for each task, for as many epochs as the others."""
    options: dict[str, Any] = {
        "hidden_layer_sizes": recipe.hidden,
        "solver": "adam",
        "alpha": recipe.weight_decay,
        "batch_size": recipe.batch_size,
        "learning_rate_init": recipe.lr,
        "max_iter": recipe.epochs,
        "tol": 0.0,
        "n_iter_no_change": recipe.epochs + 1,
        "random_state": recipe.seed,
    }
    with warnings.catch_warnings():
        # It has done all its epochs, as it was told.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return (
            MLPRegressor(**options).fit(data.X, data.number),
            MLPClassifier(**options).fit(data.X, data.code),
        )
