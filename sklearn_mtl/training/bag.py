"""A bag of nets: planned on different held-out rows."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn_mtl.data.splits import RowSplit
from sklearn_mtl.data.table import Table
from sklearn_mtl.network import Blueprint
from sklearn_mtl.training.callbacks import check_loggers, made
from sklearn_mtl.training.monitors import check_monitors
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.recording import columns_by_task
from sklearn_mtl.training.runs import NetPlan
from sklearn_mtl.training.settings import TrainingSettings

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
    return table.take(split.train), table.take(split.validation)
