"""From what a user says to a trunk."""

from __future__ import annotations

from typing import Any

from torch import nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.trunks.mlp import MLP
from sklearn_mtl.trunks.module_trunk import ModuleTrunk
from sklearn_mtl.trunks.tabm import TabM
from sklearn_mtl.trunks.trunk import Trunk

TRUNKS: dict[str, type[Trunk]] = {"mlp": MLP, "tabm": TabM}


def resolve_trunk(trunk: Any, spec: FeatureSpec) -> Trunk:
    """Return the trunk for a recipe, a short name, an ``nn.Module``, or None.

    None is `TabM` for a table and `MLP` for everything else.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if isinstance(trunk, Trunk):
        return trunk
    if isinstance(trunk, nn.Module):
        return ModuleTrunk(trunk)
    if trunk is None:
        is_table = len(spec.blocks) == 1 and len(spec.single.shape) == 1
        return TabM() if is_table else MLP()
    if isinstance(trunk, str) and trunk in TRUNKS:
        return TRUNKS[trunk]()
    raise ValueError(
        f"`trunk` must be None, one of {sorted(TRUNKS)}, a Trunk such as MLP() or an nn.Module. "
        f"Found {trunk!r}."
    )
