"""Ensembles learn the same rows as the network alone, and are compared with it set by set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks import ensembles
from benchmarks.quality.problem import Problem
from benchmarks.quality.results import Results
from sklearn_mtl.trunks import MLP

MODULE = """
import numpy as np

def names():
    return ["small"]

def load(name):
    X = np.random.default_rng(0).normal(size=(90, 3))
    Y = {"number": X[:, 0], "word": np.where(X[:, 1] > 0, "up", "down")}
    return X, Y, {"number": "regression", "word": "binary"}, {}
"""


def test_all_are_measured_once_and_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(ensembles, "BUDGET", {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1})
    quick = (DecisionTreeRegressor(max_depth=2), DecisionTreeClassifier(max_depth=2))
    monkeypatch.setattr(ensembles, "members", lambda network: [("network", network), ("trees", quick)])
    module, out = tmp_path / "my_sets.py", tmp_path / "found.csv"
    module.write_text(MODULE, encoding="utf-8")
    contenders = ["network", "voting", "stacking, network"]
    arguments = ["--module", str(module), "--rows", "50", "--splits", "0", "--out", str(out)]
    arguments += ["--contenders", *contenders]
    ensembles.main(arguments)
    found = Results.read(out).table
    assert list(dict.fromkeys(found["contender"])) == contenders
    assert (found["n_train"] == 50).all()
    assert np.isfinite(found["value"]).all()
    page = out.with_suffix(".md").read_text(encoding="utf-8")
    assert all(f"| {name} " in page for name in contenders)
    monkeypatch.setattr("benchmarks.quality.results.measure", None)
    ensembles.main(arguments)
    pd.testing.assert_frame_equal(Results.read(out).table, found)


def test_every_contender_is_told_the_kinds_and_a_seed():
    problem = Problem("made", pd.DataFrame(), {}, {"word": "binary", "number": "regression"})
    for make in ensembles.CONTENDERS.values():
        parameters = ensembles.Ensemble(make).model(problem, 3).get_params()
        assert parameters["tasks"] == {"word": "classification", "number": "regression"}
        assert parameters.get("random_state", 3) == 3


def test_others_are_compared_with_the_network_split_by_split():
    index = pd.MultiIndex.from_product([["a", "b"], [0, 1]], names=["set", "split"])
    scores = pd.DataFrame({"network": [0.5, 0.7, 0.1, 0.1], "voting": [0.51, 0.70, 0.1, 0.102]}, index)
    rows = [line.strip("|").split("|") for line in ensembles.by_set(scores).splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0] == ["set", "network", "voting"]
    assert cells[2:] == [
        ["a", "0.600", "+5 (+10, +0)"],
        ["b", "0.100", "+1 (+0, +2)"],
        ["mean over sets", "", "+3.0"],
    ]
