"""The modules of many networks as one function of their stacked weights.

The module of one network serves as a pattern, over which ``vmap`` maps the stacked weights, the rows and
the dropout masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.func import vmap
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_mtl.network.module import MultiTaskModule
from sklearn_mtl.network.torch_private import is_batched, tensors_of

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
            with _batched_linears(tensors[0]):
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


def _batched_linears(like: Tensor) -> AbstractContextManager[Any]:
    """Batch the linear layers; not under autocast, whose rules for dtypes know torch's own alone."""
    return nullcontext() if torch.is_autocast_enabled(like.device.type) else BatchedLinears()


class BatchedLinears(TorchFunctionMode):
    """Inside the block, what ``vmap`` makes of a linear layer is one ``baddbmm``, and attention is one call.

    Its own rule for linear layers multiplies and then adds the bias in a second pass, and leaves the gradient
    of the weights transposed, to be copied: at 256 columns a third more time. For attention on a CPU it has
    none, and goes from network to network.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace linear layers and attention, and nothing else."""
        replaced = _BATCHED.get(func, func)
        return replaced(*args, **kwargs or {})


def _attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **how: Any) -> Any:
    if not is_batched(query):
        return F.scaled_dot_product_attention(query, key, value, attn_mask, **how)
    return _Attention.apply(query, key, value, attn_mask, how)


class _Attention(Function):
    """The attention of one network; to ``vmap``, those of more networks are more rows."""

    @staticmethod
    def forward(
        query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, how: Mapping[str, Any]
    ) -> Tensor:
        """Return the attention's output; not called under ``vmap``."""
        return F.scaled_dot_product_attention(query, key, value, mask, **how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep nothing: the gradient is that of the rows."""

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        *given: Any,
    ) -> tuple[Any, int]:
        """Return the outputs of all networks, networks first."""
        *tensors, how = given
        rows: list[Any] = [
            None if tensor is None else _networks_first(tensor, dim, info.batch_size).flatten(0, 1)
            for tensor, dim in zip(tensors, in_dims, strict=False)
        ]
        return _attention(*rows, **how).unflatten(0, (info.batch_size, -1)), 0


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    # Outside of vmap, and for weights that all networks share, torch's own does as well.
    if not (is_batched(weight) and is_batched(input)):
        return F.linear(input, weight, bias)
    return _LinearLayer.apply(input, weight, bias)


_BATCHED: dict[Any, Callable[..., Any]] = {F.linear: _linear, F.scaled_dot_product_attention: _attention}


class _LinearLayer(Function):
    """The linear layer of one network, with a rule of its own for ``vmap``."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the layer's output; not called under ``vmap``."""
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep nothing: the gradient is that of the batched product."""

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
    ) -> tuple[Any, int]:
        """Return the outputs of all networks, networks first."""
        x, weight = (
            _networks_first(tensor, dim, info.batch_size)
            for tensor, dim in zip((x, weight), in_dims, strict=False)
        )
        bias = None if bias is None else _networks_first(bias, in_dims[2], info.batch_size)
        rows = x.flatten(1, -2) if x.ndim > 2 else x.unsqueeze(1)
        # Trunks within a network may be mapped over too: what is left is for torch's own rule.
        is_nested = is_batched(rows) or is_batched(weight)
        product_of = _stacked_linear_layer if is_nested else _StackedLinearLayer.apply
        return product_of(rows, weight, bias).view(*x.shape[:-1], weight.shape[1]), 0


def _networks_first(tensor: Tensor, dim: int | None, n_networks: int) -> Tensor:
    return tensor.expand(n_networks, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _stacked_linear_layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return torch.bmm(x, weight.transpose(1, 2))
    return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))


class _StackedLinearLayer(Function):
    """(networks, rows, n_in) by (networks, n_out, n_in) to (networks, rows, n_out)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product, with the bias added."""
        ctx.save_for_backward(x, weight)
        return _stacked_linear_layer(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, that of the weights laid out as they are."""
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if wanted[0] else None,
            torch.bmm(gradient.transpose(1, 2), x) if wanted[1] else None,
            gradient.sum(1) if wanted[2] else None,
        )
