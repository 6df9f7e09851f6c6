"""Parts of trunks of one shape as one part, which computes what they do side by side.

A layer that knows how to be stacked says so itself, by a class method ``stacked``; torch's own layers are in
`TORCH_LAYERS`. All others go through ``torch.vmap``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers.generators import own_generator
from sklearn_mtl.trunks.layers.linear import StackedLinear, joined

Parts = Sequence[nn.Module]


def stacked_entry(entries: Parts) -> nn.Module:
    """Return one entry for several: from inputs to (rows, members, n, width).

    Parameters
    ----------
    entries : sequence of nn.Module
        Each goes from inputs to (rows, members, width).
    """
    return _as_one(entries) or MappedParts(entries, of_inputs=True)


def stacked(parts: Parts) -> nn.Module:
    """Return one part for several: from (rows, members, n, n_in) to (rows, members, n, n_out).

    Parameters
    ----------
    parts : sequence of nn.Module
        Alike but for their parameters and buffers; each goes from (rows, members, n_in) to
        (rows, members, n_out).

    Examples
    --------
    >>> from sklearn_mtl.trunks.layers import Linear
    >>> stacked([Linear(4, 8) for _ in range(3)])(torch.zeros(10, 1, 3, 4)).shape
    torch.Size([10, 1, 3, 8])
    """
    return _as_one(parts) or MappedParts(parts, of_inputs=False)


def _as_one(parts: Parts) -> nn.Module | None:
    kind: Any = type(parts[0])
    # Of a subclass nobody knows whether it computes what its base does.
    of_kind = kind.stacked if "stacked" in vars(kind) else TORCH_LAYERS.get(kind)
    if of_kind is None or len({repr(part) for part in parts}) > 1 or any(map(_is_changed, parts)):
        return None
    found: nn.Module | None = of_kind(parts)
    return found


def _is_changed(part: nn.Module) -> bool:
    """Whether a part does more than its class says: it has hooks, or functions of its own."""
    held = vars(part).values()
    every = [each for value in held for each in (value.values() if isinstance(value, dict) else [value])]
    return any(callable(each) and not isinstance(each, nn.Module) for each in every)


def are_equal(parts: Parts) -> bool:
    """Whether parts have the same parameters and buffers; they have where only shapes are looked at."""
    first, *others = (part.state_dict() for part in parts)
    return all(
        other.keys() == first.keys() and all(_are_equal(other[name], value) for name, value in first.items())
        for other in others
    )


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one.is_meta or other.is_meta or torch.equal(one, other)


class SameForAll(nn.Module):
    """An entry without parameters to train, which gives all trunks the same numbers without a copy.

    Parameters
    ----------
    entry : nn.Module
        From inputs to (rows, members, width).
    n : int
        Number of trunks.
    """

    def __init__(self, entry: nn.Module, n: int) -> None:
        super().__init__()
        self.entry = entry
        self.n = n

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what all trunks are given, shape (rows, members, n, width)."""
        given: Tensor = self.entry(inputs)
        return given.unsqueeze(2).expand(-1, -1, self.n, -1)


