"""An estimator made ready for a service: smaller, of eight bits or as ONNX, beside itself unchanged."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split

from benchmarks.harness import Contestant, Options, Result, compare
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import fetch_ames_housing
from sklearn_mtl.export import prune, quantize, to_onnx

ROUNDS = 15
N_ROWS = (1, 1_000)


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results for one row and for a thousand, with one thread."""
    X, y = fetch_ames_housing(return_X_y=True)
    rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=1_000, random_state=0)
    if options.quick:
        rest, y_rest = rest[:200], y_rest[:200]
    X_train, X_choose, y_train, y_choose = train_test_split(rest, y_rest, test_size=0.2, random_state=0)
    quick: dict[str, Any] = {"trunk": "mlp", "max_epochs": 2, "n_bags": 2} if options.quick else {}
    trained = MultiTaskClassifierRegressor(random_state=0, **quick).fit(X_train, y_train)
    with TemporaryDirectory() as folder:
        copies = {"as trained": trained, **_smaller(trained, X_choose, y_choose, options)}
        notes = {name: _note(copy, X_test, y_test) for name, copy in copies.items()}
        model = None
        if find_spec("onnxruntime") and not options.quick:
            file = to_onnx(trained, Path(folder) / "model.onnx", X_test)
            model = file, _session(file.path)
            size = len(Path(file.path).read_bytes()) / 1e3
            notes["onnxruntime"] = f"{size:,.0f} kB file; differs by {file.difference:.1e} of its spread"
        for n_rows in N_ROWS:
            rows = X_test[:n_rows]
            contestants = _contestants(copies, model, rows)
            yield compare(
                f"Ames houses, {n_rows:,} row{'s'[: n_rows != 1]}, predict",
                contestants,
                options,
                threads=1,
                rounds=ROUNDS,
                describe=lambda name, _: notes.get(name, ""),
            )


def _smaller(
    trained: Any, X: pd.DataFrame, y: pd.DataFrame, options: Options
) -> dict[str, MultiTaskClassifierRegressor]:
    few = {"nets": 1, "X": X, "y": y}
    found = {"the best net": prune(trained, **few), "eight bits": quantize(trained)}
    if not options.quick:
        found["2 members of each net"] = prune(trained, members=2, X=X, y=y)
        found["2 members of the best net"] = prune(trained, members=2, **few)
    found |= {f"{share:.0%} of weights 0": prune(trained, share) for share in (0.5, 0.9)}
    return found


def _contestants(
    copies: Mapping[str, Any], model: tuple[Any, Any] | None, rows: pd.DataFrame
) -> dict[str, Contestant]:
    found: dict[str, Contestant] = {name: partial(copy.predict, rows) for name, copy in copies.items()}
    if model is not None:
        file, session = model
        fed = file.feed(rows)
        found["onnxruntime"] = partial(session.run, file.outputs, fed)
    return found


def _session(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def _note(estimator: Any, X: pd.DataFrame, y: pd.DataFrame) -> str:
    predicted = estimator.predict(X)
    score = r2_score(y["price"], predicted["price"])
    accuracy = accuracy_score(y["type"], predicted["type"])
    plain, packed = _sizes(estimator)
    return f"R² {score:.4f}, accuracy {accuracy:.4f}; {plain:,.0f} kB, compressed {packed:,.0f}"


def _sizes(estimator: Any) -> tuple[float, float]:
    """Return the size of all weights in kilobytes, as they are and as zlib compresses them."""
    arrays = [array for net in estimator.nets_ for array in _arrays(net.evaluated)]
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return len(content) / 1e3, len(zlib.compress(content)) / 1e3


def _arrays(module: Any) -> Iterator[np.ndarray]:
    for part in module.modules():
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        # The matrix of a layer of eight bits is no parameter.
        matrix = getattr(part, "weight", None)
        if callable(matrix):
            own += [matrix().int_repr(), matrix().q_per_channel_scales()]
        yield from (tensor.detach().cpu().numpy() for tensor in own)
