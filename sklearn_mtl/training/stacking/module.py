"""The modules of many networks as one function of their stacked weights.

The module of one network serves as a pattern, over which ``vmap`` maps the stacked weights, the rows and
the dropout masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from sklearn_mtl.network.module import MultiTaskModule
from sklearn_mtl.network.torch_private import tensors_of
from sklearn_mtl.training.stacking.batched_calls import batched_calls

Named = Mapping[str, Tensor]


class StackedModule:
    """One module as a pattern: with stacked weights it computes what many of its kind would.

    Dropout takes its masks from outside. Within ``vmap`` a layer would draw from torch's one generator: the
    networks' draws would not be those of networks that are trained alone, each under its own seed.

    Parameters
    ----------
    module : MultiTaskModule
        The module of any of the networks; copied.
    few : mapping of str to tensor
        A few rows, to see which dropout layers are passed in which order.
    """

    def __init__(self, module: MultiTaskModule, few: Named) -> None:
        self.pattern = deepcopy(module)
        self.calls = dropout_calls(self.pattern, few)
        self._masks: list[Tensor] = []
        for name in {call.name for call in self.calls}:
            self.pattern.set_submodule(name, _GivenMask(self._masks))
        self._slots = tensor_slots(self.pattern)
        self._filled: list[tuple[dict[str, Any], str]] = []
        self._blocks: tuple[str, ...] = ()
        self._of_all = vmap(self._of_one)

    def __call__(
        self, weights: Named, inputs: Named, cells: Tensor, masks: Sequence[Tensor], *, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the networks' raw outputs, (networks, rows, members, raw_width), and their penalties.

        Penalties are for training, and 0 without it.

        Parameters
        ----------
        weights : mapping of str to tensor, each of shape (networks, ...)
            Weights and buffers by their names in the module; all others are those of the pattern.
        inputs : mapping of str to tensor, each of shape (networks, rows, ...)
            Encoded rows.
        cells : tensor of shape (networks, rows, target columns)
            Cell weights of the rows, for the penalties.
        masks : sequence of tensor, each of shape (networks, rows, ...)
            A mask for each passage through a dropout layer, in order; none is needed to predict.
        training : bool
            Whether dropout is on.
        """
        if self.pattern.training != training:
            self.pattern.train(training)
        slots = [self._slots[name] for name in weights]
        tensors = tuple(weights.values())
        own = [of_part[name] for of_part, name in slots]
        try:
            with batched_calls(tensors[0]):
                self._filled, self._blocks = slots, tuple(inputs)
                raw, penalty = self._of_all(tensors, tuple(inputs.values()), cells, tuple(masks))
        finally:
            # Tensors of `vmap` are of no use outside of it: the pattern must not be left with them.
            for (of_part, name), tensor in zip(slots, own, strict=True):
                of_part[name] = tensor
            self._masks.clear()
        return raw, penalty

    def _of_one(
        self,
        weights: Sequence[Tensor],
        blocks: Sequence[Tensor],
        cells: Tensor,
        masks: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Compute one network, as ``vmap`` sees it."""
        # What torch.func.functional_call does by name, which takes as long as a small network's step. The
        # dicts are written to directly, as `setattr` takes no plain tensor for a parameter.
        for (of_part, name), tensor in zip(self._filled, weights, strict=True):
            of_part[name] = tensor
        self._masks[:] = masks
        inputs = dict(zip(self._blocks, blocks, strict=True))
        raw = self.pattern(inputs)
        penalty = self.pattern.sharing.penalty(inputs, cells) if self.pattern.training else None
        return raw, raw.new_zeros(()) if penalty is None else penalty


@dataclass(frozen=True)
class DropoutCall:
    """One passage through a dropout layer.

    Parameters
    ----------
    name : str
        The layer's name in the module.
    shape : tuple of int
        Shape of what it is given, without the rows.
    """

    name: str
    shape: tuple[int, ...]


def dropout_calls(module: nn.Module, few: Named) -> list[DropoutCall]:
    """Return the passages through dropout layers of one forward pass in training, in order.

    Parameters
    ----------
    module : nn.Module
        Run once; it draws from torch's generator.
    few : mapping of str to tensor
        A few rows.
    """
    calls: list[DropoutCall] = []
    layers = {part: name for name, part in module.named_modules() if is_dropout(part)}

    def note(part: nn.Module, given: tuple[Tensor, ...]) -> None:
        # One within a frozen module stays out of training, and draws nothing.
        if part.training:
            calls.append(DropoutCall(layers[part], tuple(given[0].shape[1:])))

    hooks = [part.register_forward_pre_hook(note) for part in layers]
    try:
        with torch.no_grad():
            module.train()(few)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def is_dropout(part: nn.Module) -> bool:
    """Whether masks for a layer can be drawn outside of it."""
    return type(part) is nn.Dropout or (hasattr(part, "draw") and hasattr(part, "p"))


def draw_mask(part: Any, shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Return the mask that a dropout layer would draw, scaled.

    Parameters
    ----------
    part : nn.Module
        A layer that `is_dropout`.
    shape : tuple of int
        Shape of what it is given.
    generator : torch.Generator
        A generator on the device of ``like``.
    like : tensor
        A tensor of the mask's dtype and device.
    """
    if hasattr(part, "draw"):
        mask: Tensor = part.draw(shape, generator, dtype=like.dtype, device=like.device)
        return mask
    if part.p == 0:
        return like.new_ones(shape)
    # As torch's own does it, step by step: the same numbers from the same generator.
    kept = like.new_empty(shape).bernoulli_(1 - part.p, generator=generator)
    return kept.div_(1 - part.p) if part.p < 1 else kept


class _GivenMask(nn.Module):
    """Stands in for a dropout layer; takes the next mask of a list."""

    def __init__(self, masks: list[Tensor]) -> None:
        super().__init__()
        self._masks = masks

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers, masked in training."""
        return x * self._masks.pop(0) if self.training else x


def tensor_slots(module: nn.Module) -> dict[str, tuple[dict[str, Any], str]]:
    """Return where each parameter and buffer of a module is kept: a dict of its part, and its name there."""
    return {
        f"{prefix}.{name}" if prefix else name: (of_part, name)
        for prefix, part in module.named_modules()
        for of_part in tensors_of(part)
        for name in of_part
    }
