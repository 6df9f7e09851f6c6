"""A net whose steps several processes make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.data import Batch, Table, WholeBatches
from sklearn_mtl.tasks import StepLosses, TaskLosses
from sklearn_mtl.training.distributed.batches import PartsOfBatches
from sklearn_mtl.training.distributed.processes import ACTIVE, Processes
from sklearn_mtl.training.distributed.refused import check_data_parallel, check_same
from sklearn_mtl.training.distributed.sharded import divided_and_whole, whole_parameters
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.steps import Step, training_step, validation_step


class DataParallelNet(MultiTaskNet):
    """A net whose steps several processes make together, those of `data_parallel`.

    The loss of a task is Σ s·l / Σ s over the labelled rows of a batch. Both sums are added up over the
    processes before they are divided and balanced, so that the gradient of the rows that a process has is
    their share of that of the whole batch: gradients are added up, not averaged. What follows, clipping, the
    optimizer, the moving average, every process does for itself with the same numbers. Rows to validate on
    are shared as well; the outputs for them are brought together, and losses are those of the first process.
    """

    @property
    def _processes(self) -> Processes:
        return ACTIVE.get() or Processes()

    def open_training(self, train: Table, valid: Table | None) -> None:
        """Begin a training, if it is one that processes can share, and the same in all."""
        check_data_parallel(self)
        check_same(self, train, self._processes)
        super().open_training(train, valid)

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, dict[str, Any]]:
        """Return groups of parameters that are all divided over the processes, or all whole."""
        (groups,), options = super().get_params_for_optimizer(prefix, named_parameters)
        return [[part for group in groups for part in divided_and_whole(group)]], options

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches; of those to train on, the part of this process."""
        batches = super().get_iterator(dataset, training=training)
        if not training or not isinstance(batches, WholeBatches) or self._processes.n == 1:
            return batches
        return PartsOfBatches(batches, self._processes, torch.device(self.device))

    def put_gradients(self, batch: Batch, raw: Tensor, penalty: Tensor | None, look: Any = None) -> Step:
        """Put the gradients of the whole batch on all parameters, given this process's part of it."""
        processes, criterion = self._processes, self.criterion_
        if processes.n == 1:
            return super().put_gradients(batch, raw, penalty, look)
        if penalty is not None:
            # Of the weights alone, it is the same in each process; of rows, it is a mean over them.
            mass = batch.row_weight.amax(-1).sum()
            penalty = penalty * (mass / processes.summed([mass])[0].clamp_min(1e-30))
        whole = _LossOfAll(_SummedLosses(criterion.losses, processes), criterion.balancer, criterion.weights)
        step = training_step(whole, batch, raw, penalty, self.run_.shared, look)
        add_up_gradients([one for one in whole_parameters(self.network) if one.requires_grad], processes)
        return step

    @torch.no_grad()
    def validation_step(self, batch: Batch, **fit_params: Any) -> Step:
        """Return the losses and responses of one held-out batch, of which each process computes a part."""
        processes = self._processes
        if processes.n == 1:
            return super().validation_step(batch, **fit_params)
        start, stop = processes.part(0, batch.n_rows)
        own = {name: block[start:stop] for name, block in batch.inputs.items()}
        raw = processes.joined(self.evaluated.eval()(own), batch.n_rows)
        return validation_step(self.criterion_.losses, raw, batch)

    def record_training(self, losses: np.ndarray, masses: np.ndarray, sizes: Sequence[int]) -> None:
        """Record the training losses of an epoch, as the first process has them."""
        super().record_training(self._agreed(losses), self._agreed(masses), sizes)

    def record_validation(
        self, loss: np.ndarray, mass: np.ndarray, scores: np.ndarray, sizes: Sequence[int]
    ) -> None:
        """Record the validation losses and scores of an epoch, as the first process has them."""
        super().record_validation(self._agreed(loss), self._agreed(mass), self._agreed(scores), sizes)

    def _agreed(self, values: np.ndarray) -> np.ndarray:
        processes = self._processes
        return values if processes.n == 1 else processes.agreed_array(values, torch.device(self.device))


def data_parallel_class(net_class: type[MultiTaskNet]) -> type[MultiTaskNet]:
    """Return the class of nets that several processes train together, in place of that of a single one.

    Raises
    ------
    ValueError
        If there is none.
    """
    if net_class is not MultiTaskNet:
        raise ValueError(
            "A fit that several processes share must be of nets that have one set of weights each. Found "
            f"{net_class.__name__}."
        )
    return DataParallelNet


@dataclass(frozen=True, eq=False)
class _SummedLosses:
    """The losses of the tasks over the rows of all processes, with the slopes of this one's."""

    losses: TaskLosses
    processes: Processes

    def __call__(self, raw: Tensor, y: Tensor, weight: Tensor) -> StepLosses:
        own = self.losses(raw, y, weight)
        total, mass = self.processes.summed([own.total, own.mass.to(own.total.dtype)])
        return replace(own, total=total, mass=mass)


@dataclass(frozen=True, eq=False)
class _LossOfAll:
    """The loss of a step, as `training_step` takes it."""

    losses: _SummedLosses
    balancer: Balancer
    weights: Tensor


def add_up_gradients(parameters: Sequence[nn.Parameter], processes: Processes) -> None:
    """Put the sum of the gradients of all processes on parameters, in one exchange for each dtype.

    Those that have none in any process are left without, as an optimizer then leaves them alone.

    Parameters
    ----------
    parameters : sequence of Parameter
        The same in all processes.
    processes : Processes
        Who adds up.
    """
    for dtype in dict.fromkeys(parameter.dtype for parameter in parameters):
        own = [parameter for parameter in parameters if parameter.dtype == dtype]
        there = [parameter.grad is not None for parameter in own]
        flags = own[0].new_tensor(there)
        found = [torch.zeros_like(one) if one.grad is None else one.grad for one in own]
        *sums, n_there = processes.summed([*found, flags])
        for position, (parameter, gradient) in enumerate(zip(own, sums, strict=True)):
            # Only where one is missing is the device waited for.
            if there[position] or n_there[position] > 0:
                parameter.grad = gradient
