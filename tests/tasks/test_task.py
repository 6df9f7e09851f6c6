"""A task of the user's own is as good as ours."""

import re
from dataclasses import dataclass
from types import FunctionType
from typing import ClassVar

import numpy as np
import pytest
import torch

from sklearn_mtl import tasks
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import (
    Classification,
    Multilabel,
    Ordinal,
    Regression,
    Survival,
    Task,
    TaskKind,
    TaskLosses,
    TaskSet,
    losses,
)
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.regression import SquaredError


@dataclass(frozen=True, eq=False)
class AngleTask(Task):
    """An angle, learned as the two coordinates on the unit circle."""

    kind: ClassVar[str] = "angle"

    def encode(self, column):
        angle = np.where(column.missing, np.nan, column.values)
        return np.column_stack([np.cos(angle), np.sin(angle)])

    def decode(self, decision):
        return np.arctan2(decision[:, 1], decision[:, 0])

    def score(self, column, response, weight):
        return float(np.mean(np.cos(self.predict(response) - column.values)))


class Angle(TaskKind):
    name: ClassVar[str] = "angle"

    def bind(self, column, weight):
        check_labelled(column, weight)
        return AngleTask(column.name, SquaredError(), 2, False, column.dtype)


def test_task_of_ones_own_lies_beside_ours():
    rng = np.random.default_rng(0)
    columns = {
        "price": read_column("price", rng.normal(size=20)),
        "wind": read_column("wind", rng.uniform(-3, 3, 20)),
    }
    weight = np.ones(20)
    task_set = TaskSet((Regression().bind(columns["price"], weight), Angle().bind(columns["wind"], weight)))
    y, cell_weight = (torch.tensor(part) for part in task_set.encode(columns, weight[:, None]))
    task_losses = TaskLosses(task_set, y, cell_weight)
    assert len(task_set.groups) == 1
    assert task_losses(y[:, None], y, cell_weight).values.tolist() == [0.0, 0.0]
    parts = task_set.split([response.numpy() for response in task_losses.responses(y[:, None])])
    np.testing.assert_allclose(task_set.tasks[1].predict(parts["wind"]), columns["wind"].values)


def test_cells_weigh_one_unless_a_task_says_otherwise():
    task = Angle().bind(read_column("wind", [0.0, 1.0]), np.ones(2))
    assert task.cell_weight(np.zeros((2, 2))) == 1.0
    assert task.width == 2


@pytest.mark.filterwarnings("ignore:Task 'a' has no label in the columns")
@pytest.mark.parametrize("values", [[1.0, np.nan], [[np.nan, 1.0], [np.nan, np.nan]]])
def test_one_labelled_row_of_positive_weight_is_enough(values):
    column = read_column("a", np.array(values))
    check_labelled(column, np.array([0.1, 0.0]))
    with pytest.raises(
        ValueError, match=r"Task 'a' needs at least one labelled row of positive weight\. Found 1"
    ):
        check_labelled(column, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"Task 'a' needs at least one label\. Found 1 rows to train on"):
        check_labelled(column.take(np.array([1])), np.ones(1))


@pytest.mark.parametrize("name", ["classes", "probabilities", "interval", "survival"])
def test_what_a_task_has_is_what_it_defines(name):
    labels = [np.arange(8) % 2] * 4 + [np.eye(8), np.ones((8, 2))]
    kinds = [Regression(), Regression("gaussian_nll"), Classification(), Ordinal(), Multilabel(), Survival()]
    bound = [kind.bind(read_column("a", own), np.ones(8)) for kind, own in zip(kinds, labels, strict=True)]
    having = {"interval": kinds[1:2], "survival": kinds[5:]}.get(name, kinds[2:5])
    assert [kind for kind, task in zip(kinds, bound, strict=True) if getattr(task, f"has_{name}")] == having


def overridden():
    """Methods of tasks, kinds and losses that override one of ours that is not abstract."""
    for of in {value for value in (vars(tasks) | vars(losses)).values() if isinstance(value, type)}:
        for name in {name for name in vars(of) if not name.startswith("__")}:
            base = next((base for base in of.__mro__[1:] if name in vars(base)), object)
            if base.__module__.startswith("sklearn_mtl") and is_concrete_method(vars(base)[name]):
                yield pytest.param(base, name, id=f"{of.__name__}.{name}")


def is_concrete_method(value):
    is_method = isinstance(value, FunctionType | property | classmethod | staticmethod)
    return is_method and not getattr(value, "__isabstractmethod__", False)


@pytest.mark.parametrize(("base", "name"), sorted(overridden(), key=lambda one: one.id))
def test_what_is_overridden_is_named_as_a_hook(base, name):
    assert f"`{name}`" in base.__doc__
    assert re.search(r"[Hh]ook", base.__doc__)
