"""Tables, and what the trunks are told about them."""

from dataclasses import dataclass

import pytest
import torch

from sklearn_mtl.features import Block, FeatureSpec


@dataclass(frozen=True)
class Table:
    """A table as a trunk gets it."""

    spec: FeatureSpec
    inputs: dict[str, torch.Tensor]

    def build(self, trunk):
        """Return a new network."""
        return trunk.build(self.spec, trunk.fit_statistics(self.spec, self.inputs))


@pytest.fixture
def make_table():
    """Return a function that draws a table: continuous columns first, then columns of 0 and 1."""

    def draw(n_rows=60, n_continuous=4, n_binary=3, seed=0):
        generator = torch.Generator().manual_seed(seed)
        numbers = torch.randn(n_rows, n_continuous, generator=generator)
        flags = torch.randint(0, 2, (n_rows, n_binary), generator=generator).float()
        block = Block("x", (n_continuous + n_binary,), n_continuous=n_continuous)
        return Table(FeatureSpec((block,)), {"x": torch.cat([numbers, flags], dim=1)})

    return draw
