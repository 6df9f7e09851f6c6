"""The progress of a fit: its epochs, the losses of its tasks, the best epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training.kept_epoch import lowest_epoch
from sklearn_mtl.training.observer import FitObserver, NetObserver
from sklearn_mtl.training.progress_view import ProgressView, progress_view
from sklearn_mtl.training.runs import NetPlan

# Tasks whose losses are shown; of more, their mean comes first.
MOST_TASKS = 4
# Characters of a task's name.
MOST_CHARACTERS = 20


class FitProgress(FitObserver):
    """Shows how far a fit has come, one bar or one row of lines for all of its nets."""

    @contextmanager
    def observing(self, plans: Sequence[NetPlan]) -> Iterator[Sequence[NetObserver]]:
        """Show the progress of one training; the bar ends with it."""
        with progress_view("epochs") as view:
            bag = _Bag(plans, view)
            view.begin(bag.n_all)
            yield bag.nets
            view.end(bag.n_done, bag.n_all, bag.text())


class _NetEpochs(NetObserver):
    """Counts the epochs of one net, also where that has to be trained anew.

    Parameters
    ----------
    bag : _Bag
        Told of each epoch.
    plan : NetPlan
        The net.
    """

    def __init__(self, bag: _Bag, plan: NetPlan) -> None:
        self._bag = bag
        self.most = plan.settings.max_epochs if plan.epochs is None else plan.epochs
        self.net: Any = None
        self.n_done = 0
        self.has_ended = False

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Count from the first epoch of this training."""
        self.net, self.n_done, self.has_ended = net, 0, False

    def end_epoch(self, net: Any) -> bool:
        """Count the epoch."""
        self.n_done += 1
        self._bag.show()
        return False

    def end(self, net: Any) -> None:
        """Expect no more epochs."""
        self.has_ended, self.most = True, self.n_done
        self._bag.show()

    @property
    def epoch(self) -> Any:
        """The row of the history that is shown: the best epoch once the net has ended, or the last."""
        best = lowest_epoch(self.net) if self.has_ended else None
        return self.net.history[-1 if best is None else best - 1]


class _Bag:
    """What is shown of the nets of a fit.

    Parameters
    ----------
    plans : sequence of NetPlan
        The nets.
    view : ProgressView
        Where it is shown.
    """

    def __init__(self, plans: Sequence[NetPlan], view: ProgressView) -> None:
        self.nets = [_NetEpochs(self, plan) for plan in plans]
        self._tasks: TaskSet = plans[0].blueprint.tasks
        self._view = view

    @property
    def n_done(self) -> int:
        """Epochs of all nets that are over."""
        return sum(net.n_done for net in self.nets)

    @property
    def n_all(self) -> int:
        """The most epochs that all nets may have."""
        return sum(net.most for net in self.nets)

    def show(self) -> None:
        """Show how far the nets have come, if it is time to."""
        if self._view.is_due():
            self._view.show(self.n_done, self.n_all, self.text())

    def text(self) -> str:
        """Return in words the best epoch, the losses and the nets that are done."""
        begun = [net for net in self.nets if net.n_done]
        told_of = [net for net in begun if not net.has_ended] or begun
        n_ended, n_nets = sum(net.has_ended for net in self.nets), len(self.nets)
        networks = f"{n_ended} of {n_nets} networks done" if n_nets > 1 else ""
        return ", ".join(filter(None, [networks, _best(told_of), _losses(told_of, self._tasks)]))


def _best(nets: Sequence[_NetEpochs]) -> str:
    """Return the best epoch of the nets, or the first and the last of theirs."""
    found = [epoch for epoch in (lowest_epoch(net.net) for net in nets) if epoch is not None]
    if not found:
        return ""
    first, last = min(found), max(found)
    return f"best epoch {first}" if first == last else f"best epochs {first} to {last}"


def _losses(nets: Sequence[_NetEpochs], tasks: TaskSet) -> str:
    """Return the mean losses of the nets for a few tasks, on held-out rows where there are any."""
    if not nets:
        return ""
    rows = [net.epoch for net in nets]
    key = "valid_loss" if "valid_loss" in rows[0] else "train_loss"
    values = np.array([net.net.epoch_of(row)[key] for net, row in zip(nets, rows, strict=True)])
    known = ~np.isnan(values)
    sums, counts = np.where(known, values, 0).sum(0), known.sum(0)
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    shown = [f"{_short(name)} {mean:.3g}" for name, mean in zip(tasks.names, means, strict=True)]
    if len(shown) > MOST_TASKS:
        total = np.mean([row[key] for row in rows])
        shown = [f"mean {total:.3g}", *shown[:MOST_TASKS], f"and {len(shown) - MOST_TASKS} more"]
    return f"loss: {', '.join(shown)}"


def _short(name: str) -> str:
    return name if len(name) <= MOST_CHARACTERS else f"{name[: MOST_CHARACTERS - 1]}…"
