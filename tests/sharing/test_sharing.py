"""The base is wide enough: five ways of sharing written here, through the whole network."""

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl.balancing import GradientBalancer
from sklearn_mtl.sharing import HardSharing, Sharing, SharingModule


class Apart(Sharing):
    """A trunk for each task, with nothing between them."""

    def build(self, make_trunk, tasks, spec):
        return ApartModule([make_trunk() for _ in tasks])


class ApartModule(SharingModule):
    def __init__(self, trunks):
        super().__init__(trunks[0].width, trunks[0].members, per_task=True)
        self.trunks = nn.ModuleList(trunks)

    def forward(self, inputs, heads):
        return torch.stack([trunk(inputs) for trunk in self.trunks], dim=2)

    def shared_parameters(self):
        return iter(())


class SoftSharing(Sharing):
    """A trunk for each task, held together by a penalty (Duong et al. 2015)."""

    def __init__(self, strength=0.1):
        self.strength = strength

    def build(self, make_trunk, tasks, spec):
        return SoftSharingModule([make_trunk() for _ in tasks], self.strength)


class SoftSharingModule(ApartModule):
    def __init__(self, trunks, strength):
        super().__init__(trunks)
        self.strength = strength

    def shared_parameters(self):
        return self.trunks.parameters()

    def penalty(self, inputs, weight):
        tasks = zip(*(trunk.parameters() for trunk in self.trunks), strict=True)
        return self.strength * sum(torch.stack(weights).var(0).sum() for weights in tasks)


class CrossStitch(Sharing):
    """A trunk for each task, mixed after every stage (Misra et al. 2016)."""

    def __init__(self, own=0.9):
        self.own = own

    def build(self, make_trunk, tasks, spec):
        return CrossStitchModule([make_trunk() for _ in tasks], self.own)


class CrossStitchModule(ApartModule):
    def __init__(self, trunks, own):
        super().__init__(trunks)
        n_tasks = len(trunks)
        other = (1 - own) / (n_tasks - 1)
        mix = torch.full((len(trunks[0].stages), n_tasks, n_tasks), other)
        mix.diagonal(dim1=1, dim2=2).fill_(own)
        self.mix = nn.Parameter(mix)

    def forward(self, inputs, heads):
        hidden = [trunk.entry(inputs) for trunk in self.trunks]
        for depth, mix in enumerate(self.mix):
            after = [trunk.stages[depth](h) for trunk, h in zip(self.trunks, hidden, strict=True)]
            hidden = torch.einsum("st,rmtw->srmw", mix, torch.stack(after, dim=2)).unbind(0)
        return torch.stack(hidden, dim=2)

    def shared_parameters(self):
        return self.parameters()


class MMoE(Sharing):
    """Experts, mixed for each task by a gate that reads the input (Ma et al. 2018)."""

    def __init__(self, n_experts=4):
        self.n_experts = n_experts

    def build(self, make_trunk, tasks, spec):
        return MMoEModule([make_trunk() for _ in range(self.n_experts)], len(tasks), spec.single)


class MMoEModule(SharingModule):
    def __init__(self, experts, n_tasks, block):
        super().__init__(experts[0].width, experts[0].members, per_task=True)
        self.experts, self.block = nn.ModuleList(experts), block.name
        self.gates = nn.Linear(block.shape[0], n_tasks * len(experts))

    def forward(self, inputs, heads):
        seen = torch.stack([expert(inputs) for expert in self.experts], dim=-2)
        gate = self.gates(inputs[self.block]).unflatten(-1, (-1, len(self.experts)))
        return torch.einsum("rte,rmew->rmtw", gate.softmax(-1), seen)

    def shared_parameters(self):
        return self.experts.parameters()


class Cascade(Sharing):
    """The last task, in the order of the columns, reads what the first predicts."""

    def build(self, make_trunk, tasks, spec):
        return CascadeModule(make_trunk(), len(tasks), tasks[0].width)


class CascadeModule(SharingModule):
    def __init__(self, trunk, n_tasks, n_outputs):
        super().__init__(trunk.width, trunk.members, per_task=True)
        self.trunk, self.n_tasks, self.n_outputs = trunk, n_tasks, n_outputs
        self.read = nn.Linear(trunk.width + n_outputs, trunk.width)

    def forward(self, inputs, heads):
        hidden = self.trunk(inputs)
        apart = hidden.unsqueeze(2).expand(-1, -1, self.n_tasks, -1)
        first = heads(apart)[..., : self.n_outputs]
        last = self.read(torch.cat([hidden, first], dim=-1))
        return torch.cat([apart[:, :, :-1], last.unsqueeze(2)], dim=2)

    def shared_parameters(self):
        return self.trunk.parameters()


