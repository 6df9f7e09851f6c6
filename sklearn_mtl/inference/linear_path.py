"""Linear models of a table under the losses of the tasks, one for each strength of a penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.inference.beside import Kind, Parts, Path, in_double
from sklearn_mtl.network import LinearPart
from sklearn_mtl.tasks import TaskGroup, TaskSet
from sklearn_mtl.tasks.losses import SquaredError

# Penalties on squared slopes, in shares of the variance of all encoded columns together, for losses that are
# means over rows. Spectra of a hundred nearly equal columns take the weakest, heavy noise the strongest.
STRENGTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# Directions of less variance, in shares of that of the widest, are rounding.
SMALLEST_VARIANCE = 1e-12
# So few tasks are minimised one by one, so that none depends on another's rounding; more take too long.
MOST_ALONE = 10
# Nor are squared errors solved where columns of unequal gaps have equations of more work, or more of them.
MOST_WORK = 2e9
MOST_EQUATIONS = 50
MOST_STEPS = 100
SMALLEST_GRADIENT = 1e-4


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


@dataclass(frozen=True, eq=False)
class LinearPath(Path):
    """The linear models of one net's rows.

    Parameters
    ----------
    models : sequence of LinearModel
        One for each strength of the penalty, from the strongest on.
    """

    models: Sequence[LinearModel]

    def raw(self, x: Tensor) -> Tensor:
        """Return the raw outputs of all models, shape (n_models, rows, raw_width)."""
        return torch.stack([model(x) for model in self.models])

    def part(self, choice: Tensor, share: Tensor) -> LinearPart:
        """Return the chosen model of each raw output."""
        of_raw = torch.arange(len(choice))
        weights = torch.stack([model.weight for model in self.models])
        biases = torch.stack([model.bias for model in self.models])
        return LinearPart(weights[choice, of_raw], biases[choice, of_raw], share)


class LinearModels(Kind):
    """Linear models of all tasks, whatever their losses."""

    name: ClassVar[str] = LinearPart.name

    def takes_part(self, tasks: TaskSet, parts: Parts) -> Tensor:
        """Return that all tasks do."""
        return torch.ones(len(tasks), dtype=torch.bool)

    def path(self, tasks: TaskSet, train: Table, held_out: Table | None, takes_part: Tensor) -> LinearPath:
        """Return the linear models beside one net."""
        return LinearPath(list(linear_path(train, tasks)))


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
    # A search would make much of the last digits of targets, which their units decide.
    y = y.float().double()
    directions = _Directions.of(x, weight.sum(1))
    share = weight / weight.sum(0).clamp_min(1e-30)
    has_slope = _has_slope(tasks)
    paths = [
        path(directions, part, y[:, part.columns], share[:, part.columns], has_slope[part.raw])
        for part, path in _parts(tasks)
    ]
    for of_parts in zip(*paths, strict=True):
        slopes, biases = zip(*of_parts, strict=True)
        yield directions.model(torch.cat(slopes, dim=1), torch.cat(biases))


@dataclass(frozen=True, eq=False)
class _Part:
    """Neighbouring columns whose models are found together.

    Parameters
    ----------
    groups : tuple of TaskGroup
        Their losses, of columns counted from the part's first.
    columns, raw : slice
        The columns of the targets and of the raw outputs.
    """

    groups: tuple[TaskGroup, ...]
    columns: slice
    raw: slice

    @classmethod
    def of(cls, group: TaskGroup, columns: slice) -> _Part:
        """Return some columns of a group, counted from the group's first, as a part."""
        first, n, width = group.columns.start + columns.start, columns.stop - columns.start, group.loss.width
        start = group.raw.start + columns.start * width
        inside = TaskGroup(group.loss, slice(0, n), slice(0, n * width))
        return cls((inside,), slice(first, first + n), slice(start, start + n * width))


# The slopes and the biases of the raw outputs of a part, in the principal directions.
_Found = tuple[Tensor, Tensor]
_Path = Callable[["_Directions", _Part, Tensor, Tensor, Tensor], Iterator[_Found]]


