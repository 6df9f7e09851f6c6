"""The modules of many networks as one function of their stacked weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from sklearn_mtl.network.module import MultiTaskModule
from sklearn_mtl.network.torch_private import tensors_of
from sklearn_mtl.training.stacking.linear import BatchedLinears

Named = Mapping[str, Tensor]


class StackedModule:
    """One module as a pattern: with stacked weights it computes what many of its kind would.

    Dropout takes its masks from outside: they are drawn by the generator that each network would use.

    Parameters
    ----------
    module : MultiTaskModule
        Any of the networks' own; copied.
    few : mapping of str to tensor
        A few rows, to see which dropout layers are passed in which order.
    """

    def __init__(self, module: MultiTaskModule, few: Named) -> None:
        self.pattern = deepcopy(module)
        self.calls = dropout_calls(self.pattern, few)
        self._masks: list[Tensor] = []
        for name in {call.name for call in self.calls}:
            self.pattern.set_submodule(name, _GivenMask(self._masks))
        self._places = {
            **_places(self.pattern, lambda part: tensors_of(part)[0]),
            **_places(self.pattern, lambda part: tensors_of(part)[1]),
        }
        self._now: list[tuple[dict[str, Any], str]] = []
        self._names: tuple[str, ...] = ()
        self._of_each = vmap(self._of_one)

    def __call__(
        self, weights: Named, inputs: Named, masks: Sequence[Tensor], *, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the networks' raw outputs, (networks, rows, members, raw_width), and their penalties.

        Parameters
        ----------
        weights : mapping of str to tensor, each of shape (networks, ...)
            Weights and buffers by their names in the module; others are those of the pattern.
        inputs : mapping of str to tensor, each of shape (networks, rows, ...)
            Encoded rows.
        masks : sequence of tensor, each of shape (networks, rows, ...)
            Of the dropout layers, in the order of their calls; none of them needed to predict.
        training : bool
            Whether dropout is on.
        """
        if self.pattern.training != training:
            self.pattern.train(training)
        places = [self._places[name] for name in weights]
        tensors = tuple(weights.values())
        own = [of_part[name] for of_part, name in places]
        try:
            with _linears(tensors[0]):
                self._now, self._names = places, tuple(inputs)
                raw, penalty = self._of_each(tensors, tuple(inputs.values()), tuple(masks))
        finally:
            for (of_part, name), tensor in zip(places, own, strict=True):
                of_part[name] = tensor
            self._masks.clear()
        return raw, penalty

    def _of_one(
        self,
        weights: Sequence[Tensor],
        blocks: Sequence[Tensor],
        masks: Sequence[Tensor],
    ) -> tuple[Tensor, Tensor]:
        # torch.func.functional_call does this by name, which takes as long as a small network's step.
        for (of_part, name), tensor in zip(self._now, weights, strict=True):
            of_part[name] = tensor
        self._masks[:] = masks
        raw = self.pattern(dict(zip(self._names, blocks, strict=True)))
        penalty = self.pattern.sharing.penalty()
        return raw, raw.new_zeros(()) if penalty is None else penalty


class DropoutCall:
    """One passage through a dropout layer.

    Parameters
    ----------
    name : str
        Of the layer in the module.
    shape : tuple of int
        Of what it is given, without the rows.
    """

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name = name
        self.shape = shape


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
        Of what it is given.
    generator : torch.Generator
        On the device of ``like``.
    like : tensor
        Of the mask's dtype and device.
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
    """Stands for a dropout layer; takes the next mask of a list."""

    def __init__(self, masks: list[Tensor]) -> None:
        super().__init__()
        self._masks = masks

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers, masked in training."""
        return x * self._masks.pop(0) if self.training else x


def _places(
    module: nn.Module, tensors: Callable[[nn.Module], dict[str, Any]]
) -> dict[str, tuple[dict[str, Any], str]]:
    """Return where each tensor of a module is kept: the dict of its part, and its name there."""
    return {
        f"{prefix}.{name}" if prefix else name: (tensors(part), name)
        for prefix, part in module.named_modules()
        for name in tensors(part)
    }


def _linears(like: Tensor) -> AbstractContextManager[Any]:
    """Batch the linear layers; under autocast, whose rules know torch's own alone, leave it to those."""
    return nullcontext() if torch.is_autocast_enabled(like.device.type) else BatchedLinears()
