"""What decides on the weights that a net ends with, and the net as it sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_mtl.data import Table
from sklearn_mtl.network import MultiTaskModule

State = dict[str, Tensor]


class LatestWeights(ABC):
    """The weights that a net would predict with now: those of one net, or of one of a stack."""

    @abstractmethod
    def are_finite(self) -> bool:
        """Whether there is neither nan nor infinity in them."""

    @abstractmethod
    def take(self, then: Callable[[State], None]) -> None:
        """Give a function a copy of the module's state: at once, or when all nets of a stack have asked.

        Parameters
        ----------
        then : callable
            Given the state, whose tensors nobody changes.
        """


class NetInTraining(Protocol):
    """A net as what decides on its weights sees it."""

    # What is known of its training, and what it takes to go on from it.
    run_: Any
    resume_: Any
    history: Any
    device: Any
    ema_decay: float | None
    broken_tasks_: np.ndarray
    criterion_: Any
    network: MultiTaskModule

    @property
    def evaluated(self) -> nn.Module:
        """The module that validation and prediction use."""

    @property
    def epochs_to_wait(self) -> int:
        """The number of epochs before all tasks are trained."""

    def loss_on(self, valid: Table) -> float:
        """Return the watched loss of the evaluated module on held-out rows."""

    def epoch_of(self, row: Any) -> dict[str, np.ndarray]:
        """Return the losses of an epoch by task, given its row of the history."""


class WeightKeeper(Callback):
    """A callback that decides which epoch's weights a net ends with.

    Both methods are hooks, by default nothing. A net calls `keep` at the end of each epoch before any
    callback's ``on_epoch_end``, since one of those may end the training.
    """

    def keep(self, net: NetInTraining) -> None:
        """Keep the weights of the epoch that is over, if they are better than those kept so far."""

    def fall_back(self, net: NetInTraining) -> None:
        """Let the net end with the weights of an earlier epoch, since the present ones are of no use."""
