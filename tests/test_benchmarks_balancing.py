"""Methods of balancing learn the same rows as equal weights do, and are compared with them set by set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import balancing
from benchmarks.quality.results import Results
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.trunks import MLP

MODULE = """
import numpy as np

def names():
    return ["small"]

def load(name):
    X = np.random.default_rng(0).normal(size=(90, 3))
    Y = {"both": X[:, :2], "word": np.where(X[:, 0] > 0, "up", "down")}
    return X, Y, {"both": "multioutput-regression", "word": "binary"}, {}
"""


@pytest.fixture
def main(tmp_path, monkeypatch):
    """Run the command with tiny networks, and return what its file holds."""
    monkeypatch.setattr(balancing, "BUDGET", {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 2})
    monkeypatch.setattr(balancing, "N_WEIGHTINGS", 4)
    module, out = tmp_path / "my_sets.py", tmp_path / "found.csv"
    module.write_text(MODULE, encoding="utf-8")

    def run(*arguments):
        balancing.main(["--module", str(module), "--rows", "50", "--out", str(out), *arguments])
        return Results.read(out).table

    return run


def test_every_method_is_measured_as_it_comes_and_tuned():
    expected = {f"{name}{tuned}" for name in BALANCERS for tuned in ("", balancing.TUNED)}
    assert expected <= set(balancing.contenders())
    assert next(iter(balancing.contenders())) == balancing.REFERENCE


def test_all_are_measured_once_and_reported(main, tmp_path, monkeypatch):
    names = ["static", "static, tuned", balancing.SEARCHED, balancing.MANIFOLD]
    these = ["--sets", "small", "--splits", "0", "1", "--contenders", *names]
    found = main(*these)
    assert list(dict.fromkeys(found["contender"])) == names
    assert set(found["task"]) == {"both 0", "both 1", "word"}
    assert (found["n_train"] == 50).all()
    assert np.isfinite(found["value"]).all()
    page = (tmp_path / "found.md").read_text(encoding="utf-8")
    assert all(f"| {name} " in page for name in names)
    monkeypatch.setattr("benchmarks.quality.results.measure", None)
    pd.testing.assert_frame_equal(main(*these), found)


def test_a_manifold_is_for_a_few_tasks(main, monkeypatch):
    monkeypatch.setattr(balancing, "MOST_OF_MANIFOLD", 2)
    found = main("--sets", "small", "--splits", "0", "--contenders", "static", balancing.MANIFOLD)
    assert set(found["contender"]) == {"static"}


def test_weightings_begin_with_equal_ones_and_have_a_mean_of_1():
    found = pd.DataFrame(balancing.weightings(["a", "b", "c"], 16))
    assert (found.loc[0] == 1).all()
    np.testing.assert_allclose(found.mean(axis=1), 1)
    assert (found > 0).all(axis=None)
    assert not found.duplicated().any()
    assert found.equals(pd.DataFrame(balancing.weightings(["a", "b", "c"], 16)))


def measured(**scores):
    """Results of two splits of a set with one task."""
    rows = [
        {"set": "one", "split": split, "contender": name.replace("_", ", "), "value": value}
        for name, values in scores.items()
        for split, value in enumerate(values)
    ]
    common = {"rows": 0, "hidden": 0.0, "hidden_task": "", "task": "y", "kind": "regression"}
    return pd.DataFrame(rows).assign(metric="r2", fit_seconds=2.0, note="", **common)


def test_a_tuned_method_is_compared_with_tuned_equal_weights():
    found = balancing.ahead(
        measured(static=[0.5, 0.6], static_tuned=[0.6, 0.6], other=[0.51, 0.63], other_tuned=[0.55, 0.57])
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()[2:]]
    assert cells[0] == ["static", "0.550 ± 0.050", "0.550 ± 0.050", "", "1.0"]
    assert cells[2] == ["other", "+20 ± 10", "+20 ± 10", "+20 (one, y)", "1.0"]
    assert cells[3] == ["other, tuned", "-40 ± 10", "-40 ± 10", "-40 (one, y)", "1.0"]


def test_unknown_sets_are_named(main):
    with pytest.raises(ValueError, match=r"`--sets` must be of .*'small'.* Found \['no'\]"):
        main("--sets", "no", "--splits", "0")
