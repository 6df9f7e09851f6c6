"""All ways of sharing learn the same rows of made sets and others, and are compared set by set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import sharing
from benchmarks.quality import report
from benchmarks.quality.problem import Case, Collection
from benchmarks.quality.results import Results
from sklearn_mtl.sharing import SHARINGS

MODULE = """
import numpy as np

def names():
    return ["outputs"]

def load(name):
    X = np.random.default_rng(0).normal(size=(80, 3))
    Y = {"both": X[:, :2], "marks": (X > 0).astype(float), "word": np.where(X[:, 0] > 0, "up", "down")}
    return X, Y, {"both": "multioutput-regression", "marks": "multilabel", "word": "binary"}, {}
"""


@pytest.fixture
def main(tmp_path, monkeypatch):
    """Run the command with tiny networks, and return what its file holds."""
    monkeypatch.setattr(sharing, "BUDGET", {"n_bags": 1, "max_epochs": 1})
    module, out = tmp_path / "my_sets.py", tmp_path / "found.csv"
    module.write_text(MODULE, encoding="utf-8")

    def run(*arguments):
        sharing.main(["--module", str(module), "--rows", "40", "--out", str(out), *arguments])
        return Results.read(out).table

    return run


def test_all_that_have_a_short_name_are_searched():
    assert set(SHARINGS) <= set(sharing.GRIDS)


def test_every_way_is_measured_once_and_reported(main, tmp_path, monkeypatch):
    names = ["hard", *([] if len(SHARINGS) == 1 else [next(name for name in SHARINGS if name != "hard")])]
    these = ["--sets", "outputs", "made: click, purchase", "--splits", "0", "1", "--sharing", *names]
    found = main(*these)
    assert set(found["contender"]) == set(names)
    assert (found["n_train"] == 40).all()
    assert np.isfinite(found["value"]).all()
    page = (tmp_path / "found.md").read_text(encoding="utf-8")
    assert "## Score of each set" in page
    monkeypatch.setattr("benchmarks.quality.results.measure", None)
    pd.testing.assert_frame_equal(main(*these), found)


def test_without_a_search_the_first_value_is_fitted(main):
    found = main("--sets", "made: dependent", "--splits", "0", "--candidates", "1", "--sharing", "hard")
    assert set(found["task"]) == {"origin", "dependent0", "dependent1"}


def test_each_of_a_few_outputs_is_a_task(main, tmp_path):
    problem = Collection.of_file(tmp_path / "my_sets.py").load("outputs")
    few = sharing.one_task_each(problem)
    assert list(few.kinds) == ["both 0", "both 1", "marks 0", "marks 1", "marks 2", "word"]
    assert few.kinds["both 1"] == "regression"
    assert few.kinds["marks 2"] == "binary"
    np.testing.assert_array_equal(few.Y["both 1"], problem.Y["both"][:, 1])
    many = sharing.one_task_each(problem, most=2)
    assert list(many.kinds) == ["both 0", "both 1", "marks", "word"]


@pytest.mark.parametrize("name", sharing.MadeSets.names())
def test_made_sets_have_a_thousand_training_rows(name):
    problem = Collection(sharing.MadeSets).load(name)
    train, _ = Case(0, sharing.ROWS).rows_of(problem)
    assert len(train) == 1_000
    assert all(len(problem.labelled(task, train)) >= 150 for task in problem.kinds)


def test_what_is_won_is_told_from_noise():
    index = pd.MultiIndex.from_product([["sure", "noisy", "even"], range(3)], names=["set", "split"])
    values = [0.6, 0.61, 0.62, 0.3, 0.9, 0.6, 0.5, 0.5, 0.5]
    scores = pd.DataFrame({"hard": 0.5, "other": values}, index=index)
    _, _, row = sharing.against(scores, "hard").splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["other", "+0.0700", "1 – 0 of 3", "+0.000 (even)", "+0.110 (sure)"]
    assert "0.610 ± 0.010" in sharing.by_set(scores)


def test_unknown_sets_are_named(main):
    with pytest.raises(ValueError, match=r"`--sets` must be of .*'outputs'.* Found \['no'\]"):
        main("--sets", "no", "--splits", "0")


def test_scores_are_means_over_tasks(main):
    found = main("--sets", "outputs", "--splits", "0", "--candidates", "1", "--sharing", "hard")
    kinds = {"regression": "r2", "binary": "roc_auc"}
    expected = found[found["metric"] == found["kind"].map(kinds)]["value"].mean()
    assert report.set_scores(found).iloc[0, 0] == pytest.approx(expected)
