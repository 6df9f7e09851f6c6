"""Whether sharing pays, as a figure."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.inspection.figure import axes_for, in_figure, pyplot, room_for, task_colour
from sklearn_mtl.inspection.relations.report import SharingReport, sharing_report
from sklearn_mtl.messages import shown

# Inches of a task, of each further comparison of it, what is around all of them, and the width.
ROW, FURTHER, AROUND, WIDTH = 0.45, 0.15, 1.5, 6.0
MARKERS = "osD^v"
# What is compared with the joint network, in words.
WORDS = {"alone": "other: the task alone", "boosting": "other: gradient boosting"}


class SharingReportDisplay:
    """How much better each task is learned with the others than alone, with 95 % confidence intervals.

    Right of 0 sharing is better. Small marks are single folds.

    Parameters
    ----------
    differences : DataFrame
        As `SharingReport` has them: its index has the task and the model that the joint network is compared
        with, its columns have ``difference``, ``low`` and ``high``, and may have ``metric``.
    scores : DataFrame, optional
        As `SharingReport` has them; the marks of the folds.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The one panel.
    bars_ : dict of (str, str) to ErrorbarContainer
        The mean difference and its interval, by task and model.
    folds_ : dict of (str, str) to Line2D
        The differences of the folds, by task and model; empty without `scores`.
    text_ : dict of (str, str) to Text
        What is said where there is nothing to draw.

    See Also
    --------
    sharing_report : The numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import SharingReportDisplay
    >>> index = pd.MultiIndex.from_tuples([("price", "alone"), ("type", "alone")])
    >>> numbers = {"difference": [0.02, -0.01], "low": [0.01, -0.04], "high": [0.03, 0.02]}
    >>> display = SharingReportDisplay(differences=pd.DataFrame(numbers, index=index)).plot()
    >>> list(display.bars_)
    [('price', 'alone'), ('type', 'alone')]
    """

    def __init__(self, *, differences: pd.DataFrame, scores: pd.DataFrame | None = None) -> None:
        self.differences = differences
        self.scores = scores

    @classmethod
    def from_report(cls, report: SharingReport, *, ax: Any = None) -> Self:
        """Draw a report.

        Parameters
        ----------
        report : SharingReport
            What `sharing_report` returned.
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SharingReportDisplay
            The display, drawn.
        """
        return cls(differences=report.differences, scores=report.scores).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, **of_report: Any) -> Self:
        """Make a report, and draw it.

        Parameters
        ----------
        estimator, X, y
            As in `sharing_report`.
        ax : Axes, optional
            Where to draw; a new figure by default.
        **of_report : object
            The other parameters of `sharing_report`, such as ``cv`` and ``baselines``.

        Returns
        -------
        SharingReportDisplay
            The display, drawn.
        """
        pyplot()
        return cls.from_report(sharing_report(estimator, X, y, **of_report), ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw a row for each task.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        SharingReportDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If there is no difference at all, or a column is missing.
        """
        missing = [name for name in ("difference", "low", "high") if name not in self.differences]
        if missing or self.differences.index.nlevels != 2 or not len(self.differences):
            raise ValueError(
                "`differences` must have a row for each task and model, and the columns 'difference', 'low' "
                f"and 'high'. Found {len(self.differences)} rows with {shown(list(self.differences))}."
            )
        tasks, models = (list(dict.fromkeys(level)) for level in zip(*self.differences.index, strict=True))
        height = AROUND + len(tasks) * (ROW + FURTHER * (len(models) - 1))
        self.axes_ = axes_for(ax, 1, size=(WIDTH + room_for(tasks), height))
        panel = self.axes_[0]
        self.figure_ = panel.figure
        self.bars_: dict[tuple[str, str], Any] = {}
        self.folds_: dict[tuple[str, str], Any] = {}
        self.text_: dict[tuple[str, str], Any] = {}
        for row, task in enumerate(tasks):
            for place, model in enumerate(models):
                if (task, model) in self.differences.index:
                    offset = 0.6 * ((place + 0.5) / len(models) - 0.5)
                    look = task_colour(task, tasks), MARKERS[place % len(MARKERS)]
                    self._draw(panel, task, model, row + offset, *look)
        panel.axvline(0, color="0.5", linewidth=0.8, zorder=0)
        panel.set_yticks(range(len(tasks)), [self._named(task) for task in tasks])
        panel.set_ylim(len(tasks) - 0.4, -0.6)
        has_intervals = self.differences["low"].notna().any()
        words = "95 % interval" if has_intervals else "one fold: no interval"
        panel.set_xlabel(f"score of the joint network minus the other ({words})")
        panel.set_title("← the other is better", loc="left", fontsize="small")
        panel.set_title("joint is better →", loc="right", fontsize="small")
        self._explain(panel, models)
        return self

    def _draw(self, panel: Any, task: str, model: str, height: float, colour: str, marker: str) -> None:
        mean, low, high = self.differences.loc[(task, model), ["difference", "low", "high"]].astype(float)
        if np.isnan(mean):
            self.text_[task, model] = panel.text(
                0.5, height, "too few labels", va="center", ha="center", transform=panel.get_yaxis_transform()
            )
            return
        reach = None if np.isnan(low) else [[mean - low], [high - mean]]
        self.bars_[task, model] = panel.errorbar(
            [mean], [height], xerr=reach, fmt=marker, color=colour, capsize=3, markersize=7
        )
        if self.scores is not None:
            of_task = self.scores.xs(task, level="task")
            by_fold = (of_task["joint"] - of_task[model]).dropna().to_numpy()
            (self.folds_[task, model],) = panel.plot(
                by_fold, np.full(len(by_fold), height), "|", color=colour, alpha=0.6, markersize=9
            )

    def _named(self, task: str) -> str:
        metrics = self.differences.loc[task].get("metric")
        return in_figure(task) + (f"\n{in_figure(metrics.iloc[0])}" if metrics is not None else "")

    def _explain(self, panel: Any, models: list[str]) -> None:
        if len(models) == 1:
            return
        handles = [
            pyplot().Line2D(
                [], [], color="0.5", linestyle="none", marker=marker, label=WORDS.get(model, in_figure(model))
            )
            for model, marker in zip(models, MARKERS, strict=False)
        ]
        # Below the last task, where nothing is drawn.
        panel.set_ylim(panel.get_ylim()[0] + 0.7, None)
        panel.legend(handles=handles, loc="lower center", ncols=len(models), fontsize="small", frameon=False)
