"""Mixup: means of two rows, with the labels of both."""

from __future__ import annotations

import torch
from scipy.special import betaincinv
from torch import Tensor

from sklearn_mtl.augmentation.augmentation import Augmentation
from sklearn_mtl.data import Batch
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number


class Mixup(Augmentation):
    """Train on weighted means of two rows (Zhang et al. 2018, section 2).

    In each step every row is mixed with another one of the batch: λ of its own columns and 1 - λ of the
    other's, λ drawn for each row from Beta(alpha, alpha). Its loss is λ times that for its own labels and
    1 - λ times that for the other's, which for a cross-entropy is the loss for the mixed label, and means
    something for every kind of task. A row is only mixed with rows that have labels of the same tasks; one
    without such a fellow stays as it is.

    What is mixed are the rows as they are encoded, before any embedding: scaled numbers and columns of 0 and
    1. Of a block of integer codes, such as tokens, each code is that of the one row with probability λ, and
    else that of the other.

    ``train_loss`` of ``history_`` is that of mixed rows, and higher than without.

    Parameters
    ----------
    alpha : float, default=0.2
        Above 0. Small numbers leave nearly all rows nearly as they are; at 1, λ is uniform.

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization",
    ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.augmentation import Mixup
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> est = MultiTaskRegressor(augmentation=Mixup(alpha=0.4), n_bags=1, max_epochs=2)
    >>> est.fit(X, X[:, 0]).predict(X).shape
    (200,)
    """

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def check(self) -> None:
        """Raise a ``ValueError`` unless ``alpha`` is a positive number."""
        if not is_number(self.alpha) or self.alpha <= 0:
            raise ValueError(f"`alpha` of Mixup must be a positive number. Found {shown(self.alpha)}.")

    def augment(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return mixed rows, each with the labels of both."""
        n_rows = batch.n_rows
        other = _others(batch.weight, torch.randperm(n_rows, generator=generator).to(batch.y.device))
        uniform = torch.rand(n_rows, generator=generator, dtype=torch.float64)
        # By its quantile function, which knows no extremes: torch's Beta takes no generator.
        alpha = min(max(float(self.alpha), 1e-9), 1e12)
        own = torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy())).to(batch.y)
        # To a row that has no other, both shares are its own.
        inputs = {
            name: _mixed(block, block.index_select(0, other), own, generator)
            for name, block in batch.inputs.items()
        }
        share = own.unsqueeze(1)
        y = torch.stack([batch.y, batch.y.index_select(0, other)], dim=1)
        others_weight = (1 - share) * batch.weight.index_select(0, other)
        weight = torch.stack([share * batch.weight, others_weight], dim=1)
        return Batch(inputs, y.flatten(0, 1), weight.flatten(0, 1))


def _others(weight: Tensor, order: Tensor) -> Tensor:
    """Return for each row another one with labels of the same tasks: the next one in a random order.

    Parameters
    ----------
    weight : tensor of shape (rows, n_columns)
        Weights of the labels, 0 where there is none.
    order : tensor of int, shape (rows,)
        A random order of the rows.
    """
    has_label = weight > 0
    if has_label.all():
        return torch.empty_like(order).index_copy_(0, order, order.roll(-1))
    _, kind = has_label.unique(dim=0, return_inverse=True)
    by_kind = order[kind[order].argsort(stable=True)]
    sorted_kind = kind[by_kind]
    # The last one of a kind is followed by the first.
    is_last = torch.cat([sorted_kind[1:] != sorted_kind[:-1], sorted_kind.new_ones(1, dtype=torch.bool)])
    first = torch.searchsorted(sorted_kind, sorted_kind)
    following = torch.where(is_last, by_kind[first], by_kind.roll(-1))
    return torch.empty_like(order).index_copy_(0, by_kind, following)


def _mixed(block: Tensor, other: Tensor, own: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return the mean of two blocks of rows; of codes, some of the one and some of the other.

    Of lengths it is the greater one: the shorter row is filled up.
    """
    if block.ndim == 1 and not block.is_floating_point():
        return torch.maximum(block, other)
    share = own.view(-1, *[1] * (block.ndim - 1))
    if block.is_floating_point():
        return torch.lerp(other, block, share.to(block))
    drawn = torch.rand(block.shape, generator=generator).to(block.device)
    return torch.where(drawn < share, block, other)
