"""Sequences as input."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from torch.utils.data import Dataset

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.ragged import RaggedRows
from sklearn_mtl.features.reading import unmasked
from sklearn_mtl.features.rows_of_values import (
    first_there,
    floats_for,
    is_column,
    naming_row,
    of_tensor,
    refuse_mappings,
)
from sklearn_mtl.features.scaling import Scaling, scaling_of
from sklearn_mtl.features.spec import OF_LENGTHS, Block
from sklearn_mtl.features.streamed import StreamedRows, streamed_rows
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import is_frame

# As numpy and torch name them.
BYTES = ("uint8", "torch.uint8")

_RULE = (
    "`X` must hold sequences of numbers, each of shape (steps,) or (steps, channels) with at least one step."
)


class SequencePreprocessing(InputPreprocessing):
    """Sequences: an array of shape (rows, steps, channels), or a list of arrays of unequal lengths.

    A list, an object array or a Series holds an array for each row, (steps, channels), or (steps,) where
    there is one channel; how many steps a row has may differ, also between ``fit`` and ``predict``. All rows
    have the same channels, finite numbers, and one step at least; of frames, whose columns are channels, the
    names are compared. A memory map or a Dataset of sequences of
    one length is read batch by batch.

    Rows become ``"x"``. Where ``fit`` was given a list they are filled up with zeros at the end, to the
    longest of those that are encoded together, and ``"x_lengths"`` says how many steps of each are real. Rows
    of very unequal lengths stay as they are in memory, and are filled up batch by batch.

    Parameters
    ----------
    scale : bool, default=True
        Whether each channel is given mean 0 and variance 1 over all steps of the training rows. A channel of
        nothing but 0 and 1 stays as it is.

    Attributes
    ----------
    n_channels_ : int
        Number of channels.
    n_steps_ : int
        Length of the longest row in ``fit``.
    varies_ : bool
        Whether rows may have other lengths than those of ``fit``, which was given a list.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn_mtl.features import SequencePreprocessing
    >>> X = SequencePreprocessing().read(BaseEstimator(), [[1.0, 3.0], [5.0]], reset=True)
    >>> encoded = SequencePreprocessing(scale=False).fit(X).encode(X)
    >>> encoded["x"][:].tolist(), encoded["x_lengths"].tolist()
    ([[[1.0], [3.0]], [[5.0], [0.0]]], [2, 1])
    """

    n_channels_: int
    n_steps_: int
    varies_: bool
    scaling_: Scaling | None

    def __init__(self, *, scale: bool = True) -> None:
        self.scale = scale

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X has three axes, or is a list of sequences of numbers."""
        if hasattr(X, "ndim") and X.ndim != 1:
            return bool(X.ndim == 3)
        if not is_column(X):
            return False
        axes = _n_axes(first_there(X))
        if axes != 1:
            return axes == 2
        # A list of rows of one length is a table.
        return not isinstance(X, list | tuple) or len({len(row) for row in X if _n_axes(row) == 1}) > 1

    def warn_of_guess(self, X: Any) -> None:
        """Warn of rows of bytes, of two axes and one shape, which grey images are."""
        if (shape := _shape_of_bytes(X)) is not None:
            warn_caller(
                f"The rows of `X`, of shape {shape}, hold bytes, as images do. Rows of two axes are taken "
                f"for sequences, here of {shape[0]} steps with {shape[1]} channels; grey images need an axis "
                "for their channel, `X[:, None]` of an array, or preprocessing=ImagePreprocessing()."
            )

    def read(
        self, estimator: BaseEstimator, X: Any, *, reset: bool
    ) -> np.ndarray | RaggedRows | StreamedRows:
        """Return the rows: an array of three axes as it is, and a list as `RaggedRows`."""
        refuse_mappings(X)
        columns = None
        if isinstance(X, np.memmap | Dataset):
            rows: Any = streamed_rows(X, allow_nan=False)
        elif isinstance(X, list | tuple) or len(getattr(X, "shape", ())) == 1:
            columns = _columns_of(list(X))
            rows = _read_each(list(X))
        else:
            rows = _read_array(X)
        if len(rows.shape) != 3:
            raise ValueError(f"{_RULE} Found rows of shape {rows.shape[1:]}.")
        self._note_channels(estimator, rows.shape[2], reset=reset)
        _note_columns(estimator, columns, reset=reset)
        return rows

    def _note_channels(self, estimator: BaseEstimator, n_channels: int, *, reset: bool) -> None:
        """Record the number of channels as that of features, or compare it."""
        if reset:
            estimator.n_features_in_ = n_channels
            return
        expected = getattr(estimator, "n_features_in_", n_channels)
        if n_channels != expected:
            raise ValueError(
                f"The sequences of `X` must have {expected} channels, as in `fit`. Found {n_channels}."
            )

    def fit(self, X: np.ndarray | RaggedRows) -> Self:
        """Learn the number of channels and their scales, and how long sequences are."""
        if not isinstance(self.scale, bool | np.bool_):
            raise ValueError(
                f"`scale` of SequencePreprocessing must be True or False. Found {shown(self.scale)}."
            )
        _, self.n_steps_, self.n_channels_ = X.shape
        self.varies_ = isinstance(X, RaggedRows)
        steps = X.values if isinstance(X, RaggedRows) else X.reshape(-1, self.n_channels_)
        self.scaling_ = scaling_of(steps) if self.scale else None
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return the block of numbers, and that of lengths where these vary."""
        values = Block("x", (self.n_steps_, self.n_channels_), varies=self.varies_)
        return (values, Block("x" + OF_LENGTHS, (), "lengths")) if self.varies_ else (values,)

    def encode(self, X: np.ndarray | RaggedRows) -> dict[str, Any]:
        """Return the sequences, scaled, and their lengths."""
        if isinstance(X, RaggedRows):
            self._check_lengths(X.lengths)
            return {"x": X.with_values(self._scaled(X.values)), "x" + OF_LENGTHS: X.lengths}
        lengths = np.full(len(X), X.shape[1], dtype=np.int64)
        return {"x": self._scaled(X), "x" + OF_LENGTHS: lengths}

    def _check_lengths(self, lengths: np.ndarray) -> None:
        """Raise a ``ValueError`` where the network was fitted to rows of one length, and there are others."""
        others = lengths[lengths != self.n_steps_]
        if not self.varies_ and len(others):
            raise ValueError(
                f"Rows of `X` must have shape {(self.n_steps_, self.n_channels_)}, as in `fit`; they may be "
                f"of other lengths where `fit` is given a list. Found {(int(others[0]), self.n_channels_)}."
            )

    def _scaled(self, steps: np.ndarray) -> np.ndarray:
        if self.scaling_ is None:
            return steps
        # In single precision what varies a little about a large mean would be lost.
        scaled: Any = self.scaling_.scaled(steps)
        return scaled


def _columns_of(rows: list[Any]) -> list[Any] | None:
    """Return the columns of sequences that are frames; None where none is. All have them in one order."""
    columns: list[Any] | None = None
    first = 0
    for place, row in enumerate(rows):
        found = list(row.columns) if is_frame(row) else None
        if found is None or found == columns:
            continue
        if columns is not None:
            raise ValueError(
                "All sequences of `X` that are frames must have the same columns, in the same order. Found "
                f"{shown(columns)} in row {first} and {shown(found)} in row {place}."
            )
        columns, first = found, place
    return columns


def _note_columns(estimator: BaseEstimator, columns: list[Any] | None, *, reset: bool) -> None:
    """Record the columns of frames as names of features, as scikit-learn does, or compare them."""
    named = columns is not None and all(isinstance(column, str) for column in columns)
    if reset:
        if named:
            estimator.feature_names_in_ = np.array(columns, dtype=object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    expected = getattr(estimator, "feature_names_in_", None)
    if named and expected is not None and list(expected) != columns:
        raise ValueError(
            "The sequences of `X` must have the columns of `fit`, in their order: "
            f"{shown(list(expected))}. Found {shown(columns)}."
        )


def _read_array(X: Any) -> np.ndarray:
    """Return an array of three axes; one of two holds sequences of one channel."""
    X = unmasked(of_tensor(X))
    try:
        with naming_row(X):
            found: np.ndarray = check_array(X, dtype=floats_for(X), allow_nd=True, input_name="X")
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(f"{_RULE} Found what is no number: {error}.") from None
    return found[..., None] if found.ndim == 2 else found


def _read_each(rows: list[Any]) -> RaggedRows:
    """Return sequences that are given one by one."""
    if not rows:
        raise ValueError(f"{_RULE} Found no row.")
    read = [_read_one(row, place) for place, row in enumerate(rows)]
    channels = {len(row[0]): place for place, row in reversed([*enumerate(read)])}
    if len(channels) > 1:
        (one, first), (other, second) = sorted(channels.items(), key=lambda item: item[1])[:2]
        raise ValueError(
            f"All sequences of `X` must have the same channels. Found {one} in row {first} and {other} in "
            f"row {second}."
        )
    found = RaggedRows.of(read)
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = np.isfinite(found.values.sum())
    if not is_finite and not (finite := np.isfinite(found.values).all(1)).all():
        place = int(np.searchsorted(np.cumsum(found.lengths), np.argmin(finite), side="right"))
        raise ValueError(
            f"Input X contains NaN or infinity. The sequences of `X` must be finite. Found it in row {place}."
        )
    return found


def _read_one(row: Any, place: int) -> np.ndarray:
    """Return one sequence, (steps, channels)."""
    try:
        values = np.asarray(unmasked(of_tensor(row)))
        if values.dtype == object and hasattr(row, "to_list"):
            # A Series of polars whose steps are lists.
            values = np.asarray(row.to_list())
        values = values.astype(floats_for(values), copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"{_RULE} Found {shown(row)} in row {place}.") from None
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ValueError(f"{_RULE} Found one of shape {values.shape} in row {place}.")
    return values.reshape(len(values), -1)


def _shape_of_bytes(X: Any) -> tuple[int, ...] | None:
    """Return the one shape of rows that are bytes of two axes; None where they are anything else."""
    if getattr(X, "ndim", 0) == 3:
        return tuple(X.shape[1:]) if str(getattr(X, "dtype", "")) in BYTES else None
    if not is_column(X):
        return None
    kinds = {(str(getattr(row, "dtype", "")), tuple(getattr(row, "shape", ()))) for row in X}
    dtype, shape = next(iter(kinds))
    return shape if len(kinds) == 1 and dtype in BYTES and len(shape) == 2 else None


def _n_axes(value: Any) -> int:
    """Return the number of axes of one sequence; 0 for a number or a text, and -1 where rows are uneven."""
    try:
        return 0 if isinstance(value, str | bytes | dict | set) else np.ndim(value)
    except ValueError:
        return -1
