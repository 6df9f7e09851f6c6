"""Linear models of a table under the losses of the tasks, one for each strength of a penalty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.tasks import TaskSet

# Penalties on squared slopes, in shares of the variance of all encoded columns together, for losses that are
# means over rows. Spectra of a hundred nearly equal columns take the weakest, heavy noise the strongest.
STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# Directions of less variance, in shares of that of the widest, are rounding.
SMALLEST_VARIANCE = 1e-12
# Tasks are minimised together, and found as alone: to the optimum, not to some point near it.
MOST_STEPS = 200
SMALLEST_GRADIENT = 1e-7
SMALLEST_CHANGE = 1e-15


@dataclass(frozen=True, eq=False)
class LinearModel:
    """The slopes and the bias of all raw outputs, in double precision on the CPU.

    Parameters
    ----------
    weight : tensor of shape (raw_width, n_columns)
        The slope of each raw output in each column.
    bias : tensor of shape (raw_width,)
        The raw outputs of a row of zeros.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the raw outputs of some rows, shape (rows, raw_width)."""
        return x @ self.weight.T + self.bias


def linear_path(table: Table, tasks: TaskSet) -> Iterator[LinearModel]:
    """Iterate over the linear models of all tasks, from the strongest penalty to the weakest.

    Each minimises the mean loss of every target column over its labelled rows, plus the penalty: this is
    ridge regression for squared errors, logistic regression for classes, and their like for other losses.
    The bias is not penalised.

    Parameters
    ----------
    table : Table
        Training rows of one block, a table.
    tasks : TaskSet
        The tasks, whose losses are minimised.
    """
    x, y, weight = in_double(table)
    # Rows that weigh nothing are as if they were not there.
    counting = weight.sum(1) > 0
    x, y, weight = x[counting], y[counting], weight[counting]
    directions = _Directions.of(x, weight.sum(1))
    share = weight / weight.sum(0).clamp_min(1e-30)
    bias = torch.cat(
        [
            group.loss.constant(y[:, group.columns], weight[:, group.columns]).flatten()
            for group in tasks.groups
        ]
    )
    slopes = x.new_zeros((len(directions.variance), tasks.raw_width))
    for strength in STRENGTHS:
        penalty = strength * directions.variance.sum()
        slopes, bias = _minimised(directions, tasks, y, share, penalty, slopes, bias)
        yield directions.model(slopes, bias)


def in_double(table: Table) -> tuple[Tensor, Tensor, Tensor]:
    """Return the columns, the encoded targets and the cell weights of a table's rows, on the CPU."""
    (x,) = table.inputs.values()
    return x.cpu().double(), table.y.cpu().double(), table.weight.cpu().double()


@dataclass(frozen=True, eq=False)
class _Directions:
    """Rows in the coordinates of their principal directions, in which a penalty is a diagonal matrix.

    Parameters
    ----------
    rows : tensor of shape (n_rows, n_directions)
        The rows, centred.
    axes : tensor of shape (n_columns, n_directions)
        The directions, of length 1.
    centre : tensor of shape (n_columns,)
        What was subtracted from the columns.
    variance : tensor of shape (n_directions,)
        The weighted mean square of the rows in each direction.
    """

    rows: Tensor
    axes: Tensor
    centre: Tensor
    variance: Tensor

    @classmethod
    def of(cls, x: Tensor, weight: Tensor) -> _Directions:
        """Return the directions of rows of the given weights."""
        mass = weight / weight.sum()
        centre = mass @ x
        scaled = (x - centre) * mass.sqrt().unsqueeze(1)
        # Of the two products, the smaller one has all there is to know.
        few_columns = x.shape[1] <= len(x)
        variance, found = torch.linalg.eigh(scaled.T @ scaled if few_columns else scaled @ scaled.T)
        kept = variance > SMALLEST_VARIANCE * variance[-1].clamp_min(1e-300)
        variance, found = variance[kept], found[:, kept]
        axes = found if few_columns else scaled.T @ found / variance.sqrt()
        return cls((x - centre) @ axes, axes, centre, variance)

    def model(self, slopes: Tensor, bias: Tensor) -> LinearModel:
        """Return the model of the columns, given that of the directions."""
        weight = (self.axes @ slopes).T
        return LinearModel(weight, bias - weight @ self.centre)


def _minimised(
    directions: _Directions,
    tasks: TaskSet,
    y: Tensor,
    share: Tensor,
    penalty: Tensor,
    slopes: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the slopes and the bias of least penalised loss, found from those given."""
    # In this scale squared errors have a curvature of about 1 in all directions, so that few steps will do.
    scale = (directions.variance + penalty).rsqrt().unsqueeze(1) * _has_slope(tasks)
    place = torch.where(scale > 0, slopes / scale, 0.0).requires_grad_()
    before, bias = (slopes, bias), bias.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [place, bias],
        max_iter=MOST_STEPS,
        tolerance_grad=SMALLEST_GRADIENT,
        tolerance_change=SMALLEST_CHANGE,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def objective() -> Tensor:
        slopes = place * scale
        raw = directions.rows @ slopes + bias
        total = penalty * (slopes**2).sum() / 2
        gradients = []
        for group in tasks.groups:
            outputs = raw[:, group.raw].unflatten(-1, (group.n_columns, group.loss.width))
            loss, slope = group.loss.with_slope(outputs, y[:, group.columns])
            total = total + (loss * share[:, group.columns]).sum()
            gradients.append((slope * share[:, group.columns].unsqueeze(-1)).flatten(1))
        gradient = torch.cat(gradients, dim=1)
        place.grad = (directions.rows.T @ gradient + penalty * slopes) * scale
        bias.grad = gradient.sum(0)
        return total

    optimizer.step(objective)
    found, bias_found = (place * scale).detach(), bias.detach()
    # Where the loss has no bounds, the model stays that of the stronger penalty.
    return (found, bias_found) if found.isfinite().all() and bias_found.isfinite().all() else before


def _has_slope(tasks: TaskSet) -> Tensor:
    """Return 1 for each raw output that depends on the row, 0 for those that are the same for all rows."""
    found, start = torch.ones(tasks.raw_width, dtype=torch.float64), 0
    for task in tasks.ordered:
        found[[start + output for output in task.constant_outputs]] = 0.0
        start += task.width
    return found
