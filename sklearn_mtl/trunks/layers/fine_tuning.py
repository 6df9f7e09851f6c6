"""Parts of a network that are trained otherwise than the rest: frozen, later, or in smaller steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn


@dataclass(frozen=True)
class FineTuning:
    """How a parameter is trained, where it is not as the rest of the network is.

    Parameters
    ----------
    lr_scale : float, default=1.0
        What the network's learning rate is multiplied by.
    frozen_epochs : float, default=0
        For how many epochs it stays as it is; infinity for all of them.
    """

    lr_scale: float = 1.0
    frozen_epochs: float = 0


class FineTuned(nn.Module):
    """A module whose parameters are trained each in its own way.

    Normalizations whose parameters are frozen keep their running statistics, and nothing is dropped there.

    Parameters
    ----------
    module : nn.Module
        The module, which is changed: what is frozen at first requires no gradient.
    fine_tuning : mapping of str to FineTuning
        How parameters are trained, by their names in the module; the others as the rest of the network.
    frozen : bool, default=False
        Whether nothing of the module is ever trained, even where it has no parameters.
    """

    def __init__(
        self, module: nn.Module, fine_tuning: Mapping[str, FineTuning], *, frozen: bool = False
    ) -> None:
        super().__init__()
        self.module = module
        self.fine_tuning = dict(fine_tuning)
        self.frozen = frozen
        for name, how in self.fine_tuning.items():
            module.get_parameter(name).requires_grad_(how.frozen_epochs == 0)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; what is frozen stays out of it, or its running statistics would move."""
        super().train(mode)
        if mode and self.frozen:
            self.module.eval()
        elif mode:
            _keep_still(self.module)
        return self

    def forward(self, given: Any) -> Tensor:
        """Return the module's output."""
        output: Tensor = self.module(given)
        return output


def fine_tuned(network: nn.Module) -> dict[FineTuning, list[nn.Parameter]]:
    """Return the parameters of a network that are trained otherwise than the rest, by how they are.

    Parameters
    ----------
    network : nn.Module
        Any module; the parts of it that are `FineTuned` know.
    """
    found: dict[FineTuning, list[nn.Parameter]] = {}
    seen: set[int] = set()
    for part in (part for part in network.modules() if isinstance(part, FineTuned)):
        for name, how in part.fine_tuning.items():
            parameter = part.module.get_parameter(name)
            # One that occurs in several places is trained as it is in the first.
            if id(parameter) not in seen:
                seen.add(id(parameter))
                found.setdefault(how, []).append(parameter)
    return found


def forget_fine_tuning(network: nn.Module) -> None:
    """Let all parts of a network be trained as if none of them had ever been fine-tuned."""
    for part in network.modules():
        if isinstance(part, FineTuned):
            for name in part.fine_tuning:
                part.module.get_parameter(name).requires_grad_()
            part.fine_tuning, part.frozen = {}, False


def layers_of(module: nn.Module, prefix: str = "") -> list[list[str]]:
    """Return the names of the parameters of each layer of a module, in the order in which layers were made.

    Layers are the elements of an ``nn.Sequential`` or ``nn.ModuleList``; an element that is such a row itself
    has the layers of it. Where there is such a row within a part, as in a transformer's encoder, the part's
    layers are those; a part without is one layer. Parameters
    that are in no part, such as embeddings of positions, belong to the first layer.

    Parameters
    ----------
    module : nn.Module
        The module.
    prefix : str, optional
        Put before the names.

    Examples
    --------
    >>> network = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3)), nn.Linear(3, 1))
    >>> layers_of(network)
    [['0.0.weight', '0.0.bias'], ['0.2.weight', '0.2.bias'], ['1.weight', '1.bias']]
    """
    parts = {f"{prefix}{name}": part for name, part in module.named_children() if _holds_any(part)}
    # Parts of a row are opened where they are rows themselves, others where there is a row within them.
    is_opened = _is_row if _is_row(module) else _has_row
    of_parts = (
        layers_of(part, f"{name}.") if len(parts) == 1 or is_opened(part) else [_names(part, name)]
        for name, part in parts.items()
    )
    layers = [layer for of_part in of_parts for layer in of_part]
    own = [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
    if not layers:
        return [own] if own else []
    return [[*own, *layers[0]], *layers[1:]]


def _names(part: nn.Module, name: str) -> list[str]:
    return [f"{name}.{own}" for own, _ in part.named_parameters()]


def _holds_any(part: nn.Module) -> bool:
    return next(part.parameters(), None) is not None


def _is_row(part: nn.Module) -> bool:
    return isinstance(part, nn.Sequential | nn.ModuleList)


def _has_row(part: nn.Module) -> bool:
    """Whether a module is, or has within it, a row of several layers."""
    return any(_is_row(each) and sum(map(_holds_any, each.children())) > 1 for each in part.modules())


def _keep_still(module: nn.Module) -> None:
    """Take out of training mode the parts whose parameters are all frozen now.

    Parts without parameters, as dropout and some normalizations, go with the part before them.
    """
    children = list(module.children())
    with_parameters = [child for child in children if _holds_any(child)]
    is_still = bool(with_parameters) and not _is_trained(with_parameters[0])
    for child in children:
        if _holds_any(child):
            is_still = not _is_trained(child)
        if is_still:
            child.eval()
        else:
            _keep_still(child)
    if _holds_any(module) and not _is_trained(module):
        module.eval()


def _is_trained(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())
