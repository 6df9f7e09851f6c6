"""Trunks whose weights are divided over the processes, for those that are larger than a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from sklearn_mtl.trunks import TrunkModule


def sharded(trunk: TrunkModule) -> TrunkModule:
    """Divide the weights of a trunk over the processes of `data_parallel`, in place.

    Each process has a part of every weight, of its gradient and of what the optimizer keeps of it. A stage's
    weights are brought together while it computes, and let go then (Rajbhandari et al. 2020, "ZeRO: Memory
    Optimizations Toward Training Trillion Parameter Models"): torch's ``fully_shard``, also known as FSDP2.

    It is for the ``build`` of a trunk recipe of one's own. All processes must then predict together too,
    and the estimator can't be pickled.

    Parameters
    ----------
    trunk : TrunkModule
        The trunk, just built.

    Returns
    -------
    TrunkModule
        The same; as it is where there is one process only.
    """
    from torch import distributed as dist
    from torch.distributed.fsdp import fully_shard

    if not dist.is_initialized():
        return trunk
    for part in (trunk.entry, *trunk.stages, trunk):
        if any(parameter.numel() for parameter in part.parameters()):
            found: Any = fully_shard(part)
            # Gradients are of a part of the rows of a batch: they are added up, not averaged.
            found.set_gradient_divide_factor(1.0)
            found.set_force_sum_reduction_for_comms(True)
    return trunk


def is_sharded(network: nn.Module) -> bool:
    """Whether some weights of a network are divided over the processes."""
    return len([*whole_parameters(network)]) < len([*network.parameters()])


def whole_parameters(network: nn.Module) -> Iterator[nn.Parameter]:
    """Iterate over the parameters that every process has as a whole."""
    return (each for each in network.parameters() if not _is_divided(each))


def divided_and_whole(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of an optimizer's group: torch's fused steps take no mixture."""
    given = group["params"]
    every = [given] if isinstance(given, nn.Parameter) else list(given)
    parts = ([one for one in every if _is_divided(one) is divided] for divided in (False, True))
    return [{**group, "params": part} for part in parts if part]


def _is_divided(parameter: nn.Parameter) -> bool:
    return hasattr(parameter, "device_mesh")
