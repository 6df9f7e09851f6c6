"""From what a user says to a trunk."""

from __future__ import annotations

from typing import Any

from torch import nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.trunks.default import DefaultTrunk
from sklearn_mtl.trunks.mlp import MLP
from sklearn_mtl.trunks.module_trunk import ModuleTrunk
from sklearn_mtl.trunks.tabm import TabM
from sklearn_mtl.trunks.trunk import Trunk

TRUNKS: dict[str, type[Trunk]] = {"mlp": MLP, "tabm": TabM}


def trunk_recipe(trunk: Any) -> Trunk:
    """Return the recipe for itself, a short name, an ``nn.Module``, or None.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if trunk is None:
        return DefaultTrunk()
    if isinstance(trunk, Trunk):
        return trunk
    if isinstance(trunk, nn.Module):
        return ModuleTrunk(trunk)
    if isinstance(trunk, str) and trunk in TRUNKS:
        return TRUNKS[trunk]()
    raise ValueError(
        f"`trunk` must be None, one of {sorted(TRUNKS)}, a Trunk such as MLP() or an nn.Module. "
        f"Found {trunk!r}."
    )


def resolve_trunk(trunk: Any, spec: FeatureSpec) -> Trunk:
    """Return the trunk for an input, given anything that `trunk_recipe` takes.

    The default is settled here: what is fitted stays what it is when defaults change.
    """
    recipe = trunk_recipe(trunk)
    return recipe.suited_to(spec) if isinstance(recipe, DefaultTrunk) else recipe
