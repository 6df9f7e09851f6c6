"""What somebody would write who has only torch: the networks, the loss and the loop, and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise

import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings, compute_bins
from tabm import EnsembleView, LinearBatchEnsemble, LinearEnsemble
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data import Data, Recipe

Outputs = tuple[Tensor, Tensor]
Loss = Callable[[Outputs, Tensor, Tensor], Tensor]


class TwoHeads(nn.Module):
    """A perceptron with one output for a number and several for a class."""

    def __init__(self, n_features: int, n_classes: int, hidden: tuple[int, ...] = (256, 256)) -> None:
        super().__init__()
        self.body = perceptron(n_features, hidden)
        self.number = nn.Linear(hidden[-1], 1)
        self.code = nn.Linear(hidden[-1], n_classes)

    def forward(self, x: Tensor) -> Outputs:
        """Return the number, shape (rows,), and the logits, shape (rows, n_classes)."""
        shared = self.body(x)
        return self.number(shared)[:, 0], self.code(shared)


class TwoHeadedTabM(nn.Module):
    """TabM over piecewise-linear embeddings, as this package's default, of the authors' own layers."""

    def __init__(
        self,
        bins: list[Tensor],
        n_plain: int,
        n_classes: int,
        hidden: tuple[int, ...],
        *,
        members: int = 8,
        embedding_size: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.n_continuous = len(bins)
        self.embedding = PiecewiseLinearEmbeddings(bins, embedding_size, activation=False, version="B")
        self.view = EnsembleView(k=members)
        chunks = [embedding_size] * len(bins) + [1] * n_plain
        layers: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(pairwise((sum(chunks), *hidden))):
            scaling = {"scaling_init": ("normal", "ones"), "first_scaling_init_chunks": chunks}
            layers += [
                LinearBatchEnsemble(
                    n_in, n_out, k=members, **(scaling if i == 0 else {"scaling_init": "ones"})
                ),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.body = nn.Sequential(*layers)
        self.number = LinearEnsemble(hidden[-1], 1, k=members)
        self.code = LinearEnsemble(hidden[-1], n_classes, k=members)

    def forward(self, x: Tensor) -> Outputs:
        """Return the number, shape (rows, members), and the logits, shape (rows, members, n_classes)."""
        embedded = self.embedding(x[:, : self.n_continuous]).flatten(1)
        shared = self.body(self.view(torch.cat([embedded, x[:, self.n_continuous :]], dim=1)))
        return self.number(shared)[..., 0], self.code(shared)


def perceptron(n_features: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Return linear layers, each with a ReLU after it."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise((n_features, *hidden)):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)


def scale_free_loss(entropy: float) -> Loss:
    """Return the sum of both tasks' losses, each over that of its best constant prediction."""

    def loss(outputs: Outputs, number: Tensor, code: Tensor) -> Tensor:
        return F.mse_loss(outputs[0], number) + F.cross_entropy(outputs[1], code) / entropy

    return loss


def scale_free_loss_of_members(entropy: float) -> Loss:
    """Return the same for outputs with an axis of members, each of which has its own loss."""

    def loss(outputs: Outputs, number: Tensor, code: Tensor) -> Tensor:
        members = outputs[0].shape[1]
        logits, codes = outputs[1].flatten(0, 1), code.repeat_interleave(members)
        squared = F.mse_loss(outputs[0], number[:, None].expand(-1, members))
        return squared + F.cross_entropy(logits, codes) / entropy

    return loss


def fit(data: Data, recipe: Recipe) -> nn.Module:
    """Train a perceptron with two heads and return it."""
    torch.manual_seed(recipe.seed)
    module = TwoHeads(data.n_features, data.n_classes, recipe.hidden)
    return train(module, scale_free_loss(data.entropy), data, recipe)


def fit_tabm(data: Data, recipe: Recipe, *, n_bags: int, ema_decay: float) -> list[nn.Module]:
    """Train a bag of TabM networks with a moving average of their weights, and return the averages."""
    return [_fit_one_tabm(data, recipe, recipe.seed + i, ema_decay) for i in range(n_bags)]


def _fit_one_tabm(data: Data, recipe: Recipe, seed: int, ema_decay: float) -> nn.Module:
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The .*-th feature has just two bin edges")
        bins = compute_bins(torch.from_numpy(data.X[:, : data.n_continuous]), n_bins=32)
        n_plain = data.n_features - data.n_continuous
        module = TwoHeadedTabM(bins, n_plain, data.n_classes, recipe.hidden)
    return train(module, scale_free_loss_of_members(data.entropy), data, recipe, ema_decay=ema_decay)


def train(
    module: nn.Module, loss: Loss, data: Data, recipe: Recipe, *, ema_decay: float | None = None
) -> nn.Module:
    """Train a module by AdamW and return it.

    Parameters
    ----------
    module : nn.Module
        From rows to the outputs of both tasks.
    loss : callable
        From outputs and targets to a scalar.
    data : Data
        Kept in memory as tensors; each epoch draws one order.
    recipe : Recipe
        Epochs, batch size, learning rate and decay.
    ema_decay : float, optional
        Decay of a moving average of the weights, which is put in place at the end.
    """
    X, number, code = (torch.from_numpy(array) for array in (data.X, data.number, data.code))
    parameters = list(module.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    averages = None if ema_decay is None else [parameter.detach().clone() for parameter in parameters]
    module.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            optimizer.zero_grad()
            loss(module(X[rows]), number[rows], code[rows]).backward()
            optimizer.step()
            if averages is not None and ema_decay is not None:
                torch._foreach_lerp_(averages, [parameter.data for parameter in parameters], 1 - ema_decay)
    for parameter, average in zip(parameters, averages or parameters, strict=True):
        parameter.data.copy_(average.data)
    return module.eval()


def fit_binary(X: Tensor, y: Tensor, recipe: Recipe) -> nn.Module:
    """Train a perceptron with one logit for each column of y, the mean of whose losses is minimised."""
    torch.manual_seed(recipe.seed)
    module = perceptron(X.shape[1], recipe.hidden).append(nn.Linear(recipe.hidden[-1], y.shape[1]))
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    for _ in range(recipe.epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(module(X[rows]), y[rows]).backward()
            optimizer.step()
    return module.eval()
