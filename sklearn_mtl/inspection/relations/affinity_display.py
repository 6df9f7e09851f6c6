"""How much tasks have to do with each other, as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.inspection.figure import axes_for, in_figure, pyplot, room_for
from sklearn_mtl.inspection.relations.affinity import Measure, task_affinity
from sklearn_mtl.inspection.relations.task_groups import checked_affinity, suggest_groups
from sklearn_mtl.messages import shown

# What the colours stand for, by measure.
LABELS = {
    "affinity": "fall of the loss by one step, %",
    "gradient_cosine": "cosine of gradients",
    "target_correlation": "association of labels",
    "cka": "similarity of representations (linear CKA)",
}
# Of more tasks, the values are not written into the cells.
MOST_WITH_VALUES = 12
# Inches of a cell, what is around all of them, and the least and most of both together.
CELL, AROUND, LEAST, MOST = 0.55, 2.2, 4.2, 12.0


class TaskAffinityDisplay:
    """The affinity of tasks as a table of colours, with frames around groups of tasks.

    The diagonal has no colour: what a task has to do with itself says nothing of the others.

    Parameters
    ----------
    affinity : DataFrame of shape (n_tasks, n_tasks)
        As `task_affinity` returns it, or any table of numbers with the same rows and columns.
    groups : sequence of sequence of str, optional
        Groups of tasks, as `suggest_groups` returns them. Tasks are drawn in their order, and each group of
        several tasks is framed.
    label : str, optional
        What the numbers are. By default the measure that ``affinity.attrs`` names.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The one panel.
    image_ : AxesImage
        The colours; nan, on the diagonal and where nothing is known, has none.
    text_ : ndarray of Text, or None
        The values in the cells, where they are written.
    frames_ : list of Rectangle
        The frames of the groups.
    colorbar_ : Colorbar or None
        The scale of the colours.
    tasks_ : list of str
        The tasks in the order of the rows and columns.

    See Also
    --------
    task_affinity : The numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TaskAffinityDisplay
    >>> tasks = ["price", "age", "area"]
    >>> affinity = pd.DataFrame([[1.0, 0.1, 0.7], [0.1, 1.0, 0.0], [0.7, 0.0, 1.0]], tasks, tasks)
    >>> display = TaskAffinityDisplay(affinity=affinity, groups=[["price", "area"], ["age"]]).plot()
    >>> display.tasks_
    ['price', 'area', 'age']
    >>> display.text_[0, 1].get_text()
    '0.70'
    """

    def __init__(
        self,
        *,
        affinity: pd.DataFrame,
        groups: Sequence[Sequence[str]] | None = None,
        label: str | None = None,
    ) -> None:
        self.affinity = affinity
        self.groups = groups
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        measure: Measure = "affinity",
        n_groups: int | None = None,
        ax: Any = None,
        cmap: Any = None,
        include_values: bool | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Measure the affinity of the tasks, and draw it.

        Parameters
        ----------
        estimator, X, y, measure
            As in `task_affinity`.
        n_groups : int, optional
            Number of groups of tasks, which `suggest_groups` finds; none by default.
        ax, cmap, include_values, colorbar
            As in `plot`.

        Returns
        -------
        TaskAffinityDisplay
            The display, drawn.
        """
        pyplot()
        affinity = task_affinity(estimator, X, y, measure=measure)
        groups = None if n_groups is None else suggest_groups(affinity, n_groups)
        display = cls(affinity=affinity, groups=groups)
        return display.plot(ax, cmap=cmap, include_values=include_values, colorbar=colorbar)

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = None,
        include_values: bool | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw the table.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        cmap : str or Colormap, optional
            Colours. By default from blue to red around 0, or ``"viridis"`` where nothing is negative.
        include_values : bool, optional
            Whether the values are written into the cells; by default up to 12 tasks.
        colorbar : bool, default=True
            Whether the scale of the colours is drawn.

        Returns
        -------
        TaskAffinityDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If the table is none of tasks by tasks, or the groups do not hold every task once.
        """
        self.tasks_ = self._in_groups(list(checked_affinity(self.affinity).columns))
        n_tasks = len(self.tasks_)
        width = min(max(AROUND + CELL * n_tasks, LEAST), MOST) + room_for(self.tasks_)
        self.axes_ = axes_for(ax, 1, size=(width, 0.85 * width))
        panel = self.axes_[0]
        self.figure_ = panel.figure
        values = self.affinity.loc[self.tasks_, self.tasks_].to_numpy(dtype=np.float64)
        self.image_ = self._draw_colours(panel, values, cmap)
        shows = n_tasks <= MOST_WITH_VALUES if include_values is None else include_values
        self.text_ = self._write(panel, values) if shows else None
        self.frames_ = self._frame(panel)
        self.colorbar_ = None
        if colorbar:
            percent = pyplot().FuncFormatter(lambda value, _: f"{100 * value:g}")
            form = percent if self._in_percent else None
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=panel, format=form)
            self.colorbar_.set_label(self._label)
        names = [in_figure(task) for task in self.tasks_]
        panel.set_xticks(range(n_tasks), names, rotation=45, ha="right", rotation_mode="anchor")
        panel.set_yticks(range(n_tasks), names)
        if self._in_percent:
            panel.set_xlabel("task whose loss falls")
            panel.set_ylabel("task whose gradient is followed")
        return self

    @property
    def _in_percent(self) -> bool:
        """Whether these are the affinities of steps, which are small shares and not symmetric."""
        return bool(self.affinity.attrs.get("measure") == "affinity")

    @property
    def _label(self) -> str:
        measure = self.affinity.attrs.get("measure")
        return self.label or LABELS.get(str(measure), "affinity")

    def _in_groups(self, names: list[str]) -> list[str]:
        if self.groups is None:
            return names
        ordered = [name for group in self.groups for name in group]
        if sorted(map(str, ordered)) != sorted(map(str, names)):
            raise ValueError(
                f"`groups` must hold each of the tasks {shown(names)} once. Found {shown(list(self.groups))}."
            )
        return ordered

    def _draw_colours(self, panel: Any, values: np.ndarray, cmap: Any) -> Any:
        others = values.copy()
        np.fill_diagonal(others, np.nan)
        # Where nothing is known of any pair, there is no colour to give.
        largest = float(np.nanmax(np.abs(others))) if np.isfinite(others).any() else 1.0
        below_0 = bool((others < 0).any())
        return panel.imshow(
            others,
            cmap=cmap or ("coolwarm" if below_0 else "viridis"),
            vmin=-largest if below_0 else 0.0,
            vmax=largest or 1.0,
        )

    def _write(self, panel: Any, values: np.ndarray) -> np.ndarray:
        texts = np.empty(values.shape, dtype=object)
        scale = 100 if self._in_percent else 1
        # As many decimals as show two digits of the largest.
        largest = scale * self.image_.norm.vmax
        decimals = max(2, 1 - math.floor(math.log10(largest)))
        for row, column in np.ndindex(values.shape):
            value = float(values[row, column])
            text = "?" if np.isnan(value) else f"{round(scale * value, decimals) + 0.0:.{decimals}f}"
            written = texts[row, column] = panel.text(column, row, text, ha="center", va="center")
            if row != column and not np.isnan(value):
                red, green, blue, _ = self.image_.cmap(self.image_.norm(value))
                bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
                written.set_color("black" if bright else "white")
        return texts

    def _frame(self, panel: Any) -> list[Any]:
        frames: list[Any] = []
        start = 0
        for group in self.groups or ():
            if len(group) > 1:
                place = (start - 0.5, start - 0.5)
                colour = panel.xaxis.label.get_color()
                frame = pyplot().Rectangle(place, len(group), len(group), fill=False, lw=2.5, ec=colour)
                frames.append(panel.add_patch(frame))
            start += len(group)
        return frames
