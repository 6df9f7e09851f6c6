"""One trunk with adapters for each task."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import GradientBalancer
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.sharing import SHARINGS, HardSharing, TaskAdapters
from sklearn_mtl.sharing.task_adapters import AdaptedLinear
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM, TrunkModule
from sklearn_mtl.trunks.layers import BatchEnsembleLinear, Linear
from tests.sharing.learning import is_better, scores

THREE = [None, None, None]
ranks = pytest.mark.parametrize("rank", [1, 3])


def built(problem, rank=1, trunk=None):
    torch.manual_seed(0)
    return TaskAdapters(rank).build(lambda: trunk or problem.make_trunk(), THREE, problem.spec).double()


def scales(sharing):
    return [part for part in sharing.modules() if isinstance(part, AdaptedLinear)]


def draw(sharing):
    """Draw every scale and bias of a network anew, far from where they begin."""
    for part in scales(sharing):
        for weights in part.parameters(recurse=False):
            weights.data.normal_()
    return sharing


@ranks
def test_it_begins_as_hard_sharing(rank, problem):
    sharing = built(problem, rank)
    torch.manual_seed(0)
    hard = HardSharing().build(problem.make_trunk, [], problem.spec)
    assert (sharing.width, sharing.members, sharing.per_task) == (hard.width, hard.members, True)
    expected = hard(problem.inputs, None).unsqueeze(2).expand(-1, -1, 3, -1)
    torch.testing.assert_close(sharing(problem.inputs, None), expected, rtol=0, atol=1e-14)


def adapted(part, x, task):
    """What a layer makes of (rows, n_in) for a task, with its matrix written out, for the first member."""
    inputs, outputs = (scale.detach().numpy()[task, :, 0, 0] for scale in (part.inputs, part.outputs))
    inputs, outputs = inputs.copy(), outputs.copy()
    inputs[0] += 1
    outputs[0] += 1
    matrix, bias = part.layer.weight.detach().numpy(), part.layer.bias.detach().numpy()
    if isinstance(part.layer, BatchEnsembleLinear):
        r, s = (scale.detach().numpy()[0] for scale in (part.layer.r, part.layer.s))
        matrix, bias = matrix * np.outer(s, r), bias[0]
    matrix = matrix * np.einsum("ro,ri->oi", outputs, inputs)
    return x @ matrix.T + bias * outputs.sum(0) + part.bias.detach().numpy()[task, 0, 0]


@ranks
@pytest.mark.parametrize("training", [False, True])
def test_forward_is_the_equation(rank, training, problem):
    sharing = draw(built(problem, rank)).train(training)
    found = sharing(problem.inputs, None).detach().numpy()
    entry = sharing.trunk.entry(problem.inputs).detach().numpy()[:, 0]
    for task in range(3):
        hidden = entry
        for part in scales(sharing):
            hidden = np.maximum(adapted(part, hidden, task), 0)
        np.testing.assert_allclose(found[:, 0, task], hidden, rtol=1e-10, atol=1e-12)


@ranks
def test_permuting_the_tasks_permutes_the_representations(rank, problem):
    sharing = draw(built(problem, rank))
    before = sharing(problem.inputs, None)
    for part in scales(sharing):
        for weights in part.parameters(recurse=False):
            weights.data = weights.data[[2, 0, 1]]
    torch.testing.assert_close(sharing(problem.inputs, None), before[:, :, [2, 0, 1]])


@ranks
def test_tasks_begin_alike_and_every_scale_is_trained(rank, problem):
    network, loss = problem.build(TaskAdapters(rank))
    for part in scales(network.sharing):
        for weights in part.parameters(recurse=False):
            assert (weights == weights[:1]).all()
    descent = torch.optim.SGD(network.parameters(), lr=0.05)
    problem.backward(network, loss)
    descent.step()
    problem.backward(network, loss)
    for name, weights in network.named_parameters():
        assert (weights.grad != 0).any(), name
    apart = network.sharing(problem.inputs, None)
    assert not torch.allclose(apart[:, :, 0], apart[:, :, 1])


def test_gradients_of_a_task_reach_no_adapter_of_another(problem):
    network, loss = problem.build(TaskAdapters(2))
    draw(network.sharing)
    losses = loss.losses(network(problem.inputs), problem.y, problem.weight)
    alone = losses.gradient(torch.eye(3, dtype=torch.float64)[1])
    for part in scales(network.sharing):
        for weights in part.parameters(recurse=False):
            (gradient,) = torch.autograd.grad(losses.raw, [weights], alone, retain_graph=True)
            assert (gradient[1] != 0).any()
            assert (gradient[[0, 2]] == 0).all()


def test_shared_parameters_are_those_of_the_trunk(problem):
    sharing, trunk = built(problem), problem.make_trunk()
    shared = [tuple(weights.shape) for weights in sharing.shared_parameters()]
    assert sorted(shared) == sorted(tuple(weights.shape) for weights in trunk.parameters())
    own = {id(weights) for part in scales(sharing) for weights in part.parameters(recurse=False)}
    assert own | set(map(id, sharing.shared_parameters())) == set(map(id, sharing.parameters()))


@ranks
def test_parameters_are_nearly_free(rank):
    spec = FeatureSpec((Block("x", (40,), n_continuous=40),))
    sharing = TaskAdapters(rank).build(lambda: MLP((256, 256)).build(spec, {}), [None] * 30, spec)
    shared = sum(weights.numel() for weights in sharing.shared_parameters())
    total = sum(weights.numel() for weights in sharing.parameters())
    assert shared == 41 * 256 + 257 * 256
    assert total - shared == 30 * (rank * (40 + 256 + 256 + 256) + 256 + 256)


class WeightedSum(GradientBalancer):
    def forward(self, gradients, losses, weights):
        return weights @ gradients


def test_balancing_gradients_is_balancing_losses(problem):
    found = []
    for balancing in (None, WeightedSum()):
        network, loss = problem.build(TaskAdapters(2), balancing)
        draw(network.sharing)
        total = problem.backward(network, loss)
        found.append((total, [weights.grad for weights in network.parameters()]))
    torch.testing.assert_close(found[0], found[1])


class Residual(nn.Module):
    """A user's stage, which knows (rows, members, width) alone."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Linear(width, 7), nn.Linear(7, width)

    def forward(self, x):
        assert x.ndim == 3
        assert x.shape[1] == 1
        return x + self.second(self.first(x).relu())


