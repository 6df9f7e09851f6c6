"""A process that is killed at any moment leaves a checkpoint from which the next ends with the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("safetensors")

ROOT = Path(__file__).parents[3]
# One process imports everything and trains undisturbed. Copies of it train, and are killed; the result of the
# one that ends is compared.
CODE = """
import json, os, random, signal, sys, time
import numpy as np
import torch
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP
import sklearn_mtl.estimators.checkpointed, safetensors.numpy

torch.set_num_threads(1)
X, Y = make_multitask(150, 5, n_regression=1, n_binary=1, noise=2.0, missing_labels=0.1, random_state=0)
random.seed(int(sys.argv[2]))


def make(n_bags, folder=None):
    return MultiTaskClassifierRegressor(
        trunk=MLP((8,), dropout=0.1), n_bags=n_bags, lr=0.01, batch_size=16, max_epochs=12, patience=6,
        linear_blend=False, random_state=0, checkpoint=folder,
    )


def bits(est):
    states = [net.network.state_dict() for net in est.nets_]
    weights = [value.numpy().tobytes() for state in states for value in state.values()]
    return weights, est.history_.to_numpy().tobytes(), est.predict_proba(X)["binary0"].tobytes()


kills, moments = 0, []
for n_bags in (2, 5):
    start = time.perf_counter()
    expected = bits(make(n_bags).fit(X, Y))
    duration = time.perf_counter() - start
    of_these, attempt = 0, 0
    while of_these < 5:
        folder = os.path.join(sys.argv[1], f"{n_bags}-{attempt}")
        done = False
        while not done:
            pid = os.fork()
            if pid == 0:
                make(n_bags, folder).fit(X, Y)
                os._exit(0)
            if of_these < 5:
                time.sleep(random.uniform(0, 0.4) * duration)
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            killed = os.WIFSIGNALED(status)
            assert killed or os.waitstatus_to_exitcode(status) == 0, status
            of_these += killed
            files = os.listdir(folder) if os.path.isdir(folder) else []
            moments += [sorted(files)] if killed else []
            done = not killed
        # It is finished: what was written is read.
        assert bits(make(n_bags, folder).fit(X, Y)) == expected, (n_bags, folder)
        attempt += 1
    kills += of_these
print(json.dumps([kills, moments]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process are made by fork")
def test_ten_kills_change_no_bit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), "0"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, moments = json.loads(done.stdout)
    assert kills == 10
    # Some in the middle of a training: a state was there, and there was more to come.
    assert any(name.startswith(("net-", "stack-")) for files in moments for name in files)
