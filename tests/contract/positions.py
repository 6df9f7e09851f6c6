"""A small trunk with a representation for each step, and rows of unequal lengths, for tests."""

import numpy as np
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.targets import rows_as_objects
from sklearn_mtl.tasks import TokenClassification
from sklearn_mtl.trunks import PositionEntry, Trunk, TrunkModule

N, STEPS, CHANNELS = 48, 7, 4
TAGS = np.array(["O", "B-city", "I-city"], dtype=object)


class StepLayer(PositionEntry):
    """A layer for each step, and their mean."""

    def __init__(self, n_channels, width):
        super().__init__(width)
        self.layer = nn.Linear(n_channels, width)

    def with_positions(self, inputs):
        real = self.mask(inputs)[:, None, :, None]
        positions = torch.tanh(self.layer(inputs["x"])).unsqueeze(1)
        return (positions * real).sum(2) / real.sum(2).clamp_min(1), positions

    def mask(self, inputs):
        rows, n_steps = inputs["x"].shape[:2]
        lengths = inputs.get("x_lengths", torch.full((rows,), n_steps, device=inputs["x"].device))
        return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class Steps(Trunk):
    def build(self, spec, statistics):
        return TrunkModule(StepLayer(spec.single.shape[-1], 12), [], [12])


def sequences(n=N, longest=5, seed=0):
    """Return rows of unequal lengths, the tags of their steps, which a channel tells, and labels of rows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, longest + 1, size=n)
    lengths[0] = longest
    rows = [rng.normal(size=(length, CHANNELS)).astype(np.float32) for length in lengths]
    tags = [TAGS[np.digitize(row[:, 0], [-0.4, 0.6])] for row in rows]
    level = np.array([row[:, 1].mean() for row in rows])
    return rows_as_objects(rows), {"tags": rows_as_objects(tags), "level": level, "high": level > 0}


def tagger(**parameters):
    given = {
        "tasks": {"tags": TokenClassification()},
        "trunk": Steps(),
        "n_bags": 1,
        "max_epochs": 30,
        "lr": 0.02,
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**given, **parameters})
