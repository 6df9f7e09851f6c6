"""Association of the labels of tasks of any kinds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import contingency, spearmanr

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.inspection import task_affinity
from sklearn_mtl.inspection.relations.target_correlation import CRAMER, RATIO, SPEARMAN, cramers_v
from sklearn_mtl.tasks import Ordinal


def correlated(Y, **tasks):
    X = np.zeros((len(next(iter(Y.values()))), 1))
    est = MultiTaskClassifierRegressor(tasks=tasks or None)
    return task_affinity(est, X, Y, measure="target_correlation")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_each_pair_of_kinds_has_its_measure(rng):
    number = rng.normal(size=90)
    Y = {
        "number": number,
        "other": -np.exp(number + rng.normal(size=90)),
        "type": np.where(number + rng.normal(size=90) > 0, "flat", "house"),
        "zone": rng.choice(["a", "b", "c"], 90),
    }
    found = correlated(Y)
    assert found.attrs["pairs"]["number"] == {"other": SPEARMAN, "type": RATIO, "zone": RATIO}
    assert found.attrs["pairs"]["zone"]["type"] == CRAMER
    assert found.loc["number", "other"] == pytest.approx(abs(spearmanr(number, Y["other"]).statistic))
    shares = pd.Series(number).groupby(Y["type"])
    between = (shares.size() * (shares.mean() - number.mean()) ** 2).sum() / (
        (number - number.mean()) ** 2
    ).sum()
    assert found.loc["type", "number"] == found.loc["number", "type"] == pytest.approx(between**0.5)
    np.testing.assert_array_equal(np.diag(found), 1)


def test_cramers_v_is_that_of_bergsma(rng):
    """With many rows it is scipy's; with few, tasks that have nothing in common are near 0."""
    one = rng.integers(0, 3, 4000)
    other = (one + rng.integers(0, 2, 4000)) % 4
    table = pd.crosstab(one, other).to_numpy()
    assert cramers_v(one, other) == pytest.approx(contingency.association(table, correction=False), abs=0.01)
    by_chance = [cramers_v(rng.integers(0, 5, 40), rng.integers(0, 5, 40)) for _ in range(200)]
    assert np.median(by_chance) < 0.1
    assert cramers_v(one, one) == pytest.approx(1, abs=1e-3)


def test_missing_labels_are_left_out_pair_by_pair(rng):
    number = rng.normal(size=60)
    full = {"a": number, "b": number**3, "c": rng.normal(size=60)}
    gaps = {"a": np.where(np.arange(60) < 20, np.nan, number), "b": number**3, "c": full["c"]}
    found = correlated(gaps)
    assert found.loc["a", "b"] == pytest.approx(1)
    assert found.loc["a", "c"] == pytest.approx(abs(spearmanr(number[20:], full["c"][20:]).statistic))
    assert found.loc["b", "c"] == correlated(full).loc["b", "c"]


def test_of_what_nothing_is_known_there_is_a_gap(rng):
    one = np.r_[rng.normal(size=30), np.full(30, np.nan)]
    found = correlated({"a": one, "b": one[::-1].copy(), "c": rng.normal(size=60)})
    assert np.isnan(found.loc["a", "b"])
    assert found.loc["a", "a"] == 1
    assert np.isfinite(found.loc["a", "c"])


def test_several_columns_have_the_strongest_pair(rng):
    X = rng.normal(size=(80, 3))
    block = np.stack([X[:, 0], X[:, 1]], axis=1)
    found = correlated({"block": block, "one": X[:, 1] ** 3, "labels": (X[:, :2] > 0).astype(int)})
    assert found.loc["block", "one"] == pytest.approx(1)
    assert found.loc["labels", "one"] == found.loc["one", "labels"]
    # Of its two columns the first has nothing to do with it.
    assert found.loc["labels", "one"] > 0.3
    assert found.attrs["pairs"]["labels"] == {"block": RATIO, "one": RATIO}


def test_tokens_are_compared_by_position(rng):
    tags = [list(rng.choice(["a", "b"], n)) for n in rng.integers(2, 5, 30)]
    same = [["x" if tag == "a" else "y" for tag in row] for row in tags]
    Y = {"tags": tags, "same": same, "first": [row[0] for row in tags]}
    found = correlated(Y, tags="tokens", same="tokens")
    assert found.loc["tags", "same"] == pytest.approx(1, abs=0.02)
    assert 0.1 < found.loc["tags", "first"] < 0.9


def test_kinds_are_those_of_the_estimator(rng):
    grade = rng.integers(0, 4, 50)
    found = correlated({"grade": grade, "size": grade + 0.0001 * rng.normal(size=50)}, grade=Ordinal())
    assert found.attrs["pairs"]["grade"] == {"size": RATIO}
    assert found.loc["grade", "size"] == pytest.approx(1, abs=1e-4)
    as_numbers = task_affinity(
        MultiTaskRegressor(),
        np.zeros((50, 1)),
        {"grade": grade, "other": grade},
        measure="target_correlation",
    )
    assert as_numbers.attrs["pairs"]["grade"] == {"other": SPEARMAN}
