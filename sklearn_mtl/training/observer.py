"""Looking on at the training of a net, or of all nets of a fit, trained alone or in a stack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from skorch.callbacks import Callback

from sklearn_mtl.training.callbacks import StopTraining


class NetObserver(Callback):
    """Is told of the epochs of one net, and may end its training.

    Unlike the user's callbacks it is not copied, and leaves the net in its stack. It is told of every epoch
    that is over, also of one by which another callback has ended the training. The methods are hooks, which
    by default do nothing.
    """

    _in_epoch = False

    def begin_epoch(self, net: Any) -> None:
        """Take note of an epoch that begins."""

    def end_epoch(self, net: Any) -> bool:
        """Take note of an epoch that is over; return whether to end the training."""
        return False

    def end(self, net: Any) -> None:
        """Take note of the end of the training."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Pass it on."""
        self._in_epoch = True
        self.begin_epoch(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Pass it on, and end the training if asked for."""
        self._in_epoch = False
        if self.end_epoch(net):
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Pass it on, first the end of the epoch by which another callback has ended the training."""
        if self._in_epoch and len(net.history):
            self._in_epoch = False
            self.end_epoch(net)
        self.end(net)


class SeveralObservers(NetObserver):
    """Passes on to several observers of one net what it is told.

    Parameters
    ----------
    observers : sequence of NetObserver
        They are told in this order.
    """

    def __init__(self, observers: Sequence[NetObserver]) -> None:
        self.observers = observers

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Pass it on."""
        for one in self.observers:
            one.on_train_begin(net, **kwargs)

    def begin_epoch(self, net: Any) -> None:
        """Pass it on."""
        for one in self.observers:
            one.begin_epoch(net)

    def end_epoch(self, net: Any) -> bool:
        """Pass it on to all, and return whether any of them ends the training."""
        stops = [one.end_epoch(net) for one in self.observers]
        return any(stops)

    def end(self, net: Any) -> None:
        """Pass it on."""
        for one in self.observers:
            one.end(net)


class FitObserver(Callback, ABC):
    """Looks on at all nets of a fit.

    Among the ``callbacks`` of an estimator it is no callback of each net: it is not copied, and leaves nets
    in their stack. It looks on at one fit at a time, and not at those of a stacked search.
    """

    of_one_fit = True

    @abstractmethod
    def observing(self, plans: Sequence[Any]) -> AbstractContextManager[Sequence[NetObserver]]:
        """Return the context of one training, which gives an observer for each net.

        Parameters
        ----------
        plans : sequence of NetPlan
            The nets, before their training.
        """
