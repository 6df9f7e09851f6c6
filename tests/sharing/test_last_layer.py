"""The last layer that tasks share, of every way of sharing."""

import pytest
from torch import nn

from sklearn_mtl.sharing import (
    PLE,
    SHARINGS,
    Cascade,
    CrossStitch,
    DSelectK,
    HardSharing,
    Hierarchical,
    MMoE,
    SeparateTrunks,
    SoftSharing,
    TaskAdapters,
    TaskAttention,
)
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.trunks import MLP, ModuleTrunk

# Where each has it; of two stages, the last is "stages.1".
PLACES = [
    (HardSharing(), "trunk.stages.1"),
    (Cascade(["price", "type", "sold"]), "trunk.stages.1"),
    (CrossStitch(), "trunks.stages.1"),
    (DSelectK(3, 2), "experts.stages.1"),
    (MMoE(2), "experts.stages.1"),
    (Hierarchical([["price", "type"], ["sold"]]), "branches.0"),
    (Hierarchical([["price"], ["type"], ["sold"]], common_stages=1), "common.0"),
    (PLE(2), "shared.stages.1"),
    (SoftSharing(), "common"),
    (TaskAdapters(), "trunk.stages.1"),
    (TaskAttention(), "trunk.stages.1"),
    (SeparateTrunks(), None),
    (SoftSharing("trace_norm"), None),
]


def test_every_way_of_sharing_is_here():
    assert {type(recipe) for recipe, _ in PLACES} == set(SHARINGS.values())


@pytest.mark.parametrize(("recipe", "place"), PLACES, ids=lambda value: str(value))
def test_the_last_layer_is_trained_by_several_tasks(recipe, place, problem):
    network, loss = problem.build(recipe)
    layer = network.sharing.last_shared_layer()
    names = {id(weights): name for name, weights in network.sharing.named_parameters()}
    found = [names[id(weights)] for weights in layer]
    assert (found == []) == (place is None)
    assert all(name.startswith(place) for name in found)
    # One linear layer: a matrix and a bias, and of members their scales.
    assert len(found) == (0 if place is None else 2 if problem.members == 1 else 4)
    assert {id(weights) for weights in layer} <= set(map(id, network.sharing.shared_parameters()))
    if found:
        part = nn.ParameterList(layer)
        trained = [any((of != 0).any() for of in problem.gradient(network, loss, k, part)) for k in range(3)]
        assert sum(trained) > 1


def test_a_normalization_is_no_layer():
    layers = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2), nn.LayerNorm(2))
    assert list(map(id, last_layer(layers, layers.parameters()))) == list(map(id, layers[2].parameters()))


def test_without_a_matrix_it_is_all_there_is():
    norm = nn.LayerNorm(2)
    assert list(map(id, last_layer(nn.Sequential(norm), norm.parameters()))) == list(
        map(id, norm.parameters())
    )


def test_what_is_not_trained_is_left_out(problem):
    def sharing_of(trunk):
        return HardSharing().build(lambda: trunk.build(problem.spec, {}), [], problem.spec)

    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert [tuple(of.shape) for of in sharing_of(ModuleTrunk(module)).last_shared_layer()] == [(2, 3), (2,)]
    assert sharing_of(ModuleTrunk(module, frozen=True)).last_shared_layer() == []
    assert sharing_of(MLP(())).last_shared_layer() == []
    half = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2).requires_grad_(requires_grad=False))
    assert [tuple(of.shape) for of in sharing_of(ModuleTrunk(half)).last_shared_layer()] == [(3, 4), (3,)]
