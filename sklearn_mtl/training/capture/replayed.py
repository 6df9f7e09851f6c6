"""The steps of a training, the first of them made as they come, the others replayed from a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.data import Batch, PendingBatch
from sklearn_mtl.network.torch_private import copy_each
from sklearn_mtl.training.capture.graph import Recording, noting_waits, recording_on

Rates = Sequence[float] | Sequence[Tensor]
# Makes a whole step: given its rows, its dropout masks where they are drawn outside of the network, and the
# rates at which the optimizer and the average move. Returns the losses of the tasks, and their masses.
WholeStep = Callable[[Batch, Sequence[Tensor], Rates], tuple[Tensor, Tensor]]

# Steps that are made as they come before one is recorded: libraries set themselves up in the first.
WARM_UP = 3
# A recording takes about as long as two or three steps, of which each that is replayed saves most.
FEWEST_REPLAYS = 12


class ReplayedSteps:
    """The steps of a training on a GPU.

    For each size of batches that comes often enough a step is recorded, and then replayed: for full ones, and
    for the last of an epoch. Replayed steps come to what they would come to otherwise, to rounding.

    Parameters
    ----------
    whole_step : callable
        Makes a step.
    key : callable
        Returns what a recording depends on; one that was made under another key is dropped between epochs.
    device : torch.device
        The device of the network.
    say : callable, optional
        Told why no step can be recorded, if that turns out.

    Attributes
    ----------
    why_not : str or None
        Why steps are made as they come; None where nothing speaks against a recording.
    """

    def __init__(
        self,
        whole_step: WholeStep,
        key: Callable[[], Hashable],
        device: torch.device,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._say = say
        self._whole_step = whole_step
        self._key = key
        self._device = device
        self._recorded: dict[int, Replay] = {}
        self._recorded_under: Hashable = None
        self._n_made = 0
        self._n_to_come: Counter[int] = Counter()
        self.why_not: str | None = None

    def begin_epoch(self, sizes: Sequence[int], n_epochs: int) -> None:
        """Get ready for the steps of an epoch.

        Parameters
        ----------
        sizes : sequence of int
            Rows of its batches.
        n_epochs : int
            How many epochs are to come at most, this one included.
        """
        if self._recorded and self._recorded_under != self._key():
            self._recorded = {}
        self._n_to_come = Counter({size: n * n_epochs for size, n in Counter(sizes).items()})

    def __call__(
        self, batch: PendingBatch, masks: Sequence[Tensor], rates: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Make a step; return the losses of the tasks, and their masses."""
        size = batch.n_rows
        if self.why_not is None:
            enough = self._n_made >= WARM_UP and self._n_to_come[size] >= FEWEST_REPLAYS
            if enough and size not in self._recorded:
                self._record(batch, masks, rates)
            replay = self._recorded.get(size)
            self._n_to_come[size] -= 1
            if replay is not None and replay.takes(batch, masks):
                return replay(batch, masks, rates)
        return self._made(batch, masks, rates)

    def _made(
        self, batch: PendingBatch, masks: Sequence[Tensor], rates: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Make a step as it comes; in the last of the warm-up, look whether the host waits."""
        self._n_made += 1
        if self._n_made != WARM_UP:
            return self._whole_step(batch.picked(), masks, rates)
        with noting_waits(self._device) as waits:
            found = self._whole_step(batch.picked(), masks, rates)
        if waits:
            self._give_up(f"in a step the host waits for the GPU ({waits[0]})")
        return found

    def _give_up(self, reason: str) -> None:
        self.why_not = reason
        if self._say is not None:
            self._say(reason)

    def _record(self, batch: PendingBatch, masks: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Record a step, or note why it cannot be."""
        try:
            replay = Replay(self._whole_step, recording_on(self._device), batch, masks, rates)
        # Torch raises errors of several kinds; the step is then made as it comes, and raises its own.
        except Exception as error:
            self._give_up(f"a step could not be recorded ({str(error).strip()[:200].splitlines()[0]})")
        else:
            self._recorded[batch.n_rows], self._recorded_under = replay, self._key()


class Replay:
    """A step that was recorded with inputs of its own, into which each batch is copied.

    Parameters
    ----------
    whole_step : callable
        Makes a step.
    recording : Recording
        A new one.
    batch : PendingBatch
        The rows of any step.
    masks : sequence of tensor
        Its dropout masks, where they are drawn outside of the network.
    rates : sequence of float
        Its rates.
    """

    def __init__(
        self,
        whole_step: WholeStep,
        recording: Recording,
        batch: PendingBatch,
        masks: Sequence[Tensor],
        rates: Sequence[float],
    ) -> None:
        given = [*batch.given, *masks]
        self._shapes = [_layout(tensor) for tensor in given]
        self._buffers = [_once(tensor).clone() for tensor in given]
        own = [buffer.expand(tensor.shape) for buffer, tensor in zip(self._buffers, given, strict=True)]
        n_given = len(batch.given)
        self._rates = [torch.full((), float(rate), device=given[0].device) for rate in rates]
        self._held = [float(rate) for rate in rates]
        self._recording = recording
        self._found: Tensor = recording.record(
            lambda: torch.stack(whole_step(batch.pick(own[:n_given]), own[n_given:], self._rates))
        )

    def takes(self, batch: PendingBatch, masks: Sequence[Tensor]) -> bool:
        """Whether a step is of the same shapes."""
        given = [*batch.given, *masks]
        return [_layout(tensor) for tensor in given] == self._shapes

    def __call__(
        self, batch: PendingBatch, masks: Sequence[Tensor], rates: Sequence[float]
    ) -> tuple[Any, ...]:
        """Make a step; return the losses of the tasks, and their masses."""
        copy_each(self._buffers, [_once(tensor) for tensor in (*batch.given, *masks)])
        for number, rate in enumerate(rates):
            if rate != self._held[number]:
                # As an argument of a kernel: a copy from the host would make the host wait.
                self._rates[number].fill_(rate)
                self._held[number] = rate
        self._recording.replay()
        return self._found.clone().unbind()


def _once(tensor: Tensor) -> Tensor:
    """Return what is in memory of a tensor that is expanded along some axes."""
    for axis, stride in enumerate(tensor.stride()):
        if stride == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor


def _layout(tensor: Tensor) -> Hashable:
    expanded = tuple(s == 0 and n > 1 for s, n in zip(tensor.stride(), tensor.shape, strict=True))
    return tensor.shape, tensor.dtype, expanded
