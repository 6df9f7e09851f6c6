"""Which tasks are related, and how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from sklearn_mtl.messages import shown


def named_graph(graph: Any, names: Sequence[str]) -> Any:
    """Return a graph that says by name what an array says by place; any other as it is.

    Parameters
    ----------
    graph : object
        What the user gave.
    names : sequence of str
        Names of the tasks, in the user's order.

    Raises
    ------
    ValueError
        If an array is not of the shape (tasks, tasks).
    """
    if not isinstance(graph, np.ndarray) and not _is_nested(graph):
        return graph
    weights = _numbers(graph)
    if weights.shape != (len(names), len(names)):
        raise ValueError(
            f"`graph` of SoftSharing must have a row and a column for each of {len(names)} tasks. Found "
            f"shape {weights.shape}."
        )
    return pd.DataFrame(weights, index=list(names), columns=list(names))


def read_graph(graph: Any, names: Sequence[str]) -> np.ndarray:
    """Return how much each pair of tasks is related.

    Parameters
    ----------
    graph : None, DataFrame, mapping of str to sequence of str or sequence of pairs of str
        None for all pairs alike. A frame has a weight for each pair; the others name the pairs.
    names : sequence of str
        Names of the tasks, in the order of the result.

    Returns
    -------
    array of shape (tasks, tasks)
        Symmetric, not negative, of zeros on the diagonal.

    Raises
    ------
    ValueError
        If it is none of these, names unknown tasks, is not symmetric or has negative numbers.
    """
    if graph is None:
        weights = np.ones((len(names), len(names)))
    elif isinstance(graph, pd.DataFrame):
        weights = _weights_of_frame(graph, names)
    else:
        weights = _weights_of_pairs(graph, names)
    np.fill_diagonal(weights, 0)
    return weights


def graph_without(graph: Any, names: Sequence[str]) -> Any:
    """Return a graph that names tasks without some of them; what ties none of them as it is.

    Parameters
    ----------
    graph : object
        As `read_graph` takes it.
    names : sequence of str
        The tasks to leave out.
    """
    if isinstance(graph, pd.DataFrame):
        return graph.drop(index=list(names), columns=list(names), errors="ignore")
    if graph is None or isinstance(graph, np.ndarray) or _is_nested(graph):
        return graph
    return [pair for pair in _pairs(graph) if not {*pair} & {*names}]


def tied_groups(graph: np.ndarray) -> list[int]:
    """Return for each task the first of those that it is tied to, by way of others too.

    Parameters
    ----------
    graph : array of shape (tasks, tasks)
    """
    _, labels = connected_components(graph, directed=False)
    _, firsts = np.unique(labels, return_index=True)
    groups: list[int] = firsts[labels].tolist()
    return groups


def laplacian_root(graph: np.ndarray) -> np.ndarray:
    """Return the symmetric root of a graph's Laplacian, whose eigenvalues other than 0 have a mean of 1.

    Where all tasks are tied alike, it takes their mean off: each task is drawn to the mean with one strength,
    whatever their number.

    Parameters
    ----------
    graph : array of shape (tasks, tasks)
        Symmetric, not all 0.
    """
    values, vectors = np.linalg.eigh(np.diag(graph.sum(1)) - graph)
    n_groups = len({*tied_groups(graph)})
    roots = np.sqrt(np.maximum(values * (len(graph) - n_groups) / values.sum(), 0))
    roots[:n_groups] = 0
    root: np.ndarray = (vectors * roots) @ vectors.T
    return root


def _weights_of_frame(graph: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    for axis in (graph.index, graph.columns):
        if sorted(map(str, axis)) != sorted(names):
            raise ValueError(
                f"`graph` of SoftSharing must have the tasks {shown(list(names))} as rows and columns. Found "
                f"{shown(list(axis))}."
            )
    weights = _numbers(graph.loc[list(names), list(names)])
    if not (np.isfinite(weights).all() and (weights >= 0).all() and np.allclose(weights, weights.T)):
        raise ValueError(
            "`graph` of SoftSharing must be symmetric, with finite weights that are not negative. Found "
            f"{shown(graph.to_numpy().tolist())}."
        )
    return weights


def _weights_of_pairs(graph: Any, names: Sequence[str]) -> np.ndarray:
    weights = np.zeros((len(names), len(names)))
    for pair in _pairs(graph):
        unknown = [name for name in pair if name not in names]
        if unknown:
            raise ValueError(
                f"`graph` of SoftSharing must relate tasks, which are {shown(list(names))}. Found "
                f"{shown(unknown[0])}."
            )
        one, other = map(names.index, pair)
        weights[one, other] = weights[other, one] = 1
    return weights


def _pairs(graph: Any) -> list[tuple[Any, Any]]:
    """Return the pairs that a mapping or a sequence names."""
    pairs: list[Any] = []
    if isinstance(graph, Mapping):
        pairs = [(name, other) for name, others in graph.items() for other in _several(others, graph)]
    elif isinstance(graph, Sequence) and not isinstance(graph, str):
        pairs = [tuple(_several(pair, graph)) for pair in graph]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise _unreadable(graph)
    return pairs


def _several(names: Any, graph: Any) -> list[Any]:
    if isinstance(names, str) or not isinstance(names, Sequence | set | frozenset):
        raise _unreadable(graph)
    return list(names)


def _is_nested(graph: Any) -> bool:
    """Whether a graph is an array written as lists of numbers."""
    return isinstance(graph, list | tuple) and any(
        isinstance(row, list | tuple) and not any(isinstance(each, str) for each in row) for row in graph
    )


def _numbers(graph: Any) -> np.ndarray:
    try:
        return np.array(graph, dtype=float)
    except (TypeError, ValueError) as error:
        raise _unreadable(graph) from error


def _unreadable(graph: Any) -> ValueError:
    return ValueError(
        "`graph` of SoftSharing must be None, a table of weights with a row and a column for each task, a "
        "mapping from a task to the tasks that it is related to, or a sequence of pairs of tasks. Found "
        f"{shown(graph)}."
    )
