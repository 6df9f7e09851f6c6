"""A process that is killed at any moment leaves a checkpoint from which the next ends with the same bits."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("safetensors")

from sklearn_mtl.training.checkpoints import CheckpointFolder

SCRIPT = Path(__file__).with_name("script.py")


def test_kills_and_another_order_of_sets_change_no_bit(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("Copies of a process are made by fork.")
    script = runpy.run_path(str(SCRIPT))
    for n_bags in script["N_BAGS"]:
        begin(script, n_bags, tmp_path / f"{n_bags}-begun")
    seed = {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "0"],
        cwd=SCRIPT.parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **seed},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)
    assert len(moments) == len(script["N_BAGS"]) * script["KILLS_OF_EACH"]
    # Some in the middle of a training: a state was there, and there was more to come.
    assert any(name.startswith(("net-", "stack-")) for files in moments for name in files)


class Ended(BaseException):
    """Ends a process, as far as the estimator knows."""


def begin(script, n_bags, folder):
    """Fit in this process, up to the third state that is written."""
    write, left = CheckpointFolder.write, [None] * 3

    def ended(self, *args):
        write(self, *args)
        left.pop()
        if not left:
            raise Ended

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(CheckpointFolder, "write", ended)
        with pytest.raises(Ended):
            script["make"](n_bags, str(folder)).fit(script["X"], script["Y"])
