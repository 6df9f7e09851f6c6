"""The best raw output that ignores the inputs, where no formula gives it."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from sklearn_mtl.tasks.losses.row_loss import RowLoss, weighted_quantile

# So many quantiles of the labels are tried before the search narrows, from one neighbour to the other.
N_QUANTILES = 33
# Each step keeps this share of the interval; after so many steps it is as narrow as float64 can tell.
GOLDEN = (sqrt(5) - 1) / 2
N_STEPS = 70


def best_point(loss: RowLoss, y: Tensor, weight: Tensor) -> Tensor:
    """Return the raw output of least weighted loss for each column, by golden-section search.

    Parameters
    ----------
    loss : RowLoss
        A loss of one raw output, which is the prediction.
    y, weight : tensor of shape (rows, columns)
        Encoded targets and cell weights.

    Returns
    -------
    tensor of shape (columns,)
    """

    def total(points: Tensor) -> Tensor:
        cells: Tensor = loss(points[None, :, None].expand(len(y), -1, -1), y)
        return (cells * weight).sum(0)

    levels = tuple(torch.linspace(0, 1, N_QUANTILES).tolist())
    tried = weighted_quantile(y, weight, levels)
    best = torch.stack([total(points) for points in tried.T], dim=1).argmin(1, keepdim=True)
    point = tried.gather(1, best)
    # The neighbours must have other values: several quantiles may be one label.
    low = torch.where(tried < point, tried, tried[:, :1]).amax(1)
    high = torch.where(tried > point, tried, tried[:, -1:]).amin(1)
    for _ in range(N_STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        lower = total(left) <= total(right)
        low, high = torch.where(lower, low, left), torch.where(lower, right, high)
    return (low + high) / 2


def best_logits(loss: RowLoss, start: Tensor, prior: Tensor) -> Tensor:
    """Return the raw output of least expected loss of class codes, by L-BFGS.

    Parameters
    ----------
    loss : RowLoss
        A loss of class codes.
    start : tensor of shape (columns, width)
        The raw output that the search begins with.
    prior : tensor of shape (n_classes, columns)
        Probability of each class.
    """
    logits = start.detach().clone().requires_grad_()
    code = torch.arange(len(prior), device=prior.device, dtype=prior.dtype)[:, None].expand_as(prior)
    search = torch.optim.LBFGS(
        [logits], max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def expected_loss() -> float:
        search.zero_grad()
        total = (loss(logits.expand(len(prior), -1, -1), code) * prior).sum()
        total.backward()
        return float(total.detach())

    with torch.enable_grad():
        search.step(expected_loss)
    return logits.detach()
