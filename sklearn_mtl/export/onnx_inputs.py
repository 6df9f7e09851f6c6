"""How rows enter an ONNX model: as the user has them where it can hold the preprocessing, or encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_mtl.export.onnx_graph import columns_joined, made_private, onnx, value_info, with_inputs
from sklearn_mtl.export.onnx_rows import (
    CODES,
    NUMBER,
    NUMBERS,
    TABLE,
    EncodedInputs,
    OnnxInputs,
    matrix_of,
    numbers_of,
)
from sklearn_mtl.export.onnx_transformer import TransformedInputs
from sklearn_mtl.features import FeatureEncoder, is_built_in
from sklearn_mtl.features.codes import texts_of
from sklearn_mtl.inference.exported import (
    CannotBeHeld,
    Predictor,
    TableEncoding,
    TablePredictor,
    onnx_model,
    trees_put_in,
)
from sklearn_mtl.messages import shown

_IN_WORDS = {
    "date": "seconds since 1970-01-01 00:00{}",
    "date in text": "seconds since 1970-01-01 00:00 UTC",
    "duration": "seconds",
}


class TableInputs(OnnxInputs):
    """The columns of a table, which the model encodes itself.

    A frame has an input for each column, by its name; so has an array with texts, whose columns are ``x0``,
    ``x1``, …. An array of numbers is the one input ``X``.

    Raises
    ------
    CannotBeHeld
        If columns are encoded by something else than arithmetic and tables.
    """

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        encoder = self.encoder
        if len(encoder.spec.blocks[0].shape) != 1:
            raise CannotBeHeld("rows that are no rows of a table")
        self.encoding = TableEncoding(encoder)
        self.n_columns = int(estimator.n_features_in_)
        texts = {of.column for of in self.encoding.texts}
        self.numeric = [column for column in range(self.n_columns) if column not in texts]
        levels = [text for of in self.encoding.texts for text in of.texts]
        self.missing_text = _unused(levels)
        self._other_text = _unused([*levels, self.missing_text])
        names = getattr(estimator, "feature_names_in_", None)
        if names is None and not texts:
            self.names = None
            self.in_words[TABLE] = NUMBER.format("float64", self.n_columns, "numbers")
            return
        self.names = [f"x{i}" for i in range(self.n_columns)] if names is None else list(map(str, names))
        reader = encoder.transformer[0] if encoder.transformer is not None else None
        for column, name in enumerate(self.names):
            self.in_words[name] = (
                f"text of shape (rows, 1): {shown(self.missing_text)} where missing"
                if column in texts
                else NUMBER.format("float64", 1, _numbers_in_words(reader, column))
            )

    def feed(self, X: Any) -> dict[str, np.ndarray]:
        """Return the columns; those that are texts as objects, all others as float64."""
        table = self._read(X)
        if self.encoder.transformer is not None:
            table = self.encoder.transformer[0].transform(table)
        if self.names is None:
            return {TABLE: np.ascontiguousarray(matrix_of(table))}
        fed = {self.names[column]: numbers_of(table, column) for column in self.numeric}
        for of in self.encoding.texts:
            texts = texts_of(table, of.column)
            # A text that was no level, and stands for missing ones.
            known = np.where(texts == self.missing_text, self._other_text, texts)
            fed[self.names[of.column]] = np.where(pd.isna(texts), self.missing_text, known)[:, None]
        return fed

    def model(self, predictor: Predictor, outputs: Sequence[str]) -> Any:
        """Return the model with the preprocessing before the network."""
        whole = TablePredictor(self.encoding, predictor, len(self.numeric))
        rows = whole.example_rows()
        numbers = TABLE if self.names is None else NUMBERS
        model = onnx_model(whole, rows, [numbers, CODES][: len(rows)], outputs)
        trees_put_in(model, list(predictor.networks))
        model = made_private(model)
        if self.names is not None:
            self._put_columns_before(model, self.names)
        return model

    def _put_columns_before(self, model: Any, names: Sequence[str]) -> None:
        kinds = onnx().TensorProto
        texts = {of.column: of for of in self.encoding.texts}
        inputs = [
            value_info(name, kinds.STRING if column in texts else kinds.DOUBLE, 1)
            for column, name in enumerate(names)
        ]
        nodes = []
        if self.numeric:
            nodes += columns_joined([names[column] for column in self.numeric], NUMBERS)
        if texts:
            codes = [self._codes(of.texts) for of in texts.values()]
            nodes += columns_joined([names[column] for column in texts], CODES, text=codes)
        with_inputs(model, inputs, nodes)

    def _codes(self, texts: Sequence[str | None]) -> dict[str, int]:
        return {self.missing_text if text is None else text: code for code, text in enumerate(texts, 1)}


def inputs_of(estimator: Any, X: Any) -> tuple[OnnxInputs, str]:
    """Return how rows enter the model of an estimator, and what could not be held, or nothing.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    X : object or None
        Some rows as ``predict`` takes them.
    """
    encoder = estimator._fitted.encoder
    try:
        if type(encoder) is not FeatureEncoder:
            raise CannotBeHeld("images, sequences, texts or several inputs")
        if is_built_in(encoder.preprocessing):
            return TableInputs(estimator), ""
        return TransformedInputs(estimator, X), ""
    except CannotBeHeld as error:
        return EncodedInputs(estimator), str(error)


def _unused(texts: Sequence[str | None]) -> str:
    """Return a text for missing values: the empty one, unless that is a level itself."""
    found = ""
    while found in texts:
        found = f"<{found.strip('<>') or 'missing'}>" if not found else f"<{found}>"
    return found


def _numbers_in_words(reader: Any, column: int) -> str:
    if reader is None:
        return "numbers"
    zone = reader.zones_[column]
    words = _IN_WORDS.get(reader.readings_[column], "numbers")
    return words.format(f" by the clock of {zone}" if zone else "")
