"""The life of one net: it is planned, made ready, trained, and finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sklearn_mtl.data import Table, WholeBatches
from sklearn_mtl.inference import calibrate, rows_at_once
from sklearn_mtl.network import BalancedLoss, Blueprint, GeneratorState, MultiTaskModule, draws_alone, seeded
from sklearn_mtl.training.callbacks import check_monitors, check_places, copies_of, instantiated
from sklearn_mtl.training.distributed import ACTIVE, data_parallel_class
from sklearn_mtl.training.kept_weights import BestEpoch, FiniteLosses
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.observer import NetObserver
from sklearn_mtl.training.recording import columns_by_task, history_keys
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.trunks.trunk import FEW_ROWS

# For each net its training rows, and the rows that it holds out or None.
Parts = Sequence[tuple[Table, Table | None]]

# About as many rows of a large table are shown to trunk and sharing before they are built.
ROWS_FOR_STATISTICS = 100_000
# And no more than hold about so many numbers, since they are in memory at once even where X is streamed.
NUMBERS_FOR_STATISTICS = 2**26


@dataclass(frozen=True, eq=False)
class NetPlan:
    """What one net is built from, what it learns from, and the settings of the training loop.

    Parameters
    ----------
    blueprint : Blueprint
        The recipes, tasks and inputs that the net is built from.
    train, valid : Table
        Training rows, and held-out rows or None.
    settings : TrainingSettings
        The settings of the training loop.
    seed : int, default=0
        Seed of the initial weights, the batches and dropout.
    epochs : int, optional
        Most epochs in this training; ``max_epochs`` by default.
    before : MultiTaskNet, optional
        A net that this one goes on from: weights, their average, optimizer, schedule and random generator
        go on where its training stopped. It is left as it is.
    prefix : str, default=""
        Put before the names of the files that callbacks write, to tell the nets of a bag apart.
    observer : NetObserver, optional
        Told of the net's epochs.
    checkpoint : NetCheckpoint, optional
        Trains the net from where it was written down, and writes it down.
    """

    blueprint: Blueprint
    train: Table
    valid: Table | None
    settings: TrainingSettings
    seed: int = 0
    epochs: int | None = None
    before: MultiTaskNet | None = None
    prefix: str = ""
    observer: NetObserver | None = None
    checkpoint: Any = None
    net_class: ClassVar[type[MultiTaskNet]] = MultiTaskNet
    # Why no such net can be in a stack.
    alone_because: ClassVar[str | None] = None

    @property
    def n_batches(self) -> int:
        """Steps in each epoch."""
        return len(self.batch_sizes)

    @property
    def batch_sizes(self) -> list[int]:
        """Number of rows of each step of an epoch."""
        return WholeBatches(self.train, self.settings.batch_size).sizes

    def fit_statistics(self) -> dict[str, Tensor]:
        """Return the statistics that trunk and sharing take of the training rows, under the plan's seed.

        Raises
        ------
        TypeError
            If they are not tensors by name.
        """
        with seeded(self.seed, self.settings.device, alone=self.blueprint.draws_alone):
            n_rows = max(1, min(ROWS_FOR_STATISTICS, NUMBERS_FOR_STATISTICS // self.blueprint.spec.row_size))
            sample, labels = self.train.sample(n_rows), self.train.labels_of_sample(n_rows)
            return self.blueprint.fit_statistics(sample, labels)

    def build(self, statistics: Mapping[str, Tensor]) -> Any:
        """Return a new module, its weights drawn from torch's global generator."""
        # Training on few rows stops before a network has learned much more than how rare a class is: twelve
        # assays of 300 molecules had an AUC of .62 from drawn biases, and have .65. From more rows it learns
        # on, and knowing this at once made eight fits worse by .002 ± .001.
        n_rows = len(self.train)
        labels = self.train.labels_of_sample(n_rows) if n_rows < FEW_ROWS else {}
        return self.blueprint.build(statistics, labels)

    def calibrate(self, net: MultiTaskNet) -> None:
        """Fit the temperatures of a trained net on the rows that it held out, if they are asked for."""
        if self.settings.calibrate and self.valid is not None:
            calibrate(net.evaluated, self.blueprint.tasks, self.valid)


