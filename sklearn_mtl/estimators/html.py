"""What a notebook shows of a fitted estimator beside scikit-learn's own picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn_mtl.estimators.fitting import Fitted

# Of more tasks, the rest are counted.
MOST_ROWS = 20


def tasks_html(fitted: Fitted) -> str:
    """Return a table of the tasks: kind, loss, labels and weight, with the trunk above it.

    Parameters
    ----------
    fitted : Fitted
        What ``fit`` left behind.
    """
    blueprint = fitted.blueprint
    weights = dict(zip(fitted.tasks.names, blueprint.task_weights, strict=True))
    shown = list(fitted.tasks)[:MOST_ROWS]
    rows = [
        [task.name, task.kind, type(task.loss).__name__, task.labels_in_words, f"{weights[task.name]:g}"]
        for task in shown
    ]
    more = len(fitted.tasks) - len(shown)
    if more:
        rows.append([f"… {more} more", "", "", "", ""])
    nets = f"{len(fitted.nets)} nets" if len(fitted.nets) > 1 else "1 net"
    caption = f"{nets} of {blueprint.trunk!r}, {blueprint.sharing!r}, {blueprint.balancing!r}"
    head = _row(["task", "kind", "loss", "labels", "weight"], "th")
    body = "".join(_row(cells, "td") for cells in rows)
    return f"<table><caption>{escape(caption)}</caption>{head}{body}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
