"""Several inputs, as one X that scikit-learn can split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from torch import Tensor

from sklearn_mtl.features.arrow_rows import ArrowRows
from sklearn_mtl.features.files import Files
from sklearn_mtl.features.frames_of_polars import from_polars
from sklearn_mtl.features.reading import is_polars
from sklearn_mtl.features.spec import SUFFIXES
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import RowsByName


class RowsOfList(np.ndarray):
    """Rows of a list, as an array that takes rows; it is read as the list would be."""


class MultiInput(RowsByName):
    """Several inputs over the same rows, by name: images, a table, texts.

    A mapping from input to array or frame that is also indexed by rows, so that ``train_test_split``,
    cross-validation and searches split it like an array. It is a dict, but its length is that of its inputs
    and it does not change.

    Parameters
    ----------
    data : mapping of str to object
        At least one input; all of the same length. A value is what X may be where there is one input: an
        array, a DataFrame of pandas or polars, a sparse matrix, a list or column of texts or sequences, or
        `Files`. A row that lacks an input has None there, or NaN in all numbers of an image or a sequence.

    Raises
    ------
    TypeError
        If ``data`` is no mapping, or a name no string.
    ValueError
        If there is no input, or the lengths differ, or a name is empty, has ``"."`` or ``"__"`` in it, or is
        one that the network has for a part of an input.

    Examples
    --------
    >>> from sklearn_mtl import MultiInput
    >>> X = MultiInput({"table": np.eye(3), "notes": ["fine", None, "a scratch"]})
    >>> X[[0, 2]]["notes"].tolist()
    ['fine', 'a scratch']
    >>> len(X), X.shape, list(X)
    (3, (3, 2), ['table', 'notes'])
    """

    entry = "input"

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise TypeError(
                "`data` of MultiInput must be a mapping from name to input. Found "
                f"{type(data).__name__}; a DataFrame is one input, a table."
            )
        for name in data:
            if isinstance(name, str) and (not name or name.endswith(SUFFIXES) or "__" in name or "." in name):
                raise ValueError(
                    f"The name of an input must not be empty, end in one of {list(SUFFIXES)}, nor have '__' "
                    f"or '.' in it. Found {shown(name)}."
                )
        super().__init__(data)
        lengths = {name: _n_rows(values) for name, values in self.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The inputs of X must have the same number of rows. Found {lengths}.")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of inputs: inputs are to several what columns are to a table."""
        return (len(self), len(self.keys()))

    @classmethod
    def _as_rows(cls, name: str, values: Any) -> Any:
        _refuse_row_groups(name, values)
        if isinstance(values, Tensor):
            return values.detach().cpu().numpy()
        if is_polars(values):
            return from_polars(values)
        if issparse(values):
            return values.tocsr()
        if isinstance(values, Files):
            return values
        if isinstance(values, np.ndarray | pd.DataFrame | pd.Series):
            if values.ndim == 0:
                raise TypeError(f"`data[{shown(name)}]` of MultiInput must hold rows. Found {shown(values)}.")
            return values
        if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
            raise TypeError(f"`data[{shown(name)}]` of MultiInput must hold rows. Found {shown(values)}.")
        if hasattr(values, "to_list"):
            values = values.to_list()
        rows = np.empty(len(values), dtype=object).view(RowsOfList)
        for place in range(len(values)):
            rows[place] = values[place]
        return rows

    @staticmethod
    def _take(values: Any, rows: Any) -> Any:
        return values.iloc[rows] if isinstance(values, pd.DataFrame | pd.Series) else values[rows]

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object: frames and images are not compared."""
        return self is other

    def __ne__(self, other: object) -> bool:
        """Whether it is another object."""
        return self is not other

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Refuse: there is no one array of several inputs."""
        first = next(iter(self))
        raise TypeError(
            f"A MultiInput of {shown(list(self))} is not a single array. Take one input, X[{shown(first)}]."
        )


def splittable_inputs(X: Any) -> Any:
    """Return X such that it can be split by rows: several inputs in a plain mapping as a MultiInput.

    Parameters
    ----------
    X : object
        Features as the user gave them.
    """
    return MultiInput(X) if isinstance(X, Mapping) and not isinstance(X, MultiInput) else X


def _n_rows(values: Any) -> int:
    # A sparse matrix has a shape, but no length.
    return int(values.shape[0]) if issparse(values) else len(values)


def _refuse_row_groups(name: str, values: Any) -> None:
    if isinstance(values, ArrowRows):
        raise TypeError(
            "One of several inputs must not be ArrowRows, whose rows are read by row groups. Found "
            f"{shown(name)}; `to_pandas()` reads it into memory."
        )
