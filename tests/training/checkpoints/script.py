"""Fits that are killed. As a script it trains undisturbed, then kills copies of itself, and compares bits."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import sklearn_mtl.estimators.checkpointed  # noqa: F401  Loaded once, before the copies are made.
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP

# Of as many a bag is trained one net after the other, and as one stack.
N_BAGS = (2, 5)
KILLS_OF_EACH = 5
X, Y = make_multitask(
    150, 5, n_regression=1, n_binary=1, noise=2.0, missing_labels=0.1, string_labels=True, random_state=0
)


def make(n_bags, folder=None):
    return MultiTaskClassifierRegressor(
        trunk=MLP((8,), dropout=0.1),
        n_bags=n_bags,
        lr=0.01,
        batch_size=16,
        max_epochs=12,
        patience=6,
        task_weights={"regression0": 2.0, "binary0": 0.5},
        linear_blend=False,
        random_state=0,
        checkpoint=folder,
    )


def bits(est):
    states = [net.network.state_dict() for net in est.nets_]
    weights = [value.numpy().tobytes() for state in states for value in state.values()]
    return weights, est.history_.to_numpy().tobytes(), est.predict_proba(X)["binary0"].tobytes()


def files_when_killed(n_bags, folder, within):
    """Fit in a copy of this process, killed within so many seconds if any; None if it came to its end."""
    pid = os.fork()
    if pid == 0:
        make(n_bags, folder).fit(X, Y)
        os._exit(0)
    if within:
        time.sleep(random.uniform(0, 0.4) * within)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    assert os.waitstatus_to_exitcode(status) == 0, status
    return None


def main(folder, seed):
    torch.set_num_threads(1)
    random.seed(seed)
    every = []
    for n_bags in N_BAGS:
        start = time.perf_counter()
        expected = bits(make(n_bags).fit(X, Y))
        duration = time.perf_counter() - start
        begun, killed, attempt = folder / f"{n_bags}-begun", [], 0
        # By a process that orders its sets otherwise.
        assert begun.exists()
        assert bits(make(n_bags, str(begun)).fit(X, Y)) == expected, begun
        while len(killed) < KILLS_OF_EACH:
            here = str(folder / f"{n_bags}-{attempt}")
            while (
                files := files_when_killed(n_bags, here, duration * (len(killed) < KILLS_OF_EACH))
            ) is not None:
                killed.append(files)
            # It is finished: what was written is read.
            assert bits(make(n_bags, here).fit(X, Y)) == expected, here
            attempt += 1
        every += killed
    sys.stdout.write(json.dumps(every))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
