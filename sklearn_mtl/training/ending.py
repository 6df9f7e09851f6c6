"""How a training ends, and what it takes to go on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor

from sklearn_mtl.network.torch_state import GeneratorState
from sklearn_mtl.training.averaging import WeightAverage


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training in good order.

    skorch's own stopping raises ``KeyboardInterrupt``, as Ctrl-C does; this one can be told apart.
    """


@dataclass
class Resume:
    """What it takes to train on as if training had never stopped.

    Parameters
    ----------
    weights : dict of str to tensor
        State of the module, not averaged, after the last step.
    average : WeightAverage or None
        The moving average after the last step.
    generator : GeneratorState
        Where torch's generators stood then.
    """

    weights: dict[str, Tensor]
    average: WeightAverage | None
    generator: GeneratorState


class EpochKeeper(Callback):
    """Says whose weights a net ends with.

    It is shown each epoch before the other callbacks are, one of which may end the training.
    """

    def keep(self, net: Any) -> None:
        """Keep the weights of the epoch that is over, if they are better than those kept so far."""

    def fall_back(self, net: Any) -> None:
        """Let the net end with the weights of an epoch that is over, the present ones being of no use."""
