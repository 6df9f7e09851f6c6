"""What is found is the best of all that rules allow, by brute force, and what obeys them is left alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from sklearn_mtl.consistency import assignment
from sklearn_mtl.consistency.assignment import Assignment
from sklearn_mtl.consistency.constraints import AllowedClasses, Linear
from sklearn_mtl.consistency.projection import Projection

INF = np.inf


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    n_classes = {"a": 3, "b": 2, "c": 4}
    tables = [AllowedClasses(names, rng.random(shape) < 0.6) for names, shape in SHAPES.items()]
    probabilities = {name: rng.dirichlet(np.ones(n), size=20) for name, n in n_classes.items()}
    return Assignment(n_classes, tables), probabilities


SHAPES = {("a", "b"): (3, 2), ("c", "a"): (4, 3), ("a", "b", "c"): (3, 2, 4)}


def brute_force(solver, probabilities, row):
    best, most = None, -1.0
    for classes in product(*(range(n) for n in solver.n_classes.values())):
        codes = {name: np.array([code]) for name, code in zip(solver.names, classes, strict=True)}
        if all(one.holds(codes)[0] for one in solver.constraints):
            value = np.prod([probabilities[name][row, codes[name][0]] for name in solver.names])
            best, most = (classes, value) if value > most else (best, most)
    return best


@pytest.mark.parametrize("most", [assignment.MOST_ASSIGNMENTS, 1], ids=["one by one", "integer programme"])
def test_classes_are_the_most_probable_of_all_that_go_together(problem, most, monkeypatch):
    monkeypatch.setattr(assignment, "MOST_ASSIGNMENTS", most)
    solver, probabilities = problem
    found = solver.best(probabilities)
    for row in range(20):
        expected = brute_force(solver, probabilities, row)
        assert tuple(found[name][row] for name in solver.names) == expected


def test_scores_of_many_rows_are_compared_in_parts(problem, monkeypatch):
    solver, probabilities = problem
    whole = solver.best(probabilities)
    monkeypatch.setattr(assignment, "MOST_SCORES", 1)
    for name, of_task in solver.best(probabilities).items():
        np.testing.assert_array_equal(of_task, whole[name])


@pytest.mark.parametrize("most", [assignment.MOST_ASSIGNMENTS, 1], ids=["one by one", "integer programme"])
def test_classes_that_rules_leave_out_are_known(most, monkeypatch):
    monkeypatch.setattr(assignment, "MOST_ASSIGNMENTS", most)
    solver = Assignment(
        {"a": 2, "b": 2}, [AllowedClasses(("a", "b"), np.array([[False, True], [False, False]]))]
    )
    assert solver.impossible() == [("a", 1), ("b", 0)]


NAMES = ["a", "b", "c", "d"]
CONSTRAINTS = {
    "one order": [Linear({"a": 1.0, "b": -1.0}, -INF, 0.0)],
    "a chain": [Linear({low: 1.0, high: -1.0}, -INF, 0.0) for low, high in ["ab", "bc", "cd"]],
    "a sum": [Linear({"a": 1.0, "b": 1.0, "c": 1.0, "d": -1.0}, 0.0, 0.0)],
    "a sum of parts that are not negative": [
        Linear({"a": 1.0, "b": 1.0, "c": 1.0, "d": -1.0}, 0.0, 0.0),
        *(Linear({name: -1.0}, -INF, 0.0) for name in "abc"),
    ],
    "both bounds": [Linear({"a": 2.0, "b": 1.0}, -0.5, 0.5), Linear({"b": 1.0, "c": -1.0}, -INF, -0.2)],
    "said twice": [
        Linear({"a": 1.0, "b": 1.0}, 1.0, 1.0),
        Linear({"a": 2.0, "b": 2.0}, 2.0, 2.0),
        Linear({"a": 1.0, "c": -1.0}, -INF, 0.0),
        Linear({"a": 1.0, "c": -1.0}, -INF, 0.0),
    ],
}


@pytest.mark.parametrize("constraints", CONSTRAINTS.values(), ids=CONSTRAINTS.keys())
@pytest.mark.parametrize("varying", [False, True])
def test_numbers_are_the_nearest_that_keep_the_constraints(constraints, varying):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(25, 4))
    variances = rng.uniform(0.1, 3.0, size=(25 if varying else 1, 4)) * np.ones((25, 1))
    solver = Projection(NAMES, constraints)
    found = solver.of(values, variances)
    assert solver.is_possible()
    as_columns = dict(zip(NAMES, found.T, strict=True))
    for one in constraints:
        assert one.holds({name: of + 0.0 for name, of in as_columns.items()}).all() or not _is_order(one)
        total = sum(factor * as_columns[name] for name, factor in one.coefficients.items())
        assert (total <= one.upper + 1e-9).all()
        assert (total >= one.lower - 1e-9).all()
    for row in range(0, 25, 6):
        expected = _by_slsqp(solver, values[row], variances[row])
        np.testing.assert_allclose(found[row], expected, atol=2e-5)
    obeys = np.logical_and.reduce([one.holds(dict(zip(NAMES, values.T, strict=True))) for one in constraints])
    np.testing.assert_array_equal(found[obeys], values[obeys])
    # What was found is left alone.
    np.testing.assert_allclose(solver.of(found, variances), found, atol=1e-9)


def _is_order(one):
    return sorted(one.coefficients.values()) == [-1.0, 1.0] and one.upper == 0


def _by_slsqp(solver, values, variances):
    constraints = []
    for one, factors in zip(solver.constraints, solver.matrix, strict=True):
        if one.lower == one.upper:
            constraints.append({"type": "eq", "fun": lambda x, f=factors, b=one.upper: f @ x - b})
            continue
        if np.isfinite(one.upper):
            constraints.append({"type": "ineq", "fun": lambda x, f=factors, b=one.upper: b - f @ x})
        if np.isfinite(one.lower):
            constraints.append({"type": "ineq", "fun": lambda x, f=factors, b=one.lower: f @ x - b})
    # SLSQP stumbles over equations that are said twice.
    equations = [one for one in constraints if one["type"] == "eq"]
    constraints = [one for one in constraints if one["type"] == "ineq"] + equations[:1]
    found = minimize(
        lambda x: ((x - values) ** 2 / variances).sum(),
        values,
        constraints=constraints,
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    return found.x


def test_numbers_that_nothing_keeps_are_known():
    assert not Projection(
        ["a"], [Linear({"a": 1.0}, -INF, 1.0), Linear({"a": -1.0}, -INF, -2.0)]
    ).is_possible()
    ends = Linear({"a": 1.0}, 0.0, 1.0)
    assert Projection(["a"], [ends]).is_possible()
    assert not Projection(["a"], [Linear({"a": 1.0}, 2.0, 2.0), ends]).is_possible()


def test_numbers_that_are_none_are_left_alone():
    solver = Projection(["a", "b"], [Linear({"a": 1.0, "b": 1.0}, 1.0, 1.0), Linear({"a": -1.0}, -INF, 0.0)])
    values = np.array([[np.nan, 2.0], [-3.0, 1.0], [INF, 1.0]])
    found = solver.of(values, np.ones_like(values))
    np.testing.assert_array_equal(found[[0, 2]], values[[0, 2]])
    np.testing.assert_allclose(found[1], [0.0, 1.0], atol=1e-12)
