"""One fit by two processes: what comes of it is what comes of one, and what they can't share is refused."""

import os
import pickle
import runpy
import socket
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import distributed as dist

from sklearn_mtl.training.distributed import ACTIVE, Processes, data_parallel

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="torch was built without torch.distributed")

SCRIPT = Path(__file__).with_name("script.py")
CASES = runpy.run_path(str(SCRIPT))
SHARED, SMALL, fitted, found = (CASES[name] for name in ("SHARED", "SMALL", "fitted", "found"))
REFUSED = {
    "pcgrad": "must balance by losses. Found PCGrad",
    "famo": "must not look at losses after a step. Found FAMO",
    "conflict": "must be None.* Found 2",
    "batch norm": "must not normalise by the rows of a batch",
    "writers": "must not write to one place.*Checkpoint",
    "checkpoint": "all would write to one folder",
    "sharded": "must be None where the weights of the trunk are divided",
    "seeds": r"`random_state` an integer. Found others in the processes \[1\]",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what comes of all cases in this process, and in another, started as by torchrun."""
    file, threads = tmp_path_factory.mktemp("processes") / "1", torch.get_num_threads()
    # The port is free as long as nobody asks for it in between.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    command = [sys.executable, str(SCRIPT), str(file)]
    other = subprocess.Popen(command, env={**os.environ, **place, "RANK": "1"}, stderr=subprocess.PIPE)
    try:
        where = f"tcp://127.0.0.1:{port}"
        patience = timedelta(minutes=3)
        dist.init_process_group("gloo", init_method=where, rank=0, world_size=2, timeout=patience)
        own = CASES["results_of_all"]()
        _, errors = other.communicate(timeout=patience.seconds)
    finally:
        other.kill()
        torch.set_num_threads(threads)
        if dist.is_initialized():
            dist.destroy_process_group()
    assert other.returncode == 0, errors.decode()
    return [own, pickle.loads(file.read_bytes())]


@pytest.mark.parametrize("name", SHARED)
def test_two_processes_find_what_one_finds(results, name):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    history, price, proba = found(fitted(**SHARED[name]))
    torch.set_num_threads(threads)
    of_two = results[0][name]
    pd.testing.assert_frame_equal(of_two[0], history, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_two[1], price, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_two[2], proba, atol=1e-4)


@pytest.mark.parametrize("name", SHARED)
def test_both_processes_end_with_the_same(results, name):
    first, second = (one[name] for one in results)
    pd.testing.assert_frame_equal(first[0], second[0], check_exact=True)
    for ours, theirs in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_early_stopping_was_tried(results):
    epochs = results[0]["two nets, early stopping and blending"][0].groupby("bag").size()
    assert (epochs < 30).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_processes_can_not_share_is_refused(results, name):
    for one in results:
        with pytest.raises(ValueError, match=REFUSED[name]):
            raise ValueError(one[name])


def test_a_net_of_two_processes_is_trained_on_by_one(results):
    assert results[0]["trained on"] == SMALL["max_epochs"] + 1


def test_parts_are_all_rows_in_their_order():
    for n_rows in (0, 1, 5, 8):
        parts = [Processes(rank, 3).part(10, 10 + n_rows) for rank in range(3)]
        assert parts[0][0] == 10
        assert parts[-1][1] == 10 + n_rows
        assert all(one[1] == other[0] for one, other in pairwise(parts))


def test_one_process_is_as_it_was():
    with data_parallel() as processes:
        assert ACTIVE.get() is None
        inside = found(fitted())
    assert (processes.rank, processes.n) == (0, 1)
    np.testing.assert_array_equal(inside[1], found(fitted())[1])
