"""Linear layers of many networks as one batched product."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_mtl.network.torch_private import is_batched


class BatchedLinears(TorchFunctionMode):
    """Inside the block, what ``vmap`` makes of a linear layer is one ``baddbmm``.

    Its own rule multiplies and then adds the bias in a second pass, and leaves the gradient of the
    weights transposed, to be copied: at 256 columns a third more time.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the linear layer, and nothing else."""
        kwargs = kwargs or {}
        return _linear(*args, **kwargs) if func is F.linear else func(*args, **kwargs)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    # Outside of vmap, and for weights that all networks share, torch's own does as well.
    if not (is_batched(weight) and is_batched(input)):
        return F.linear(input, weight, bias)
    return _LinearOfOne.apply(input, weight, bias)


class _LinearOfOne(Function):
    """The linear layer of one network, as ``vmap`` sees it."""

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
        x, weight = x.movedim(in_dims[0] or 0, 0), weight.movedim(in_dims[1] or 0, 0)
        if bias is not None:
            bias = bias.expand(info.batch_size, -1) if in_dims[2] is None else bias.movedim(in_dims[2], 0)
        product = _LinearOfAll.apply(x.flatten(1, -2), weight, bias)
        return product.unflatten(1, x.shape[1:-1]), 0


class _LinearOfAll(Function):
    """(networks, rows, n_in) by (networks, n_out, n_in) to (networks, rows, n_out)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product, with the bias added."""
        ctx.save_for_backward(x, weight)
        if bias is None:
            return torch.bmm(x, weight.transpose(1, 2))
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

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
