"""Linear models of every loss, compared with scikit-learn's and with the loss itself."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_mtl.data import Table
from sklearn_mtl.inference.linear_path import STRENGTHS, linear_path
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Multilabel, Ordinal, Regression, Survival, TaskSet

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6)) * [3, 1, 1, 1, 0.2, 0.2]
SCORE = X[:, 0] - 2 * X[:, 1] + RNG.normal(size=120)
LABELS = {
    "number": SCORE,
    "numbers": np.c_[SCORE, X[:, 2] + RNG.normal(size=120)],
    "binary": (SCORE > 0).astype(int),
    "classes": np.digitize(SCORE, [-2, 2]),
    "tags": np.c_[SCORE > 0, SCORE + RNG.normal(size=120) > 1].astype(int),
    "count": RNG.poisson(np.exp(np.clip(SCORE / 3, -2, 2))).astype(float),
    "life": np.c_[np.exp(-SCORE / 4), RNG.random(120) < 0.7],
}
KINDS = {
    "number": Regression(),
    "numbers": Regression(),
    "absolute": Regression(loss="absolute_error"),
    "huber": Regression(loss="huber"),
    "quantile": Regression(loss="quantile"),
    "gaussian": Regression(loss="gaussian_nll"),
    "count": Regression(loss="poisson"),
    "binary": Classification(),
    "classes": Classification(),
    "tags": Multilabel(),
    "ordinal": Ordinal(),
    "life": Survival(),
}
SAME_LABELS = {"absolute": "number", "huber": "number", "quantile": "number", "gaussian": "number"}
SAME_LABELS["ordinal"] = "classes"


def bound(names, weight=None, rows=slice(None)):
    """A table of tasks, and the tasks."""
    weight = np.ones(len(X)) if weight is None else weight
    columns = read_targets({name: LABELS[SAME_LABELS.get(name, name)][rows] for name in names}).columns
    tasks = TaskSet(tuple(KINDS[name].bind(columns[name], weight[rows]) for name in names))
    y, cell_weight = tasks.encode(columns, weight[rows, None])
    table = Table.from_arrays({"x": X[rows]}, y, cell_weight, device=torch.device("cpu"), dtype=torch.float64)
    return table, tasks


def variance():
    return ((X - X.mean(0)) ** 2).sum(1).mean()


def test_of_squared_errors_it_is_ridge_regression():
    table, tasks = bound(["numbers"])
    y = table.y.numpy()
    for model, strength in zip(linear_path(table, tasks), STRENGTHS, strict=True):
        # Theirs is the sum of squared errors plus alpha times the squared slopes, ours half of the penalty.
        ridge = Ridge(alpha=strength * variance() * len(X) / 2).fit(X, y)
        np.testing.assert_allclose(model.weight, ridge.coef_, atol=1e-6)
        np.testing.assert_allclose(model(torch.tensor(X)), ridge.predict(X), atol=1e-6)


@pytest.mark.parametrize("name", ["binary", "classes"])
def test_of_classes_it_is_logistic_regression(name):
    table, tasks = bound([name])
    for model, strength in zip(linear_path(table, tasks), STRENGTHS[:4], strict=False):
        theirs = LogisticRegression(C=1 / (strength * variance() * len(X)), tol=1e-8, max_iter=1000)
        logits = theirs.fit(X, LABELS[name]).decision_function(X)
        found = model(torch.tensor(X)).numpy()
        if name == "classes":
            found, logits = (of - of.mean(1, keepdims=True) for of in (found, logits))
        np.testing.assert_allclose(found.reshape(logits.shape), logits, atol=0.02)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_and_loss_has_a_path_of_falling_training_loss(name):
    table, tasks = bound([name])
    group = tasks.groups[0]

    def loss(raw):
        outputs = raw.unflatten(-1, (group.n_columns, group.loss.width))
        return float((group.loss(outputs, table.y) * table.weight).mean())

    losses = [loss(model(torch.tensor(X))) for model in linear_path(table, tasks)]
    constant = group.loss.constant(table.y, table.weight).flatten().expand(len(X), -1)
    assert np.isfinite(losses).all()
    assert losses[0] <= loss(constant) + 1e-6
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * loss(constant) or name == "gaussian"


def test_outputs_that_are_the_same_for_every_row_have_no_slope():
    table, tasks = bound(["ordinal"])
    (task,) = tasks
    for model in linear_path(table, tasks):
        assert (model.weight[task.constant_outputs] == 0).all()
        assert (model.weight[0] != 0).any()


def test_tasks_are_fitted_together_as_alone():
    names = ["number", "binary", "classes"]
    table, tasks = bound(names)
    together = torch.stack([model(torch.tensor(X)) for model in linear_path(table, tasks)])
    alone = [
        torch.stack([model(torch.tensor(X)) for model in linear_path(*bound([task.name]))])
        for task in tasks.ordered
    ]
    assert torch.allclose(together[..., 0], alone[0][..., 0], rtol=0, atol=1e-10)
    # Of labels that are nearly separable, weak penalties leave the size of the logits open.
    assert torch.allclose(together[:4], torch.cat(alone, -1)[:4], atol=0.02)


@pytest.mark.parametrize("limit", ["MOST_ALONE", "MOST_WORK", "MOST_EQUATIONS"])
def test_many_tasks_of_unequal_gaps_are_searched_together_as_few_are_alone(monkeypatch, limit):
    names = ["number", "numbers", "huber", "binary"]
    table, tasks = bound(names)
    gaps = np.random.RandomState(0).random_sample(table.weight.shape) > 0.2
    gapped = Table.from_arrays(
        {"x": X}, table.y.numpy(), 1.0 * gaps, device=torch.device("cpu"), dtype=torch.float64
    )
    alone = list(linear_path(gapped, tasks))
    monkeypatch.setattr(f"sklearn_mtl.inference.linear_path.{limit}", 1)
    for one, other in zip(alone[:4], linear_path(gapped, tasks), strict=False):
        assert torch.allclose(one(torch.tensor(X)), other(torch.tensor(X)), atol=0.05)


def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_none():
    weight = np.r_[np.full(40, 2.0), np.ones(60), np.zeros(20)]
    table, tasks = bound(["number"], weight)
    again = np.r_[0:40, 0:100]
    repeated = Table.from_arrays(
        {"x": X[again]},
        table.y.numpy()[again],
        np.ones((140, 1)),
        device=torch.device("cpu"),
        dtype=torch.float64,
    )
    for weighted, twice in zip(linear_path(table, tasks), linear_path(repeated, tasks), strict=True):
        assert torch.allclose(weighted(torch.tensor(X)), twice(torch.tensor(X)), atol=1e-6)


def test_more_columns_than_rows_are_as_few_with_the_same_products():
    """Rotated into more columns than there are rows, the rows have the same models."""
    table, tasks = bound(["number", "binary"])
    turn = np.linalg.qr(RNG.normal(size=(200, 6)))[0].T
    wide = Table.from_arrays(
        {"x": X @ turn},
        table.y.numpy(),
        table.weight.numpy(),
        device=torch.device("cpu"),
        dtype=torch.float64,
    )
    for few, many in zip(linear_path(table, tasks), linear_path(wide, tasks), strict=True):
        assert torch.allclose(few(torch.tensor(X)), many(torch.tensor(X @ turn)), atol=1e-3)


def test_columns_that_hold_nothing_leave_the_constant():
    table, tasks = bound(["number", "binary"])
    empty = Table.from_arrays(
        {"x": np.zeros((120, 3))},
        table.y.numpy(),
        table.weight.numpy(),
        device=torch.device("cpu"),
        dtype=torch.float64,
    )
    for model in linear_path(empty, tasks):
        assert (model.weight == 0).all()
        assert model.bias.isfinite().all()
