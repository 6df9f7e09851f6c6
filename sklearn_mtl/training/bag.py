"""A bag of nets: trained on different held-out rows, and averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.tasks import Responses, TaskSet
from sklearn_mtl.training.batches import Table
from sklearn_mtl.training.blocks import Blocks, InputRows
from sklearn_mtl.training.callbacks import check_loggers, made
from sklearn_mtl.training.fit import NetPlan
from sklearn_mtl.training.inference import mean_decisions, mean_responses, representations
from sklearn_mtl.training.module import Blueprint, MultiTaskModule
from sklearn_mtl.training.monitors import check_monitors
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.recording import columns_by_task
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.training.splits import RowSplit
from sklearn_mtl.training.streaming import Reader, ReadRows

Inputs = Mapping[str, np.ndarray] | Reader
Parts = Sequence[tuple[Table, Table | None]]


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
        What they are built from.
    parts : sequence of tuple
        For each net, the rows that it learns from and those it holds out, or None.
    settings : TrainingSettings
        What the loop is told.
    seeds : sequence of int
        One for each net.
    epochs : int, optional
        Most epochs for now; ``max_epochs`` by default.
    """
    return [
        NetPlan(blueprint, *part, settings, seed, epochs, prefix=prefix)
        for part, seed, prefix in zip(parts, seeds, _prefixes(blueprint, parts, settings), strict=True)
    ]


def plan_further(
    nets: Sequence[MultiTaskNet],
    blueprint: Blueprint,
    parts: Parts,
    settings: TrainingSettings,
    epochs: int,
) -> list[NetPlan]:
    """Return the plans by which the nets of a bag train on.

    Parameters
    ----------
    nets : sequence of MultiTaskNet
        The bag; left as it is.
    blueprint, parts, settings
        As of `plan_bag`.
    epochs : int
        Most epochs to add.
    """
    return [
        NetPlan(blueprint, *part, settings, 0, epochs, net, prefix)
        for part, net, prefix in zip(parts, nets, _prefixes(blueprint, parts, settings), strict=True)
    ]


def _prefixes(blueprint: Blueprint, parts: Parts, settings: TrainingSettings) -> list[str]:
    """Return what tells the files of the nets apart; callbacks that do not suit them are refused."""
    schedule = [] if isinstance(settings.lr_schedule, str | None) else [settings.lr_schedule]
    callbacks = made([*schedule, *settings.callbacks])
    check_loggers(callbacks, len(parts))
    check_monitors(
        callbacks,
        columns_by_task(blueprint.tasks),
        validated=all(valid is not None for _, valid in parts),
        verbose=bool(settings.verbose),
    )
    return [f"net{number}_" if len(parts) > 1 else "" for number in range(len(parts))]


def parted(table: Table, split: RowSplit) -> tuple[Table, Table]:
    """Return the rows that are not held out, and those that are."""
    return table.take(split.learnt), table.take(split.held)


def bag_responses(nets: Sequence[MultiTaskNet], tasks: TaskSet, inputs: Inputs) -> Responses:
    """Return each task's responses, averaged over members and nets.

    Parameters
    ----------
    nets : sequence of MultiTaskNet
        The bag.
    tasks : TaskSet
        The tasks.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows, or what encodes them when they are asked for.

    Returns
    -------
    Responses
        By task, float64 of shape (n_rows, n_columns, loss.width).
    """
    return tasks.split(_of_bag(mean_responses, nets, inputs))


def bag_predictions(nets: Sequence[MultiTaskNet], tasks: TaskSet, inputs: Inputs) -> dict[str, Any]:
    """Return what each task predicts, in its labels' own units and dtype.

    Parameters
    ----------
    nets, tasks, inputs
        As of `bag_responses`.
    """
    return tasks.decode(_of_bag(mean_decisions, nets, inputs))


def _of_bag(ask: Callable[..., Any], nets: Sequence[MultiTaskNet], inputs: Inputs) -> list[np.ndarray]:
    modules = [net.evaluated for net in nets]
    found = ask(modules, [net.criterion_.losses for net in nets], _for_network(modules[0], inputs))
    return [of_group.numpy() for of_group in found]


def bag_representation(nets: Sequence[MultiTaskNet], inputs: Inputs) -> np.ndarray:
    """Return the first net's representation of each row, shape (n_rows, width)."""
    module = nets[0].evaluated
    found: np.ndarray = representations(module, _for_network(module, inputs)).cpu().numpy()
    return found


def _for_network(module: MultiTaskModule, inputs: Inputs) -> InputRows:
    device, dtype = module.raw_scale.device, module.raw_scale.dtype
    if isinstance(inputs, Mapping):
        return Blocks.from_arrays(inputs, device=device, dtype=dtype)
    return ReadRows(inputs, device, dtype)
