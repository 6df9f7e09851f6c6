"""Where the displays draw: axes of the user's, or a new figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

# Panels side by side before the next row begins, and the inches of each.
MOST_IN_A_ROW = 3
WIDTH, HEIGHT = 4.5, 3.4


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
    """
    plt = pyplot()
    n_columns = min(n_panels, in_a_row)
    n_rows = math.ceil(n_panels / n_columns)
    if ax is None:
        figure = plt.figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
        return _panels(figure, figure.add_gridspec(n_rows, n_columns), n_panels)
    if isinstance(ax, Sequence | np.ndarray):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n_panels:
            raise ValueError(f"`ax` must be None, one Axes or {n_panels} of them. Found {len(given)}.")
        return given
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


def _panels(figure: Any, grid: Any, n_panels: int) -> np.ndarray:
    found = np.empty(n_panels, dtype=object)
    found[:] = [figure.add_subplot(grid[i // grid.ncols, i % grid.ncols]) for i in range(n_panels)]
    return found
