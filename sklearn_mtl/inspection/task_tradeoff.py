"""The candidates of a search by the scores of their tasks: what one task gains, and what another pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.inspection.figure import axes_for, check_tasks, in_figure, pyplot
from sklearn_mtl.inspection.search_scores import SearchScores, labelled
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.search.pareto import not_dominated
from sklearn_mtl.recipes import is_number

BEATEN, FRONT, CHOSEN = "0.6", "C0", "C3"
# So many parameters of the chosen candidate are told in the legend.
MOST_PARAMETERS = 3
# Points and lines leave no room for a legend among them.
ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
SIZE = (5.6, 4.4)
# Inches between parallel axes, and the letters that have room beside each other in an inch.
BETWEEN, LETTERS_AN_INCH = 0.6, 11


class TaskTradeoffDisplay:
    """The candidates of a search by the scores of their tasks, with the Pareto front and the chosen one.

    Two tasks are the axes of a plane, in which each candidate is a point. The stairs bound what candidates
    reach in both tasks: those on their corners, the Pareto front, are beaten by no other, which would be at
    least as good on both tasks and better on one. More tasks are parallel axes, each from its worst to its
    best score, and each candidate is a line across them.

    Use `from_search`, or the constructor for scores of your own.

    Parameters
    ----------
    scores : DataFrame of shape (n_candidates, n_tasks)
        Score of each candidate on each task; higher is better. A candidate without a score is nan there.
    chosen : label of the index, optional
        The candidate that was chosen.
    params : DataFrame of shape (n_candidates, n_params), optional
        Parameters of each candidate.
    metrics : mapping of str to str, optional
        Name of the metric of each task, for the labels of the axes.

    Attributes
    ----------
    pareto_front_ : DataFrame
        The rows of ``scores`` that no other beats on the tasks that are drawn.
    figure_ : Figure
        The figure.
    axes_ : ndarray of Axes
        The one panel.
    points_ : PathCollection or None
        The candidates; None for more than two tasks.
    lines_ : list of Line2D
        The front's stairs for two tasks, otherwise a line for each candidate that has all scores, in their
        order.
    chosen_ : Line2D or None
        The chosen candidate.
    text_ : Text
        How many candidates there are, and how many lack a score.
    colorbar_ : Colorbar or None
        The values of ``color_by``.

    See Also
    --------
    WeightSensitivityDisplay : Scores of the tasks against the weight of one.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_mtl.inspection import TaskTradeoffDisplay
    >>> scores = pd.DataFrame({"price": [0.91, 0.90, 0.88], "type": [0.70, 0.75, 0.74]}, index=[0.1, 1, 10])
    >>> display = TaskTradeoffDisplay(scores=scores, chosen=1).plot()
    >>> display.pareto_front_.index.tolist()
    [0.1, 1.0]
    """

    def __init__(
        self,
        *,
        scores: pd.DataFrame,
        chosen: Any = None,
        params: pd.DataFrame | None = None,
        metrics: Mapping[str, str] | None = None,
    ) -> None:
        self.scores = scores
        self.chosen = chosen
        self.params = params
        self.metrics = metrics

    @classmethod
    def from_search(
        cls, search: Any, *, tasks: Sequence[str] | None = None, color_by: str | None = None, ax: Any = None
    ) -> Self:
        """Draw the candidates of a fitted search.

        Parameters
        ----------
        search : estimator
            A fitted search of this package, or one of scikit-learn with ``scoring=multitask_scoring([...])``;
            also a Pipeline that ends in one. With several metrics in ``scoring``, these are the scores and
            their names the tasks, but for those of several tasks at once; otherwise the scores are those of
            ``task_results_``. Of a search by halving, the candidates of the last iteration are drawn.
        tasks, color_by, ax
            As in `plot`.

        Returns
        -------
        TaskTradeoffDisplay
            The display.

        Raises
        ------
        TypeError
            If ``search`` is no search.
        ValueError
            If the search has scored no single task, or an argument is not what it must be.

        Examples
        --------
        >>> from sklearn_mtl import MultiTaskClassifierRegressor
        >>> from sklearn_mtl.datasets import make_multitask
        >>> from sklearn_mtl.inspection import TaskTradeoffDisplay
        >>> from sklearn_mtl.model_selection import ManifoldSearchCV
        >>> X, Y = make_multitask(n_samples=100, n_regression=1, n_binary=1, random_state=0)
        >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3, linear_blend=False)
        >>> search = ManifoldSearchCV(est, 5, cv=2).fit(X, Y)
        >>> display = TaskTradeoffDisplay.from_search(search, color_by="task_weights__binary0")
        >>> display.axes_[0].get_xlabel(), display.axes_[0].get_ylabel()
        ('regression0 (r2)', 'binary0 (accuracy)')
        """
        found = SearchScores.of(search)
        params = pd.DataFrame(found.params, index=found.means.index, dtype=object)
        display = cls(scores=found.means, chosen=found.chosen, params=params, metrics=found.metrics)
        return display.plot(ax, tasks=tasks, color_by=color_by)

    def plot(
        self, ax: Any = None, *, tasks: Sequence[str] | None = None, color_by: str | None = None
    ) -> Self:
        """Draw the candidates.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        tasks : sequence of str, optional
            The tasks to compare, at least two; all that have scores by default. The Pareto front is that of
            these tasks.
        color_by : str, optional
            A parameter of numbers by which the candidates are coloured, ``"task_weights__type"`` say.

        Returns
        -------
        TaskTradeoffDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no such task or parameter, or no candidate that has a score on all of them.
        """
        drawn = self._drawn(tasks)
        colours = None if color_by is None else self._colours(color_by, drawn.index)
        on_front = not_dominated(drawn.to_numpy())
        self.pareto_front_ = drawn[on_front]
        width, height = SIZE
        self.axes_ = axes_for(ax, 1, size=(max(width, BETWEEN * drawn.shape[1]), height))
        (panel,) = self.axes_
        self.figure_ = panel.figure
        (self._plot_plane if drawn.shape[1] == 2 else self._plot_parallel)(panel, drawn, on_front, colours)
        handles = sorted(panel.get_legend_handles_labels()[0], key=lambda artist: artist.get_zorder())
        legend = panel.legend(
            handles=handles, **ABOVE, title=self._counted(drawn), fontsize="small", title_fontsize="small"
        )
        self.text_ = legend.get_title()
        self.colorbar_ = None
        if colours is not None:
            self.colorbar_ = panel.figure.colorbar(colours, ax=panel, label=in_figure(color_by))
        return self

    def _drawn(self, tasks: Any) -> pd.DataFrame:
        """Return the scores of the tasks to draw, of the candidates that have them all."""
        finite = self.scores.where(np.isfinite(self.scores.astype(np.float64)))
        known = finite.dropna(axis=1, how="all")
        named = check_tasks(tasks, list(self.scores))
        without = [task for task in named if task not in known]
        if tasks is None:
            named = list(known)
        elif without:
            raise ValueError(
                f"`tasks` must have scores. Found {shown(without)}, of which no candidate has one."
            )
        if len(named) < 2:
            raise ValueError(
                f"A trade-off is between two tasks or more that have scores. Found {shown(named)}."
            )
        drawn = known[named].dropna()
        if drawn.empty:
            raise ValueError(f"Of {len(known)} candidates none has a score of all of {shown(named)}.")
        return drawn

    def _colours(self, parameter: str, candidates: pd.Index) -> Any:
        """Return the scale of colours of a parameter."""
        names = [] if self.params is None else list(self.params)
        if self.params is None or parameter not in names:
            raise ValueError(
                f"`color_by` must be a parameter of the candidates, of {names}. Found {parameter!r}."
            )
        values = self.params.loc[candidates, parameter]
        if not all(map(is_number, values)):
            raise ValueError(
                f"`color_by` must be a parameter of numbers. Found {parameter!r} with {shown(list(values))}."
            )
        numbers = values.to_numpy(dtype=np.float64)
        spans_decades = 0 < 10 * numbers.min() <= numbers.max()
        scale = pyplot().cm.ScalarMappable("log" if spans_decades else "linear", "viridis")
        scale.set_array(numbers)
        scale.autoscale()
        return scale

    def _plot_plane(self, panel: Any, drawn: pd.DataFrame, on_front: np.ndarray, colours: Any) -> None:
        across, up = drawn
        # A step to the next point of the front falls at once: between them only the lower score is reached.
        front = drawn[on_front].sort_values([across, up], ascending=[True, False])
        (stairs,) = panel.plot(
            front[across], front[up], color=FRONT, drawstyle="steps-pre", label="Pareto front", zorder=1
        )
        plain = np.where(on_front, FRONT, BEATEN)
        own = plain if colours is None else colours.to_rgba(colours.get_array())
        self.points_ = panel.scatter(
            drawn[across], drawn[up], c=own, s=28, edgecolors="0.5", linewidths=0.5, zorder=2
        )
        self.lines_ = [stairs]
        self.chosen_ = None
        if self.chosen in drawn.index:
            at = drawn.loc[self.chosen]
            (self.chosen_,) = panel.plot(
                at[across], at[up], "*", color=CHOSEN, markersize=14, label=self._chosen_in_words(), zorder=3
            )
        metrics = self.metrics or {}
        panel.set(xlabel=labelled(across, metrics), ylabel=labelled(up, metrics))

    def _plot_parallel(self, panel: Any, drawn: pd.DataFrame, on_front: np.ndarray, colours: Any) -> None:
        lowest, highest = drawn.min(), drawn.max()
        spread = (highest - lowest).where(highest > lowest, np.inf)
        heights = (drawn - lowest) / spread + np.where(np.isinf(spread), 0.5, 0)
        places = np.arange(drawn.shape[1])
        plain = [FRONT if of_front else BEATEN for of_front in on_front]
        own = plain if colours is None else colours.to_rgba(colours.get_array())
        labels = {True: "Pareto front", False: "beaten by another"}
        self.points_, self.lines_, self.chosen_ = None, [], None
        for candidate, of_front, colour in zip(drawn.index, on_front, own, strict=True):
            if candidate == self.chosen:
                look = {"color": CHOSEN, "linewidth": 3, "zorder": 3, "label": self._chosen_in_words()}
            elif of_front:
                look = {"color": colour, "linewidth": 1.5, "zorder": 2, "label": labels.pop(True, None)}
            else:
                look = {"color": colour, "linewidth": 0.8, "zorder": 1, "label": labels.pop(False, None)}
            (line,) = panel.plot(places, heights.loc[candidate], **look)
            self.lines_.append(line)
            if candidate == self.chosen:
                self.chosen_ = line
        for place, task in zip(places, drawn, strict=True):
            panel.vlines(place, 0, 1, color="0.5", linewidth=0.8, zorder=0)
            for height, side, score in [(-0.03, "top", lowest[task]), (1.03, "bottom", highest[task])]:
                panel.text(place, height, f"{score:.4g}", ha="center", va=side, fontsize="small")
        metrics = self.metrics or {}
        names = [labelled(task, metrics).replace(" (", "\n(") for task in drawn]
        letters = max(len(line) for name in names for line in name.split("\n"))
        many = letters > LETTERS_AN_INCH * max(SIZE[0] / drawn.shape[1], BETWEEN)
        panel.set_xticks(
            places, names, **({"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if many else {})
        )
        panel.tick_params(length=0)
        panel.set(xlim=(-0.3, places[-1] + 0.3), ylim=(-0.15, 1.15), yticks=[])
        panel.set_ylabel("score, from worst to best")
        panel.spines[:].set_visible(False)

    def _chosen_in_words(self) -> str:
        """Return the legend of the chosen candidate, with its parameters if these are few."""
        if self.params is None:
            return "chosen"
        of_chosen = self.params.loc[self.chosen].dropna()
        if len(of_chosen) > MOST_PARAMETERS:
            return "chosen"
        return "\n".join(
            ["chosen", *(f"{in_figure(name)}={_short(value)}" for name, value in of_chosen.items())]
        )

    def _counted(self, drawn: pd.DataFrame) -> str:
        """Return how many candidates are drawn, and what is not."""
        n_all, n_without = len(self.scores), len(self.scores) - len(drawn)
        words = [f"{n_all} candidate{'s' if n_all > 1 else ''}"]
        if n_without:
            words.append(f"{n_without} without a score")
        words += [f"no score of {in_figure(task)}" for task in self.scores if self.scores[task].isna().all()]
        return ", ".join(words)


def _short(value: Any) -> str:
    return f"{value:.3g}" if is_number(value) else in_figure(shown(value, 20))
