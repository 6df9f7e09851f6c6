"""One fit in this process, and the most memory it took: what `benchmarks.memory` starts afresh."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks import by_hand
from benchmarks.data import Data, Recipe
from benchmarks.peers import ours

CONTESTANTS = ("written by hand", "sklearn_mtl")
SOURCES = {"array": "an array", "memmap": "a numpy.memmap"}
STATUS = Path("/proc/self/status")
CHUNK = 10_000


def main(contestant: str, source: str, n_rows: int, n_features: int, folder: Path) -> None:
    """Fit once, and print megabytes: before, at the peak, and of the mapped file at the end."""
    torch.set_num_threads(1)
    recipe = Recipe(epochs=1, batch_size=1024, hidden=(64,))
    # The first fit of a process brings in code and pools, which later fits do not pay for.
    _fit(contestant, _data(_made(200, n_features)), recipe)
    data = _data(_made(n_rows, n_features) if source == "array" else _mapped(n_rows, n_features, folder))
    before = megabytes("VmHWM")
    files = megabytes("RssFile")
    _fit(contestant, data, recipe)
    found = {"before": before, "peak": megabytes("VmHWM"), "file_pages": megabytes("RssFile") - files}
    json.dump(found, sys.stdout)


def megabytes(field: str) -> float:
    """Return a field of the process's status, in megabytes of 10⁶ bytes.

    Not ``ru_maxrss``, which a child on Linux takes over from the process that started it; only where
    there is no such status.
    """
    if not STATUS.exists():
        scale = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6
        return peak if field == "VmHWM" else 0.0
    lines = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
    return int(lines[field].split()[0]) * 1024 / 1e6


def _fit(contestant: str, data: Data, recipe: Recipe) -> None:
    if contestant == "sklearn_mtl":
        ours(recipe).fit(data.X, data.by_name)
    else:
        by_hand.fit(data, recipe)


def _made(n_rows: int, n_features: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n_rows, n_features), dtype=np.float32)


def _data(X: np.ndarray) -> Data:
    """Return the rows with targets of their own, made without a look at X, which would read a file."""
    random = np.random.default_rng(1)
    number = random.standard_normal(len(X), dtype=np.float32)
    return Data(X, number, np.arange(len(X)) % 5, X.shape[1])


def _mapped(n_rows: int, n_features: int, folder: Path) -> np.ndarray:
    """Write the rows to a file in pieces, and open it for reading."""
    path = folder / "rows.dat"
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, n_rows, CHUNK):
            shape = (min(CHUNK, n_rows - start), n_features)
            file.write(random.standard_normal(shape, dtype=np.float32).tobytes())
    return np.memmap(path, dtype=np.float32, mode="r", shape=(n_rows, n_features))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0], given[1], int(given[2]), int(given[3]), Path(given[4]))
