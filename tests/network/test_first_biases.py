"""Where the biases of heads begin, against the loss itself, and where there are few labels."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sklearn_mtl.network import heads
from sklearn_mtl.network.heads import first_biases
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import (
    Classification,
    Multilabel,
    Ordinal,
    PointLoss,
    Regression,
    Segmentation,
    Survival,
    TaskSet,
)

RNG = np.random.default_rng(0)
N_ROWS = 80
SCORE = RNG.normal(size=N_ROWS)
CODE = np.digitize(SCORE, [-1.0, 1.0])
LABELS = {
    "number": (Regression(), SCORE + 3),
    "quantiles": (Regression(loss="quantile", quantiles=(0.1, 0.95)), np.exp(SCORE)),
    "count": (Regression(loss="poisson"), RNG.poisson(2, N_ROWS).astype(float)),
    "spread": (Regression(loss="gaussian_nll"), SCORE),
    "binary": (Classification(), (CODE == 0).astype(int)),
    "classes": (Classification(), CODE),
    "smoothed": (Classification(label_smoothing=0.2), CODE),
    "focal": (Classification(loss="focal"), CODE),
    "tags": (Multilabel(), np.c_[CODE == 0, CODE == 2].astype(int)),
    "grade": (Ordinal(), CODE),
    "life": (Survival(), np.c_[np.exp(SCORE), RNG.random(N_ROWS) < 0.7]),
    "picture": (Segmentation(), RNG.choice(3, (N_ROWS, 2, 2), p=[0.85, 0.1, 0.05])),
}


def bound(labels):
    """The tasks, the encoded targets and the cell weights."""
    columns = read_targets({name: values for name, (_, values) in labels.items()}).columns
    row_weight = np.ones(len(next(iter(columns.values())).values))
    tasks = TaskSet(tuple(kind.bind(columns[name], row_weight) for name, (kind, _) in labels.items()))
    y, weight = tasks.encode(columns, row_weight[:, None])
    return tasks, torch.tensor(y), torch.tensor(weight)


def of_heads(tasks):
    """The task of each output of the heads."""
    return np.repeat([task.name for task in tasks.ordered], [task.head_width for task in tasks.ordered])


@pytest.mark.parametrize("name", LABELS)
def test_another_constant_has_a_larger_loss(name, monkeypatch):
    monkeypatch.setattr(heads, "SMALLEST_CONSTANT", -1.0)
    tasks, y, weight = bound({name: LABELS[name]})
    weight[::3] = 0
    (group,) = tasks.groups
    constants = first_biases(tasks.groups, y, weight)
    assert constants.shape == (len(tasks.of_heads),)

    def loss(raw):
        if group.of_positions:
            raw = raw.repeat(group.n_columns)
        raw = raw.unflatten(0, (group.n_columns, -1)).expand(len(y), -1, -1)
        return float((group.loss(raw, y) * weight).sum())

    for output, constant in enumerate(constants.tolist()):
        if name == "life" and abs(constant) >= np.log(2 * int((weight > 0).sum()) + 1):
            continue  # an interval without an event, whose hazard would be 0
        for step in (-0.3, 0.3):
            other = constants.clone()
            other[output] += step
            assert loss(other) > loss(constants)


def test_only_what_is_far_from_0_is_not_drawn():
    tasks, y, weight = bound({name: LABELS[name] for name in ("number", "binary", "classes", "quantiles")})
    found, names = first_biases(tasks.groups, y, weight).numpy(), of_heads(tasks)
    shares = np.bincount(CODE) / N_ROWS
    logs = np.log(shares) - np.log(shares).mean()
    assert np.isnan(found[names == "number"]).all()
    assert found[names == "binary"].item() == pytest.approx(np.log(shares[0] / (1 - shares[0])))
    np.testing.assert_allclose(found[names == "classes"], np.where(abs(logs) > 1, logs, np.nan))
    assert np.isnan(found[names == "quantiles"]).tolist() == [True, False]


def test_they_are_in_the_order_of_the_raw_outputs(monkeypatch):
    monkeypatch.setattr(heads, "SMALLEST_CONSTANT", -1.0)
    names = ["classes", "number", "binary", "tags", "picture", "life"]
    tasks, y, weight = bound({name: LABELS[name] for name in names})
    alone = []
    for task in tasks.ordered:
        of_task, *encoded = bound({task.name: LABELS[task.name]})
        alone.append(first_biases(of_task.groups, *encoded))
    torch.testing.assert_close(first_biases(tasks.groups, y, weight), torch.cat(alone))


@pytest.mark.parametrize("kind", [Classification(), Multilabel()])
def test_a_class_that_is_not_shown_counts_as_half_a_label(kind):
    labels = np.r_[1, np.zeros(40, dtype=int)]
    labels = np.c_[labels, labels] if isinstance(kind, Multilabel) else labels
    tasks, y, weight = bound({"task": (kind, labels)})
    weight[0] = 0
    for constant in first_biases(tasks.groups, y, weight).tolist():
        assert constant == pytest.approx(-np.log(81))


def test_without_a_label_there_is_none():
    tasks, y, weight = bound({name: LABELS[name] for name in ("binary", "tags")})
    (place,) = np.flatnonzero(tasks.column_task == tasks.names.index("binary"))
    weight[:, place] = 0
    found = first_biases(tasks.groups, y, weight).numpy()
    assert of_heads(tasks)[np.isnan(found)].tolist() == ["binary"]


@dataclass(frozen=True)
class WithoutConstant(PointLoss):
    """A loss that has none."""

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs()

    def reference(self, y, weight):
        return weight.double().sum(0)

    def constant(self, y, weight):
        raise NotImplementedError


def test_a_loss_of_ones_own_has_none():
    own = (Regression(loss=WithoutConstant()), SCORE)
    tasks, y, weight = bound({"number": own, "binary": LABELS["binary"]})
    found = first_biases(tasks.groups, y, weight).numpy()
    assert of_heads(tasks)[np.isnan(found)].tolist() == ["number"]
