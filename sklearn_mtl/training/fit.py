"""One net: made, trained, and trained on."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from sklearn_mtl.training.batches import Table, WholeBatches
from sklearn_mtl.training.calibration import calibrate
from sklearn_mtl.training.inference import rows_at_once
from sklearn_mtl.training.module import BalancedLoss, Blueprint, MultiTaskModule
from sklearn_mtl.training.net import MultiTaskNet, uncompiled
from sklearn_mtl.training.randomness import seeded
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.training.stopping import BestEpoch, FiniteLosses

# About as many rows of a large table are shown to the trunk before it is built.
ROWS_TO_EXAMINE = 100_000


def fit_net(
    blueprint: Blueprint,
    train: Table,
    valid: Table | None,
    settings: TrainingSettings,
    seed: int,
    epochs: int | None = None,
) -> MultiTaskNet:
    """Train a new net.

    Parameters
    ----------
    blueprint : Blueprint
        What it is built from.
    train, valid : Table
        Rows to learn from, and held-out rows or None.
    settings : TrainingSettings
        What the loop is told.
    seed : int
        Of the initial weights, the batches and dropout.
    epochs : int, optional
        Most epochs for now; ``max_epochs`` by default.

    Returns
    -------
    MultiTaskNet
        Trained, calibrated, its module in evaluation mode.
    """
    with seeded(seed, settings.device):
        facts = blueprint.examine(train.sample(ROWS_TO_EXAMINE))
        module = blueprint.build(facts).to(settings.device, settings.dtype)
        loss = blueprint.build_loss(train.y, train.weight).to(settings.device)
        net = make_net(
            blueprint,
            module,
            loss,
            settings,
            _n_batches(train, settings),
            valid_size=_valid_size(module, valid),
        )
        net.facts_ = facts
        net.train(train, valid, epochs)
    return _finished(net, blueprint, valid, settings)


def continue_net(
    net: MultiTaskNet,
    blueprint: Blueprint,
    train: Table,
    valid: Table | None,
    settings: TrainingSettings,
    epochs: int,
) -> MultiTaskNet:
    """Train a net on from where it stopped: weights, their average, optimizer, schedule, generator.

    Parameters
    ----------
    net : MultiTaskNet
        Trained before; left as it is.
    blueprint : Blueprint
        What it was built from.
    train, valid : Table
        Rows to learn from, and held-out rows or None.
    settings : TrainingSettings
        What the loop is told now.
    epochs : int
        Most epochs to add.

    Returns
    -------
    MultiTaskNet
        A new net.
    """
    module = deepcopy(uncompiled(net.module_)).to(settings.device, settings.dtype)
    loss = deepcopy(net.criterion_).to(settings.device)
    loss.weights.copy_(torch.tensor(blueprint.task_weights))
    # Temperatures belong to the weights of before.
    module.raw_scale.fill_(1.0)
    successor = make_net(
        blueprint,
        module,
        loss,
        settings,
        _n_batches(train, settings),
        done=net.n_steps,
        valid_size=_valid_size(module, valid),
    )
    with seeded(0, settings.device):
        if net.resume_ is not None:
            torch.set_rng_state(net.resume_.generator)
        successor.continue_from(net).train(train, valid, epochs)
    return _finished(successor, blueprint, valid, settings)


def make_net(
    blueprint: Blueprint,
    module: nn.Module,
    loss: BalancedLoss,
    settings: TrainingSettings,
    n_batches: int = 1,
    *,
    done: int = 0,
    valid_size: int = 0,
) -> MultiTaskNet:
    """Return a net around a module and its loss, not yet trained.

    Parameters
    ----------
    blueprint : Blueprint
        What the module was built from.
    module, loss
        On the device.
    settings : TrainingSettings
        What the loop is told.
    n_batches : int, default=1
        Steps in each epoch, by which the learning-rate schedule goes.
    done : int, default=0
        Steps taken before.
    valid_size : int, default=0
        Rows in each validation batch; 0 where there are no held-out rows to stop by.
    """
    # Stopping comes last, so that every other callback sees the last epoch.
    callbacks = [
        *settings.schedule_callbacks(n_batches, done),
        *deepcopy(list(settings.callbacks)),
        ("finite_losses", FiniteLosses(blueprint.tasks.names)),
    ]
    if settings.patience is not None and valid_size:
        callbacks.append(("best_epoch", BestEpoch(settings.patience)))
    net = MultiTaskNet(
        module,
        loss,
        optimizer=settings.optimizer,
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
        **settings.optimizer_options(),
    )
    return net.initialize()


def _n_batches(train: Table, settings: TrainingSettings) -> int:
    return len(WholeBatches(train, settings.batch_size))


def _valid_size(module: MultiTaskModule, valid: Table | None) -> int:
    """Rows in each validation batch: without gradients to keep, as many as prediction takes."""
    return 0 if valid is None else rows_at_once(module, valid.blocks)


def _finished(
    net: MultiTaskNet, blueprint: Blueprint, valid: Table | None, settings: TrainingSettings
) -> MultiTaskNet:
    net.evaluated.eval()
    if settings.calibrate and valid is not None:
        calibrate(net.evaluated, blueprint.tasks, valid)
    return net