class Column(nn.Module):
    def forward(self, inputs):
        return inputs["x"].unsqueeze(1)


def test_stages_of_the_users_own_are_adapted():
    x = {"x": torch.randn(6, 4, dtype=torch.float64)}
    stages = [Residual(4), nn.Linear(4, 5)]
    trunk = TrunkModule(Column(), stages, (4, 4, 5)).double()
    expected = trunk(x)
    sharing = TaskAdapters(2).build(lambda: trunk, [None] * 3, None).double()
    assert len(scales(sharing)) == 3
    torch.testing.assert_close(sharing(x, None), expected.unsqueeze(2).expand(-1, -1, 3, -1))


def test_a_layer_that_is_used_twice_is_adapted_once():
    twice = nn.Sequential(layer := Linear(4, 4), nn.ReLU(), layer)
    sharing = TaskAdapters().build(lambda: TrunkModule(Column(), [twice], (4, 4)), THREE, None)
    assert len(scales(sharing)) == 1
    stage = sharing.trunk.stages[0]
    assert stage[0] is stage[2]


def test_of_a_frozen_trunk_adapters_alone_are_trained():
    spec = FeatureSpec((Block("x", (4,), n_continuous=4),))
    trained = MLP((6, 5), dropout=0.5).build(spec, {})
    frozen = ModuleTrunk(trained, frozen=True).build(spec, {})
    sharing = TaskAdapters().build(lambda: frozen, THREE, spec).train()
    own = [weights for part in scales(sharing) for weights in part.parameters(recurse=False)]
    assert {id(weights) for weights in sharing.parameters() if weights.requires_grad} == set(map(id, own))
    x = {"x": torch.randn(7, 4)}
    expected = trained.eval()(x).unsqueeze(2).expand(-1, -1, 3, -1)
    torch.testing.assert_close(sharing(x, None), expected)


def test_columns_of_zero_and_one_train_their_scales():
    """The layer's own short way for such columns gives no gradient of its inputs."""
    spec = FeatureSpec((Block("x", (300,), n_continuous=0),))
    x = {"x": (torch.rand(40, 300) < 0.1).double()}
    trunk = TabM((8,), members=2, dropout=0.0).build(spec, {})
    sharing = draw(TaskAdapters().build(lambda: trunk, THREE, spec).double())
    (part,) = scales(sharing)
    found = {}
    for training in (True, False):
        total = sharing.train(training)(x, None).pow(2).sum()
        found[training] = torch.autograd.grad(total, [part.inputs, part.layer.r])
    torch.testing.assert_close(found[True], found[False])


@pytest.mark.parametrize("rank", [0, -1, 1.0, "2", None, True, 2**31])
def test_rank_must_be_a_positive_integer(rank, problem):
    with pytest.raises(ValueError, match=r"`rank` of TaskAdapters must be an integer of at least 1.*Found"):
        TaskAdapters(rank).build(problem.make_trunk, THREE, problem.spec)


@pytest.mark.parametrize("stages", [[], [nn.ReLU()]])
def test_trunks_without_linear_layers_are_refused(stages):
    trunk = TrunkModule(Column(), stages, (4,) * (len(stages) + 1))
    with pytest.raises(ValueError, match=rf"linear layers in its stages. Found a trunk of {len(stages)}"):
        TaskAdapters().build(lambda: trunk, THREE, None)


def test_no_rows(problem):
    empty = {name: block[:0] for name, block in problem.inputs.items()}
    assert built(problem)(empty, None).shape == (0, problem.members, 3, 5)


def test_short_name():
    assert SHARINGS["task_adapters"] is TaskAdapters
    assert TaskAdapters().get_params() == {"rank": 1}


def test_tasks_that_are_alike_but_not_the_same_are_learned_better_with_adapters():
    def make(n_rows, seed):
        return make_multitask(n_rows, 12, n_regression=6, correlation=0.7, difficulty=1.5, random_state=seed)

    hard, adapters = (
        scores(make, sharing, hidden_sizes=(24, 24), n_train=400)
        for sharing in (HardSharing(), TaskAdapters())
    )
    assert is_better(adapters, hard), (adapters, hard)
