"""A device that stands in for CUDA where there is no card, and refuses to mix with the CPU as a card would.

Tensors "on" it compute on the CPU, and say that their device is CUDA. To torch they are tensors of a device
for which it has no kernels, so that each operation comes by here: one that takes tensors of both devices is
an error in CUDA's words, but where a card takes them as well. What goes from one device to the other, or
makes one wait for the other, is noted. It needs no compiler, as a backend of its own would, and what depends
on numbers can be computed, as with torch's fake tensors it could not.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_mtl.training.capture import of_net
from sklearn_mtl.training.stacking import trainer

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
# What torch itself takes the tensors for: autograd goes back through those of this device in the thread that
# asks, as it does on the CPU; and torch has nothing that computes with them.
UNDERNEATH = torch.device("lazy", 0)

_device_of = torch._C.TensorBase.device.__get__
_is_cuda_of = torch._C.TensorBase.is_cuda.__get__
_PLAIN = torch.Generator
# A card takes the positions of rows from the CPU too.
_TAKE_INDICES = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
_COPY = {"copy_", "_to_copy", "_foreach_copy_"}
_WAIT = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "unique_dim", "_unique2", "is_nonzero"}


class OnCard(torch.Tensor):
    """A tensor of the stand-in.

    Parameters
    ----------
    inner : tensor
        What it computes with, on the CPU.
    """

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Self:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=UNDERNEATH,
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:
        return f"OnCard({self.inner!r})"

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return OnCard, (self.inner,)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _running().compute(func, args, kwargs or {})


class OwnGenerator(_PLAIN):
    """A generator that knows whether it is one of the stand-in."""

    def __new__(cls, device: Any = "cpu") -> Self:
        made = super().__new__(cls)
        made.of = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        return self.of


@dataclass
class Card:
    """The generator of the stand-in, and the names of the operations that went to and fro, or waited."""

    generator: Any = field(default_factory=lambda: OwnGenerator("cuda"))
    to_card: list[str] = field(default_factory=list)
    to_cpu: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)

    def compute(self, func: Any, args: tuple, kwargs: dict) -> Any:
        """Compute an operation, if a card would."""
        name = func._schema.name.partition("::")[2]
        on_card: dict[int, OnCard] = {}
        plain_args = _inner(args, on_card)
        plain_kwargs = {key: _inner(value, on_card) for key, value in kwargs.items()}
        lands_on_card = bool(on_card)
        if (device := kwargs.get("device")) is not None:
            plain_kwargs["device"] = CPU
            lands_on_card = device == UNDERNEATH
        if name in _COPY:
            self._note_copy(name, args, lands_on_card=lands_on_card)
        elif on_card:
            self._check(name, args, kwargs)
        if lands_on_card and kwargs.get("generator", self) is None:
            plain_kwargs["generator"] = self.generator
        found = func(*plain_args, **plain_kwargs)
        if not lands_on_card:
            return found
        if torch.Tag.inplace_view in func.tags:
            # The shape of the tensor itself has changed, which torch has to be told.
            torch._C.TensorBase.data.__set__(args[0], OnCard(found))
        return _outer(found, on_card)

    def _check(self, name: str, args: tuple, kwargs: dict) -> None:
        if name in _WAIT:
            self.waits.append(name)
        indices = name in _TAKE_INDICES and isinstance(args[0], OnCard)
        for value in (*args, *kwargs.values()):
            in_list = isinstance(value, list | tuple)
            for tensor in value if in_list else (value,):
                if indices and in_list and isinstance(tensor, torch.Tensor):
                    if tensor.dtype == torch.bool:
                        self.waits.append(name)
                    if _is_plain(tensor):
                        self.to_card.append(name)
                # A single number is an argument of a kernel, but not in the lists of many tensors.
                elif _is_plain(tensor) and (tensor.dim() or in_list):
                    raise RuntimeError(
                        "Expected all tensors to be on the same device, but found at least two devices, "
                        f"cuda:0 and cpu! ({name})"
                    )

    def _note_copy(self, name: str, args: tuple, *, lands_on_card: bool) -> None:
        if name == "copy_":
            into, source = args[:2]
            lands_on_card = isinstance(into, OnCard)
        else:
            source = args[0]
        comes_from_card = isinstance(source, OnCard)
        if comes_from_card and not lands_on_card:
            self.to_cpu.append(name)
        elif lands_on_card and _is_plain(source) and source.dim():
            self.to_card.append(name)


def _inner(value: Any, on_card: dict[int, OnCard]) -> Any:
    """Return what is computed with in the place of arguments, and note the tensors of the card among them."""
    if isinstance(value, OnCard):
        on_card[id(value.inner)] = value
        return value.inner
    if isinstance(value, list | tuple):
        return type(value)([_inner(one, on_card) for one in value])
    return value


def _outer(value: Any, on_card: dict[int, OnCard]) -> Any:
    """Return results as tensors of the card; what was written to as the tensor that it was."""
    if isinstance(value, torch.Tensor):
        return on_card[id(value)] if id(value) in on_card else OnCard(value)
    if isinstance(value, list | tuple):
        return type(value)([_outer(one, on_card) for one in value])
    return value


def _is_plain(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and not isinstance(x, OnCard)


_cards: list[Card] = []


def _running() -> Card:
    return _cards[-1]


class _Operations(TorchDispatchMode):
    """Tensors that are made on the card are made by no tensor of it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _running().compute(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Between the words of the code, CUDA, and what torch takes the tensors for."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if getter := getattr(func, "__self__", None):
            if getter is torch._C.TensorBase.device:
                return CUDA if _on_card(args[0]) else _device_of(args[0])
            if getter is torch._C.TensorBase.is_cuda:
                return _on_card(args[0]) or _is_cuda_of(args[0])
        if func is torch.device:
            return func(*args, **kwargs)
        args, kwargs = (
            tuple(map(_underneath, args)),
            {key: _underneath(value) for key, value in kwargs.items()},
        )
        if isinstance(generator := kwargs.get("generator"), OwnGenerator):
            _check_generator(generator, args, kwargs.get("device"))
        return _INSTEAD.get(func, func)(*args, **kwargs)


def _check_generator(generator: OwnGenerator, args: tuple, device: Any) -> None:
    on_card = device == UNDERNEATH or any(isinstance(x, torch.Tensor) and _on_card(x) for x in args)
    if (generator.device.type == "cuda") != on_card:
        raise RuntimeError(f"Expected a generator of the tensor's device but found {generator.device}")


def _on_card(tensor: torch.Tensor) -> bool:
    return _device_of(tensor) == UNDERNEATH


def _underneath(value: Any) -> Any:
    # Devices are named by words too; no other word of torch's begins so.
    if isinstance(value, str) and value.startswith("cuda"):
        return UNDERNEATH
    return UNDERNEATH if isinstance(value, torch.device) and value.type == "cuda" else value


def _made(make: Callable) -> Callable:
    """Torch fills such a tensor past all modes, on the CPU or not at all."""

    def made(*args: Any, device: Any = None, requires_grad: bool = False, **kwargs: Any) -> torch.Tensor:
        found = make(*args, **kwargs)
        found = found if device is None else found.to(device)
        return found.requires_grad_() if requires_grad else found

    return made


def _new_tensor(like: torch.Tensor, data: Any, *, dtype: Any = None, device: Any = None) -> torch.Tensor:
    made = torch.tensor(data, dtype=like.dtype if dtype is None else dtype)
    return made.to(_device_of(like) if device is None else device)


def _get_item(tensor: torch.Tensor, place: Any) -> torch.Tensor:
    if _on_card(tensor):
        place = tuple(map(_position, place)) if isinstance(place, tuple) else _position(place)
    return tensor[place]


def _position(place: Any) -> Any:
    """Torch would make a tensor of a list past all modes."""
    return torch.tensor(place).to(UNDERNEATH) if isinstance(place, list) else place


def _never_pinned(empty: Callable) -> Callable:
    """Memory that stays in place makes copies faster, and nothing else. Another thread may ask for it."""
    return lambda *sizes, pin_memory=False, **kwargs: empty(*sizes, **kwargs)


class _Event:
    """All that the stand-in was asked for is done at once."""

    def record(self, stream: Any = None) -> None: ...

    def synchronize(self) -> None: ...


def _set_data(tensor: torch.Tensor, data: torch.Tensor) -> None:
    torch._C.TensorBase.data.__set__(tensor, data)
    if isinstance(tensor, OnCard):
        tensor.inner = data.inner


def _tolist(tensor: torch.Tensor) -> Any:
    return tensor.cpu().tolist() if isinstance(tensor, OnCard) else tensor.tolist()


_INSTEAD = {
    torch.tensor: _made(torch.tensor),
    torch.as_tensor: _made(torch.as_tensor),
    torch.Tensor.new_tensor: _new_tensor,
    torch._C.TensorBase.data.__set__: _set_data,
    torch.Tensor.__getitem__: _get_item,
    torch.Tensor.tolist: _tolist,
}


@contextmanager
def card() -> Iterator[Card]:
    """Inside the block there is a card, ``"cuda"``, which the CPU stands in for."""
    own = Card()
    cuda = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_bf16_supported": lambda *_args, **_kwargs: True,
        "mem_get_info": lambda *_device: (2**34, 2**34),
        "memory_allocated": lambda *_device: 0,
        "empty_cache": lambda: None,
        "synchronize": lambda *_device: None,
        "current_stream": lambda *_device: None,
        "Event": _Event,
        "get_rng_state": lambda *_device: own.generator.get_state(),
        "set_rng_state": lambda state, *_device: own.generator.set_state(state),
        "get_device_name": lambda *_device: "a stand-in",
        "get_device_capability": lambda *_device: (9, 0),
        "get_device_properties": lambda *_device: SimpleNamespace(name="a stand-in", multi_processor_count=1),
    }
    with pytest.MonkeyPatch.context() as patch, _Operations(), _Functions():
        for name, value in cuda.items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch, "Generator", OwnGenerator)
        # Only CUDA itself records steps; tests/training/capture has a recording of its own.
        for module in (of_net, trainer):
            patch.setattr(module, "RECORDED_ON", frozenset())
        patch.setattr(torch, "empty", _never_pinned(torch.empty))
        patch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_device: tensor)
        patch.setattr(torch.backends.cudnn, "is_acceptable", lambda *_tensor: False)
        # Nothing is there to be given back, and each time takes as long as a small fit.
        patch.setattr(gc, "collect", lambda *_generation: 0)
        _cards.append(own)
        try:
            yield own
        finally:
            _cards.pop()
