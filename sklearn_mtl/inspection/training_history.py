"""How a training went: losses, scores and weights of the tasks, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inspection.figure import (
    MOST_NAMED,
    axes_for,
    check_tasks,
    in_figure,
    no_line,
    pyplot,
    task_colour,
)
from sklearn_mtl.messages import shown
from sklearn_mtl.training import kept_epoch

# With no more epochs than these, each is marked by a point: a line needs two.
FEW_EPOCHS = 12
# The lines of each panel, and how they are drawn.
PANELS: dict[str, dict[str, dict[str, Any]]] = {
    "loss": {"train_loss": {"linestyle": "--", "alpha": 0.6}, "valid_loss": {"linestyle": "-"}},
    "score": {"valid_score": {"linestyle": "-"}},
    "weight": {"weight": {"linestyle": "-"}},
}


class TrainingHistoryDisplay:
    """The losses, the score and the weight of each task by epoch, of one network or of a bag.

    `from_estimator` makes one from an estimator. Up to three panels are drawn: the losses on training rows
    (dashed) and on held-out rows, which are near 1 where a task is predicted no better than by the best
    constant; the score on held-out rows; and the weight of the task in what is minimised. A panel of which
    nothing is known, such as the scores where no row is held out, is left out. Of a bag the mean of the
    networks that are still trained in an epoch is drawn, with a band of one standard deviation to each side.

    Parameters
    ----------
    history : DataFrame
        A row for each epoch of each network, with the columns of ``history_``: ``epoch``, ``bag`` where
        there are several networks, and for a task ``price`` with the metric ``r2`` some of
        ``train_loss_price``, ``valid_loss_price``, ``valid_r2_price`` and ``weight_price``.
    tasks : sequence of str
        The names of the tasks; the first has the first colour.
    metrics : mapping of str to str
        By task the name of its score, such as ``"r2"``.
    kept_epochs : sequence of int or None, optional
        For each network the epoch whose weights are kept, which is marked; None where that is the last one.

    Attributes
    ----------
    figure_ : Figure
        The figure that was drawn in.
    axes_ : ndarray of Axes
        An Axes for each panel.
    lines_ : dict of str to list of Line2D
        By ``"train_loss"``, ``"valid_loss"``, ``"valid_score"`` and ``"weight"`` the lines of the tasks that
        were drawn. That of a task of which nothing is known is empty, and the legend says so.
    bands_ : dict of str to list of PolyCollection
        The bands around the lines; empty lists where there is one network.
    kept_lines_ : list of Line2D
        The marks of the kept epochs, in the panels of losses and scores.

    See Also
    --------
    LiveHistory : The same while the training runs.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TrainingHistoryDisplay
    >>> history = pd.DataFrame({"epoch": [1, 2], "train_loss_price": [0.9, 0.5], "weight_price": [1.0, 1.0]})
    >>> display = TrainingHistoryDisplay(history=history, tasks=["price"], metrics={"price": "r2"}).plot()
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss (best constant: 1)', 'weight']
    >>> display.figure_.clear()
    """

    figure_: Any
    axes_: np.ndarray
    lines_: dict[str, list[Any]]
    bands_: dict[str, list[Any]]
    kept_lines_: list[Any]

    def __init__(
        self,
        *,
        history: pd.DataFrame,
        tasks: Sequence[str],
        metrics: Mapping[str, str],
        kept_epochs: Sequence[int | None] | None = None,
    ) -> None:
        self.history = history
        self.tasks = tasks
        self.metrics = metrics
        self.kept_epochs = kept_epochs

    @classmethod
    def from_estimator(cls, estimator: Any, *, tasks: Any = None, ax: Any = None) -> Self:
        """Draw the history of a fitted estimator, also one that was trained on by a warm start.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of this package, or a Pipeline or a search around it.
        tasks : str or sequence of str, optional
            The tasks that are drawn; all by default.
        ax : Axes or sequence of Axes, optional
            As in `plot`.

        Returns
        -------
        TrainingHistoryDisplay
            The display, with its figure.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has no networks of its own, and so no history.
        ValueError
            If there is no such task.
        """
        check_is_fitted(estimator)
        fitted, _ = innermost(estimator)
        check_is_fitted(fitted)
        if not hasattr(fitted, "history_"):
            raise TypeError(
                "`estimator` must have trained networks, whose epochs are in `history_`. Found "
                f"{type(fitted).__name__}, which has none."
            )
        stops_early = bool(getattr(fitted, "early_stopping", False))
        return cls(
            history=fitted.history_,
            tasks=list(fitted.tasks_),
            metrics={name: task.loss.metric for name, task in fitted.tasks_.items()},
            kept_epochs=[kept_epoch(net, stops_early=stops_early) for net in fitted.nets_],
        ).plot(ax, tasks=tasks)

    def plot(self, ax: Any = None, *, tasks: Any = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : Axes or sequence of Axes, optional
            Axes to draw in: one that is divided, or one for each panel. A new figure by default.
        tasks : str or sequence of str, optional
            The tasks that are drawn; all by default.

        Returns
        -------
        TrainingHistoryDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If there is no such task, or no epoch.
        """
        chosen = check_tasks(tasks, list(self.tasks))
        panels = [panel for panel, parts in PANELS.items() if self._has_any(parts, chosen)]
        if not panels:
            raise ValueError(
                "`history` must have an epoch with losses of the tasks. Found "
                f"{len(self.history)} epochs and the columns {shown(list(self.history.columns))}."
            )
        self.axes_ = axes_for(ax, len(panels))
        self.figure_ = self.axes_[0].figure
        self.lines_, self.bands_, self.kept_lines_ = {}, {}, []
        for panel, axes in zip(panels, self.axes_, strict=True):
            for part, style in PANELS[panel].items():
                if self._has_any([part], chosen):
                    self._draw_part(axes, part, chosen, style)
            marks = self._mark_kept(axes) if panel != "weight" else []
            self._describe(axes, panel, chosen, marks)
        return self

    @property
    def _n_nets(self) -> int:
        return self.history["bag"].nunique() if "bag" in self.history else 1

    def _column(self, part: str, task: str) -> str:
        return f"valid_{self.metrics[task]}_{task}" if part == "valid_score" else f"{part}_{task}"

    def _values(self, part: str, task: str) -> pd.DataFrame | None:
        """Return the mean and the spread over networks by epoch; None where nothing is known."""
        column = self._column(part, task)
        if column not in self.history or not np.isfinite(self.history[column]).any():
            return None
        # An infinite loss ends a training; it would end the axis too.
        finite = self.history[column].where(np.isfinite(self.history[column]))
        by_epoch = finite.groupby(self.history["epoch"])
        return pd.DataFrame({"mean": by_epoch.mean(), "spread": by_epoch.std(ddof=0)})

    def _has_any(self, parts: Any, tasks: Sequence[str]) -> bool:
        return any(self._values(part, task) is not None for part in parts for task in tasks)

    def _draw_part(self, ax: Any, part: str, tasks: Sequence[str], style: Mapping[str, Any]) -> None:
        """Draw one line for each task, and its band."""
        self.lines_[part], self.bands_[part] = [], []
        marker = "." if self.history["epoch"].nunique() <= FEW_EPOCHS else None
        for task in tasks:
            values, color = self._values(part, task), task_colour(task, self.tasks)
            x, y = ([], []) if values is None else (values.index.to_numpy(), values["mean"].to_numpy())
            self.lines_[part] += ax.plot(x, y, color=color, marker=marker, **style)
            if values is not None and self._n_nets > 1:
                spread = values["spread"].to_numpy()
                band = ax.fill_between(x, y - spread, y + spread, color=color, alpha=0.15, linewidth=0)
                self.bands_[part].append(band)

    def _mark_kept(self, ax: Any) -> list[Any]:
        """Mark the kept epochs."""
        epochs = sorted({epoch for epoch in self.kept_epochs or () if epoch is not None})
        marks = [
            ax.axvline(epoch, color="gray", linestyle=":", linewidth=1.2, zorder=0.5) for epoch in epochs
        ]
        self.kept_lines_ += marks
        return marks

    def _describe(self, ax: Any, panel: str, tasks: Sequence[str], marks: Sequence[Any]) -> None:
        """Label the axes, and put a legend of tasks, of kinds of lines and of marks."""
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        names = {self.metrics[task] for task in tasks}
        of_score = in_figure(names.pop()) if len(names) == 1 else "score"
        labels = {"loss": "loss (best constant: 1)", "score": f"{of_score}, held-out rows", "weight": panel}
        ax.set_ylabel(labels[panel])
        if panel == "weight":
            ax.set_ylim(bottom=0)
        part = next(part for part in reversed(PANELS[panel]) if part in self.lines_)
        handles = dict(zip(tasks, self.lines_[part], strict=True))
        entries = [(handle, self._entry(part, task)) for task, handle in list(handles.items())[:MOST_NAMED]]
        if len(tasks) > MOST_NAMED:
            entries.append((no_line(), f"… {len(tasks) - MOST_NAMED} more"))
        if panel == "loss":
            entries += [
                (_gray_line(style), {"train_loss": "training", "valid_loss": "held out"}[name])
                for name, style in PANELS["loss"].items()
                if name in self.lines_
            ]
            entries += [(marks[0], self._mark_entry())] if marks else []
        title = f"mean ± std of {self._n_nets} networks" if self._n_nets > 1 and panel == "loss" else None
        ax.legend(*zip(*entries, strict=True), title=title, fontsize="small", title_fontsize="small")

    def _entry(self, part: str, task: str) -> str:
        """Return how a legend names a task; one of which nothing is known, with the reason."""
        if self._values(part, task) is None:
            return f"{in_figure(task)} (no label{'' if part == 'train_loss' else ' held out'})"
        several = len(set(self.metrics.values())) > 1
        metric = f": {in_figure(self.metrics[task])}" if part == "valid_score" and several else ""
        return f"{in_figure(task)}{metric}"

    def _mark_entry(self) -> str:
        epochs = [epoch for epoch in self.kept_epochs or () if epoch is not None]
        return f"best epoch: {epochs[0]}" if self._n_nets == 1 else "best epoch of a network"


def _gray_line(style: Mapping[str, Any]) -> Any:
    pyplot()
    from matplotlib.lines import Line2D

    return Line2D([], [], color="gray", **style)
