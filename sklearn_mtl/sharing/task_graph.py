"""Graphs of tasks that read others, as parameters describe them: names, cycles and levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sklearn_mtl.messages import shown

#: By task, the tasks that it reads.
Graph = dict[str, tuple[str, ...]]


def graph_of(parameter: str, given: Any, names: Sequence[str]) -> Graph:
    """Return by task what it reads, given as an order of tasks or as a mapping.

    Parameters
    ----------
    parameter : str
        What the user calls it, for messages.
    given : sequence of str or mapping of str to str or sequence of str
        In an order each task reads all before it; a mapping says what each of its tasks reads.
    names : sequence of str
        All tasks.

    Raises
    ------
    ValueError
        If it is neither, or names a task twice, or one that is unknown.

    Examples
    --------
    >>> from sklearn_mtl.sharing.task_graph import graph_of
    >>> graph_of("order", ["a", "b", "c"], ["c", "b", "a"])
    {'a': (), 'b': ('a',), 'c': ('a', 'b')}
    >>> graph_of("order", {"c": "a"}, ["c", "b", "a"])
    {'c': ('a',)}
    """
    if _is_row(given):
        order = _names(parameter, given, names)
        return {name: tuple(order[:place]) for place, name in enumerate(order)}
    if not isinstance(given, Mapping):
        raise ValueError(
            f"`{parameter}` must be a list of names of tasks, or a mapping from a task to those that it "
            f"reads. Found {shown(given)}."
        )
    _names(parameter, list(given), names)
    return {task: tuple(_names(parameter, _row(read), names)) for task, read in given.items()}


def depths(
    parameter: str, reads: Mapping[str, tuple[str, ...]], same_level: Mapping[str, tuple[str, ...]]
) -> dict[str, int]:
    """Return the level of each task that a graph names: how many tasks lie before it on the longest way.

    Parameters
    ----------
    parameter : str
        What the user calls it, for messages, in backquotes.
    reads : mapping of str to tuple of str
        By task, the tasks of lower levels.
    same_level : mapping of str to tuple of str
        By task, tasks that must be known first, at the same level or a lower one.

    Raises
    ------
    ValueError
        If tasks wait for each other in a cycle, which the message names.

    Examples
    --------
    >>> from sklearn_mtl.sharing.task_graph import depths
    >>> depths("`order`", {"b": ("a",), "c": ("b", "a")}, {"d": ("c",)})
    {'a': 0, 'b': 1, 'c': 2, 'd': 2}
    """
    tasks = [*reads, *same_level]
    first = {task: {*reads.get(task, ()), *same_level.get(task, ())} for task in tasks}
    try:
        order = list(TopologicalSorter(first).static_order())
    except CycleError as error:
        cycle = " -> ".join(error.args[1])
        raise ValueError(
            f"{parameter} must have no cycle, in which a task waits for itself. Found {shown(cycle)}."
        ) from error
    found: dict[str, int] = {}
    for task in order:
        lower = [found[other] + 1 for other in reads.get(task, ())]
        found[task] = max([*lower, *(found[other] for other in same_level.get(task, ()))], default=0)
    return found


def without(given: Any, names: Iterable[str]) -> Any:
    """Return an order or a mapping, as `graph_of` takes them, without some of the tasks."""
    dropped = set(names)
    if _is_row(given):
        return [name for name in given if name not in dropped]
    if not isinstance(given, Mapping):
        return given
    kept = {task: [name for name in _row(read) if name not in dropped] for task, read in given.items()}
    return {task: read for task, read in kept.items() if task not in dropped}


def _names(parameter: str, given: Sequence[Any], names: Sequence[str]) -> list[str]:
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"`{parameter}` names unknown tasks {shown(unknown)}; the tasks are {shown([*names])}."
        )
    if len(set(given)) < len(given):
        raise ValueError(f"`{parameter}` must name a task once. Found {shown(list(given))}.")
    return list(given)


def _row(read: Any) -> Sequence[Any]:
    """Return the tasks that one reads, of which a single one may be given by its name alone."""
    return read if _is_row(read) else [read]


def _is_row(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str | bytes)
