"""One epoch over Parquet files that are larger than memory may be: seconds and the most memory.

``python -m benchmarks.larger_than_memory`` writes 20 million rows of 30 features to a temporary folder, or to
one that is kept with ``--folder``, and trains on them once with this package, and once with a loop that
somebody would write who has torch and pyarrow alone. Each runs in a process of its own. It needs pyarrow.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.by_hand import TwoHeads, scale_free_loss
from benchmarks.data import Recipe
from benchmarks.memory_probe import megabytes
from benchmarks.peers import ours

ROOT = Path(__file__).parents[1]
CONTESTANTS = {
    "by hand": "written by hand",
    "plain": "sklearn_mtl, preprocessing=None",
    "auto": 'sklearn_mtl, preprocessing="auto"',
    "stopping": "the same, a tenth held out",
}
N_CLASSES = 5
ENTROPY = float(np.log(N_CLASSES))
BUFFER_SIZE = 2**18


def main(arguments: list[str] | None = None) -> None:
    """Write the files, train with each contestant on them, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.larger_than_memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--row-group", type=int, default=100_000)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument(
        "--folder", type=Path, help="where the files are kept; those of an earlier run are read as they are"
    )
    given = parser.parse_args(arguments)
    with nullcontext(given.folder) if given.folder else TemporaryDirectory() as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not any(Path(folder).iterdir()):
            write(Path(folder), given.rows, given.features, given.row_group)
        compare(Path(folder), given.contestants)


def compare(folder: Path, contestants: list[str]) -> None:
    """Train with each contestant on the files of a folder, and print a table."""
    n_rows, size = _n_rows(folder), sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{n_rows:,} rows × {len(_features(folder))} features, {size:,.0f} MB in files, one epoch")
    print("| contestant | seconds | seconds of processors | rows a second | MB before | MB at the peak |")
    print("|---|---|---|---|---|---|")
    for contestant in contestants:
        found = _in_a_process(contestant, folder)
        print(
            f"| {CONTESTANTS[contestant]} | {found['seconds']:.1f} | {found['cpu']:.1f} "
            f"| {n_rows / found['seconds']:,.0f} | {found['before']:,.0f} | {found['peak']:,.0f} |",
            flush=True,
        )


def write(folder: Path, n_rows: int, n_features: int, row_group: int) -> None:
    """Write files of twenty row groups each: features, a number and a class that depend on them."""
    import pyarrow
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    slopes = rng.standard_normal((n_features, 1 + N_CLASSES), dtype=np.float32) / n_features**0.5
    writer: Any = None
    for group, start in enumerate(range(0, n_rows, row_group)):
        X = rng.standard_normal((min(row_group, n_rows - start), n_features), dtype=np.float32)
        scores = X @ slopes
        columns = {f"x{i}": X[:, i] for i in range(n_features)}
        table = pyarrow.table({**columns, "number": scores[:, 0], "code": scores[:, 1:].argmax(1)})
        if group % 20 == 0:
            if writer is not None:
                writer.close()
            writer = parquet.ParquetWriter(folder / f"{group // 20:04d}.parquet", table.schema)
        writer.write_table(table)
    writer.close()


def train_by_hand(folder: Path, recipe: Recipe) -> nn.Module:
    """Train on the rows of all files once, mixed in a buffer of row groups."""
    torch.manual_seed(recipe.seed)
    names = _features(folder)
    module = TwoHeads(len(names), N_CLASSES, recipe.hidden)
    loss, optimizer = (
        scale_free_loss(ENTROPY),
        torch.optim.AdamW(module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True),
    )
    for X, number, code in _buffers(folder, names):
        order = torch.randperm(len(X))
        for start in range(0, len(X), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            optimizer.zero_grad()
            loss(module(X[rows]), number[rows], code[rows]).backward()
            optimizer.step()
    return module


def _buffers(folder: Path, names: list[str]) -> Iterator[tuple[Tensor, ...]]:
    """Yield the rows of some row groups at a time, drawn at random."""
    from pyarrow import parquet

    files = [parquet.ParquetFile(path) for path in sorted(folder.iterdir())]
    groups = [(file, i) for file in files for i in range(file.num_row_groups)]
    buffer: list[tuple[Tensor, ...]] = []
    order = torch.randperm(len(groups)).tolist()
    for place, drawn in enumerate(order):
        file, i = groups[drawn]
        table = file.read_row_group(i)
        X = torch.stack([torch.from_numpy(table[name].to_numpy()) for name in names], dim=1)
        buffer.append((X, *(torch.from_numpy(table[name].to_numpy().copy()) for name in ("number", "code"))))
        if sum(len(part[0]) for part in buffer) >= BUFFER_SIZE or place == len(order) - 1:
            yield tuple(map(torch.cat, zip(*buffer, strict=True)))
            buffer = []


def train_ours(folder: Path, recipe: Recipe, contestant: str) -> None:
    """Train this package's estimator on the rows of all files once."""
    from sklearn_mtl.features import ArrowRows

    rows = ArrowRows(folder, buffer_size=BUFFER_SIZE)
    changed: dict[str, Any] = {} if contestant == "plain" else {"preprocessing": "auto"}
    changed |= {"early_stopping": True} if contestant == "stopping" else {}
    tasks = {"number": "regression", "code": "classification"}
    labels = list(tasks)
    ours(recipe, tasks=tasks, **changed).fit(rows.drop(labels), rows[labels])


def measured(contestant: str, folder: Path) -> dict[str, float]:
    """Return the seconds of a contestant in this process, and its megabytes before and at the peak."""
    torch.set_num_threads(1)
    recipe = Recipe(epochs=1, batch_size=1024, hidden=(64,))
    # The first fit of a process brings in code and pools, which later fits do not pay for.
    with TemporaryDirectory() as small:
        write(Path(small), 2000, len(_features(folder)), 500)
        _train(contestant, Path(small), recipe)
    before, start, cpu = megabytes("VmHWM"), perf_counter(), process_time()
    _train(contestant, folder, recipe)
    taken = {"seconds": perf_counter() - start, "cpu": process_time() - cpu}
    return {**taken, "before": before, "peak": megabytes("VmHWM")}


def _n_rows(folder: Path) -> int:
    from pyarrow import parquet

    return sum(parquet.read_metadata(path).num_rows for path in folder.iterdir())


def _features(folder: Path) -> list[str]:
    from pyarrow import parquet

    return [name for name in parquet.read_schema(next(folder.iterdir())).names if name.startswith("x")]


def _train(contestant: str, folder: Path, recipe: Recipe) -> None:
    if contestant == "by hand":
        train_by_hand(folder, recipe)
    else:
        train_ours(folder, recipe, contestant)


def _in_a_process(contestant: str, folder: Path) -> dict[str, float]:
    code = (
        "import json, sys; from pathlib import Path; from benchmarks.larger_than_memory import measured; "
        "json.dump(measured(sys.argv[1], Path(sys.argv[2])), sys.stdout)"
    )
    command = [sys.executable, "-c", code, contestant, str(folder.absolute())]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
