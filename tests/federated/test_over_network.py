"""A server and two clients of Flower, in processes of their own, find what a simulation finds."""

import os
import pickle
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sklearn_mtl.federated import simulate
from sklearn_mtl.federated.weights import get_weights

pytest.importorskip("flwr")

# Every message to a client starts a process, which imports everything.
PATIENCE = 600
PYPROJECT = """
[project]
name = "clinics"
version = "1.0.0"
description = "A test"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "us"

[tool.flwr.app.components]
clientapp = "clinics.client:app"
serverapp = "clinics.server:app"
"""
ESTIMATOR = """
from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(n_samples=160, n_regression=1, n_binary=1, random_state=0)
parts = [
    (X[:80], {"regression0": Y["regression0"][:80]}),
    (X[80:], {name: labels[80:] for name, labels in Y.items()}),
]
est = MultiTaskClassifierRegressor(
    tasks={"regression0": "regression", "binary0": "classification"},
    trunk=MLP((8,), dropout=0.1), n_bags=1, batch_size=32, random_state=0,
)
"""
CLIENT = """
from clinics.estimator import est, parts
from sklearn_mtl.federated import FederatedClient
from sklearn_mtl.federated.flower import client_app

app = client_app(lambda context: FederatedClient(est, *parts[context.node_config["part"]]))
"""
SERVER = """
import os, pickle, time

from clinics.estimator import est
from flwr.serverapp import ServerApp
from sklearn_mtl.federated.flower import run_rounds

app = ServerApp()


@app.main()
def main(grid, context):
    while len(list(grid.get_node_ids())) < 2:
        time.sleep(0.2)
    fitted = run_rounds(est, grid, n_rounds=2)
    with open(os.environ["RESULT"] + ".new", "wb") as file:
        pickle.dump(fitted, file)
    os.rename(os.environ["RESULT"] + ".new", os.environ["RESULT"])
"""


def program(name):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which(name, path=path)
    return found or pytest.skip(f"{name} is not installed")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(there, process):
    until = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, "The server has ended."
        assert time.monotonic() < until, "It was waited for in vain."
        time.sleep(0.3)


def answers(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def project(tmp_path):
    (tmp_path / "clinics").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    files = {"__init__": "", "estimator": ESTIMATOR, "client": CLIENT, "server": SERVER}
    for name, text in files.items():
        (tmp_path / "clinics" / f"{name}.py").write_text(text)
    return tmp_path


def test_processes_on_a_network_find_what_a_simulation_finds(project):
    server, client, run = map(program, ("flower-superlink", "flower-supernode", "flwr"))
    home, result, port = project / "home", project / "result.pickle", free_port()
    home.mkdir()
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    )
    own = {"FLWR_HOME": str(home), "FLWR_TELEMETRY_ENABLED": "0", "RESULT": str(result)}
    threads, path = {"OMP_NUM_THREADS": "1"}, {"PYTHONPATH": os.pathsep.join(sys.path)}
    env, started = {**os.environ, **own, **threads, **path}, []

    def start(*command):
        kept = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        started.append(subprocess.Popen([*command, "--insecure"], env=env, **kept))

    try:
        start(server, "--disable-runtime-dependency-installation", "--port", str(port))
        wait_for(lambda: answers(port), started[0])
        for part in range(2):
            there = ["--superlink", f"127.0.0.1:{port}", "--port", str(free_port())]
            start(client, *there, "--node-config", f"part={part}")
        subprocess.run([run, "run", str(project), "here"], env=env, check=True, timeout=PATIENCE)
        wait_for(result.exists, started[0])
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
    given = runpy.run_path(str(project / "clinics" / "estimator.py"))
    expected = simulate(given["est"], given["parts"], n_rounds=2).estimator
    for ours, theirs in zip(
        get_weights(pickle.loads(result.read_bytes())), get_weights(expected), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
