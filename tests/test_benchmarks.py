"""The benchmarks run, take turns as they say, and write down what they measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks import balancing_speed, report, sharing_speed, weights
from benchmarks.__main__ import SUITES, main
from benchmarks.data import Recipe, synthetic
from benchmarks.harness import Options, Result, compare, limited_to, race, usable_threads
from benchmarks.sharing_by_hand import NETWORKS, Sizes, copy_weights
from sklearn_mtl.balancing import BALANCERS, GradientBalancer
from sklearn_mtl.sharing import SHARINGS


class Clock:
    """A clock that only contestants move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[str] = []

    def __call__(self) -> float:
        return self.now

    def contestant(self, name, seconds):
        def run():
            self.turns.append(name)
            self.now += seconds
            return f"{name} {len(self.turns)}"

        return run


@pytest.fixture(autouse=True)
def no_collector(monkeypatch):
    """Nothing here depends on its runs, and each takes long in a process of many tests."""
    monkeypatch.setattr("benchmarks.harness.gc.collect", lambda: None)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("benchmarks.harness.CLOCKS", {"wall": clock})
    return clock


@pytest.fixture
def result():
    return Result("3 rows", 2, "ours", (0.3, 0.1, 0.2), (1.5, 1.0, 4.0), note="as expected")


def test_contestants_take_turns_each_round_beginning_with_another():
    clock = Clock()
    seconds, returned = race({name: clock.contestant(name, 1.0) for name in "abc"}, 3, clock)
    assert "".join(clock.turns) == "abc" + "abc" + "bca" + "cab"
    assert seconds == {name: [1.0, 1.0, 1.0] for name in "abc"}
    assert returned == {"a": "a 11", "b": "b 12", "c": "c 10"}


def test_short_runs_are_repeated_within_one_timing():
    clock = Clock()
    seconds, _ = race({"a": clock.contestant("a", 0.02)}, 2, clock)
    assert len(clock.turns) == 2 + 2 * 3
    assert seconds["a"] == pytest.approx([0.02, 0.02])


def test_without_warming_up_every_run_is_timed():
    clock = Clock()
    seconds, _ = race({"a": clock.contestant("a", 0.02)}, 2, clock, warm_up=False)
    assert len(clock.turns) == len(seconds["a"]) == 2


def test_ratios_are_to_the_first_contestant_round_by_round(clock):
    contestants = {"slow": clock.contestant("slow", 4.0), "fast": clock.contestant("fast", 1.0)}
    slow, fast = compare(
        "case", contestants, Options(rounds=2), threads=1, rounds=9, describe=lambda name, all_: all_[name]
    )
    assert (slow.contestant, slow.values, slow.ratios) == ("slow", (4.0, 4.0), (1.0, 1.0))
    assert (fast.contestant, fast.values, fast.ratios) == ("fast", (1.0, 1.0), (0.25, 0.25))
    assert (slow.note, fast.note) == ("slow 6", "fast 5")


@pytest.mark.parametrize(
    ("options", "rounds"), [(Options(), 5), (Options(quick=True), 1), (Options(rounds=3, quick=True), 3)]
)
def test_rounds_are_those_asked_for_or_the_suites_own(options, rounds):
    assert options.rounds_or(5) == rounds


def test_threads_and_generator_are_put_back():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with limited_to(threads + 1):
        assert torch.get_num_threads() == threads + 1
        torch.manual_seed(7)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_without_a_core_are_left_out_and_named(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.harness.usable_cores", lambda: 2)
    assert usable_threads((1, 2, 3)) == (1, 2)
    assert capsys.readouterr().out == "Threads 3 left out: this process may use 2 core(s).\n"


def test_table_has_medians_and_their_range(result):
    headings, rule, row = report.table([result]).splitlines()
    assert len(headings) == len(rule) == len(row)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["3 rows", "2", "ours", "200 ms", "1.50", "1.00 to 4.00", "as expected"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(12.34, "s", "12.3 s"), (0.0123, "s", "12.3 ms"), (2e-5, "s", "20 µs"), (1234.5, "MB", "1234 MB")],
)
def test_table_chooses_units(value, unit, text):
    assert text in report.table([Result("case", 1, "ours", (value,), (1.0,), unit=unit)])


def test_files_hold_the_machine_and_every_timing(result, tmp_path):
    options = Options(rounds=3, threads=(2,))
    table, data = report.write(tmp_path / "new", {"suite": [result]}, options)
    found = json.loads(data.read_text(encoding="utf-8"))
    assert found["options"] == {"rounds": 3, "threads": [2], "quick": False, "clock": "wall"}
    assert found["results"] == [
        {
            "suite": "suite",
            "case": "3 rows",
            "threads": 2,
            "contestant": "ours",
            "values": [0.3, 0.1, 0.2],
            "ratios": [1.5, 1.0, 4.0],
            "unit": "s",
            "note": "as expected",
            "value": 0.2,
            "ratio": 1.5,
        }
    ]
    assert found["machine"]["versions"]["torch"] == torch.__version__
    assert found["machine"]["cpu"]
    page = table.read_text(encoding="utf-8")
    assert found["machine"]["cpu"] in page
    assert report.table([result]) in page


