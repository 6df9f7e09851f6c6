"""Linear layers with weights of eight bits, which also round what they are given to eight bits.

The kernels are those of ``torch.ao.quantization``, which torch calls deprecated in favour of torchao, and
has in all releases that this package takes. torchao replaces the weights of ``nn.Linear`` alone, which most
layers of an ensemble are not.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao import quantization

from sklearn_mtl.network import MultiTaskModule, in_default_modes
from sklearn_mtl.trunks.layers import BatchEnsembleLinear, Linear
from sklearn_mtl.trunks.layers.linear import WHOLE_VECTORS


class Int8Linear(nn.Module):
    """A linear layer of eight bits: one scale for each output, and one for each row.

    torch has one scale for all rows of a batch, by which the prediction of a row would depend on the others.
    Here each row is first divided by its largest number, and 1 and -1, with weights of 0, are put behind it:
    so all batches have the same range, and each row is rounded by itself.

    Parameters
    ----------
    weight : tensor of shape (n_out, n_in)
        The weights.
    bias : tensor of shape (n_out,), optional
        What is added, in full precision.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        self.n_fill = -(n_in + 2) % WHOLE_VECTORS
        plain = nn.Linear(n_in + 2 + self.n_fill, n_out, bias=False)
        with torch.no_grad():
            plain.weight.zero_()
            plain.weight[:, :n_in] = weight
        self.product = _quantized(plain)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        ends = torch.zeros(2 + self.n_fill)
        ends[:2] = torch.tensor([1.0, -1.0])
        self.register_buffer("ends", ends)
        self.register_state_dict_pre_hook(_refuse_state)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape (..., n_out)."""
        size = x.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        ends = self.get_buffer("ends").expand(*x.shape[:-1], -1)
        found: Tensor = self.product(torch.cat([x / size, ends], -1)) * size
        return found if self.bias is None else found + self.bias


class Int8BatchEnsembleLinear(nn.Module):
    """A `BatchEnsembleLinear` whose shared matrix is of eight bits; the members' own scales are not.

    Parameters
    ----------
    layer : BatchEnsembleLinear
        The layer.
    """

    def __init__(self, layer: BatchEnsembleLinear) -> None:
        super().__init__()
        self.product = Int8Linear(layer.weight.detach())
        for name in ("r", "s", "bias"):
            self.register_buffer(name, getattr(layer, name).detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape (rows, members, n_out)."""
        product = self.product(x * self.get_buffer("r"))
        return torch.addcmul(self.get_buffer("bias"), product, self.get_buffer("s"))


@in_default_modes
def quantize_layers(module: MultiTaskModule) -> int:
    """Replace the linear layers of a network on the CPU; return how many there were.

    Parameters
    ----------
    module : MultiTaskModule
        The network, in evaluation mode, which is changed.
    """
    found = 0
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            new = _replaced(child)
            if new is not None:
                setattr(part, name, new.eval())
                found += 1
    return found


def _replaced(layer: Any) -> nn.Module | None:
    if isinstance(layer, BatchEnsembleLinear):
        return Int8BatchEnsembleLinear(layer)
    # A subclass of a user's may do more than a product.
    if type(layer) in (Linear, nn.Linear):
        return Int8Linear(layer.weight.detach(), layer.bias)
    return None


def _quantized(layer: nn.Linear) -> nn.Module:
    configuration: Any = {nn.Linear: quantization.per_channel_dynamic_qconfig}
    with warnings.catch_warnings():
        # That it is deprecated is no matter of the caller's.
        warnings.simplefilter("ignore")
        wrapped = quantization.quantize_dynamic(nn.Sequential(layer), configuration, dtype=torch.qint8)
    found: nn.Module = wrapped[0]
    return found


def refuse_int8(module: nn.Module) -> None:
    """Raise a ``TypeError`` if a network has layers of eight bits, which can be neither copied nor traced.

    Parameters
    ----------
    module : nn.Module
        The network.
    """
    for name, part in module.named_modules():
        if isinstance(part, Int8Linear):
            raise _refused(part, name)


def _refuse_state(module: nn.Module, prefix: str, _keep_vars: bool) -> None:
    raise _refused(module, prefix)


def _refused(module: nn.Module, place: str) -> TypeError:
    return TypeError(
        "A quantized estimator can't be copied, pickled, saved, exported or trained on: keep the estimator "
        f"that it was made from, and quantize it where it is loaded. Found {type(module).__name__} at "
        f"{place.rstrip('.')!r}."
    )
