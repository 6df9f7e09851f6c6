"""The random generators of a net, and torch's own, which are left as the user has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock, local

import torch
from torch import Tensor, nn

from sklearn_mtl.network.torch_private import has_hooks
from sklearn_mtl.network.torch_state import begin_going_back
from sklearn_mtl.trunks.layers import OwnDraws, drawing_from, own_generators

_LAYERS = (nn.Linear, nn.LayerNorm, nn.Sequential, nn.ModuleList, nn.Identity)
_DRAW_NOTHING = frozenset([*_LAYERS, nn.ReLU, nn.GELU, nn.SiLU, nn.SELU, nn.Tanh])


@contextmanager
def seeded(seed: int, device: torch.device, *, alone: bool = False) -> Iterator[None]:
    """Draw from generators with a seed inside the block, and leave torch's as they were.

    Parameters
    ----------
    seed : int
        The seed of all generators.
    device : torch.device
        The device whose generator is seeded along with the CPU's.
    alone : bool, default=False
        Whether all is drawn from the own generators. Otherwise torch's are seeded too, and put back. They are
        one for all threads: one thread at a time is inside, and what another draws meanwhile is missed.
    """
    begin_going_back(device)
    generators = _generators(device)
    for generator in {*generators}:
        generator.manual_seed(seed)
    torchs = nullcontext() if alone else _torch_from(GeneratorState.of(generators), device)
    with torchs, drawing_from(generators), OwnDraws():
        yield


def _generators(device: torch.device) -> tuple[torch.Generator, torch.Generator]:
    """Return a new generator of the CPU, and one of the device, which may be the same."""
    on_cpu = torch.Generator()
    return on_cpu, torch.Generator(device) if device.type == "cuda" else on_cpu


@dataclass(frozen=True, eq=False)
class GeneratorState:
    """The state of the random generators of a net.

    Parameters
    ----------
    cpu : tensor
        State of the CPU's generator.
    device : tensor or None
        State of the CUDA device's generator, where there is one.
    """

    cpu: Tensor
    device: Tensor | None

    @classmethod
    def of(cls, generators: tuple[torch.Generator, torch.Generator]) -> GeneratorState:
        """Return the state of the CPU's generator and that of the device, which may be the same."""
        cpu, device = generators
        return cls(cpu.get_state(), None if device is cpu else device.get_state())

    @classmethod
    def of_torch(cls, device: torch.device) -> GeneratorState:
        """Return the state of torch's generators."""
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)

    @classmethod
    def now(cls, device: torch.device) -> GeneratorState:
        """Return the state of this thread's own generators, or else of torch's."""
        own = own_generators()
        return cls.of(own) if own else cls.of_torch(device)

    def generators(self, device: torch.device) -> tuple[torch.Generator, torch.Generator]:
        """Return new generators of this state."""
        generators = _generators(device)
        generators[0].set_state(self.cpu)
        if self.device is not None:
            generators[1].set_state(self.device)
        return generators

    def into_torch(self, device: torch.device) -> None:
        """Put torch's generators into this state."""
        torch.set_rng_state(self.cpu)
        if self.device is not None:
            torch.cuda.set_rng_state(self.device, device)

    def put_now(self, device: torch.device) -> None:
        """Put this thread's own generators, or else torch's, into this state."""
        own = own_generators()
        if not own:
            self.into_torch(device)
            return
        own[0].set_state(self.cpu)
        if self.device is not None:
            own[1].set_state(self.device)

    @contextmanager
    def restored(self, device: torch.device, *, alone: bool = False) -> Iterator[None]:
        """Go on from this state inside the block, and leave torch's generators as they were.

        Parameters
        ----------
        device : torch.device
            The device of the net.
        alone : bool, default=False
            Whether all that is drawn is drawn from the net's own generators. Torch's are then left alone, and
            no other thread has to wait.
        """
        own = alone or own_generators()
        with drawing_from(self.generators(device)) if own else _torch_from(self, device):
            yield


class _Turn(local):
    """Torch's generators as they were before this thread took its turn; None where it has none."""

    before: GeneratorState | None = None


_turn = _Turn()
# Torch has one generator for all threads: one thread at a time has its turn.
_ONE_AT_A_TIME = Lock()


@contextmanager
def _torch_from(state: GeneratorState, device: torch.device) -> Iterator[None]:
    """Let torch's generators go on from a state inside the block, in the turn of this thread."""
    if inner := _turn.before is not None:
        before = GeneratorState.of_torch(device)
    else:
        _take_turn(device)
    try:
        state.into_torch(device)
        yield
    finally:
        if inner:
            before.into_torch(device)
        else:
            _end_turn(device)


def _take_turn(device: torch.device) -> None:
    _ONE_AT_A_TIME.acquire()
    _turn.before = GeneratorState.of_torch(device)


def _end_turn(device: torch.device) -> None:
    # After Ctrl-C in `giving_way` the turn is over already.
    if (before := _turn.before) is not None:
        before.into_torch(device)
        _turn.before = None
        _ONE_AT_A_TIME.release()


@contextmanager
def giving_way(device: torch.device) -> Iterator[None]:
    """Let other threads have their turn inside the block, whose code may wait for them.

    What it draws still comes from the net's generators, as far as torch lets one say so.
    """
    if _turn.before is None:
        with OwnDraws():
            yield
        return
    generators = GeneratorState.of_torch(device).generators(device)
    _end_turn(device)
    try:
        with drawing_from(generators), OwnDraws():
            yield
    finally:
        _take_turn(device)
        GeneratorState.of(generators).into_torch(device)


def draws_alone(module: nn.Module) -> bool:
    """Whether a network draws from its own generators alone: it has known parts only, and no hooks.

    A module of the user's may draw anything, and so may torch's layers that drop units.
    """
    return all(
        (is_known(part) or (type(part) in _DRAW_NOTHING and not is_patched(part))) and not has_hooks(part)
        for part in module.modules()
    )


def is_known(part: object) -> bool:
    """Whether all that an object does is written in this package."""
    return type(part).__module__.startswith(f"{__package__.partition('.')[0]}.") and not is_patched(part)


def is_patched(part: object) -> bool:
    """Whether an object has functions of its own in the place of those of its class."""
    return any(callable(getattr(type(part), name, None)) for name in vars(part))
