"""What held-out rows correct: a temperature for each task of probabilities, and the tasks themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from operator import is_

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.inference.bag import TrainedNet
from sklearn_mtl.inference.prediction import mean_decisions, raw_outputs
from sklearn_mtl.network import MultiTaskModule
from sklearn_mtl.tasks import TaskSet

# Standard deviation of the prior on a log-temperature: a handful of held-out rows, all of them right,
# must not make a task certain.
PRIOR_DEVIATION = 0.5


def calibrate(module: MultiTaskModule, tasks: TaskSet, table: Table) -> None:
    """Fit a temperature for each task of probabilities, the one of least log-loss on held-out rows.

    Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4.2. Here the loss is that of the
    probabilities averaged over members, and the logarithm of the temperature has a normal prior around 0.
    Temperatures divide the outputs of the heads: where the way of sharing joins these, so that several make
    one probability, all of their temperatures are found together.

    Parameters
    ----------
    module : MultiTaskModule
        A trained network, whose ``raw_scale`` is set to one over the temperatures.
    tasks : TaskSet
        The tasks of the network.
    table : Table
        Held-out rows.
    """
    groups = [(group, group.loss) for group in tasks.groups if group.loss.has_temperature]
    if not groups:
        return
    raw = raw_outputs(module, table.blocks, calibrated=False).double().cpu()
    y, weight = table.y.double().cpu(), table.weight.double().cpu()
    # The prior is weighed against a number of rows: weights are 1 on average, whatever their unit.
    weight = weight * (weight > 0).sum(0) / weight.sum(0).clamp_min(1e-30)
    raw_task = torch.tensor(tasks.raw_task)
    has_temperature = torch.zeros(tasks.raw_width, dtype=torch.bool)
    for group, _ in groups:
        has_temperature[group.raw] = True
    log_scale = torch.zeros(len(tasks), dtype=torch.float64, requires_grad=True)

    def scale_of_raw() -> Tensor:
        return torch.where(has_temperature, log_scale.exp()[raw_task], 1.0)

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = (log_scale**2).sum() / (2 * PRIOR_DEVIATION**2)
        joined = module.sharing.joined(raw * scale_of_raw())
        for group, row_loss in groups:
            outputs = joined[..., group.raw].unflatten(-1, (group.n_columns, row_loss.width))
            response = row_loss.response(outputs).mean(1)
            loss = loss + (row_loss.log_loss(response, y[:, group.columns]) * weight[:, group.columns]).sum()
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([log_scale], max_iter=50, line_search_fn="strong_wolfe")
    optimizer.step(objective)
    found = scale_of_raw().detach()
    if found.isfinite().all():
        module.raw_scale.copy_(found[torch.from_numpy(tasks.of_heads)])


def adjusted(tasks: TaskSet, nets: Sequence[TrainedNet], tables: Sequence[Table]) -> TaskSet:
    """Return tasks adjusted to the held-out rows of all nets, each predicted by the net that held it out.

    Parameters
    ----------
    tasks : TaskSet
        The tasks of the nets.
    nets : sequence of TrainedNet
        A bag.
    tables : sequence of Table
        For each net the rows that it held out.
    """

    @cache
    def decisions() -> list[list[Tensor]]:
        """Return for each net the decisions of each group, which may be of different dimensions."""
        return [
            mean_decisions([net.evaluated], [net.criterion_.losses], table.blocks)
            for net, table in zip(nets, tables, strict=True)
        ]

    def joined(parts: Iterable[Tensor]) -> np.ndarray:
        return torch.cat([part.double().cpu() for part in parts]).numpy()

    def held_out(position: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group, columns = tasks.places[tasks.names[position]]
        decision = joined(of_net[group][:, columns] for of_net in decisions())
        y, weight = joined(table.y for table in tables), joined(table.weight for table in tables)
        of_task = tasks.column_task == position
        return decision, y[:, of_task], weight[:, of_task]

    found = [task.adjusted_to(partial(held_out, place)) for place, task in enumerate(tasks)]
    return tasks if all(map(is_, found, tasks)) else TaskSet(tuple(found))
