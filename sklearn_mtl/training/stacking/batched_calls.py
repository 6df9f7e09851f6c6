"""What ``vmap`` makes of linear layers, attention and convolutions, where its own rules are slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_mtl.network.torch_private import is_batched


def batched_calls(like: Tensor) -> TorchFunctionMode:
    """Return a context in which ``vmap`` maps over networks as is fastest.

    Under autocast, linear layers are left to torch, whose rules for dtypes know its own alone.

    Parameters
    ----------
    like : tensor
        A tensor of the networks' device.
    """
    replaced: dict[Any, Callable[..., Any]] = {F.scaled_dot_product_attention: _attention}
    if not torch.is_autocast_enabled(like.device.type):
        replaced[F.linear] = _linear
    if like.device.type == "cpu":
        replaced |= {convolution: _one_by_one(convolution) for convolution in (F.conv1d, F.conv2d)}
    return _Replacing(replaced)


class _Replacing(TorchFunctionMode):
    """Inside the block, some of torch's functions are others.

    Parameters
    ----------
    replaced : mapping of callable to callable
        What takes the place of each function.
    """

    def __init__(self, replaced: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self.replaced = replaced

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call what takes the function's place."""
        return self.replaced.get(func, func)(*args, **kwargs or {})


def _one_by_one(convolution: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return a convolution that is computed for one network after the other.

    What torch makes of it is one in groups, which on a CPU takes longer.
    """

    def replaced(x: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Any:
        if not (is_batched(x) and is_batched(weight)):
            return convolution(x, weight, *args, **kwargs)
        bias = args[0] if args else kwargs.pop("bias", None)
        how: Any = dict(zip(("stride", "padding", "dilation", "groups"), args[1:], strict=False))
        return _OneByOne.apply(convolution, x, weight, bias, {**how, **kwargs})

    return replaced


class _OneByOne(Function):
    """A convolution of one network, with a rule of its own for ``vmap``."""

    @staticmethod
    def forward(
        convolution: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, how: Any
    ) -> Tensor:
        """Return the layer's output; not called under ``vmap``."""
        return convolution(x, weight, bias, **how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep nothing: the gradient is that of the convolutions."""

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        convolution: Callable[..., Tensor],
        *given: Any,
    ) -> tuple[Any, int]:
        """Return the outputs of all networks, networks first."""
        *tensors, how = given
        x, weight, bias = (
            [tensor] * info.batch_size if dim is None else tensor.unbind(dim)
            for tensor, dim in zip(tensors, in_dims[1:], strict=False)
        )
        each = zip(x, weight, bias, strict=True)
        # Trunks within a network may be mapped over too.
        of_each = _one_by_one(convolution)
        return torch.stack([of_each(*own, **how) for own in each]), 0


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