def plan_bag(
    blueprint: Blueprint,
    parts: Parts,
    settings: TrainingSettings,
    seeds: Sequence[int],
    epochs: int | None = None,
) -> list[NetPlan]:
    """Return the plan of each net of a new bag.

    Parameters
    ----------
    blueprint : Blueprint
        The recipes, tasks and inputs that the nets are built from.
    parts : sequence of tuple
        For each net its training rows, and the rows that it holds out or None.
    settings : TrainingSettings
        The settings of the training loop.
    seeds : sequence of int
        The seed of each net.
    epochs : int, optional
        Most epochs in this training; ``max_epochs`` by default.

    Raises
    ------
    ValueError
        If the callbacks do not suit several nets, or monitor what is not recorded.
    """
    return [
        NetPlan(blueprint, *part, settings, seed, epochs, prefix=prefix)
        for part, seed, prefix in zip(parts, seeds, file_prefixes(blueprint, parts, settings), strict=True)
    ]


def file_prefixes(blueprint: Blueprint, parts: Parts, settings: TrainingSettings) -> list[str]:
    """Check the callbacks, and return a prefix for the files that those of each net write."""
    schedule = [] if isinstance(settings.lr_schedule, str | None) else [settings.lr_schedule]
    if schedule or settings.net_callbacks:
        callbacks = instantiated([*schedule, *settings.net_callbacks])
        check_places(callbacks, len(parts))
        check_monitors(
            callbacks,
            history_keys(columns_by_task(blueprint.tasks)),
            validated=all(valid is not None for _, valid in parts),
            verbose=bool(settings.verbose),
        )
    return [f"net{number}_" if len(parts) > 1 else "" for number in range(len(parts))]


@dataclass(frozen=True, eq=False)
class ReadyNet:
    """A net that is ready for its first, or next, epoch.

    Parameters
    ----------
    plan : NetPlan
        The plan that it was made by.
    net : MultiTaskNet
        The net, not yet trained.
    generator : GeneratorState
        The state of the random generators with which its training begins.
    """

    plan: NetPlan
    net: MultiTaskNet
    generator: GeneratorState

    @cached_property
    def alone(self) -> bool:
        """Whether its training draws from generators of its own alone, but for its callbacks."""
        known = self.plan.settings.optimizer.__module__.startswith(torch.optim.__name__)
        given = self.plan.train.draws_alone and self.plan.blueprint.draws_alone
        return known and given and all(map(draws_alone, (self.net.network, self.net.criterion_)))


def make_ready(
    plan: NetPlan, statistics: Mapping[str, Tensor] | None = None, baseline: Tensor | None = None
) -> ReadyNet:
    """Return the net of a plan, ready to be trained.

    Parameters
    ----------
    plan : NetPlan
        The plan of the net.
    statistics : mapping of str to tensor, optional
        The result of ``plan.fit_statistics``, where it is known already.
    baseline : tensor, optional
        That of the losses of a net of the same tasks and rows.
    """
    if statistics is None and plan.before is None:
        statistics = plan.fit_statistics()
    # Seeded anew: what is drawn here must not depend on whether the statistics were known.
    with seeded(plan.seed, plan.settings.device, alone=plan.blueprint.draws_alone):
        before = plan.before
        net = _new(plan, statistics or {}, baseline) if before is None else _continued(plan, before)
        state = GeneratorState.now(plan.settings.device)
    resume = None if before is None else before.resume_
    return ReadyNet(plan, net, state if resume is None else resume.generator)


def train_alone(ready: ReadyNet) -> MultiTaskNet:
    """Train one net by itself, and return it finished."""
    plan = ready.plan
    if plan.checkpoint is not None:
        plan.checkpoint.train(ready)
        return finish(ready)
    with ready.generator.restored(plan.settings.device, alone=ready.alone):
        ready.net.train(plan.train, plan.valid, plan.epochs)
    return finish(ready)


