"""Labels or predictions of several tasks, as one thing that scikit-learn can split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd

from sklearn_mtl.messages import shown
from sklearn_mtl.targets.column import (
    are_numbers_of_one_dtype,
    as_array,
    check_lengths,
    frame_columns,
    is_frame,
)


class MultiTaskTarget(dict[str, Any]):
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

    __hash__ = None

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping) and not is_frame(data):
            raise TypeError(
                "`data` of MultiTaskTarget, if it is no DataFrame, must be a mapping. "
                f"Found {type(data).__name__}."
            )
        given = frame_columns(data) if is_frame(data) else data
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"Task names must be strings. Found {shown(name)}.")
        super().__init__({name: as_array(given[name]) for name in given})
        if not self.keys():
            raise ValueError("`data` of MultiTaskTarget must hold at least one task. Found none.")
        check_lengths({name: len(values) for name, values in self.items()})

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as scikit-learn looks for it."""
        return (len(self),)

    def __len__(self) -> int:
        """Return the number of rows, not of tasks."""
        return len(next(iter(self.values())))

    def __getitem__(self, key: Any) -> Any:
        """Return a task's array for a name, the rows as a MultiTaskTarget for anything else."""
        if isinstance(key, str):
            if key not in self:
                raise KeyError(f"There is no task {shown(key)}; the tasks are {shown(list(self))}.")
            return super().__getitem__(key)
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if isinstance(key, int | np.integer):
            return {name: values[key] for name, values in self.items()}
        rows = key if isinstance(key, slice) else np.asarray(key)
        # An empty list is an array of floats to numpy, which can't index.
        if not isinstance(rows, slice) and rows.size == 0:
            rows = rows.astype(np.intp)
        if isinstance(key, tuple) or not (
            isinstance(rows, slice) or (rows.ndim == 1 and rows.dtype.kind in "iub")
        ):
            raise TypeError(
                "A MultiTaskTarget is indexed by the name of one task, or by rows: an integer, a slice, "
                f"positions or a mask. Found {shown(key)}."
            )
        return type(self)({name: values[rows] for name, values in self.items()})

    def __eq__(self, other: object) -> bool:
        """Whether names and values are the same; a missing label equals a missing label."""
        if not isinstance(other, Mapping) or set(other) != set(self):
            return False
        return all(_equal(values, as_array(other[name])) for name, values in self.items())

    def __ne__(self, other: object) -> bool:
        """Whether names or values differ."""
        return not self == other

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what it is made from, for copies and pickles."""
        return type(self), (dict(self.items()),)

    def _refuse_change(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "A MultiTaskTarget does not change: other labels make another one, "
            "MultiTaskTarget({**y, name: labels})."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Refuse: there is no one array of several tasks."""
        raise TypeError(self._refusal("is not a single array"))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Join the parts that ``cross_val_predict`` collects; refuse every other numpy function."""
        axis = kwargs.get("axis", args[1] if len(args) > 1 else 0)
        if function is np.concatenate and axis == 0:
            return self._joined(args[0])
        raise TypeError(self._refusal(f"can't go through numpy.{function.__name__}"))

    def __repr__(self) -> str:
        """Describe each task in a line."""
        lines = [
            f"  {name}: {values.dtype}, {' x '.join(map(str, values.shape))}"
            for name, values in list(self.items())[:10]
        ]
        if len(self.keys()) > len(lines):
            lines.append(f"  ... {len(self.keys()) - len(lines)} more tasks")
        return "\n".join([f"MultiTaskTarget of {len(self)} rows", *lines])

    def to_frame(self, index: Any = None) -> pd.DataFrame:
        """Return the tasks as columns, a two-dimensional one as ``name_0``, ``name_1`` and so on.

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
            else:
                flat = values.reshape(len(values), -1)
                columns.update({f"{name}_{i}": flat[:, i] for i in range(flat.shape[1])})
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