class WeightedSum(GradientBalancer):
    def forward(self, gradients, losses, weights):
        return weights @ gradients


WAYS = [HardSharing(), Apart(), SoftSharing(), CrossStitch(), MMoE(), Cascade()]
every_way = pytest.mark.parametrize("sharing", WAYS, ids=lambda sharing: type(sharing).__name__)


@every_way
@pytest.mark.parametrize("hidden", [((), (), ()), ((4,), (), (4, 3))], ids=["linear", "branches"])
def test_network_gives_the_raw_outputs_of_all_tasks(sharing, hidden, problem):
    network, _ = problem.build(sharing, hidden=hidden)
    assert network(problem.inputs).shape == (50, problem.members, 1 + 3 + 1)
    n_representations = 3 if network.sharing.per_task else 1
    assert network.represent(problem.inputs).shape == (50, n_representations * network.sharing.width)


@every_way
def test_every_parameter_is_trained(sharing, problem):
    network, loss = problem.build(sharing)
    problem.backward(network, loss)
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert (weights.grad != 0).any(), name


@every_way
def test_training_lowers_what_is_minimised(sharing, problem):
    network, loss = problem.build(sharing)
    descent = torch.optim.Adam(network.parameters(), lr=0.02)
    totals = []
    for _ in range(30):
        totals.append(float(problem.backward(network, loss)))
        descent.step()
    assert totals[-1] < 0.7 * totals[0]


@every_way
def test_balancing_gradients_is_balancing_losses(sharing, problem):
    found = []
    for balancing in (None, WeightedSum()):
        network, loss = problem.build(sharing, balancing)
        total = problem.backward(network, loss)
        found.append((total, [weights.grad for weights in network.parameters()]))
    torch.testing.assert_close(found[0], found[1])


@every_way
def test_shared_parameters_are_among_the_modules_own(sharing, problem):
    network, _ = problem.build(sharing)
    own = set(map(id, network.sharing.parameters()))
    shared = [id(weights) for weights in network.sharing.shared_parameters()]
    assert len(set(shared)) == len(shared)
    assert set(shared) <= own


@every_way
def test_recipe_is_an_estimator(sharing):
    twin = clone(sharing)
    assert twin.get_params() == sharing.get_params()
    assert set(vars(twin)) == set(twin.get_params())


def representation(network, problem):
    return network.sharing(problem.inputs, network.heads)


def test_cross_stitch_that_mixes_nothing_is_trunks_apart(problem):
    network, _ = problem.build(CrossStitch(own=1.0))
    apart = torch.stack([trunk(problem.inputs) for trunk in network.sharing.trunks], dim=2)
    torch.testing.assert_close(representation(network, problem), apart)
    mixed, _ = problem.build(CrossStitch(own=0.8))
    assert not torch.allclose(representation(mixed, problem), apart)


def test_cross_stitch_lets_a_task_train_the_others_trunk(problem):
    for sharing, reached in ((CrossStitch(), True), (Apart(), False)):
        network, loss = problem.build(sharing)
        gradient = problem.gradient(network, loss, 0, network.sharing.trunks[1])
        assert any((part != 0).any() for part in gradient) == reached


def test_one_expert_is_hard_sharing(problem):
    network, _ = problem.build(MMoE(n_experts=1))
    trunk = network.sharing.experts[0](problem.inputs)
    torch.testing.assert_close(representation(network, problem), trunk.unsqueeze(2).expand(-1, -1, 3, -1))


def test_strong_penalty_draws_trunks_together(problem):
    spread = []
    for strength in (0.0, 3.0):
        network, loss = problem.build(SoftSharing(strength))
        descent = torch.optim.SGD(network.parameters(), lr=0.05)
        for _ in range(50):
            problem.backward(network, loss)
            descent.step()
        network.sharing.strength = 1.0
        spread.append(float(network.sharing.penalty(problem.inputs, problem.weight).detach()))
    assert spread[1] < 0.1 * spread[0]


def test_last_task_of_a_cascade_trains_the_head_of_the_first(problem):
    for sharing, reached in ((Cascade(), True), (Apart(), False)):
        # Branches of their own shape, or the heads of both would be one tensor.
        network, loss = problem.build(sharing, hidden=((3,), (), (16,)))
        gradient = problem.gradient(network, loss, 2, network.heads.branches[0])
        assert any((part != 0).any() for part in gradient) == reached


@pytest.mark.parametrize("base", [Sharing, lambda: SharingModule(1, 1, per_task=False)])
def test_bases_cannot_be_made(base):
    with pytest.raises(TypeError, match="abstract"):
        base()
