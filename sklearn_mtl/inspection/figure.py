"""Where the displays draw, axes of the user's or a new figure, and how names are written there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.messages import shown

# Panels side by side before the next row begins, and the inches of each.
MOST_IN_A_ROW = 3
WIDTH, HEIGHT = 4.5, 3.4
# So many letters of a name are written.
MOST_LETTERS = 30
# Tasks that a legend names; of more, the rest are counted.
MOST_NAMED = 7
# Inches of a letter, and so many letters of a name have room anyway.
LETTER, FEW_LETTERS = 0.08, 10


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``, which only those who draw need.

    Raises
    ------
    ImportError
        If matplotlib is not installed, with the extra that brings it.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError('Figures need matplotlib: pip install "sklearn-mtl[plot]"') from error
    return plt


def axes_for(
    ax: Any, n_panels: int, *, in_a_row: int = MOST_IN_A_ROW, size: tuple[float, float] = (WIDTH, HEIGHT)
) -> np.ndarray:
    """Return the axes of so many panels.

    Parameters
    ----------
    ax : Axes, sequence of Axes or None
        None for a new figure. A single one is the place of all panels: several divide it. Of a sequence
        each panel takes one.
    n_panels : int
        How many, at least one.
    in_a_row : int, default=3
        The most panels side by side.
    size : tuple of float, default=(4.5, 3.4)
        Width and height of each panel of a new figure, in inches.

    Returns
    -------
    ndarray of shape (n_panels,)
        matplotlib's axes, whose figure is their ``figure``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `ax` is a sequence of another length, or a single one that is in no grid and must be divided.
    TypeError
        If `ax` is neither Axes nor a sequence, such as a figure.
    """
    plt = pyplot()
    from matplotlib.axes import Axes

    n_columns = min(n_panels, in_a_row)
    n_rows = math.ceil(n_panels / n_columns)
    if ax is None:
        figure = plt.figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
        return _panels(figure, figure.add_gridspec(n_rows, n_columns), n_panels)
    if isinstance(ax, Sequence | np.ndarray) and not isinstance(ax, str):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n_panels:
            raise ValueError(f"`ax` must be None, one Axes or {n_panels} of them. Found {len(given)}.")
        return given
    if not isinstance(ax, Axes):
        raise TypeError(f"`ax` must be None, one Axes or {n_panels} of them. Found {shown(ax)}.")
    if n_panels == 1:
        return np.array([ax], dtype=object)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"`ax` must be in a grid of subplots to be divided into {n_panels} panels, or be {n_panels} "
            "Axes. Found one Axes with a place of its own."
        )
    ax.set_axis_off()
    return _panels(ax.figure, place.subgridspec(n_rows, n_columns), n_panels)


def check_tasks(tasks: Any, scored: Sequence[str]) -> list[str]:
    """Return the tasks that the user has named, all where it is None.

    Parameters
    ----------
    tasks : sequence of str or None
        What the user gave.
    scored : sequence of str
        The tasks, or scores, that there are.

    Raises
    ------
    ValueError
        If there is no such task, or one is named twice.
    """
    if tasks is None:
        return list(scored)
    named = [tasks] if isinstance(tasks, str) else list(tasks)
    for task in named:
        if task not in scored:
            raise ValueError(f"`tasks` must be of {shown(list(scored))}. Found {shown(task)}.")
    if not named or len(set(named)) < len(named):
        raise ValueError(f"`tasks` must be different names, at least one. Found {shown(named)}.")
    return named


def task_colour(task: Any, tasks: Iterable[Any]) -> str:
    """Return the colour of a task, that of its place in the cycle of colours that is in force now.

    Parameters
    ----------
    task : object
        The task.
    tasks : iterable of object
        All tasks; after the last colour the first comes again.
    """
    pyplot()
    from matplotlib.colors import to_hex

    return to_hex(f"C{list(tasks).index(task)}")


def no_line() -> Any:
    """Return what stands in a legend beside words that belong to no line."""
    pyplot()
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none")


def in_figure(name: Any) -> str:
    r"""Return a name of the user's as matplotlib writes it letter by letter, shortened where it is long.

    Between two dollars matplotlib sees a formula, and a legend leaves out what begins with an underscore. The
    end of a long name stays, since names in a table often begin alike.

    Parameters
    ----------
    name : object
        The name of a task, a class, a column or a parameter.

    Examples
    --------
    >>> from sklearn_mtl.inspection.figure import in_figure
    >>> in_figure("price"), in_figure("US$ per m$"), in_figure("_id")
    ('price', 'US\\$ per m\\$', ' _id')
    >>> in_figure("sales of the shop in the street of the station, 2019")
    'sales of the sh…e station, 2019'
    """
    text = " ".join(str(name).split())
    if len(text) > MOST_LETTERS + 1:
        half = MOST_LETTERS // 2
        text = f"{text[:half]}…{text[-half:]}"
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def room_for(names: Iterable[Any]) -> float:
    """Return the inches beside a panel that the longest of some names takes, beyond what any has.

    Parameters
    ----------
    names : iterable of object
        As `in_figure` gets them.
    """
    longest = max((len(in_figure(name)) for name in names), default=0)
    return max(0.0, LETTER * (longest - FEW_LETTERS))


def _panels(figure: Any, grid: Any, n_panels: int) -> np.ndarray:
    found = np.empty(n_panels, dtype=object)
    found[:] = [figure.add_subplot(grid[i // grid.ncols, i % grid.ncols]) for i in range(n_panels)]
    return found
