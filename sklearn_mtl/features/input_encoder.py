"""The encoder of one input that is images, sequences, texts or what a user makes blocks of."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_mtl.features.accepted import AcceptedInput
from sklearn_mtl.features.encoding import Encoder, spaced
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.ragged import RaggedRows
from sklearn_mtl.features.spec import Block, FeatureSpec
from sklearn_mtl.features.table import take_rows
from sklearn_mtl.messages import shown


class InputEncoder(Encoder):
    """Encode X with an `InputPreprocessing`.

    Parameters
    ----------
    preprocessing : object
        As the user gave it; ``"auto"`` may stand for the kind.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks of numbers.
    kind : InputPreprocessing
        What encodes; it is cloned.

    Attributes
    ----------
    kind : InputPreprocessing
        After ``fit``: the clone, fitted.

    Examples
    --------
    >>> from sklearn_mtl.features import ImagePreprocessing
    >>> images = np.zeros((5, 1, 8, 8))
    >>> encoder = InputEncoder("auto", np.float32, ImagePreprocessing()).fit(images)
    >>> encoder.spec.is_image, encoder.transform(images)["x"].shape
    (True, (5, 1, 8, 8))
    """

    def __init__(self, preprocessing: Any, dtype: type[np.floating], kind: InputPreprocessing) -> None:
        super().__init__(preprocessing, dtype)
        self.kind = kind

    @property
    def accepted(self) -> AcceptedInput:
        """What reads X."""
        return AcceptedInput(kind=self.kind)

    def fit(
        self,
        X: Any,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        y: np.ndarray | None = None,
    ) -> InputEncoder:
        """Fit to rows; see `Encoder.fit`. Labels are not used."""
        places = np.arange(len(X)) if rows is None else rows
        if sample_weight is not None:
            places = places[np.asarray(sample_weight) > 0]
        chosen = spaced(places, self.kind.most_rows_to_fit)
        self.kind = clone(self.kind).fit(take_rows(X, slice(None) if len(chosen) == len(X) else chosen))
        self.spec = FeatureSpec(tuple(self.kind.blocks()))
        return self

    def transform(self, X: Any, rows: np.ndarray | slice | None = None) -> dict[str, Any]:
        """Encode X; see `Encoder.transform`. Axes that vary are as long as these rows are."""
        encoded = self.kind.encode(take_rows(X, slice(None) if rows is None else rows))
        return {block.name: self._checked(encoded[block.name], block) for block in self.spec.blocks}

    def look_over(self, X: Any) -> None:
        """Warn of rows that are unlike those of ``fit``."""
        self.kind.look_over(X)

    def _checked(self, values: Any, block: Block) -> np.ndarray | RaggedRows:
        start = 1 if block.varies else 0
        if values.shape[1 + start :] != block.shape[start:]:
            raise ValueError(
                f"Rows of `X` must have shape {shown(block.shape)}, as in `fit`"
                f"{', but for their length' if block.varies else ''}. Found {values.shape[1:]}."
            )
        dtype = self.dtype if block.kind in ("float", "present") else np.int64
        is_narrowed = dtype == np.float32 and _numbers(values).dtype == np.float64
        # Numbers that do not fit become infinite, and are reported next.
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(values, RaggedRows):
                found: Any = values.astype(dtype, copy=False)
            else:
                found = np.require(values, dtype, ["C", "W"])
            if is_narrowed and not np.isfinite(_numbers(found).sum()):
                _refuse_not_finite(_numbers(found))
        return found


def _numbers(values: Any) -> np.ndarray:
    return values.values if isinstance(values, RaggedRows) else np.asarray(values)


def _refuse_not_finite(numbers: np.ndarray) -> None:
    if not np.isfinite(numbers).all():
        raise ValueError(
            "Input X after preprocessing contains infinity or a value too large for dtype('float32'). Divide "
            "`X` by a constant."
        )
