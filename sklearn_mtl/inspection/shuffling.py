"""Columns and inputs of X whose rows are put into another order, in whatever container X is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import hstack, issparse

from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.features import MultiInput, splittable_inputs
from sklearn_mtl.messages import shown

# All of an X that has no columns: texts, images, sequences.
WHOLE = "X"


def with_columns_to_shuffle(X: Any) -> Any:
    """Return X in a container of which single columns, or inputs, can be shuffled.

    Parameters
    ----------
    X : object
        Features as the user gave them. A list of rows of equal length becomes an array, and a mapping of
        inputs a `MultiInput`.
    """
    if not isinstance(X, list | tuple):
        return splittable_inputs(X)
    try:
        rows = np.asarray(X)
    except ValueError:
        # Rows of unequal lengths.
        return X
    return rows if rows.ndim == 2 else X


def parts_of(X: Any) -> list[Hashable]:
    """Return what of X can be shuffled by itself.

    Parameters
    ----------
    X : object
        As `with_columns_to_shuffle` returns it.

    Returns
    -------
    list
        The names of the inputs, or of the columns of a frame; the positions of the columns of an array of two
        dimensions or a sparse matrix; of anything else `WHOLE` alone.
    """
    if isinstance(X, MultiInput):
        return list(X)
    if hasattr(X, "columns"):
        return list(X.columns)
    if issparse(X) or (isinstance(X, np.ndarray) and X.ndim == 2):
        return list(range(X.shape[1]))
    return [WHOLE]


def named_parts(X: Any, features: Any) -> dict[Any, list[Any]]:
    """Return the parts of X that are shuffled together, by the name of each such feature.

    Parameters
    ----------
    X : object
        As `with_columns_to_shuffle` returns it.
    features : None, sequence, or mapping from name to one part or a sequence of parts
        None for every part by itself. A part is one of `parts_of`, or the pair of an input and one of its
        parts.

    Raises
    ------
    ValueError
        If there is no such part, or no feature at all.
    """
    if features is None:
        return {_name(part): [part] for part in parts_of(X)}
    if not isinstance(features, Mapping):
        if isinstance(features, str) or not isinstance(features, Sequence | np.ndarray | pd.Index):
            raise ValueError(
                "`features` must be None, a sequence of columns, or a mapping from a name to the columns "
                f"that are shuffled together. Found {shown(features)}."
            )
        found = {_name(part): [part] for part in features}
    else:
        found = {name: [parts] if _is_part(X, parts) else _several(parts) for name, parts in features.items()}
    if not found or not all(found.values()):
        raise ValueError(
            f"`features` must name at least one column, as must each of its groups. Found {shown(features)}."
        )
    for parts in found.values():
        for part in parts:
            if not _is_part(X, part):
                raise ValueError(
                    f"`features` must be among those of X, {shown(parts_of(X))}. Found {shown(part)}."
                )
    return found


def shuffled(X: Any, parts: Sequence[Any], order: np.ndarray) -> Any:
    """Return X with some of its parts in another order of rows, all in the same; X stays as it is.

    Parameters
    ----------
    X : object
        As `with_columns_to_shuffle` returns it.
    parts : sequence
        Each one of `parts_of`, or the pair of an input and one of its parts.
    order : ndarray of int, shape (n_rows,)
        From which row each row gets these parts.
    """
    if isinstance(X, MultiInput):
        found = dict(X)
        for part in parts:
            if part in X:
                found[part] = _rows(X[part], order)
            else:
                name, within = part
                found[name] = shuffled(found[name], [within], order)
        return MultiInput(found)
    if isinstance(X, pd.DataFrame):
        # The columns that stay are not copied.
        frame = X.copy(deep=False)
        for part in parts:
            frame[part] = X[part].array[order]
        return frame
    if hasattr(X, "with_columns"):
        return X.with_columns(X.select(parts)[order].get_columns())
    if list(parts) == [WHOLE]:
        return _rows(X, order)
    if issparse(X):
        columns = X.tocsc()
        moved = columns[order]
        which = set(parts)
        return hstack([(moved if j in which else columns)[:, [j]] for j in range(X.shape[1])], format="csr")
    array = np.array(X)
    array[:, list(parts)] = X[order][:, list(parts)]
    return array


def _rows(values: Any, order: np.ndarray) -> Any:
    """Return rows in another order, which keep the index that says whose labels they stand beside."""
    taken = take_rows(values, order)
    return taken.set_axis(values.index) if isinstance(values, pd.DataFrame | pd.Series) else taken


def _is_part(X: Any, part: Any) -> bool:
    if isinstance(X, MultiInput) and isinstance(part, tuple) and len(part) == 2:
        name, within = part
        return name in X and within in parts_of(X[name]) and within != WHOLE
    return isinstance(part, Hashable) and part in parts_of(X)


def _several(parts: Any) -> list[Any]:
    are_several = isinstance(parts, Sequence | np.ndarray | pd.Index) and not isinstance(parts, str)
    return list(parts) if are_several else [parts]


def _name(part: Any) -> Any:
    """Return the name of a part in tables: x0, x1, … for the columns of an array."""
    if isinstance(part, tuple) and len(part) == 2:
        return f"{part[0]}: {_name(part[1])}"
    return f"x{part}" if isinstance(part, int | np.integer) and not isinstance(part, bool) else part
