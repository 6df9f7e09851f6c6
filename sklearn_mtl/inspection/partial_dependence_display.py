"""Partial dependence of all tasks, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inspection.figure import (
    HEIGHT,
    MOST_LETTERS,
    WIDTH,
    axes_for,
    in_figure,
    pyplot,
    task_colour,
)
from sklearn_mtl.inspection.partial_dependence import task_partial_dependence
from sklearn_mtl.messages import shown

# Of the outputs of a task; the next four are drawn the same, and lighter.
LINE_STYLES = ("-", "--", ":", "-.")


class TaskPartialDependenceDisplay:
    """Partial dependence of all tasks: a row of panels for each task, a column for each feature.

    Parameters
    ----------
    curves : sequence of DataFrame
        One for each feature, as `task_partial_dependence` returns it.
    tasks : sequence of str, optional
        All tasks of the estimator, whose order gives each its colour; by default those of `curves`.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The panels, those of the first task first.
    lines_ : list of list of Line2D
        The lines of each panel, one for each output of the task.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TaskPartialDependenceDisplay
    >>> columns = pd.MultiIndex.from_tuples([("price", ""), ("type", "flat"), ("type", "house")])
    >>> grid = pd.Index([10.0, 20.0], name="area")
    >>> curve = pd.DataFrame([[1.0, 0.6, 0.4], [2.0, 0.1, 0.9]], index=grid, columns=columns)
    >>> display = TaskPartialDependenceDisplay(curves=[curve]).plot()
    >>> [len(lines) for lines in display.lines_]
    [1, 2]
    """

    def __init__(self, *, curves: Sequence[pd.DataFrame], tasks: Sequence[str] | None = None) -> None:
        self.curves = curves
        self.tasks = tasks

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, features: Sequence[Any], *, ax: Any = None, **of_dependence: Any
    ) -> Self:
        """Compute the partial dependence on each of several features and draw them.

        Parameters
        ----------
        estimator, X
            As in `task_partial_dependence`.
        features : sequence of str or int
            The columns, each by itself.
        ax
            As in `plot`.
        **of_dependence : object
            ``grid_resolution``, ``percentiles`` and ``sample_weight`` of `task_partial_dependence`.

        Returns
        -------
        TaskPartialDependenceDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `features` is no sequence, or names a column that X does not have.
        """
        pyplot()
        if isinstance(features, str) or not isinstance(features, Sequence | np.ndarray | pd.Index):
            raise ValueError(f"`features` must be a sequence of columns. Found {shown(features)}.")
        curves = [task_partial_dependence(estimator, X, feature, **of_dependence) for feature in features]
        return cls(curves=curves, tasks=list(innermost(estimator)[0].tasks_)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : Axes, sequence of Axes or None
            Where: one that is divided, one for each task and feature, or a new figure.

        Returns
        -------
        TaskPartialDependenceDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If there is no curve, or one of two features.
        """
        if not len(self.curves) or any(curve.empty for curve in self.curves):
            raise ValueError("`curves` must hold a frame of each feature. Found none, or an empty one.")
        if any(curve.index.nlevels > 1 for curve in self.curves):
            raise ValueError("`curves` must be of one feature each. Found one of two features.")
        tasks = list(dict.fromkeys(self.curves[0].columns.get_level_values(0)))
        n_features = len(self.curves)
        # One feature has its tasks side by side.
        in_a_row = {} if n_features == 1 else {"in_a_row": n_features}
        self.axes_ = axes_for(ax, len(tasks) * n_features, size=(WIDTH, 0.85 * HEIGHT), **in_a_row)
        self.figure_ = self.axes_[0].figure
        self.lines_ = []
        panels = iter(self.axes_)
        for task in tasks:
            colour = task_colour(task, self.tasks or tasks)
            of_task = [curve[[task]].droplevel(0, axis=1) for curve in self.curves]
            low, high = min(one.min().min() for one in of_task), max(one.max().max() for one in of_task)
            margin = 0.05 * (high - low) or 0.5
            for place, curve in enumerate(of_task):
                panel = next(panels)
                self.lines_.append(_draw(panel, task, curve, colour, labelled=place == 0))
                # The same for all features, so that one can see on which the task depends most.
                panel.set_ylim(low - margin, high + margin)
        return self


def _draw(panel: Any, task: str, curve: pd.DataFrame, color: str, *, labelled: bool) -> list[Any]:
    numbers = pd.api.types.is_numeric_dtype(curve.index.dtype)
    values = curve.index.to_numpy() if numbers else [in_figure(value) for value in curve.index]
    lines = []
    for place, (output, of_output) in enumerate(curve.items()):
        style = LINE_STYLES[place % len(LINE_STYLES)]
        alpha = 1.0 if place < len(LINE_STYLES) else 0.5
        (line,) = panel.plot(
            values,
            of_output.to_numpy(dtype=np.float64),
            color=color,
            linestyle=style if numbers else "",
            marker=None if numbers else "osD^"[place % 4],
            alpha=alpha,
            label=in_figure(task if output == "" else output),
        )
        lines.append(line)
    classes = curve.columns[0] != ""
    panel.set_xlabel(in_figure(curve.index.name))
    if labelled:
        words = f"{in_figure(task)}, mean {'output' if classes else 'prediction'}"
        panel.set_ylabel(fill(words, MOST_LETTERS))
    if classes and labelled:
        panel.legend(fontsize="small")
    return lines
