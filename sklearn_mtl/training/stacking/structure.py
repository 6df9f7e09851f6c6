"""What nets of one stack have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from torch import nn

from sklearn_mtl.network.module import Blueprint
from sklearn_mtl.network.torch_private import MODULE_STATE, uncompiled
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.module import is_dropout
from sklearn_mtl.training.stacking.weights import parameter_groups


class Structures:
    """Tells which nets may be stacked by how they are built.

    A stack runs one module for all, so modules must be alike in all that is not a tensor. Attributes are
    compared between the first nets of two recipes: in nets of one recipe they differ by the width of the
    rows alone, which a stack fills up.
    """

    def __init__(self) -> None:
        self._recipes: dict[Blueprint, Hashable] = {}
        self._attributes: dict[Hashable, Hashable] = {}

    def of(self, ready: ReadyNet) -> Hashable:
        """Return what nets of one stack have in common, but for widths and rates of dropout."""
        module, settings = uncompiled(ready.net.module_), ready.plan.settings
        losses = ready.net.criterion_.losses
        return (
            tuple((name, type(part)) for name, part in module.named_modules()),
            tuple((name, value.ndim, value.requires_grad) for name, value in module.named_parameters()),
            tuple((name, value.ndim, value.dtype) for name, value in module.named_buffers()),
            self._of_recipe(ready),
            tuple(map(tuple, parameter_groups(ready.net))),
            tuple((group.columns.stop, group.raw.stop) for group in losses.groups),
            tuple(losses.column_task.tolist()),
            (settings.batch_size, settings.device, settings.dtype, settings.autocast),
            (ready.plan.valid is None, settings.ema_decay is None),
        )

    def _of_recipe(self, ready: ReadyNet) -> Hashable:
        blueprint = ready.plan.blueprint
        if blueprint not in self._recipes:
            recipes: tuple[Any, ...] = (blueprint.trunk, blueprint.sharing, blueprint.balancing)
            own = fingerprint([recipe.get_params() for recipe in recipes])
            self._recipes[blueprint] = (tuple(map(type, recipes)), own)
        recipe = self._recipes[blueprint]
        if recipe not in self._attributes:
            parts = (uncompiled(ready.net.module_), ready.net.criterion_.balancer)
            held = [(type(part), dict(plain_attributes(part))) for part in parts]
            self._attributes[recipe] = fingerprint(held)
        return self._attributes[recipe]


def plain_attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Iterate over what a module and its parts hold that is no tensor of theirs, with names.

    Dropout layers are left out: a stack is given their masks.

    Parameters
    ----------
    module : nn.Module
        Any.
    """
    for prefix, part in module.named_modules():
        for name, value in {} if is_dropout(part) else vars(part).items():
            empty = isinstance(value, dict | set) and not value
            if name not in MODULE_STATE and not empty:
                yield f"{prefix}.{name}".removeprefix("."), value
