"""A task of the user's own is as good as ours."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Regression, Task, TaskKind, TaskLosses, TaskSet
from sklearn_mtl.tasks.losses.regression import SquaredError
from sklearn_mtl.tasks.task import check_labelled


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
    tasks = TaskSet((Regression().bind(columns["price"], weight), Angle().bind(columns["wind"], weight)))
    y, cell_weight = (torch.tensor(part) for part in tasks.encode(columns, weight[:, None]))
    losses = TaskLosses(tasks, y, cell_weight)
    assert len(tasks.groups) == 1
    assert losses(y[:, None], y, cell_weight).values.tolist() == [0.0, 0.0]
    parts = tasks.split([response.numpy() for response in losses.responses(y[:, None])])
    np.testing.assert_allclose(tasks.tasks[1].predict(parts["wind"]), columns["wind"].values)


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
    with pytest.raises(ValueError, match=r"Task 'a' needs at least one label\. Found 1 rows and no label"):
        check_labelled(column.take(np.array([1])), np.ones(1))
