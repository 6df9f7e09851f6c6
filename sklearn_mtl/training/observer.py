"""Looking on at the training of a net, whether it is trained alone or in a stack."""

from __future__ import annotations

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
