"""The plans by which trained nets train on, as in a warm start."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn_mtl.network import Blueprint
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import NetPlan, Parts, file_prefixes
from sklearn_mtl.training.settings import TrainingSettings


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
        The nets of the bag, which are left as they are.
    blueprint, parts, settings
        The same as in `plan_bag`.
    epochs : int
        Most epochs to add.
    """
    return [
        NetPlan(blueprint, *part, settings, 0, epochs, net, prefix)
        for part, net, prefix in zip(parts, nets, file_prefixes(blueprint, parts, settings), strict=True)
    ]
