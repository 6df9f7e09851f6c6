"""What a notebook shows of a fitted estimator: its tasks, its network, and how well each task is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_mtl.estimators.html_table import table_html
from sklearn_mtl.network import Blueprint
from sklearn_mtl.training import FitSummary, MultiTaskNet, kept_epoch

# Rows of the table; of more tasks, the rest are counted.
MOST_ROWS = 20
SCORES = "Scores are on held-out rows; that of a constant is the best that ignores X."


def tasks_html(
    blueprint: Blueprint,
    nets: Sequence[MultiTaskNet],
    summary: FitSummary | None,
    *,
    stops_early: bool,
) -> str:
    """Return a table of the tasks, with the network and its training above it.

    Parameters
    ----------
    blueprint : Blueprint
        The recipes and the tasks that the nets were built from.
    nets : sequence of MultiTaskNet
        The bag.
    summary : FitSummary or None
        What is known of the fit beside its nets; None where nothing is, as in a file of an earlier version.
    stops_early : bool
        Whether the nets stopped early.
    """
    tasks = list(blueprint.tasks)
    kept = [kept_epoch(net, stops_early=stops_early) for net in nets]
    scores = _kept_scores(nets, kept, len(tasks))
    # What is told first is seen first on a narrow screen.
    columns = {"task": [task.name for task in tasks], "kind": [task.kind for task in tasks]}
    if not np.isnan(scores).all():
        columns["score"] = [task.loss.metric for task in tasks]
        if summary is not None:
            columns["constant"] = [_number(score) for score in summary.constant_scores]
        columns["network"] = [_number(score) for score in scores]
    if summary is not None:
        columns["missing"] = [_percent(share) for share in summary.missing]
    columns["weight"] = [f"{weight:g}" for weight in blueprint.task_weights]
    columns["labels"] = [task.labels_in_words for task in tasks]
    columns["loss"] = [type(task.loss).__name__ for task in tasks]
    rows = [list(cells) for cells in list(zip(*columns.values(), strict=True))[:MOST_ROWS]]
    if len(tasks) > MOST_ROWS:
        rows.append([f"… {len(tasks) - MOST_ROWS} more", *[""] * (len(columns) - 1)])
    notes = [_training_in_words(nets, kept, summary), *([SCORES] if "constant" in columns else [])]
    return table_html(_network_in_words(blueprint, nets), notes, list(columns), rows, words=["labels"])


def _network_in_words(blueprint: Blueprint, nets: Sequence[Any]) -> str:
    count = f"{len(nets)} nets" if len(nets) > 1 else "1 net"
    return f"{count} of {blueprint.trunk!r}, {blueprint.sharing!r}, {blueprint.balancing!r}"


def _training_in_words(
    nets: Sequence[MultiTaskNet], kept: Sequence[int | None], summary: FitSummary | None
) -> str:
    epochs = sorted({len(net.history) for net in nets})
    words = _range(epochs, "epoch")
    best = sorted({epoch for epoch in kept if epoch is not None})
    if best:
        words += f", the best {_range(best)}"
    return words if summary is None else f"{words}, {_duration(summary.seconds)}"


def _kept_scores(nets: Sequence[MultiTaskNet], kept: Sequence[int | None], n_tasks: int) -> np.ndarray:
    """Return the score of each task on held-out rows at the epoch whose weights are kept, over all nets."""
    found = []
    for net, epoch in zip(nets, kept, strict=True):
        row = net.history[-1 if epoch is None else epoch - 1]
        found.append(net.epoch_of(row).get("valid_score", np.full(n_tasks, np.nan)))
    return np.asarray(np.mean(found, axis=0))


def _range(numbers: Sequence[int], unit: str = "") -> str:
    words = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"{words} {unit}{'' if numbers[-1] == 1 else 's'}" if unit else words


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _percent(share: float) -> str:
    if share <= 0:
        return "0 %"
    return "< 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _number(score: float) -> str:
    return "–" if np.isnan(score) else f"{score:.3f}"
