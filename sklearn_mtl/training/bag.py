"""A bag of nets: trained on different held-out rows, and averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import numpy as np
import pandas as pd
import torch

from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training.batches import Table, WholeBatches, to_tensor
from sklearn_mtl.training.calibration import calibrate
from sklearn_mtl.training.inference import raw_outputs, representations
from sklearn_mtl.training.module import Blueprint
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.randomness import seeded
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.training.stopping import BestEpoch, FiniteLosses


def fit_net(
    blueprint: Blueprint, train: Table, valid: Table | None, settings: TrainingSettings, seed: int
) -> MultiTaskNet:
    """Train one net.

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

    Returns
    -------
    MultiTaskNet
        Trained, calibrated, its module in evaluation mode.
    """
    with seeded(seed, settings.device):
        module = blueprint.build(
            blueprint.examine({name: block.cpu() for name, block in train.inputs.items()})
        )
        net = MultiTaskNet(
            module.to(settings.device, settings.dtype),
            blueprint.build_loss(train.y, train.weight).to(settings.device),
            optimizer=settings.optimizer,
            lr=settings.lr,
            batch_size=settings.batch_size,
            max_epochs=settings.max_epochs,
            iterator_train__shuffle=True,
            # Validation has no gradients to keep, so its batches can be large.
            iterator_valid__batch_size=max(4096, settings.batch_size),
            callbacks=_callbacks(blueprint, train, valid, settings),
            device=str(settings.device),
            compile=settings.compile,
            verbose=settings.verbose,
            ema_decay=settings.ema_decay,
            autocast=settings.autocast,
            **settings.optimizer_options(),
        )
        net.train(train, valid)
    if settings.calibrate and valid is not None:
        calibrate(net.evaluated, blueprint.tasks, valid)
    return net


def fit_bag(
    blueprint: Blueprint,
    table: Table,
    held_out: Sequence[np.ndarray] | Table,
    settings: TrainingSettings,
    seeds: Sequence[int],
) -> list[MultiTaskNet]:
    """Train one net for each seed, one after the other.

    Parameters
    ----------
    blueprint : Blueprint
        What they are built from.
    table : Table
        All rows.
    held_out : sequence of ndarray of int, or Table
        Rows of ``table`` that each net holds out, or other rows that all use. Rows without a label of
        a task of positive weight can't tell when to stop: a net with only such holds out none.
    settings : TrainingSettings
        What the loop is told.
    seeds : sequence of int
        One for each net.
    """
    nets = []
    for position, seed in enumerate(seeds):
        if isinstance(held_out, Table):
            nets.append(fit_net(blueprint, table, held_out, settings, seed))
        elif blueprint.watches(table.weight[held_out[position]]):
            keep = np.setdiff1d(np.arange(len(table)), held_out[position])
            parts = table.take(keep), table.take(held_out[position])
            nets.append(fit_net(blueprint, *parts, settings, seed))
        else:
            nets.append(fit_net(blueprint, table, None, settings, seed))
    return nets


def bag_responses(
    nets: Sequence[MultiTaskNet], tasks: TaskSet, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return each task's responses, averaged over members and nets.

    Parameters
    ----------
    nets : sequence of MultiTaskNet
        The bag.
    tasks : TaskSet
        The tasks.
    inputs : mapping of str to ndarray
        Encoded rows.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_rows, n_columns, loss.width)
    """
    tensors = _on_device(nets[0], inputs)
    totals: list[torch.Tensor] | None = None
    for net in nets:
        raw = raw_outputs(net.evaluated, tensors).cpu().double()
        responses = net.criterion_.losses.responses(raw)
        totals = responses if totals is None else [a + b for a, b in zip(totals, responses, strict=True)]
    return tasks.split([(total / len(nets)).numpy() for total in totals or []])


def bag_representation(nets: Sequence[MultiTaskNet], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the first net's representation of each row, shape (n_rows, width)."""
    found: np.ndarray = representations(nets[0].evaluated, _on_device(nets[0], inputs)).cpu().numpy()
    return found


def history_frame(nets: Sequence[MultiTaskNet], tasks: TaskSet) -> pd.DataFrame:
    """Return a row for each epoch of each net.

    Columns are ``bag`` (where there are several nets), ``epoch``, ``train_loss`` and ``valid_loss`` as
    watched, then ``train_loss_price``, ``valid_loss_price``, ``valid_r2_price`` and ``weight_price`` for
    every task.
    """
    frames = []
    for bag, net in enumerate(nets):
        general = {key: net.history[:, key] for key in ("epoch", "train_loss")}
        if "valid_loss" in net.history[-1]:
            general["valid_loss"] = net.history[:, "valid_loss"]
        if len(nets) > 1:
            general = {"bag": [bag] * len(net.history), **general}
        blocks = [pd.DataFrame(general)]
        for key, label in _history_labels(tasks).items():
            if key in net.epochs_[-1]:
                values = np.stack([epoch[key] for epoch in net.epochs_])
                blocks.append(pd.DataFrame(values, columns=[label(task) for task in range(len(tasks))]))
        frames.append(pd.concat(blocks, axis=1))
    return pd.concat(frames, ignore_index=True)


def _history_labels(tasks: TaskSet) -> dict[str, Callable[[int], str]]:
    names, metrics = tasks.names, [task.loss.metric for task in tasks]
    return {
        "train_loss": lambda i: f"train_loss_{names[i]}",
        "valid_loss": lambda i: f"valid_loss_{names[i]}",
        "valid_score": lambda i: f"valid_{metrics[i]}_{names[i]}",
        "weight": lambda i: f"weight_{names[i]}",
    }


def _on_device(net: MultiTaskNet, inputs: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    parameter = next(net.evaluated.parameters())
    return {name: to_tensor(block, parameter.device, parameter.dtype) for name, block in inputs.items()}


def _callbacks(
    blueprint: Blueprint, train: Table, valid: Table | None, settings: TrainingSettings
) -> list[object]:
    n_batches = len(WholeBatches(train, settings.batch_size))
    own: list[object] = [("finite_losses", FiniteLosses(blueprint.tasks.names))]
    if settings.patience is not None and valid is not None:
        own.append(("best_epoch", BestEpoch(settings.patience)))
    return [*settings.schedule_callbacks(n_batches), *deepcopy(list(settings.callbacks)), *own]
