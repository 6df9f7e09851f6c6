"""How the scores of all tasks change with the weight of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.inspection.figure import axes_for, check_tasks, in_figure, task_colour
from sklearn_mtl.inspection.search_scores import SearchScores, labelled
from sklearn_mtl.inspection.searched_weights import searched_weights
from sklearn_mtl.messages import shown

# So many letters of the label are in one line, and so many weights have a tick each.
MOST_LETTERS = 34
MOST_TICKS = 7


class WeightSensitivityDisplay:
    """The score of every task against the weight of one, with its spread over the folds.

    Each task has a panel, since its metric has a scale of its own. The line is the mean score over the folds,
    and the band is one standard deviation of the folds to each side.

    Use `from_search`, or the constructor for scores of your own.

    Parameters
    ----------
    task : str
        The task whose weight it is.
    means : DataFrame of shape (n_weights, n_tasks)
        Mean score of each task over the folds. Index: the weights.
    stds : DataFrame of shape (n_weights, n_tasks), optional
        Standard deviation over the folds; None where there is one fold only.
    chosen : float, optional
        The weight that was chosen.
    others : str, default=""
        What the other parameters were, for the label of the axis.
    metrics : mapping of str to str, optional
        Name of the metric of each task, for the labels of the axes.

    Attributes
    ----------
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        A panel for each task that is drawn.
    lines_ : list of Line2D
        The mean score of each of these tasks.
    bands_ : list of FillBetweenPolyCollection
        The spread of each; empty with one fold only.
    chosen_ : list of Line2D
        The chosen weight in each panel; empty where none was chosen.
    text_ : list of Text
        What is missing in each panel; empty texts where nothing is.

    See Also
    --------
    TaskTradeoffDisplay : Scores of the tasks against each other.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import WeightSensitivityDisplay
    >>> means = pd.DataFrame({"price": [0.91, 0.90, 0.88], "type": [0.70, 0.75, 0.76]}, [0.1, 1, 10])
    >>> display = WeightSensitivityDisplay(task="type", means=means, stds=0 * means + 0.01, chosen=1).plot()
    >>> display.axes_[0].get_xscale(), display.axes_[0].get_xlabel()
    ('log', 'weight of type')
    """

    def __init__(
        self,
        *,
        task: str,
        means: pd.DataFrame,
        stds: pd.DataFrame | None = None,
        chosen: float | None = None,
        others: str = "",
        metrics: Mapping[str, str] | None = None,
    ) -> None:
        self.task = task
        self.means = means
        self.stds = stds
        self.chosen = chosen
        self.others = others
        self.metrics = metrics

    @classmethod
    def from_search(
        cls,
        search: Any,
        task: str | None = None,
        *,
        tasks: Sequence[str] | None = None,
        others: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw what a fitted search has found out about the weight of a task.

        Parameters
        ----------
        search : estimator
            A fitted search of this package, or one of scikit-learn with ``scoring=multitask_scoring([...])``;
            also a Pipeline that ends in one. Scores are those that `TaskTradeoffDisplay.from_search` takes.
        task : str, optional
            The task whose weight is looked at; by default the first whose weight was searched.
        tasks, ax
            As in `plot`.
        others : {"chosen", "mean"}, optional
            What is done about the other parameters that were searched. "chosen" takes the candidates that
            have those of the chosen one. "mean" takes the mean over all candidates of the same weight; the
            spread is then the mean of theirs. By default "chosen", unless no second weight was tried with
            the parameters of the chosen one. The label of the axis says which.

        Returns
        -------
        WeightSensitivityDisplay
            The display.

        Raises
        ------
        TypeError
            If ``search`` is no search.
        ValueError
            If the search has tried no weights of a task or has scored no single task, or an argument is not
            what it must be.

        Examples
        --------
        >>> from sklearn_mtl import MultiTaskClassifierRegressor
        >>> from sklearn_mtl.datasets import make_multitask
        >>> from sklearn_mtl.inspection import WeightSensitivityDisplay
        >>> from sklearn_mtl.model_selection import StackedGridSearchCV
        >>> X, Y = make_multitask(n_samples=100, n_regression=1, n_binary=1, random_state=0)
        >>> settings = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "random_state": 0}
        >>> est = MultiTaskClassifierRegressor(max_epochs=3, **settings)
        >>> search = StackedGridSearchCV(est, {"task_weights__binary0": [0.1, 1.0, 10.0]}, cv=2).fit(X, Y)
        >>> display = WeightSensitivityDisplay.from_search(search)
        >>> [panel.get_ylabel() for panel in display.axes_]
        ['regression0 (r2)', 'binary0 (accuracy)']
        """
        found = SearchScores.of(search)
        weights = searched_weights(found)
        if task is None:
            task = weights.tasks[0]
        elif task not in weights.tasks:
            raise ValueError(
                f"`task` must be one whose weight was searched, of {weights.tasks}. Found {task!r}."
            )
        means, stds, in_words = weights.scores_by(task, others)
        chosen = None if found.chosen is None else float(weights.by_task.at[found.chosen, task])
        display = cls(
            task=task,
            means=means,
            stds=stds if found.n_folds > 1 else None,
            chosen=chosen,
            others=in_words,
            metrics=found.metrics,
        )
        return display.plot(ax, tasks=tasks)

    def plot(self, ax: Any = None, *, tasks: Sequence[str] | None = None) -> Self:
        """Draw a panel for each task.

        Parameters
        ----------
        ax : Axes or sequence of Axes, optional
            Where to draw: one that is divided, or one for each task; a new figure by default.
        tasks : sequence of str, optional
            The tasks whose scores are drawn; all by default.

        Returns
        -------
        WeightSensitivityDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no such task, or no score of any.
        """
        drawn = check_tasks(tasks, list(self.means))
        if self.means[drawn].isna().all(axis=None):
            raise ValueError(f"No candidate has a score of {shown(drawn)}.")
        self.axes_ = axes_for(ax, len(drawn))
        self.figure_ = self.axes_[0].figure
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        self.chosen_: list[Any] = []
        self.text_: list[Any] = []
        for panel, task in zip(self.axes_, drawn, strict=True):
            self._plot_task(panel, task, task_colour(task, self.means))
        handles = [self.lines_[0], *self.bands_[:1], *self.chosen_[:1]]
        self.axes_[0].legend(handles=handles, fontsize="small")
        return self

    def _plot_task(self, panel: Any, task: str, colour: str) -> None:
        mean = self.means[task].sort_index()
        weights = mean.index.to_numpy(dtype=np.float64)
        one_fold = self.stds is None
        label = "score of one fold" if one_fold else "mean over folds"
        self.lines_.append(*panel.plot(weights, mean, "o-", color=colour, markersize=4, label=label))
        if self.stds is not None:
            std = self.stds[task].sort_index()
            look = {"color": colour, "alpha": 0.25, "linewidth": 0}
            words = "± one standard deviation"
            self.bands_.append(panel.fill_between(weights, mean - std, mean + std, **look, label=words))
        if self.chosen is not None:
            look = {"color": "0.5", "linestyle": "--", "linewidth": 1}
            self.chosen_.append(panel.axvline(self.chosen, **look, label=f"chosen, {self.chosen:.3g}"))
        # Also where no score is known the axis has all weights.
        panel.update_datalim(np.column_stack([weights, weights]), updatey=False)
        _scale(panel, weights)
        others = "\n" + fill(f"({self.others})", MOST_LETTERS) if self.others else ""
        panel.set(
            xlabel=f"weight of {in_figure(self.task)}{others}", ylabel=labelled(task, self.metrics or {})
        )
        self.text_.append(
            panel.text(0.5, 0.02, _gaps(mean), transform=panel.transAxes, ha="center", fontsize="small")
        )


def _scale(panel: Any, weights: np.ndarray) -> None:
    """Make the axis logarithmic where weights span a decade; a weight of 0 stays on it."""
    positive = weights[weights > 0]
    if len(positive) == 0 or positive.max() < 10 * positive.min():
        return
    if len(positive) == len(weights):
        panel.set_xscale("log")
    else:
        panel.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
        panel.set_xlim(-0.3 * positive.min(), 1.2 * positive.max())
    if len(weights) <= MOST_TICKS:
        panel.set_xticks(weights, [f"{weight:.3g}" for weight in weights])
        panel.set_xticks([], minor=True)


def _gaps(mean: pd.Series) -> str:
    n_missing = int(mean.isna().sum())
    if n_missing == len(mean):
        return "no score: a fold has no labels of this task"
    return f"no score at {n_missing} of {len(mean)} weights" if n_missing else ""
