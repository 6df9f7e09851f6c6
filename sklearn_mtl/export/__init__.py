"""A fitted estimator as one file, without pickle.

`save` writes it and `load` reads it, in any interpreter and on any machine, to the same predictions bit
for bit. The file is a zip of

- ``manifest.json``: the version of the format, and the SHA-256 digest of every other member;
- ``model.json``: parameters, tasks, what the networks were built from, and the history;
- ``tensors.safetensors``: all weights and arrays of numbers;
- ``preprocessing.skops``: the fitted transformers, where there are any.

Nothing in a file is executed. A class is looked up by name among those of this package, and skops may load
scikit-learn's transformers and the functions of ``preprocessing="auto"`` alone. `save` refuses what a file
can't hold, such as callbacks or a transformer around a function of your own. Your own trunks, balancers and
modules are handed to `load`. Digests find damage, not forgery: whoever can write a file can write its
digests. No size that a file states is believed: it is compared with what the file holds.

A file is written beside the one that it replaces, and renamed when it is whole. The same estimator gives the
same bytes.

It takes ``pip install "sklearn-mtl[export]"``. Without it there are pickle and joblib, which hold
everything, and run whatever a file says. ``skops.io`` holds a whole pipeline; there only types of
sklearn_mtl need to be trusted, and ``numpy.dtype``, which ``SimpleImputer`` makes skops ask for.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from sklearn_mtl import MultiTaskRegressor
>>> from sklearn_mtl.export import load, save
>>> from sklearn_mtl.trunks import MLP
>>> X = np.random.default_rng(0).normal(size=(100, 3))
>>> est = MultiTaskRegressor(trunk=MLP((8,)), n_bags=1, max_epochs=3).fit(X, {"sum": X.sum(axis=1)})
>>> with tempfile.TemporaryDirectory() as folder:
...     save(est, Path(folder) / "sum.mtl")
...     again = load(Path(folder) / "sum.mtl")
>>> again
MultiTaskRegressor(max_epochs=3, n_bags=1, trunk=MLP(hidden_sizes=(8,)))
>>> bool((again.predict(X)["sum"] == est.predict(X)["sum"]).all())
True
"""

from sklearn_mtl.export.model import load, save
from sklearn_mtl.export.onnx_file import OnnxFile, to_onnx
from sklearn_mtl.export.programs import encoded_rows, exported_program
from sklearn_mtl.export.smaller import prune, quantize

__all__ = ["OnnxFile", "encoded_rows", "exported_program", "load", "prune", "quantize", "save", "to_onnx"]
