"""Values of several things over the same rows, as one thing that scikit-learn can split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import issparse

from sklearn_mtl.messages import shown


class RowsByName(dict[str, Any], ABC):
    """A mapping from name to values that is also indexed by rows, and does not change.

    It is a dict, but its length is that of its values, so that ``train_test_split``, cross-validation and
    searches split it like an array. What it holds is said by a subclass.

    Parameters
    ----------
    data : mapping of str to object
        At least one entry; all of the same length.
    """

    #: What an entry is called in messages.
    entry: str

    def __init__(self, data: Mapping[str, Any]) -> None:
        owner = type(self).__name__
        for name in data:
            if not isinstance(name, str):
                raise TypeError(f"{self.entry.capitalize()} names must be strings. Found {shown(name)}.")
        super().__init__({name: self._as_rows(name, values) for name, values in data.items()})
        if not self.keys():
            raise ValueError(f"`data` of {owner} must hold at least one {self.entry}. Found none.")

    @classmethod
    @abstractmethod
    def _as_rows(cls, name: str, values: Any) -> Any:
        """Return the values of one entry as what has a length, and as what `_take` takes rows."""

    @staticmethod
    def _take(values: Any, rows: Any) -> Any:
        """Return some rows of the values of one entry: a slice, positions or a mask."""
        return values[rows]

    def __len__(self) -> int:
        """Return the number of rows, not of entries."""
        return _n_rows(next(iter(self.values())))

    def __getitem__(self, key: Any) -> Any:
        """Return an entry's values for a name, the rows as one of this for anything else."""
        if isinstance(key, str):
            if key not in self:
                raise KeyError(
                    f"There is no {self.entry} {shown(key)} here; those here are {shown(list(self))}."
                )
            return super().__getitem__(key)
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if isinstance(key, int | np.integer):
            return {name: self._take(values, key) for name, values in self.items()}
        rows = key if isinstance(key, slice) else np.asarray(key)
        # An empty list is an array of floats to numpy, which can't index.
        if not isinstance(rows, slice) and rows.size == 0:
            rows = rows.astype(np.intp)
        if isinstance(key, tuple) or not (
            isinstance(rows, slice) or (rows.ndim == 1 and rows.dtype.kind in "iub")
        ):
            raise TypeError(
                f"A {type(self).__name__} is indexed by the name of one {self.entry}, or by rows: an "
                f"integer, a slice, positions or a mask. Found {shown(key)}."
            )
        return type(self)({name: self._take(values, rows) for name, values in self.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what it is made from, for copies and pickles."""
        return type(self), (dict(self.items()),)

    def _refuse_change(self, *args: Any, **kwargs: Any) -> NoReturn:
        owner = type(self).__name__
        raise TypeError(
            f"A {owner} does not change: other values make another one, {owner}({{**old, name: values}})."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse_change
    clear = pop = popitem = setdefault = update = _refuse_change

    def __repr__(self) -> str:
        """Describe each entry in a line."""
        lines = [f"  {name}: {_described(values)}" for name, values in list(self.items())[:10]]
        if len(self.keys()) > len(lines):
            lines.append(f"  ... {len(self.keys()) - len(lines)} more {self.entry}s")
        return "\n".join([f"{type(self).__name__} of {len(self)} rows", *lines])


def _described(values: Any) -> str:
    kind = values.dtype if hasattr(values, "dtype") else type(values).__name__
    return f"{kind}, {' x '.join(map(str, getattr(values, 'shape', (len(values),))))}"


def _n_rows(values: Any) -> int:
    # A sparse matrix has a shape, but no length; the shape of files would have one of them read.
    return int(values.shape[0]) if issparse(values) else len(values)
