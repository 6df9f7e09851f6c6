"""A table with three tasks, and the network for a way of sharing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.network.module import BalancedLoss, Blueprint, MultiTaskModule
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.trunks import MLP, TabM

TRUNKS = {"mlp": MLP(hidden_sizes=(6, 5)), "tabm": TabM(hidden_sizes=(6, 5), members=3, dropout=0.0)}


@dataclass(frozen=True)
class Problem:
    """Encoded rows of three tasks, and how to build their network."""

    spec: FeatureSpec
    inputs: dict[str, torch.Tensor]
    y: torch.Tensor
    weight: torch.Tensor
    make_blueprint: Callable[..., Blueprint]
    make_trunk: Callable
    members: int

    def build(self, sharing, balancing=None, hidden=((), (), ())) -> tuple[MultiTaskModule, BalancedLoss]:
        """Return a new network and its loss."""
        blueprint = self.make_blueprint(sharing, balancing or StaticWeights(), hidden)
        torch.manual_seed(0)
        network = blueprint.build(blueprint.fit_statistics(self.inputs)).double()
        return network, blueprint.build_loss(self.y, self.weight)

    def backward(self, network, loss):
        """Put gradients on the network, as a step of training does, and return what was minimised."""
        network.zero_grad()
        losses = loss.losses(network(self.inputs), self.y, self.weight)
        shared = list(network.sharing.shared_parameters())
        penalty = network.sharing.penalty(self.inputs, self.weight)
        return loss.balancer.backward(losses, loss.weights, penalty, shared)

    def gradient(self, network, loss, task, part):
        """Return the gradient of one task's loss in the parameters of a part of the network."""
        losses = loss.losses(network(self.inputs), self.y, self.weight)
        alone = losses.gradient(torch.eye(len(losses.values), dtype=losses.values.dtype)[task])
        return torch.autograd.grad(losses.raw, list(part.parameters()), alone, materialize_grads=True)


@pytest.fixture(params=TRUNKS)
def problem(request):
    """A table with a regression, a three-class and a binary task, for a trunk of one member or several."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    columns = {
        "price": read_column("price", x[:, 0] - x[:, 1] + 0.1 * rng.normal(size=50)),
        "type": read_column("type", np.digitize(x[:, 1], [-0.5, 0.5])),
        "sold": read_column("sold", x[:, 0] + x[:, 2] > 0),
    }
    kinds = {"price": Regression(), "type": Classification(), "sold": Classification()}
    tasks = TaskSet(tuple(kind.bind(columns[name], np.ones(50)) for name, kind in kinds.items()))
    y, weight = (torch.tensor(part) for part in tasks.encode(columns, np.ones((50, 1))))
    inputs = {"x": torch.tensor(x)}
    spec, trunk = FeatureSpec((Block("x", (4,), n_continuous=4),)), TRUNKS[request.param]
    statistics = trunk.fit_statistics(spec, inputs)
    return Problem(
        spec,
        inputs,
        y,
        weight,
        lambda sharing, balancing, hidden: Blueprint(
            spec, tasks, trunk, sharing, balancing, hidden, (1.0, 0.5, 2.0)
        ),
        lambda: trunk.build(spec, statistics).double(),
        getattr(trunk, "members", 1),
    )
