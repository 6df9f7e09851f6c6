"""Labels or predictions of several tasks, as one thing that scikit-learn can split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import (
    are_numbers_of_one_dtype,
    as_array,
    check_lengths,
    frame_columns,
    is_frame,
    rows_as_objects,
)
from sklearn_mtl.targets.rows_by_name import RowsByName


class MultiTaskTarget(RowsByName):
    """Labels or predictions of several tasks, by name, over the same rows.

    A mapping from task to array that is also indexed by rows, so that ``train_test_split``,
    cross-validation and searches split it like an array. It never turns into one array by itself:
    tools for a single target would train or score on something nobody asked for. It is a dict, so that
    ``pandas.DataFrame(y)`` makes columns of its tasks, but its length is that of its arrays and it does
    not change.

    Parameters
    ----------
    data : mapping of str to array-like of shape (n_rows, ...), or DataFrame of pandas or polars
        At least one task; all of the same length. Integer names of columns become their text.

    Raises
    ------
    TypeError
        If ``data`` is no mapping and no frame, or a name no string.
    ValueError
        If there is no task, two have one name, or the lengths differ.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskTarget
    >>> y = MultiTaskTarget({"price": [1.0, 2.0, 3.0], "type": ["a", "b", "a"]})
    >>> y["price"]
    array([1., 2., 3.])
    >>> y[[0, 2]]["type"].tolist()
    ['a', 'a']
    >>> len(y), list(y)
    (3, ['price', 'type'])
    """

    entry = "task"

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping) and not is_frame(data):
            raise TypeError(
                "`data` of MultiTaskTarget, if it is no DataFrame, must be a mapping. "
                f"Found {type(data).__name__}."
            )
        super().__init__(frame_columns(data) if is_frame(data) else data)
        check_lengths({name: len(values) for name, values in self.items()})

    @classmethod
    def _as_rows(cls, name: str, values: Any) -> Any:
        return as_array(values)

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as scikit-learn looks for it."""
        return (len(self),)

    def __eq__(self, other: object) -> bool:
        """Whether names and values are the same; a missing label equals a missing label."""
        if not isinstance(other, Mapping) or set(other) != set(self):
            return False
        return all(_equal(values, as_array(other[name])) for name, values in self.items())

    def __ne__(self, other: object) -> bool:
        """Whether names or values differ."""
        return not self == other

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Refuse: there is no one array of several tasks."""
        raise TypeError(self._refusal("is not a single array"))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Join the parts that ``cross_val_predict`` collects; refuse every other numpy function."""
        axis = kwargs.get("axis", args[1] if len(args) > 1 else 0)
        if function is np.concatenate and axis == 0:
            return self._joined(args[0])
        raise TypeError(self._refusal(f"can't go through numpy.{function.__name__}"))

    def to_frame(self, index: Any = None) -> pd.DataFrame:
        """Return the tasks as columns, a two-dimensional one as ``name_0``, ``name_1`` and so on.

        One of more dimensions, such as a class for each pixel, is a column that holds an array for each row.

        Parameters
        ----------
        index : array-like of length n_rows, optional
            Index of the frame.

        Returns
        -------
        pandas.DataFrame
        """
        if are_numbers_of_one_dtype([v.dtype if v.ndim == 1 else None for v in self.values()]):
            # As one block: pandas takes long to check each of many columns.
            block = np.array(list(self.values()))
            return pd.DataFrame(block.T, columns=list(self), index=index, copy=False)
        columns: dict[str, Any] = {}
        for name, values in self.items():
            if values.ndim == 1:
                columns[name] = _as_pandas(values, index)
            elif values.ndim == 2:
                columns.update({f"{name}_{i}": values[:, i] for i in range(values.shape[1])})
            else:
                columns[name] = rows_as_objects(list(values))
        return pd.DataFrame(columns, index=index)

    def _refusal(self, what: str) -> str:
        first = next(iter(self))
        return (
            f"A MultiTaskTarget of the tasks {shown(list(self))} {what}. Take one task, "
            f"y[{shown(first)}]; tools "
            f"for a single target, such as Bagging, Voting or Stacking, take est.task({shown(first)}) "
            "of a fitted "
            "estimator and y of that task; scorers of one task are made by "
            f"sklearn_mtl.model_selection.task_scorer({shown(first)}, ...)."
        )

    @classmethod
    def _joined(cls, parts: Sequence[MultiTaskTarget]) -> Self:
        names = list(next(part for part in parts if isinstance(part, MultiTaskTarget)))
        for part in parts:
            if not isinstance(part, MultiTaskTarget) or set(part) != set(names):
                found = list(part) if isinstance(part, MultiTaskTarget) else type(part).__name__
                raise TypeError(
                    "A MultiTaskTarget is only joined with others of the same tasks. "
                    f"Found {shown(names)} and {found}."
                )
        return cls({name: _concatenate([part[name] for part in parts]) for name in names})


def _as_pandas(values: Any, index: Any) -> Any:
    """Return objects as a Series of objects; pandas would infer a dtype of its own, such as text."""
    return pd.Series(values, index=index, dtype=object) if values.dtype == object else values


def _equal(left: Any, right: Any) -> bool:
    if left.shape != right.shape:
        return False
    left, right = np.asarray(left, dtype=object), np.asarray(right, dtype=object)
    if any(isinstance(row, np.ndarray | list | tuple) for row in left.ravel()[:1]):
        return all(map(np.array_equal, left, right))
    gaps, others = pd.isna(left), pd.isna(right)
    return bool((gaps == others).all()) and bool((left[~gaps] == right[~gaps]).all())


def _concatenate(parts: Sequence[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return pd.concat([pd.Series(part) for part in parts], ignore_index=True).array
