"""Rows of an ONNX model: what they are, and the encoded ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.export.onnx_graph import WITHIN, made_private
from sklearn_mtl.export.programs import encoded_rows
from sklearn_mtl.features import SparseRows
from sklearn_mtl.inference.exported import Predictor, example_rows, onnx_model, trees_put_in

#: The one input of a table whose columns have no names.
TABLE = "X"
NUMBERS, CODES = WITHIN + "numbers", WITHIN + "codes"
EPOCH = np.datetime64("1970-01-01", "us")
NUMBER = "{} of shape (rows, {}): {}, NaN where missing"


class OnnxInputs(ABC):
    """What rows are to an ONNX model.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.

    Attributes
    ----------
    encoded : bool
        Whether the model takes encoded rows, so that whoever runs it must encode them.
    in_words : dict of str to str
        What the model takes, by name.
    missing_text : str
        What stands for a missing text.
    """

    encoded = False
    missing_text = ""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.encoder = estimator._fitted.encoder
        self.in_words: dict[str, str] = {}

    @abstractmethod
    def feed(self, X: Any) -> dict[str, np.ndarray]:
        """Return rows as the model takes them, by the name of the input.

        Parameters
        ----------
        X : object
            Rows as ``predict`` takes them.
        """

    @abstractmethod
    def model(self, predictor: Predictor, outputs: Sequence[str]) -> Any:
        """Return the ``onnx.ModelProto`` of a predictor.

        Parameters
        ----------
        predictor : Predictor
            From encoded rows to outputs.
        outputs : sequence of str
            The names of its outputs.
        """

    def _read(self, X: Any) -> Any:
        return self.encoder.accepted.read(self.estimator, X, reset=False)


class EncodedInputs(OnnxInputs):
    """The blocks of the network, for what encodes otherwise than ONNX can hold."""

    encoded = True

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        dtype = np.dtype(self.encoder.dtype).name
        for block in self.encoder.spec.blocks:
            own = dtype if block.kind in ("float", "present") else "int64"
            shape = ", ".join(["rows", *map(str, block.shape)])
            self.in_words[block.name] = f"{own} of shape ({shape}): encoded rows"

    def feed(self, X: Any) -> dict[str, np.ndarray]:
        """Return encoded rows."""
        return encoded_rows(self.estimator, X)

    def model(self, predictor: Predictor, outputs: Sequence[str]) -> Any:
        """Return the model of the network alone."""
        rows = example_rows(self.encoder.spec, np.dtype(self.encoder.dtype).name)
        model = onnx_model(predictor, rows, list(self.in_words), outputs)
        trees_put_in(model, list(predictor.networks))
        return made_private(model)


def matrix_of(table: Any) -> np.ndarray:
    """Return a table of numbers as float64; a sparse one is made dense, since ONNX has no such input."""
    if isinstance(table, SparseRows):
        table = table[:]
    if isinstance(table, np.ndarray) and table.dtype.kind in "biuf":
        return table.astype(np.float64)
    frame = pd.DataFrame(table)
    return np.hstack([numbers_of(frame, column) for column in range(frame.shape[1])])


def numbers_of(table: Any, column: int) -> np.ndarray:
    """Return a column as float64 of shape (rows, 1), times in seconds."""
    values = table.iloc[:, column] if isinstance(table, pd.DataFrame) else pd.Series(table[:, column])
    if values.dtype.kind == "M":
        found = (values - pd.Timestamp(EPOCH)) / pd.Timedelta(seconds=1)
    else:
        found = values.dt.total_seconds() if values.dtype.kind == "m" else values
    return found.to_numpy(dtype=np.float64, na_value=np.nan)[:, None]


def columns_of_text(table: Any) -> list[str]:
    """Return the names of the columns of a frame that are neither numbers nor booleans."""
    if not isinstance(table, pd.DataFrame):
        return []
    kinds: Mapping[Any, Any] = table.dtypes
    return [
        str(name)
        for name, dtype in kinds.items()
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
    ]
