"""A bag of nets: trained on different held-out rows, and averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training.batches import Table
from sklearn_mtl.training.blocks import Blocks, InputRows
from sklearn_mtl.training.fit import continue_net, fit_net
from sklearn_mtl.training.inference import mean_responses, representations
from sklearn_mtl.training.module import Blueprint, MultiTaskModule
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.training.streaming import Reader, ReadRows

Inputs = Mapping[str, np.ndarray] | Reader


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


def bag_responses(nets: Sequence[MultiTaskNet], tasks: TaskSet, inputs: Inputs) -> dict[str, np.ndarray]:
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
    dict of str to ndarray of float64, shape (n_rows, n_columns, loss.width)
    """
    modules = [net.evaluated for net in nets]
    losses = [net.criterion_.losses for net in nets]
    responses = mean_responses(modules, losses, _for_network(modules[0], inputs))
    return tasks.split([response.numpy() for response in responses])


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
