"""Where progress is shown: as a bar in a terminal or a notebook, as lines elsewhere."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

# Seconds between two looks of a bar, and between two lines of a log.
BETWEEN_LOOKS = 0.1
BETWEEN_LINES = 5.0


class ProgressView(ABC):
    """Shows how much is done, of how much, and some words.

    Parameters
    ----------
    unit : str
        What is counted, in the plural; "" where the numbers are nothing to show.
    name : str
        What goes on.
    """

    # Seconds between what is shown.
    every: float

    def __init__(self, unit: str, name: str) -> None:
        self.unit = unit
        self.name = name
        self.began = perf_counter()
        self._shown_at = -float("inf")

    def is_due(self) -> bool:
        """Whether it is long enough since something was shown; the first time it is."""
        now = perf_counter()
        due = now - self._shown_at >= self.every
        if due:
            self._shown_at = now
        return due

    @abstractmethod
    def begin(self, n_all: int) -> None:
        """Show that nothing is done yet, if there is anything to show of that."""

    @abstractmethod
    def show(self, n_done: int, n_all: int, text: str) -> None:
        """Show how much is done, of how much, and some words."""

    @abstractmethod
    def end(self, n_done: int, n_all: int, text: str) -> None:
        """Show what has come of it, for the last time."""

    @abstractmethod
    def close(self) -> None:
        """Leave what was shown as it is, also where an error has ended the work."""


class Bar(ProgressView):
    """A bar of tqdm.

    Parameters
    ----------
    unit, name
        As in `ProgressView`.
    """

    every = BETWEEN_LOOKS

    def __init__(self, unit: str, name: str) -> None:
        super().__init__(unit, name)
        counts = "{n_fmt}/{total_fmt} " + f"{unit} " if unit else ""
        rate = ", {rate_fmt}{postfix}" if unit else "{postfix}"
        self._layout = "{desc}{percentage:3.0f}%|{bar}| " + counts + "[{elapsed}<{remaining}" + rate + "]"
        self._bar: Any = None

    def begin(self, n_all: int) -> None:
        """Draw the bar."""
        # Chooses by itself between a terminal and a notebook, when it is first imported.
        from tqdm.auto import tqdm

        look = {"bar_format": self._layout, "unit": "", "dynamic_ncols": True}
        self._bar = tqdm(total=n_all, desc=self.name or None, **look)

    def show(self, n_done: int, n_all: int, text: str) -> None:
        """Move the bar."""
        self._bar.total, self._bar.n = n_all, n_done
        # A notebook's bar is a widget, which has its own idea of the whole.
        for widget in getattr(getattr(self._bar, "container", None), "children", ()):
            if hasattr(widget, "max"):
                widget.max = n_all
        self._bar.set_postfix_str(text)

    def end(self, n_done: int, n_all: int, text: str) -> None:
        """Show the bar as it is at the end."""
        self.show(n_done, n_all, text)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


class Lines(ProgressView):
    """Lines on the standard error stream, for logs and files.

    Parameters
    ----------
    unit, name
        As in `ProgressView`.
    """

    every = BETWEEN_LINES

    def begin(self, n_all: int) -> None:
        """Write nothing yet."""

    def close(self) -> None:
        """Write no more."""

    def show(self, n_done: int, n_all: int, text: str) -> None:
        """Write a line, unless the last one follows."""
        if n_done >= n_all:
            return
        counts = f"{n_done} of at most {n_all} {self.unit}" if self.unit else f"{n_done / n_all:.0%}"
        self._write(counts, text)

    def end(self, n_done: int, n_all: int, text: str) -> None:
        """Write the last line."""
        unit = self.unit if n_done != 1 else self.unit.removesuffix("s")
        self._write(f"{n_done} {unit}" if self.unit else "done", text)

    def _write(self, counts: str, text: str) -> None:
        head = f"{self.name}: {counts}" if self.name else counts
        line = f"{head} in {perf_counter() - self.began:.1f} s" + (f", {text}" if text else "")
        if sys.stderr is not None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


@contextmanager
def progress_view(unit: str, name: str = "") -> Iterator[ProgressView]:
    """Give a bar, or lines where the standard error stream is neither a terminal nor a notebook.

    Parameters
    ----------
    unit : str
        What is counted, in the plural; "" where the numbers are nothing to show.
    name : str, default=""
        What goes on.
    """
    is_terminal = bool(sys.stderr is not None and sys.stderr.isatty())
    is_notebook = "ipykernel.zmqshell" in sys.modules
    view: ProgressView = (Bar if is_terminal or is_notebook else Lines)(unit, name)
    try:
        yield view
    finally:
        view.close()
