"""Reliability curves of all tasks with classes."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from sklearn_mtl.inspection.calibration import calibration_report
from sklearn_mtl.inspection.figure import MOST_NAMED, axes_for, in_figure, no_line, pyplot, task_colour


class TaskCalibrationDisplay:
    """The reliability curves of all tasks with classes, and the diagonal that they would be at best.

    Parameters
    ----------
    curves, summary : DataFrame
        What `calibration_report` returns.
    tasks : sequence of str, optional
        All tasks of the estimator, whose order gives each its colour; by default those of `summary`.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The one panel.
    lines_ : list of Line2D
        The curve of each task that has labels.
    diagonal_ : Line2D
        Where what is predicted is what comes true.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TaskCalibrationDisplay
    >>> curves = pd.DataFrame({"predicted": [0.2, 0.7], "observed": [0.1, 0.8], "n_labels": [10, 20]})
    >>> curves.index = pd.MultiIndex.from_tuples([("type", 0), ("type", 1)], names=["task", "bin"])
    >>> summary = pd.DataFrame({"ece": [0.1], "brier": [0.15], "n_labels": [30]}, index=["type"])
    >>> display = TaskCalibrationDisplay(curves=curves, summary=summary).plot()
    >>> display.lines_[0].get_label()
    'type (ECE 0.100)'
    """

    def __init__(self, *, curves: pd.DataFrame, summary: pd.DataFrame, tasks: Any = None) -> None:
        self.curves = curves
        self.summary = summary
        self.tasks = tasks

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_bins: int = 10,
        strategy: str = "uniform",
        ax: Any = None,
    ) -> Self:
        """Compute the curves and draw them.

        Parameters
        ----------
        estimator, X, y, n_bins, strategy
            As in `calibration_report`.
        ax
            As in `plot`.

        Returns
        -------
        TaskCalibrationDisplay
            The display, drawn.
        """
        pyplot()
        report = calibration_report(estimator, X, y, n_bins=n_bins, strategy=strategy)
        return cls(curves=report.curves, summary=report.summary, tasks=report.tasks).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves; points are as large as their bins have labels.

        Parameters
        ----------
        ax : Axes or None
            Where; None for a new figure.

        Returns
        -------
        TaskCalibrationDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If there is no task with classes.
        """
        if self.summary.empty:
            raise ValueError("`summary` must have a row for each task with classes. Found none.")
        self.axes_ = axes_for(ax, 1, size=(5.0, 4.6))
        (panel,) = self.axes_
        self.figure_ = panel.figure
        (self.diagonal_,) = panel.plot([0, 1], [0, 1], color="0.5", linestyle=":", label="at best")
        self.lines_ = []
        places = list(self.summary.index if self.tasks is None else self.tasks)
        for task, of_task in self.summary.iterrows():
            color = task_colour(task, places)
            if not of_task["n_labels"]:
                panel.plot([], [], color=color, label=f"{in_figure(task)}: no labels")
                continue
            curve = self.curves.loc[task]
            label = f"{in_figure(task)} (ECE {of_task['ece']:.3f})"
            (line,) = panel.plot(curve["predicted"], curve["observed"], color=color, label=label)
            share = curve["n_labels"] / curve["n_labels"].max()
            panel.scatter(curve["predicted"], curve["observed"], s=8 + 60 * share, color=color)
            self.lines_.append(line)
        panel.set(
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
            xlabel="mean predicted probability",
            ylabel="share that came true",
            aspect="equal",
        )
        handles, labels = panel.get_legend_handles_labels()
        more = len(handles) - 1 - MOST_NAMED
        if more > 0:
            handles = [*handles[: 1 + MOST_NAMED], no_line()]
            labels = [*labels[: 1 + MOST_NAMED], f"… {more} more"]
        panel.legend(handles, labels, loc="upper left", fontsize="small")
        return self
