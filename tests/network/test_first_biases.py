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
    ClassLoss,
    Multilabel,
    Ordinal,
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
    "binary": (Classification(), (CODE == 0).astype(int)),
    "classes": (Classification(), CODE),
    "smoothed": (Classification(label_smoothing=0.2), CODE),
    "focal": (Classification(loss="focal"), CODE),
    "tags": (Multilabel(), np.c_[CODE == 0, CODE == 2].astype(int)),
    "picture": (Segmentation(), RNG.choice(3, (N_ROWS, 2, 2), p=[0.85, 0.1, 0.05])),
}

OTHERS = {
    "number": (Regression(), SCORE + 3),
    "quantiles": (Regression(loss="quantile", quantiles=(0.1, 0.95)), np.exp(SCORE)),
    "grade": (Ordinal(), CODE),
    "life": (Survival(), np.c_[np.exp(SCORE), RNG.random(N_ROWS) < 0.7]),
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

    for output in range(len(constants)):
        for step in (-0.3, 0.3):
            other = constants.clone()
            other[output] += step
            assert loss(other) > loss(constants)


def test_only_those_of_rare_classes_are_not_drawn():
    tasks, y, weight = bound({"binary": LABELS["binary"], "classes": LABELS["classes"], **OTHERS})
    found, names = first_biases(tasks.groups, y, weight).numpy(), of_heads(tasks)
    shares = np.bincount(CODE) / N_ROWS
    logs = np.log(shares) - np.log(shares).mean()
    assert found[names == "binary"].item() == pytest.approx(np.log(shares[0] / (1 - shares[0])))
    np.testing.assert_allclose(found[names == "classes"], np.where(abs(logs) > 1, logs, np.nan))
    assert np.isnan(found[np.isin(names, list(OTHERS))]).all()


def test_they_are_in_the_order_of_the_raw_outputs(monkeypatch):
    monkeypatch.setattr(heads, "SMALLEST_CONSTANT", -1.0)
    labels = {name: LABELS[name] for name in ("classes", "binary", "tags", "picture")} | OTHERS
    tasks, y, weight = bound(labels)
    alone = []
    for task in tasks.ordered:
        of_task, *encoded = bound({task.name: labels[task.name]})
        alone.append(first_biases(of_task.groups, *encoded))
    torch.testing.assert_close(first_biases(tasks.groups, y, weight), torch.cat(alone), equal_nan=True)


@pytest.mark.parametrize("kind", [Classification(), Multilabel()])
def test_a_class_that_is_not_shown_is_begun_with_as_1_in_100(kind):
    labels = np.r_[1, np.zeros(40, dtype=int)]
    labels = np.c_[labels, labels] if isinstance(kind, Multilabel) else labels
    tasks, y, weight = bound({"task": (kind, labels)})
    weight[0] = 0
    found = first_biases(tasks.groups, y, weight)
    np.testing.assert_allclose(found.sigmoid(), 0.01, rtol=0.01)
    # Neither do weights of another scale change that, nor rows that are there twice.
    torch.testing.assert_close(first_biases(tasks.groups, y, 10 * weight), found)
    torch.testing.assert_close(first_biases(tasks.groups, y.repeat(2, 1), weight.repeat(2, 1)), found)


def test_without_a_label_there_is_none():
    tasks, y, weight = bound({name: LABELS[name] for name in ("binary", "tags")})
    (place,) = np.flatnonzero(tasks.column_task == tasks.names.index("binary"))
    weight[:, place] = 0
    found = first_biases(tasks.groups, y, weight).numpy()
    assert of_heads(tasks)[np.isnan(found)].tolist() == ["binary"]


@dataclass(frozen=True)
class WithoutConstant(ClassLoss):
    """A loss that has none."""

    def __call__(self, raw, y):
        right = y.long().expand(raw.shape[:-1]).unsqueeze(-1)
        return -raw.log_softmax(-1).gather(-1, right).squeeze(-1)

    def reference(self, y, weight):
        return weight.double().sum(0)

    def constant(self, y, weight):
        raise NotImplementedError


def test_a_loss_of_ones_own_has_none():
    own = (Classification(loss=WithoutConstant()), CODE)
    tasks, y, weight = bound({"classes": own, "binary": LABELS["binary"]})
    found = first_biases(tasks.groups, y, weight).numpy()
    assert of_heads(tasks)[np.isnan(found)].tolist() == ["classes"] * 3