def _parts(tasks: TaskSet) -> Iterator[tuple[_Part, _Path]]:
    """Yield the columns of all tasks in parts, in order, and how the models of each are found."""
    one_by_one = len(tasks) <= MOST_ALONE
    for number, group in enumerate(tasks.groups):
        whole = slice(0, group.n_columns)
        if type(group.loss) is SquaredError:
            yield _Part.of(group, whole), _solved
        elif one_by_one:
            for place, columns in tasks.places.values():
                if place == number:
                    yield _Part.of(group, columns), _searched
        else:
            yield _Part.of(group, whole), _searched


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


def _solved(
    directions: _Directions, part: _Part, y: Tensor, share: Tensor, has_slope: Tensor
) -> Iterator[_Found]:
    """Yield the models of squared errors: for each strength the solution of linear equations."""
    # Columns of equal weights have equal equations: without gaps, all of them.
    patterns, pattern_of = torch.unique(share.T, dim=0, return_inverse=True)
    work = len(patterns) * len(directions.variance) ** 3
    if len(patterns) > 1 and (len(patterns) > MOST_EQUATIONS or work > MOST_WORK):
        yield from _searched(directions, part, y, share, has_slope)
        return
    equations = []
    for number, weight in enumerate(patterns):
        columns = (pattern_of == number).nonzero()[:, 0]
        of_rows, of_y = weight @ directions.rows, weight @ y[:, columns]
        rows = directions.rows - of_rows
        weighed = rows * weight.unsqueeze(1)
        equations.append((columns, of_rows, of_y, weighed.T @ rows, weighed.T @ (y[:, columns] - of_y)))
    slopes, bias = y.new_zeros(len(directions.variance), y.shape[1]), (share * y).sum(0)
    for strength in STRENGTHS:
        # The loss is the square, the penalty half of it.
        penalty = (strength * directions.variance.sum() / 2).expand(len(slopes))
        for columns, of_rows, of_y, products, with_y in equations:
            factor, failed = torch.linalg.cholesky_ex(products + torch.diag(penalty))
            # Where weights are so unequal that rounding decides, the stronger penalty stays.
            if not failed:
                slopes[:, columns] = torch.cholesky_solve(with_y, factor)
                bias[columns] = of_y - of_rows @ slopes[:, columns]
        yield slopes.clone(), bias.clone()


def _searched(
    directions: _Directions, part: _Part, y: Tensor, share: Tensor, has_slope: Tensor
) -> Iterator[_Found]:
    """Yield the models of any losses, each searched from the one before."""
    constants = [
        group.loss.constant(y[:, group.columns], share[:, group.columns]).flatten() for group in part.groups
    ]
    bias = torch.cat(constants)
    slopes = y.new_zeros((len(directions.variance), len(bias)))
    for strength in STRENGTHS:
        penalty = strength * directions.variance.sum()
        # In this scale squared errors have a curvature of about 1 in all directions: few steps will do.
        scale = (directions.variance + penalty).rsqrt().unsqueeze(1) * has_slope
        slopes, bias = _minimised(directions, part.groups, y, share, penalty, scale, (slopes, bias))
        yield slopes, bias


def _minimised(
    directions: _Directions,
    groups: Sequence[TaskGroup],
    y: Tensor,
    share: Tensor,
    penalty: Tensor,
    scale: Tensor,
    before: _Found,
) -> _Found:
    """Return the slopes and the bias of least penalised loss, found from those given, in the given scale."""
    slopes, bias = before
    place = torch.where(scale > 0, slopes / scale, 0.0).requires_grad_()
    bias = bias.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [place, bias],
        max_iter=MOST_STEPS,
        tolerance_grad=SMALLEST_GRADIENT,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def objective() -> Tensor:
        slopes = place * scale
        raw = directions.rows @ slopes + bias
        total = penalty * (slopes**2).sum() / 2
        gradients = []
        for group in groups:
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