def finish(ready: ReadyNet) -> MultiTaskNet:
    """Return the trained net, calibrated and with its module in evaluation mode."""
    ready.net.evaluated.eval()
    ready.plan.calibrate(ready.net)
    return ready.net


def finish_interrupted(ready: ReadyNet) -> MultiTaskNet | None:
    """Return a net whose training Ctrl-C has interrupted, finished with the epochs that are over, if any."""
    return finish(ready) if ready.net.finish_interrupted(ready.plan.train, ready.plan.valid) else None


def make_net(
    blueprint: Blueprint,
    module: nn.Module,
    loss: BalancedLoss,
    settings: TrainingSettings,
    n_batches: int = 1,
    *,
    done: int = 0,
    valid_size: int = 0,
    prefix: str = "",
    observer: NetObserver | None = None,
    net_class: type[MultiTaskNet] = MultiTaskNet,
) -> MultiTaskNet:
    """Return a net around a module and its loss, not yet trained.

    Parameters
    ----------
    blueprint : Blueprint
        The blueprint that the module was built from.
    module : MultiTaskModule
        The network, on the device.
    loss : BalancedLoss
        Loss of the net, on the device.
    settings : TrainingSettings
        The settings of the training loop.
    n_batches : int, default=1
        Steps in each epoch, by which the learning-rate schedule goes.
    done : int, default=0
        Steps of earlier trainings.
    valid_size : int, default=0
        Rows in each validation batch; 0 where there are no held-out rows to stop by.
    prefix : str, default=""
        Put before the names of the files that callbacks write.
    """
    stops_early = settings.patience is not None and valid_size > 0
    # Stopping comes last, so that every other callback sees the last epoch.
    callbacks = [
        *settings.schedule_callbacks(n_batches, done),
        *(copies_of(settings.net_callbacks, prefix) if settings.net_callbacks else ()),
        ("finite_losses", FiniteLosses(blueprint.tasks.names, keeps=not stops_early)),
    ]
    if settings.patience is not None and stops_early:
        callbacks.append(("best_epoch", BestEpoch(settings.patience)))
    callbacks += [] if observer is None else [("observer", observer)]
    net = net_class(
        module,
        loss,
        optimizer=settings.optimizer_class,
        lr=settings.lr,
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        iterator_train__shuffle=True,
        iterator_valid__batch_size=valid_size,
        callbacks=callbacks,
        device=str(settings.device),
        compile=settings.compile,
        verbose=settings.verbose,
        ema_decay=settings.ema_decay,
        autocast=settings.autocast,
        gradient_clip=settings.gradient_clip,
        gradient_conflict=settings.gradient_conflict,
        columns=history_keys(columns_by_task(blueprint.tasks)),
        **settings.optimizer_options(),
    )
    return net.initialize()


def _new(plan: NetPlan, statistics: Mapping[str, Tensor], baseline: Tensor | None) -> MultiTaskNet:
    settings = plan.settings
    module = plan.build(statistics).to(settings.device, settings.dtype)
    loss = plan.blueprint.build_loss(plan.train.y, plan.train.weight, baseline).to(settings.device)
    net = _around(plan, module, loss)
    net.statistics_ = dict(statistics)
    return net


def _continued(plan: NetPlan, before: MultiTaskNet) -> MultiTaskNet:
    settings = plan.settings
    module = deepcopy(before.network).to(settings.device, settings.dtype)
    loss = deepcopy(before.criterion_).to(settings.device, settings.dtype)
    plan.blueprint.renew(module, loss)
    return _around(plan, module, loss, done=before.n_steps).continue_from(before)


def _around(plan: NetPlan, module: MultiTaskModule, loss: BalancedLoss, done: int = 0) -> MultiTaskNet:
    """Return the net of a plan around its module and its loss."""
    return make_net(
        plan.blueprint,
        module,
        loss,
        plan.settings,
        plan.n_batches,
        done=done,
        valid_size=0 if plan.valid is None else rows_at_once(module, plan.valid.blocks),
        prefix=plan.prefix,
        observer=plan.observer,
        net_class=plan.net_class if ACTIVE.get() is None else data_parallel_class(plan.net_class),
    )
