"""Prediction as one module of torch operations: what `torch.export` and ONNX can hold.

`Predictor` is a whole bag from encoded rows to what tasks predict. `TableEncoding` is the default
preprocessing of a table, from numbers and the codes of texts to encoded rows. Both compute what numpy and
scikit-learn do elsewhere, in the same order and precision. `program_of` traces a module, `onnx_model` writes
it as ONNX. What can't be held raises `CannotBeHeld`, which says what and why.

============  ======================================================================
`decoding`    from averaged responses to predictions in units, by the kind of a task
`trees`       boosted trees without a loop that depends on the rows
`predictor`   the bag
`table`       the default preprocessing
`tracing`     the module as a program, or as ONNX
============  ======================================================================

Examples
--------
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl import MultiTaskRegressor
>>> from sklearn_mtl.inference.exported import Predictor
>>> X = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
>>> est = MultiTaskRegressor(trunk="mlp", preprocessing=None, max_epochs=2, n_bags=1).fit(X, {"a": X[:, 0]})
>>> predictor = Predictor(est.nets_, est.tasks_.values(), ["x"])
>>> predictor.names
['a__prediction']
>>> with torch.no_grad():
...     (found,) = predictor(torch.from_numpy(X))
>>> np.allclose(found, est.predict(X)["a"])
True
"""

from sklearn_mtl.inference.exported.decoding import CannotBeHeld, Labels, NumberLabels, labels_of
from sklearn_mtl.inference.exported.predictor import Predictor, TablePredictor
from sklearn_mtl.inference.exported.table import TableEncoding, TextColumn
from sklearn_mtl.inference.exported.tracing import OPSET, example_rows, onnx_model, program_of
from sklearn_mtl.inference.exported.trees import trees_put_in

__all__ = [
    "OPSET",
    "CannotBeHeld",
    "Labels",
    "NumberLabels",
    "Predictor",
    "TableEncoding",
    "TablePredictor",
    "TextColumn",
    "example_rows",
    "labels_of",
    "onnx_model",
    "program_of",
    "trees_put_in",
]
