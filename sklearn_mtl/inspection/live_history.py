"""The history of a training while it runs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from sklearn_mtl.inspection.figure import HEIGHT, MOST_IN_A_ROW, WIDTH, pyplot
from sklearn_mtl.inspection.training_history import TrainingHistoryDisplay
from sklearn_mtl.messages import shown
from sklearn_mtl.training import FitObserver, NetObserver, history_frame, kept_epoch

# Seconds between two drawings, and how much longer than a drawing took.
BETWEEN_DRAWINGS = 2.0
TIMES_A_DRAWING = 10


class LiveHistory(FitObserver):
    """Draws a `TrainingHistoryDisplay` again and again while a fit runs, in a notebook or to a file.

    One of the ``callbacks`` of an estimator. It draws all networks of a fit in one figure, after the first
    epoch, every two seconds or so, and at the end, for no more than about a tenth of the time. Unlike other
    callbacks it leaves networks in their stack, and changes nothing in what they learn.

    Parameters
    ----------
    path : str or path, optional
        A PNG, or another file that matplotlib writes by its suffix. Whoever reads it while it is drawn anew
        sees the figure before that. In a notebook it may be left out: then the figure is shown there.

    Raises
    ------
    ValueError
        By ``fit``, before any training, if the folder does not exist, if matplotlib writes no files of the
        suffix, or if there is neither a path nor a notebook. A stacked search raises it too, since its fits
        would all draw in one place.
    ImportError
        By ``fit``, if matplotlib is not installed.

    See Also
    --------
    TrainingHistoryDisplay : The same after the training.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.inspection import LiveHistory
    >>> x = np.linspace(0, 1, 80)[:, None]
    >>> folder = Path(tempfile.mkdtemp())
    >>> live = LiveHistory(folder / "history.png")
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=2, callbacks=[live])
    >>> est = est.fit(x, {"price": 3 * x[:, 0], "large": x[:, 0] > 0.5})
    >>> [file.name for file in folder.iterdir()]
    ['history.png']
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = path

    @contextmanager
    def observing(self, plans: Sequence[Any]) -> Iterator[Sequence[NetObserver]]:
        """Draw the nets of one training as long as it runs.

        Parameters
        ----------
        plans : sequence of NetPlan
            The nets, before their training.
        """
        pyplot()
        drawing = _Drawing(plans, self._target())
        yield drawing.nets
        drawing.draw()

    def _target(self) -> Any:
        """Return where figures go, a function of a figure."""
        from matplotlib.backend_bases import FigureCanvasBase

        if self.path is None:
            if "ipykernel.zmqshell" not in sys.modules:
                raise ValueError(
                    "`path` of LiveHistory must be that of a file to draw to where there is no notebook. "
                    "Found None."
                )
            return _Notebook()
        path = Path(self.path) if isinstance(self.path, str | os.PathLike) else None
        if path is None or not path.parent.is_dir() or path.is_dir():
            raise ValueError(
                "`path` of LiveHistory must be that of a file in a folder that exists. "
                f"Found {shown(self.path if path is None else os.fspath(path))}."
            )
        written = FigureCanvasBase.get_supported_filetypes()
        if path.suffix and path.suffix.removeprefix(".").lower() not in written:
            raise ValueError(
                f"`path` of LiveHistory must end as a file that matplotlib writes, one of {list(written)}. "
                f"Found {shown(os.fspath(path))}."
            )
        return _File(path)


class _Seen(NetObserver):
    """Remembers one net, and lets its fit be drawn after each of its epochs.

    Parameters
    ----------
    drawing : _Drawing
        Draws the fit.
    """

    def __init__(self, drawing: _Drawing) -> None:
        self._drawing = drawing
        self.net: Any = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember the net, another one where it has to be trained anew."""
        self.net = net

    def end_epoch(self, net: Any) -> bool:
        """Let the fit be drawn."""
        self._drawing.draw_if_due()
        return False


class _Drawing:
    """Draws the nets of one fit.

    Parameters
    ----------
    plans : sequence of NetPlan
        The nets.
    target : callable
        Given each figure.
    """

    def __init__(self, plans: Sequence[Any], target: Any) -> None:
        self.nets = [_Seen(self) for _ in plans]
        self._target = target
        self._tasks = plans[0].blueprint.tasks
        self._stops_early = plans[0].settings.patience is not None
        self._due_at = -float("inf")

    def draw_if_due(self) -> None:
        """Draw, if the last time is long enough ago."""
        begun = perf_counter()
        if begun < self._due_at:
            return
        self.draw()
        now = perf_counter()
        self._due_at = now + max(BETWEEN_DRAWINGS, TIMES_A_DRAWING * (now - begun))

    def draw(self) -> None:
        """Draw all nets that have an epoch, in a figure that nobody else knows."""
        from matplotlib.figure import Figure

        nets = [seen.net for seen in self.nets if seen.net is not None and len(seen.net.history)]
        display = TrainingHistoryDisplay(
            history=history_frame(nets, self._tasks),
            tasks=self._tasks.names,
            metrics={task.name: task.loss.metric for task in self._tasks},
            kept_epochs=[kept_epoch(net, stops_early=self._stops_early) for net in nets],
        )
        figure = Figure(figsize=(WIDTH * MOST_IN_A_ROW, HEIGHT), layout="constrained")
        display.plot(figure.add_subplot())
        self._target(figure)


class _File:
    """Writes figures to a file, each in place of the one before at once.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, figure: Any) -> None:
        """Write a figure."""
        unfinished = self._path.with_name(f".{os.getpid()}-{self._path.name}")
        try:
            figure.savefig(unfinished, format=self._path.suffix.removeprefix(".") or "png")
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)


class _Notebook:
    """Shows figures in a notebook, each in the place of the one before."""

    def __init__(self) -> None:
        self._shown: Any = None

    def __call__(self, figure: Any) -> None:
        """Show a figure."""
        # By its name, as only a notebook has it.
        notebook = import_module("IPython.display")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        image = notebook.Image(data=buffer.getvalue())
        if self._shown is None:
            self._shown = notebook.display(image, display_id=True)
        else:
            self._shown.update(image)
