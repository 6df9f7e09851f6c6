"""A bag of nets: trained on different held-out rows, and averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from sklearn_mtl.tasks import Responses, TaskSet
from sklearn_mtl.training.batches import Table, to_tensor
from sklearn_mtl.training.fit import continue_net, fit_net
from sklearn_mtl.training.inference import mean_responses, representations
from sklearn_mtl.training.module import Blueprint
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.settings import TrainingSettings


def fit_bag(
    blueprint: Blueprint,
    table: Table,
    held_out: Sequence[np.ndarray] | Table,
    settings: TrainingSettings,
    seeds: Sequence[int],
    epochs: int | None = None,
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
    epochs : int, optional
        Most epochs for now; ``max_epochs`` by default.
    """
    return [
        fit_net(blueprint, *_parts(blueprint, table, held_out, position), settings, seed, epochs)
        for position, seed in enumerate(seeds)
    ]


def continue_bag(
    nets: Sequence[MultiTaskNet],
    blueprint: Blueprint,
    table: Table,
    held_out: Sequence[np.ndarray] | Table,
    settings: TrainingSettings,
    epochs: int,
) -> list[MultiTaskNet]:
    """Train every net of a bag on.

    Parameters
    ----------
    nets : sequence of MultiTaskNet
        The bag; left as it is.
    blueprint, table, held_out, settings
        As of `fit_bag`.
    epochs : int
        Most epochs to add.
    """
    return [
        continue_net(net, blueprint, *_parts(blueprint, table, held_out, position), settings, epochs)
        for position, net in enumerate(nets)
    ]


def _parts(
    blueprint: Blueprint, table: Table, held_out: Sequence[np.ndarray] | Table, position: int
) -> tuple[Table, Table | None]:
    """Return the training and the validation rows of one net."""
    if isinstance(held_out, Table):
        return table, held_out
    rows = held_out[position]
    if not blueprint.watches(table.weight[rows]):
        return table, None
    return table.take(np.setdiff1d(np.arange(len(table)), rows)), table.take(rows)


def bag_responses(
    nets: Sequence[MultiTaskNet], tasks: TaskSet, inputs: Mapping[str, np.ndarray]
) -> Responses:
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
    Responses
        By task, float64 of shape (n_rows, n_columns, loss.width).
    """
    tensors = _on_device(nets[0], inputs)
    totals: list[torch.Tensor] | None = None
    for net in nets:
        responses = mean_responses(net.evaluated, net.criterion_.losses, tensors)
        totals = responses if totals is None else [a + b for a, b in zip(totals, responses, strict=True)]
    return tasks.split([(total / len(nets)).numpy() for total in totals or []])


def bag_representation(nets: Sequence[MultiTaskNet], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the first net's representation of each row, shape (n_rows, width)."""
    found: np.ndarray = representations(nets[0].evaluated, _on_device(nets[0], inputs)).cpu().numpy()
    return found


def _on_device(net: MultiTaskNet, inputs: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    parameter = next(net.evaluated.parameters())
    return {name: to_tensor(block, parameter.device, parameter.dtype) for name, block in inputs.items()}
