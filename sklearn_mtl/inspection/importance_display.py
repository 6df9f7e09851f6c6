"""The importance of features by task, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.inspection.figure import MOST_IN_A_ROW, WIDTH, axes_for, in_figure, pyplot, task_colour
from sklearn_mtl.inspection.permutation_importance import task_permutation_importance
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer

# Inches of a bar with its name, and of what is above and below all of them.
BAR, AROUND = 0.26, 1.1


class TaskImportanceDisplay:
    """The importance of features by task: a panel of bars for each task, features in the same order in all.

    Parameters
    ----------
    importances_mean : DataFrame of shape (n_features, n_tasks)
        What is drawn, as `task_permutation_importance` returns it; any numbers by feature and task. Columns
        may be pairs of a task and a metric.
    importances_std : DataFrame of the same shape, optional
        Half the length of the lines at the ends of the bars.
    tasks : sequence of str, optional
        All tasks of the estimator, whose order gives each its colour; by default those of `importances_mean`.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The panel of each column.
    bars_ : list of BarContainer
        The bars of each panel, the most important feature first.
    features_ : list
        The features that are drawn, the most important first.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TaskImportanceDisplay
    >>> mean = pd.DataFrame({"price": [0.4, 0.1], "type": [0.0, 0.3]}, index=["area", "age"])
    >>> display = TaskImportanceDisplay(importances_mean=mean).plot()
    >>> display.features_
    ['age', 'area']
    >>> [float(bar.get_width()) for bar in display.bars_[0]]
    [0.1, 0.4]
    """

    def __init__(
        self,
        *,
        importances_mean: pd.DataFrame,
        importances_std: pd.DataFrame | None = None,
        tasks: Sequence[str] | None = None,
    ) -> None:
        self.importances_mean = importances_mean
        self.importances_std = importances_std
        self.tasks = tasks

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, max_features: int = 15, **of_importance: Any
    ) -> Self:
        """Compute the importances by permutation and draw them.

        Parameters
        ----------
        estimator, X, y
            As in `task_permutation_importance`.
        ax, max_features
            As in `plot`.
        **of_importance : object
            ``features``, ``metrics``, ``n_repeats``, ``sample_weight`` and ``random_state`` of
            `task_permutation_importance`.

        Returns
        -------
        TaskImportanceDisplay
            The display, drawn.
        """
        pyplot()
        found = task_permutation_importance(estimator, X, y, **of_importance)
        of_rows = {"importances_mean": found.importances_mean, "importances_std": found.importances_std}
        display = cls(**of_rows, tasks=found.tasks)
        return display.plot(ax, max_features=max_features)

    def plot(self, ax: Any = None, *, max_features: int = 15) -> Self:
        """Draw a panel for each task.

        Parameters
        ----------
        ax : Axes, sequence of Axes or None
            Where: one that is divided, one for each column, or a new figure.
        max_features : int, default=15
            At most so many features, the first by the mean over tasks of their importance as a share of the
            largest for the task.

        Returns
        -------
        TaskImportanceDisplay
            This display, which keeps what was drawn.

        Raises
        ------
        ValueError
            If `max_features` is no positive whole number, or there is nothing to draw.
        """
        if not is_integer(max_features) or max_features < 1:
            raise ValueError(f"`max_features` must be a positive whole number. Found {shown(max_features)}.")
        if self.importances_mean.empty:
            raise ValueError(
                "`importances_mean` must have a row for each feature and a column for each task. Found the "
                f"shape {self.importances_mean.shape}."
            )
        mean = self.importances_mean.loc[self._by_importance()[:max_features]]
        std = None if self.importances_std is None else self.importances_std.loc[mean.index]
        size = (WIDTH, AROUND + BAR * len(mean))
        self.axes_ = axes_for(ax, mean.shape[1], size=size)
        self.figure_ = self.axes_[0].figure
        self.features_ = list(mean.index)
        self.bars_ = []
        for place, (panel, column) in enumerate(zip(self.axes_, mean.columns, strict=True)):
            # Of an Axes that is divided and of a new figure, the panels of a row have the same features.
            named = place % MOST_IN_A_ROW == 0 or isinstance(ax, list | tuple | np.ndarray)
            error = None if std is None else std[column].to_numpy()
            self.bars_.append(self._draw(panel, column, mean[column].to_numpy(), error, named=named))
        return self

    def _by_importance(self) -> list[Any]:
        """Return the features, that of the largest importance on average over the tasks first."""
        mean = self.importances_mean
        largest = mean.abs().max()
        # Shares of the largest of each task: scores have units.
        share = mean / largest.where(largest > 0, 1.0)
        return list(share.mean(axis=1).fillna(0.0).sort_values(ascending=False, kind="stable").index)

    def _draw(self, panel: Any, column: Any, mean: np.ndarray, std: np.ndarray | None, *, named: bool) -> Any:
        task, metric = self._task_and_metric(column)
        places = np.arange(len(mean))
        tasks = self.tasks
        if tasks is None:
            tasks = list(dict.fromkeys(self._task_and_metric(one)[0] for one in self.importances_mean))
        bars = panel.barh(places, mean, color=task_colour(task, map(str, tasks)), label=in_figure(task))
        if std is not None:
            panel.errorbar(mean, places, xerr=std, fmt="none", ecolor="0.5", elinewidth=1)
        panel.axvline(0, color="0.5", linewidth=0.8)
        panel.set_ylim(len(mean) - 0.4, -0.6)
        panel.set_yticks(places, [in_figure(name) for name in self.features_] if named else [""] * len(mean))
        panel.locator_params(axis="x", nbins=5)
        panel.set_title(in_figure(task))
        panel.set_xlabel(f"decrease of {in_figure(metric)} when shuffled" if metric else "importance")
        if np.isnan(mean).all():
            panel.text(
                0.5, 0.5, "no score:\ntoo few labels", ha="center", va="center", transform=panel.transAxes
            )
        return bars

    def _task_and_metric(self, column: Any) -> tuple[str, str]:
        if isinstance(column, tuple):
            return str(column[0]), str(column[1])
        return str(column), self.importances_mean.attrs.get("metrics", {}).get(column, "")
