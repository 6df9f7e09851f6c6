"""One task's labels, as they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Column:
    """One task's labels, as they were given.

    Parameters
    ----------
    name : str
        The task.
    values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The labels as numpy holds them: numbers and booleans in their own dtype, everything else as
        ``object``. What stands in a missing cell means nothing.
    missing : ndarray of bool, the shape of ``values``
        True where there is no label (NaN, None, NA, NaT).
    dtype : numpy dtype, pandas extension dtype or polars data type
        What the labels were given in, and what predictions go back to.
    """

    name: str
    values: np.ndarray
    missing: np.ndarray
    dtype: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    @property
    def known(self) -> np.ndarray:
        """The labels that are there, one after the other."""
        return self.values[~self.missing] if self.missing.any() else self.values.ravel()

    def take(self, rows: np.ndarray | slice) -> Column:
        """Return the column of the given rows.

        Parameters
        ----------
        rows : ndarray of int or bool, or slice
            Positions, a mask, or a range.
        """
        return Column(self.name, self.values[rows], self.missing[rows], self.dtype)
