"""The progress of a stacked search: its networks, and how far they have come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from sklearn_mtl.training import progress_view


class ShowProgress(Protocol):
    """Is called after every epoch of a stack, and after every network that was trained alone."""

    def __call__(self, n_done: int, n_all: int, n_training: int, epoch: int, /) -> None:
        """Show how many networks are done, of how many, how many train as a stack, and their epoch."""


@contextmanager
def search_progress(
    verbose: int, *, n_candidates: int, n_folds: int, most_epochs: int, counted: str = "network"
) -> Iterator[ShowProgress | None]:
    """Give what shows the networks of a search, and show at the end that they are done.

    Parameters
    ----------
    verbose : int
        Above 0 there is a bar, or lines where there is neither a terminal nor a notebook.
    n_candidates, n_folds : int
        Their product is the number of fits.
    most_epochs : int
        The most epochs that a network may have now. One that has stopped is as good as one that had them all.
    counted : str, default="network"
        The noun for what is counted.
    """
    name = f"{_counted(n_candidates, 'candidate')} × {_counted(n_folds, 'fold')}"
    view: Any
    with progress_view("", name) if verbose > 0 else nullcontext() as view:
        last: list[int] = []

        def show(n_done: int, n_all: int, n_training: int, epoch: int, /) -> None:
            if not last:
                view.begin(n_all * most_epochs)
            last[:] = n_done, n_all
            if view.is_due():
                text = f"{n_done} of {_counted(n_all, counted)} done"
                text += f", {n_training} in training, epoch {epoch}" if n_training else ""
                view.show(n_done * most_epochs + n_training * epoch, n_all * most_epochs, text)

        yield None if view is None else show
        if last:
            n_done, n_all = last[1], last[1]
            view.end(n_done * most_epochs, n_all * most_epochs, f"{_counted(n_all, counted)} trained")


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
