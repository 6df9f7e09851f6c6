"""One trunk for all tasks."""

import torch
from sklearn.base import clone

from sklearn_mtl.sharing import SHARINGS, HardSharing


def test_representation_is_the_trunks(problem):
    trunk = problem.make_trunk()
    sharing = HardSharing().build(lambda: trunk, [], problem.spec)
    assert (sharing.width, sharing.members, sharing.per_task) == (5, problem.members, False)
    found = sharing(problem.inputs, heads=None)
    torch.testing.assert_close(found, trunk(problem.inputs), rtol=0, atol=0)


def test_one_trunk_is_made(problem):
    made = []
    HardSharing().build(lambda: made.append(problem.make_trunk()) or made[-1], [], problem.spec)
    assert len(made) == 1


def test_shared_parameters_are_exactly_the_trunks(problem):
    trunk = problem.make_trunk()
    sharing = HardSharing().build(lambda: trunk, [], problem.spec)
    assert [id(weights) for weights in sharing.shared_parameters()] == list(map(id, trunk.parameters()))
    assert len(list(sharing.parameters())) == len(list(trunk.parameters())) > 0


def test_no_penalty(problem):
    sharing = HardSharing().build(problem.make_trunk, [], problem.spec)
    assert sharing.penalty(problem.inputs, problem.weight) is None


def test_every_task_trains_the_trunk(problem):
    network, loss = problem.build(HardSharing())
    for task in range(3):
        gradients = problem.gradient(network, loss, task, network.sharing)
        assert all((gradient != 0).any() for gradient in gradients)


def test_recipe_is_an_estimator():
    assert clone(HardSharing()).get_params() == {}
    assert SHARINGS["hard"] is HardSharing
