"""A user's transformer before the network, as skl2onnx writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_mtl.export.classes import extra
from sklearn_mtl.export.onnx_graph import ML, ML_VERSION, behind, made_private
from sklearn_mtl.export.onnx_rows import (
    NUMBER,
    NUMBERS,
    TABLE,
    OnnxInputs,
    columns_of_text,
    matrix_of,
    numbers_of,
)
from sklearn_mtl.features import takes_texts
from sklearn_mtl.inference.exported import (
    OPSET,
    CannotBeHeld,
    Predictor,
    TableEncoding,
    TablePredictor,
    onnx_model,
    trees_put_in,
)
from sklearn_mtl.messages import shown


class TransformedInputs(OnnxInputs):
    """The columns of a table, which a user's transformer encodes, as skl2onnx writes it.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator, its ``preprocessing`` a transformer.
    X : object or None
        Rows that say which columns of a frame are texts; without them all are numbers.

    Raises
    ------
    CannotBeHeld
        If skl2onnx or onnxruntime can't hold the transformer.
    """

    def __init__(self, estimator: Any, X: Any) -> None:
        super().__init__(estimator)
        if takes_texts(self.encoder.preprocessing):
            raise CannotBeHeld(f"{shown(type(self.encoder.preprocessing).__name__)}, which takes texts")
        names = getattr(estimator, "feature_names_in_", None)
        self.names = None if names is None else list(map(str, names))
        table = None if X is None else self._read(X)
        self.text = [] if self.names is None or table is None else columns_of_text(table)
        self.front, self.dtype = self._converted()
        dtype = np.dtype(self.dtype).name
        if self.names is None:
            self.in_words[TABLE] = NUMBER.format(dtype, estimator.n_features_in_, "numbers")
        else:
            for name in self.names:
                kind = "text of shape (rows, 1)" if name in self.text else NUMBER.format(dtype, 1, "numbers")
                self.in_words[name] = kind

    def feed(self, X: Any) -> dict[str, np.ndarray]:
        """Return the columns; those that are texts as objects."""
        table = self._read(X)
        if self.names is None:
            return {TABLE: np.ascontiguousarray(matrix_of(table), dtype=self.dtype)}
        return {
            name: table[name].to_numpy(dtype=object)[:, None]
            if name in self.text
            else numbers_of(table, place).astype(self.dtype)
            for place, name in enumerate(self.names)
        }

    def model(self, predictor: Predictor, outputs: Sequence[str]) -> Any:
        """Return the model with the transformer before the network."""
        encoding = TableEncoding(self.encoder, after_transformer=True)
        whole = TablePredictor(encoding, predictor, self.encoder._row_shape[0])
        model = onnx_model(whole, whole.example_rows(), [NUMBERS], outputs)
        trees_put_in(model, list(predictor.networks))
        model = made_private(model)
        behind(self.front, model, NUMBERS)
        model.ir_version = max(model.ir_version, self.front.ir_version)
        return model

    def _converted(self) -> tuple[Any, type[np.floating]]:
        """Return the transformer as ONNX, of double precision where all of it can be had so."""
        found: Exception | None = None
        for dtype in (np.float64, np.float32):
            try:
                front = self._as_onnx(dtype)
                extra("onnxruntime", "onnx").InferenceSession(front.SerializeToString())
            except ImportError:
                raise
            # Converters raise errors of many kinds.
            except Exception as error:
                found = error
                continue
            return front, dtype
        first = next((line for line in str(found).splitlines() if line.strip()), "")
        name = type(self.encoder.transformer).__name__
        raise CannotBeHeld(f"{name}, of which skl2onnx says: {first.strip()[:200]}") from found

    def _as_onnx(self, dtype: type[np.floating]) -> Any:
        types = extra("skl2onnx.common.data_types", "onnx")
        number = types.DoubleTensorType if dtype is np.float64 else types.FloatTensorType
        if self.names is None:
            initial = [(TABLE, number([None, int(self.estimator.n_features_in_)]))]
        else:
            initial = [
                (name, (types.StringTensorType if name in self.text else number)([None, 1]))
                for name in self.names
            ]
        convert = extra("skl2onnx", "onnx").convert_sklearn
        opset = {"": OPSET, ML: ML_VERSION}
        converted = convert(self.encoder.transformer, initial_types=initial, target_opset=opset)
        # As it writes KNNImputer: such functions call each other by names that change before a network.
        if converted.functions:
            raise TypeError("it is made of functions, which cannot stand before a network")
        return converted