class StackedLayerNorm(nn.Module):
    """Layer normalizations of trunks side by side, each with scales and offsets of its own.

    Parameters
    ----------
    layers : sequence of nn.LayerNorm
        The layers of the n trunks.
    """

    bias: nn.Parameter | None

    def __init__(self, layers: Sequence[nn.LayerNorm]) -> None:
        super().__init__()
        self.shape = layers[0].normalized_shape
        self.eps = layers[0].eps
        self.weight = joined([layer.weight for layer in layers])
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.register_parameter("bias", joined(biases) if biases else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized numbers, shape (rows, members, n, width)."""
        normalized = F.layer_norm(x, self.shape, eps=self.eps)
        return normalized * self.weight if self.bias is None else self.bias + normalized * self.weight


class MappedParts(nn.Module):
    """Parts that are not known, as one: a part of them with stacked parameters, mapped over by ``vmap``.

    What ``vmap`` can't batch, such as a recurrent layer, is computed for one after the other. Parts may work
    in place on what they are given: it is a copy.

    Parameters
    ----------
    parts : sequence of nn.Module
        Alike but for their parameters and buffers.
    of_inputs : bool
        Whether they are entries, which all take the same inputs.
    can_be_batched : bool, default=True
        Whether ``vmap`` is tried at all.
    """

    def __init__(self, parts: Parts, *, of_inputs: bool, can_be_batched: bool = True) -> None:
        super().__init__()
        self.n = len(parts)
        self.of_inputs = of_inputs
        self.can_be_batched = can_be_batched
        self.pattern = _pattern(parts)

    def forward(self, given: Any) -> Tensor:
        """Return what the parts make of inputs, or of (rows, members, n, n_in)."""
        tensors = tensors_by_place(self.pattern)
        if self.can_be_batched:
            in_dims = (0, None if self.of_inputs else 2)
            try:
                of_all = vmap(self._of_one, in_dims, out_dims=2, randomness="different")
                return of_all(tensors, _copied(given))
            # vmap raises errors of many kinds; a module's own comes again below.
            except Exception:
                self.can_be_batched = False
        of_each = (
            zip(*(tensor.unbind() for tensor in tensors.values()), strict=True) if tensors else [()] * self.n
        )
        return torch.stack(
            [
                self._of_one(
                    dict(zip(tensors, own, strict=True)),
                    _copied(given if self.of_inputs else given[:, :, number]),
                )
                for number, own in enumerate(of_each)
            ],
            dim=2,
        )

    def _of_one(self, tensors: Mapping[str, Tensor], given: Any) -> Tensor:
        # Every place of a tensor is named, and torch's way to find others fails on a part in two places.
        found: Tensor = functional_call(self.pattern, dict(tensors), (given,), tie_weights=False)
        return found


def _copied(given: Any) -> Any:
    """Return a copy of numbers, for parts that may work on them in place: others read them too."""
    if isinstance(given, Tensor):
        return given.clone()
    return {name: block.clone() for name, block in given.items()}


def tensors_by_place(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a module by name: a tensor of several parts under each name.

    A part that occurs several times is named once.

    Parameters
    ----------
    module : nn.Module
        Any module.
    """
    found: dict[str, Tensor] = {}
    for prefix, part in module.named_modules():
        settings = {"prefix": prefix, "recurse": False, "remove_duplicate": False}
        found |= {**dict(part.named_parameters(**settings)), **dict(part.named_buffers(**settings))}
    return found


def share_tensors(parts: Iterable[nn.Module]) -> bool:
    """Whether a parameter or buffer is one of several of these parts: apart, they would have copies of it."""
    held = [{id(tensor) for tensor in (*part.parameters(), *part.buffers())} for part in parts]
    return sum(map(len, held)) > len(set().union(*held))


def _pattern(parts: Parts) -> nn.Module:
    """Return a copy of the first part that has the stacked parameters and buffers of all."""
    pattern = deepcopy(parts[0])
    new: dict[int, Any] = {}
    for places in zip(pattern.modules(), *(part.modules() for part in parts), strict=True):
        one, *others = places
        _check_alike(others)
        if isinstance(one, nn.RNNBase):
            # On a GPU it would put its weights together for cuDNN, and those of several are not those of one.
            vars(one)["flatten_parameters"] = _stay_apart
        for own, together in ((one.named_parameters, joined), (one.named_buffers, torch.stack)):
            for name, old in [*own(recurse=False, remove_duplicate=False)]:
                # A tensor in several places stays one.
                if id(old) not in new:
                    new[id(old)] = together([getattr(other, name) for other in others])
                setattr(one, name, new[id(old)])
    for name, part in [*pattern.named_modules(remove_duplicate=False)]:
        if type(part) is nn.Dropout or (hasattr(part, "draw") and hasattr(part, "p")):
            if not name:
                return DropoutOfEach(part)
            pattern.set_submodule(name, DropoutOfEach(part))
    return pattern


def _stay_apart() -> None:
    """Leave the weights of a recurrent layer where they are."""


def _check_alike(parts: Parts) -> None:
    first = parts[0]
    for name, value in vars(first).items():
        for part in parts[1:]:
            other = vars(part).get(name)
            if isinstance(value, Tensor):
                same = isinstance(other, Tensor) and _are_equal(value, other)
            else:
                same = not isinstance(value, bool | int | float | str) or value == other
            if not same:
                raise ValueError(
                    "Trunks of several tasks must be alike but for their parameters and buffers. Found "
                    f"{type(first).__name__}s whose attribute {name!r} differs: {shown(value)} and "
                    f"{shown(other)}; a buffer may."
                )


class DropoutOfEach(nn.Module):
    """Dropout within parts that are mapped over: a mask for each, of one draw.

    Parameters
    ----------
    layer : nn.Module
        torch's dropout, or this package's.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers, masked in training."""
        return x * _Mask.apply(x.detach(), self.layer) if self.training else x


class _Mask(torch.autograd.Function):
    """The mask of one part, with a rule of its own for ``vmap``, which knows no draws in place."""

    @staticmethod
    def forward(x: Tensor, layer: Any) -> Tensor:
        """Return a mask of the shape of the numbers."""
        if not hasattr(layer, "draw"):
            return F.dropout(torch.ones_like(x), layer.p)
        mask: Tensor = layer.draw(x.shape, own_generator(x.device), dtype=x.dtype, device=x.device)
        return mask

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        """Say that the mask has no gradient."""
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:  # noqa: ARG004
        """Return nothing."""
        return None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, layer: Any) -> tuple[Tensor, int]:
        """Return the masks of all parts."""
        if in_dims[0] is None:
            x = x.unsqueeze(0).expand(info.batch_size, *x.shape)
        return _Mask.apply(x, layer), in_dims[0] or 0


def _sequential(parts: Sequence[nn.Sequential]) -> nn.Module | None:
    if any(map(share_tensors, parts)):
        return None
    return nn.Sequential(*map(stacked, zip(*parts, strict=True)))


def _layer_norm(layers: Sequence[nn.LayerNorm]) -> nn.Module | None:
    first = layers[0]
    if len(first.normalized_shape) != 1:
        return None
    return StackedLayerNorm(layers) if first.elementwise_affine else first


def _first(layers: Parts) -> nn.Module:
    """Return the first of layers that work on each number alone."""
    return layers[0]


_EACH_NUMBER = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.SELU, nn.Tanh, nn.Sigmoid, nn.Softplus)
#: How torch's own layers are stacked.
TORCH_LAYERS: dict[type[nn.Module], Callable[[Any], nn.Module | None]] = {
    nn.Sequential: _sequential,
    nn.Linear: StackedLinear,
    nn.LayerNorm: _layer_norm,
    **dict.fromkeys([*_EACH_NUMBER, nn.Identity, nn.Dropout], _first),
}