def test_suites_of_fitting_and_predicting_run(tmp_path, capsys):
    main(["one_fit", "predict", "--quick", "--threads", "1", "--out", str(tmp_path)])
    (data,) = tmp_path.glob("*.json")
    results = json.loads(data.read_text(encoding="utf-8"))["results"]
    contestants = {suite: [row["contestant"] for row in results if row["suite"] == suite] for suite in SUITES}
    fits = ["written by hand", "sklearn_mtl", "skorch, default loader", "scikit-learn MLP, one per task"]
    assert contestants["one_fit"] == fits
    predictions = ["bare forward pass", "sklearn_mtl", "sklearn_mtl, preprocessing", *fits[2:]]
    assert contestants["predict"] == predictions * 2
    assert all(value > 0 for row in results for value in row["values"])
    assert "bare forward pass" in capsys.readouterr().out


@pytest.mark.parametrize("n_tasks", [2, 5])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name in SHARINGS])
def test_a_network_written_by_hand_computes_what_that_of_its_way_of_sharing_does(name, n_tasks):
    sizes = Sizes(7, n_tasks, (8, 6))
    X, y = sharing_speed.data(40, sizes.n_features, n_tasks)
    recipe = Recipe(epochs=1, batch_size=20, hidden=sizes.hidden)
    module = sharing_speed.estimator(name, recipe, n_tasks).fit(X, y).net_.module_.train()
    by_hand, rows = NETWORKS[name](sizes), torch.from_numpy(X)
    copy_weights(module, by_hand)
    inputs, weight = {"x": rows}, torch.ones(len(X), n_tasks)
    torch.testing.assert_close(by_hand(rows), module(inputs)[:, 0], rtol=1e-4, atol=1e-5)
    penalty = module.sharing.penalty(inputs, weight)
    expected = torch.zeros(()) if penalty is None else penalty
    torch.testing.assert_close(torch.as_tensor(by_hand.penalty(rows)), expected, rtol=1e-4, atol=1e-6)


def test_every_way_of_sharing_has_a_network_written_by_hand():
    assert set(SHARINGS) <= set(NETWORKS)


def test_the_suite_of_ways_of_sharing_runs():
    measured = list(sharing_speed.measure(Options(quick=True, threads=(1,))))
    ways = [name for name in NETWORKS if name in SHARINGS]
    assert [len(results) for results in measured] == 2 * ([2] * len(ways) + [len(ways)])
    assert all(value > 0 for results in measured for result in results for value in result.values)


def test_the_suite_of_balancing_runs(monkeypatch):
    few = {name: balancing_speed.AGGREGATORS[name] for name in ("pcgrad", "upgrad")}
    monkeypatch.setattr(balancing_speed, "AGGREGATORS", few)
    measured = list(balancing_speed.measure(Options(quick=True, threads=(1,))))
    assert [results[0].contestant for results in measured] == 2 * ["static", *2 * ["TorchJD, its own loop"]]
    assert all(value > 0 for results in measured for result in results for value in result.values)


def test_methods_on_gradients_are_timed_beside_torchjd():
    of_gradients = {name for name, of in BALANCERS.items() if issubclass(of, GradientBalancer)}
    assert of_gradients == set(balancing_speed.AGGREGATORS)


def test_the_suite_of_ways_to_weights_runs():
    (measured,) = weights.measure(Options(rounds=2, quick=True))
    assert [result.contestant for result in measured] == [
        "GridSearchCV, skorch",
        "StackedGridSearchCV",
        "StackedHalvingGridSearchCV",
        "ManifoldSearchCV",
        "equal weights",
    ]
    assert all(len(result.values) == 2 and min(result.values) > 0 for result in measured)
    assert measured[0].ratios == (1.0, 1.0)
    full, equal = measured[1].note, measured[-1].note
    assert full.endswith("fitted anew +0.0000 ± 0.0000 beside StackedGridSearchCV")
    assert equal.startswith("weight 1 to 1, score ")


def test_rounds_of_the_suite_of_ways_to_weights_split_the_rows_their_own_way():
    data, size = synthetic(50, 3), weights.Size(n_weights=2, n_folds=2, n_fits=1)
    recipes = [Recipe(epochs=1, batch_size=20, hidden=(4,), seed=seed) for seed in (0, 0, 1)]
    first, again, other = (weights.Round.of(data, recipe, size) for recipe in recipes)
    assert (len(first.seen.X), len(first.unseen.X)) == (40, 10)
    together = np.concatenate([first.seen.X, first.unseen.X])
    assert np.array_equal(np.sort(together, axis=0), np.sort(data.X, axis=0))
    assert np.array_equal(first.unseen.X, again.unseen.X)
    assert not np.array_equal(first.unseen.X, other.unseen.X)


@pytest.mark.parametrize("wrong", [["sped"], ["--rounds", "0"], ["--clock", "cpu", "--threads", "1", "2"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        main(wrong)
    assert "error:" in capsys.readouterr().err
