"""Tasks of every kind, with gaps and weights."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sklearn_mtl.targets import Column, read_column
from sklearn_mtl.tasks import Classification, Multilabel, Regression, TaskSet


@dataclass(frozen=True)
class LabelledTasks:
    """Tasks and the labels they were bound to."""

    tasks: TaskSet
    columns: dict[str, Column]
    weight: np.ndarray

    def encode(self):
        """Return encoded targets and cell weights as tensors."""
        y, cell_weight = self.tasks.encode(self.columns, self.weight[:, None])
        return torch.tensor(y), torch.tensor(cell_weight)

    def reordered(self, order):
        """Return the same tasks in another order."""
        return LabelledTasks(TaskSet(tuple(self.tasks.tasks[i] for i in order)), self.columns, self.weight)


@pytest.fixture
def every_kind():
    """Ten tasks, those of one loss apart from each other, of 90 rows with gaps and weights."""
    rng = np.random.default_rng(0)
    n = 90
    labels = {
        "price": (Regression(), rng.normal(100, 20, n)),
        "sold": (Classification(), rng.integers(0, 2, n).astype(float)),
        "size": (Regression(), rng.normal(0, [1, 5], (n, 2))),
        "rooms": (Regression(loss="poisson"), rng.poisson(3, n).astype(float)),
        "type": (Classification(class_weight="balanced"), rng.choice(["a", "b", "c"], n).astype(object)),
        "tags": (Multilabel(pos_weight=2.0), rng.integers(0, 2, (n, 3)).astype(float)),
        "age": (Regression(loss="quantile"), rng.gamma(2, size=n)),
        "rent": (Regression(loss="gaussian_nll"), rng.normal(size=n)),
        "old": (Classification(class_weight={True: 3.0}), (rng.random(n) < 0.3).astype(object)),
        "colour": (Classification(loss="focal"), rng.integers(0, 4, n).astype(float)),
    }
    weight = rng.choice([0.0, 0.5, 1.0, 2.0], n)
    columns = {}
    for name, (_, values) in labels.items():
        values[rng.random(values.shape) < 0.15] = None if values.dtype == object else np.nan
        columns[name] = read_column(name, values)
    tasks = TaskSet(tuple(kind.bind(columns[name], weight) for name, (kind, _) in labels.items()))
    return LabelledTasks(tasks, columns, weight)
