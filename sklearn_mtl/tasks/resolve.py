"""From what a user says to a kind of task."""

from __future__ import annotations

from typing import Any

from sklearn_mtl.tasks.classification import Classification
from sklearn_mtl.tasks.multilabel import Multilabel
from sklearn_mtl.tasks.ordinal import Ordinal
from sklearn_mtl.tasks.regression import Regression
from sklearn_mtl.tasks.survival import Survival
from sklearn_mtl.tasks.task import TaskKind

KINDS: dict[str, type[TaskKind]] = {
    "regression": Regression,
    "classification": Classification,
    "multilabel": Multilabel,
    "ordinal": Ordinal,
    "survival": Survival,
}


def resolve_kind(name: str, kind: Any) -> TaskKind:
    """Return the kind of a task for itself or a short name.

    Parameters
    ----------
    name : str
        The task, for the message.
    kind : object
        What the user said.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(kind, TaskKind):
        return kind
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]()
    raise ValueError(
        f"`tasks` must map to one of {sorted(KINDS)} or a task object such as Regression(). "
        f"Found {kind!r} for task {name!r}."
    )
