"""Which task weights a search has tried, beside which other parameters, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sklearn_mtl.inspection.figure import in_figure
from sklearn_mtl.inspection.search_scores import SearchScores
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import fingerprint

WEIGHTS = "task_weights"
# So many other parameters are told by their names.
MOST_NAMES = 3


@dataclass(frozen=True, eq=False)
class SearchedWeights:
    """The candidates of a search by their task weights and their other parameters.

    Parameters
    ----------
    by_task : DataFrame of shape (n_candidates, n_weights)
        The weight of each task whose weight was searched.
    others : DataFrame of shape (n_candidates, n_params)
        The other parameters.
    scores : SearchScores
        Scores of the candidates.
    """

    by_task: pd.DataFrame
    others: pd.DataFrame
    scores: SearchScores

    @property
    def tasks(self) -> list[str]:
        """The tasks whose weights were searched."""
        return list(self.by_task)

    def scores_by(self, task: str, others: str | None) -> tuple[pd.DataFrame, pd.DataFrame, str]:
        """Return means and standard deviations of the scores by the weight of a task, and a word on the rest.

        Parameters
        ----------
        task : str
            The task.
        others : {"chosen", "mean"} or None
            What is done about all other parameters.

        Raises
        ------
        ValueError
            If ``others`` is none of these, or is "chosen" where the search has chosen no candidate.
        """
        if others not in (None, "chosen", "mean"):
            raise ValueError(f"`others` must be None, 'chosen' or 'mean'. Found {shown(others)}.")
        chosen = self.scores.chosen
        if others == "chosen" and chosen is None:
            raise ValueError(
                "`others='chosen'` needs a search that has chosen a candidate. Found one without "
                "`best_index_`."
            )
        weights, rest = self.by_task[task], self._varied(task)
        alike = pd.Series(True, index=weights.index)
        if chosen is not None and others != "mean":
            alike = (rest == rest.loc[chosen]).all(axis=1)
            if others is None and weights[alike].nunique() < 2:
                alike[:] = True
        told = "" if rest.empty else self._told(list(rest), as_chosen=not alike.all())
        by_weight = [frame[alike].groupby(weights[alike]) for frame in (self.scores.means, self.scores.stds)]
        means, stds = (grouped.mean() for grouped in by_weight)
        return means, stds, told

    def _varied(self, task: str) -> pd.DataFrame:
        """Return the fingerprints of what differs between candidates besides the weight of a task."""
        weights = self.by_task.drop(columns=task).add_prefix("weight of ")
        found = pd.concat([weights, self.others], axis=1).map(fingerprint)
        return found.loc[:, found.nunique() > 1]

    def _told(self, names: Sequence[str], *, as_chosen: bool) -> str:
        more = len(names) - MOST_NAMES
        words = ", ".join(map(in_figure, names[:MOST_NAMES])) + (f" and {more} more" if more > 0 else "")
        return f"{words} as chosen" if as_chosen else f"mean over {words}"


def searched_weights(scores: SearchScores) -> SearchedWeights:
    """Return the task weights that the candidates of a search have.

    Parameters
    ----------
    scores : SearchScores
        The candidates. One that leaves a weight as it is has that of the search's estimator, and a task
        without any has weight 1.

    Raises
    ------
    ValueError
        If no weight was searched.
    """
    prefix = next((_prefix(name) for params in scores.params for name in params if _is_weight(name)), "")
    own = scores.estimator.get_params().get(prefix + WEIGHTS)
    found = [_weights(params, prefix, own) for params in scores.params]
    tasks = list(dict.fromkeys(task for of_candidate in found for task in of_candidate))
    rows = [[of_candidate.get(task, 1.0) for task in tasks] for of_candidate in found]
    # What is no number has failed, and has no score either.
    by_task = pd.DataFrame(rows, index=scores.means.index, columns=tasks).apply(
        pd.to_numeric, errors="coerce"
    )
    by_task = by_task.loc[:, by_task.nunique() > 1]
    if by_task.empty:
        names = list(dict.fromkeys(name for params in scores.params for name in params))
        raise ValueError(
            "`search` must have tried several weights of a task, as {'task_weights__price': [0.1, 1, 10]} "
            f"does. Found a search over {shown(names)}."
        )
    others = [{name: params[name] for name in params if not _is_weight(name)} for params in scores.params]
    return SearchedWeights(by_task, pd.DataFrame(others, index=by_task.index, dtype=object), scores)


def _is_weight(name: str) -> bool:
    return WEIGHTS in name.split("__")


def _prefix(name: str) -> str:
    """Return what stands before the weights in the name of a parameter: the steps of Pipelines."""
    return name.partition(WEIGHTS)[0]


def _weights(params: Mapping[str, Any], prefix: str, own: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weights by task that a candidate sets, or that the estimator has."""
    by_name = f"{prefix}{WEIGHTS}__"
    named = {name.removeprefix(by_name): value for name, value in params.items() if name.startswith(by_name)}
    return {**(params.get(prefix + WEIGHTS, own) or {}), **named}
