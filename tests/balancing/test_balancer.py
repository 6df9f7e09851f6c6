"""Laws of both bases, with balancers written here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.balancing import BALANCERS, Balancer, GradientBalancer, LossBalancer, StaticWeights
from sklearn_mtl.estimators.fit_parameters import FitParameters


def given(losses):
    """What a balancer is given for losses with a graph."""
    values = losses.detach()
    return SimpleNamespace(
        raw=losses, values=values, mass=torch.ones_like(values), gradient=lambda rates: rates
    )


class LogVariances(LossBalancer):
    """Learned log-variances, one for each task."""

    def __init__(self, start_at=0.0):
        super().__init__()
        self.start_at = start_at

    def start(self, n_tasks):
        self.log_variance = nn.Parameter(torch.full((n_tasks,), self.start_at))

    def forward(self, losses, weights):
        return (weights * ((-self.log_variance).exp() * losses + self.log_variance)).sum()


class WeightedSum(GradientBalancer):
    """What `StaticWeights` does, by way of gradients."""

    def forward(self, gradients, losses, weights):
        assert not losses.requires_grad
        assert gradients.shape[0] == len(losses) == len(weights)
        return weights @ gradients


class Away(GradientBalancer):
    """Sets every gradient to a constant."""

    def forward(self, gradients, losses, weights):
        return torch.full_like(gradients[0], 7.0)


class Network(nn.Module):
    """A trunk of two layers, and three heads of one task each."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        self.heads = nn.ModuleList(nn.Linear(3, 1) for _ in range(3))

    def losses(self):
        x = torch.linspace(-1, 1, 24).view(6, 4).to(self.trunk[0].weight)
        hidden = self.trunk(x)
        return torch.stack([(head(hidden) - i).square().mean() for i, head in enumerate(self.heads)])

    def penalty(self):
        return 0.1 * sum(weights.square().sum() for weights in self.parameters())


def gradients_of(balancer, weights=(1.0, 0.5, 2.0), *, penalty=False, freeze=False):
    torch.manual_seed(0)
    network = Network().double()
    if freeze:
        network.trunk[0].requires_grad_(False)
    total = (
        balancer.fresh(3)
        .double()
        .backward(
            given(network.losses()),
            torch.tensor(weights, dtype=torch.float64),
            network.penalty() if penalty else None,
            list(network.trunk.parameters()),
        )
    )
    return total, {name: weights.grad for name, weights in network.named_parameters()}


def assert_same_gradients(first, second):
    assert first.keys() == second.keys()
    for name, gradient in first.items():
        if gradient is None:
            assert second[name] is None
        else:
            torch.testing.assert_close(second[name], gradient, msg=name)


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("freeze", [False, True])
def test_weighted_sum_of_gradients_is_the_gradient_of_the_weighted_sum(penalty, freeze):
    total, expected = gradients_of(StaticWeights(), penalty=penalty, freeze=freeze)
    found_total, found = gradients_of(WeightedSum(), penalty=penalty, freeze=freeze)
    torch.testing.assert_close(found_total, total)
    assert not total.requires_grad
    assert not found_total.requires_grad
    assert_same_gradients(expected, found)


def test_gradients_are_balanced_on_the_shared_parameters_only():
    _, expected = gradients_of(StaticWeights())
    _, found = gradients_of(Away())
    for name, gradient in found.items():
        if name.startswith("trunk"):
            assert (gradient == 7).all()
        else:
            torch.testing.assert_close(gradient, expected[name])


def test_penalty_is_added_whatever_the_balance():
    _, bare = gradients_of(Away())
    _, penalised = gradients_of(Away(), penalty=True)
    torch.manual_seed(0)
    for name, weights in Network().double().named_parameters():
        torch.testing.assert_close(penalised[name] - bare[name], 0.2 * weights.detach())


def test_gradient_rows_are_the_tasks_own():
    rows = []

    class Recorder(GradientBalancer):
        def forward(self, gradients, losses, weights):
            rows.append(gradients)
            return gradients.sum(0)

    gradients_of(Recorder())
    for task in range(3):
        alone = [0.0, 0.0, 0.0]
        alone[task] = 1.0
        _, expected = gradients_of(StaticWeights(), alone)
        flat = torch.cat([grad.flatten() for name, grad in expected.items() if name.startswith("trunk")])
        torch.testing.assert_close(rows[0][task], flat)


@pytest.mark.parametrize("shared", [[], "frozen"])
@pytest.mark.parametrize("balancer", [StaticWeights(), WeightedSum()])
def test_nothing_shared_leaves_the_heads_to_be_trained(shared, balancer):
    torch.manual_seed(0)
    network = Network()
    network.trunk.requires_grad_(False)
    shared = list(network.trunk.parameters()) if shared else []
    balancer.fresh(3).backward(given(network.losses()), torch.ones(3), None, shared)
    assert all(weights.grad is None for weights in network.trunk.parameters())
    assert all((weights.grad != 0).any() for weights in network.heads.parameters())


def test_task_without_gradient_in_the_shared_parameters_is_a_row_of_zeros():
    weight = nn.Parameter(torch.ones(2))
    own = nn.Parameter(torch.ones(1))
    losses = torch.stack([weight.sum() ** 2, own.sum() ** 2])
    WeightedSum().fresh(2).backward(given(losses), torch.ones(2), None, [weight])
    assert weight.grad.tolist() == [4, 4]
    assert own.grad.tolist() == [2]


def test_learned_parameters_get_gradients_and_are_trained():
    balancer = LogVariances().fresh(2)
    assert [tuple(weights.shape) for weights in balancer.parameters()] == [(2,)]
    descent = torch.optim.SGD(balancer.parameters(), lr=0.1)
    for _ in range(500):
        descent.zero_grad()
        losses = given(torch.tensor([0.5, 2.0], requires_grad=True))
        balancer.backward(losses, torch.ones(2), None, [])
        descent.step()
    torch.testing.assert_close(balancer.log_variance.detach().exp(), torch.tensor([0.5, 2.0]))


@pytest.mark.parametrize("make", [StaticWeights, LogVariances, WeightedSum], ids=lambda make: make.__name__)
def test_fresh_copies_are_independent(make):
    recipe = make()
    first, second = recipe.fresh(3), recipe.fresh(2)
    assert type(first) is make
    assert first is not recipe
    assert len({id(recipe), id(first), id(second)}) == 3
    assert not list(recipe.parameters())
    assert not set(map(id, first.parameters())) & set(map(id, second.parameters()))


def test_fresh_copies_have_the_recipes_parameters():
    recipe = LogVariances(start_at=2.0)
    assert recipe.fresh(2).log_variance.tolist() == [2.0, 2.0]
    twin = clone(recipe.set_params(start_at=3.0))
    assert twin.get_params() == {"start_at": 3.0}
    assert not hasattr(twin, "log_variance")


def test_state_travels():
    balancer = LogVariances().fresh(2)
    balancer.log_variance.data.fill_(1.5)
    other = LogVariances().fresh(2)
    other.load_state_dict(balancer.state_dict())
    assert other.log_variance.tolist() == [1.5, 1.5]
    assert other.double().log_variance.dtype == torch.float64


def test_by_default_losses_count_by_the_users_weights():
    weights = torch.tensor([1.0, 3.0])
    assert WeightedSum().fresh(2).effective_weights(torch.tensor([5.0, 6.0]), weights) is weights
    assert StaticWeights().fresh(2).end_epoch(torch.tensor([5.0, 6.0])) is None


@pytest.mark.parametrize("base", [Balancer, LossBalancer, GradientBalancer])
def test_bases_cannot_be_made(base):
    with pytest.raises(TypeError, match="abstract"):
        base()


@pytest.mark.parametrize("name", BALANCERS)
def test_short_names_are_balancers_without_needed_parameters(name):
    assert isinstance(BALANCERS[name]().fresh(2), Balancer)


class Softmax(LossBalancer):
    """Weighs the worst loss most; without parameters to learn."""

    def forward(self, losses, weights):
        return torch.logsumexp(weights * losses, 0)


def test_rates_are_the_derivative_of_the_balanced_loss():
    losses, weights = torch.tensor([0.5, 2.0, 1.0]), torch.tensor([1.0, 0.5, 0.0])
    total, rates = Softmax().fresh(3).differentiate(losses, weights)
    torch.testing.assert_close(rates, weights * (weights * losses).softmax(0))
    torch.testing.assert_close(total, torch.logsumexp(weights * losses, 0))
    assert not total.requires_grad
    assert not rates.requires_grad


@pytest.mark.parametrize("make", [StaticWeights, Softmax], ids=lambda make: make.__name__)
def test_rates_of_several_networks_are_each_ones_own(make):
    losses, weights = torch.tensor([[0.5, 2.0], [1.0, 3.0]]), torch.tensor([[1.0, 0.5], [2.0, 0.1]])
    together = make().fresh(2).differentiate(losses, weights)
    for number in range(2):
        alone = make().fresh(2).differentiate(losses[number], weights[number])
        torch.testing.assert_close([part[number] for part in together], list(alone))


def test_losses_that_do_not_count_have_a_rate_of_0():
    class Idle(LossBalancer):
        def start(self, n_tasks):
            self.level = nn.Parameter(torch.ones(()))

        def forward(self, losses, weights):
            return self.level**2

    _, rates = Idle().fresh(2).differentiate(torch.ones(2), torch.ones(2))
    assert rates.tolist() == [0, 0]


class InPlace(LossBalancer):
    """Works on what it is given."""

    def forward(self, losses, weights):
        losses *= weights
        return losses.sum()


def test_forward_may_work_in_place():
    losses, weights = torch.tensor([0.5, 2.0]), torch.tensor([1.0, 0.5])
    total, rates = InPlace().fresh(2).differentiate(losses, weights)
    assert losses.tolist() == [0.5, 2.0]
    assert rates.tolist() == weights.tolist()
    assert float(total) == 1.5


@pytest.mark.parametrize("make", [StaticWeights, LogVariances, WeightedSum], ids=lambda make: make.__name__)
def test_penalty_that_trains_nothing_is_only_added(make):
    found = []
    for penalty in (None, torch.tensor(0.5)):
        torch.manual_seed(0)
        network = Network()
        shared = list(network.trunk.parameters())
        total = make().fresh(3).backward(given(network.losses()), torch.ones(3), penalty, shared)
        found.append((total, [weights.grad for weights in network.parameters()]))
    torch.testing.assert_close(found[1][0], found[0][0] + 0.5)
    torch.testing.assert_close(found[1][1], found[0][1])


class Vector(LossBalancer):
    """Forgets to sum."""

    def forward(self, losses, weights):
        return losses * weights


class Number(LossBalancer):
    """Leaves torch."""

    def forward(self, losses, weights):
        return 1.0


class Short(GradientBalancer):
    """A gradient of fewer parameters than there are."""

    def forward(self, gradients, losses, weights):
        return (weights @ gradients)[1:]


@pytest.mark.parametrize("shape", [(2,), (3, 2)], ids=["one net", "a stack"])
@pytest.mark.parametrize(
    ("balancer", "error", "found"),
    [(Vector(), ValueError, r"a tensor of shape \(2,\)"), (Number(), TypeError, "1.0, of type float")],
    ids=["vector", "number"],
)
def test_what_is_not_one_loss(shape, balancer, error, found):
    name = type(balancer).__name__
    message = rf"`forward` of {name} must return one loss, a scalar tensor\. Found {found}\."
    with pytest.raises(error, match=message):
        balancer.fresh(2).differentiate(torch.ones(shape), torch.ones(shape))


def test_what_is_not_one_gradient():
    with pytest.raises(ValueError, match=r"`forward` of Short must return one gradient.*\(43,\)\."):
        gradients_of(Short())


def test_a_base_that_was_not_called():
    class NoSuper(LossBalancer):
        def __init__(self, power=1.0):
            self.power = power

        def forward(self, losses, weights):
            return (losses**self.power) @ weights

    with pytest.raises(TypeError, match=r"`__init__` of NoSuper must call `super\(\).__init__\(\)`"):
        NoSuper().fresh(2)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_a_fit_says_so(n_bags):
    X = np.random.default_rng(0).normal(size=(40, 2))
    est = MultiTaskRegressor(trunk="mlp", n_bags=n_bags, max_epochs=1, balancing=Vector())
    with pytest.raises(ValueError, match="`forward` of Vector must return one loss"):
        est.fit(X, {"a": X[:, 0], "b": X[:, 1]})


# Who takes part, and what is recorded.


def step(losses, mass):
    """What a balancer is given for losses, and the weight of the labels of each."""
    return SimpleNamespace(raw=losses, values=losses.detach(), mass=mass, gradient=lambda rates: rates)


class NotesWeights(LossBalancer):
    """Notes the weights that it is given."""

    def start(self, n_tasks):
        self.register_buffer("given", torch.zeros(n_tasks))

    def forward(self, losses, weights):
        self.given = weights.clone()
        return losses @ weights


class NotesWeightsOfRows(GradientBalancer):
    def start(self, n_tasks):
        self.register_buffer("given", torch.zeros(n_tasks))

    def forward(self, gradients, losses, weights):
        self.given = weights.clone()
        return weights @ gradients


@pytest.mark.parametrize("make", [NotesWeights, NotesWeightsOfRows], ids=lambda make: make.__name__)
def test_a_task_without_a_label_in_the_batch_has_weight_0(make):
    balancer, shared = make().fresh(3), nn.Parameter(torch.ones(3))
    losses = step(shared**2, mass=torch.tensor([1.0, 0.0, 2.0]))
    balancer.backward(losses, torch.tensor([2.0, 3.0, 0.0]), None, [shared])
    assert balancer.given.tolist() == [2.0, 0.0, 0.0]


def test_weights_of_networks_side_by_side_are_0_where_each_has_no_label():
    weights, mass = torch.tensor([[2.0, 3.0], [1.0, 4.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert NotesWeights().fresh(2).taking_part(weights, mass).tolist() == [[2.0, 0.0], [1.0, 4.0]]


def test_recorded_weights_are_the_rates_and_leave_the_balancer_as_it_was():
    class Learned(LossBalancer):
        def start(self, n_tasks):
            self.scale = nn.Parameter(torch.ones(n_tasks))
            self.register_buffer("steps", torch.zeros(()))
            self.calls = 0

        def forward(self, losses, weights):
            self.calls += 1
            self.steps += 1
            return (self.scale * weights * losses**2).sum()

    balancer = Learned().fresh(2)
    losses, weights = torch.tensor([0.5, 2.0]), torch.tensor([1.0, 3.0])
    with torch.no_grad():
        found = balancer.effective_weights(losses, weights)
    torch.testing.assert_close(found, 2 * weights * losses)
    assert (balancer.calls, float(balancer.steps), balancer.scale.grad) == (0, 0.0, None)
    assert torch.equal(StaticWeights().fresh(2).effective_weights(losses, weights), weights)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_history_has_the_rates_at_the_epochs_losses(n_bags):
    X = np.random.default_rng(0).normal(size=(40, 2))
    est = MultiTaskRegressor(trunk="mlp", n_bags=n_bags, max_epochs=2, balancing=Softmax(), random_state=0)
    history = est.fit(X, {"a": X[:, 0], "b": X[:, 1]}).history_
    found = torch.tensor(history[["weight_a", "weight_b"]].to_numpy())
    losses = torch.tensor(history[["train_loss_a", "train_loss_b"]].to_numpy())
    torch.testing.assert_close(found, losses.softmax(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_recording_takes_no_random_number_from_training(n_bags):
    class Drawing(LossBalancer):
        def forward(self, losses, weights):
            return losses @ (weights + 0.1 * torch.rand_like(weights))

    class DrawingUnrecorded(Drawing):
        def effective_weights(self, losses, weights):
            return weights

    X = np.random.default_rng(0).normal(size=(40, 2))
    scores = [
        MultiTaskRegressor(trunk="mlp", n_bags=n_bags, max_epochs=3, balancing=make(), random_state=0)
        .fit(X, {"a": X[:, 0], "b": X[:, 1]})
        .score_tasks(X, {"a": X[:, 0], "b": X[:, 1]})
        for make in (Drawing, DrawingUnrecorded)
    ]
    assert scores[0].tolist() == scores[1].tolist()


def test_a_task_without_a_label_in_an_epoch_is_recorded_with_weight_0():
    X = np.random.default_rng(0).normal(size=(40, 2))
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, random_state=0)
    est.partial_fit(X, {"a": X[:, 0], "b": X[:, 1]})
    est.partial_fit(X, {"a": X[:, 0], "b": np.full(40, np.nan)})
    assert est.history_[["weight_a", "weight_b"]].to_numpy().tolist() == [[1.0, 1.0], [1.0, 0.0]]


# What a balancer is told of the tasks.


class Named(LossBalancer):
    """Lets one task count alone."""

    def __init__(self, task="b"):
        super().__init__()
        self.task = task

    def start(self, n_tasks):
        self.register_buffer("counts", torch.ones(n_tasks))

    def note_tasks(self, tasks):
        names = [task.name for task in tasks]
        if self.task not in names:
            raise ValueError(f"`task` of Named must be one of {names}. Found {self.task!r}.")
        self.counts.copy_(torch.tensor([name == self.task for name in names]))

    def forward(self, losses, weights):
        return losses @ (weights * self.counts)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_tasks_are_told_in_the_order_of_the_losses(n_bags):
    X = np.random.default_rng(0).normal(size=(40, 2))
    Y = {"a": X[:, 0], "c": X[:, 0] > 0, "b": X[:, 1]}
    settings = {"trunk": "mlp", "n_bags": n_bags, "max_epochs": 1}
    est = MultiTaskClassifierRegressor(balancing=Named(), **settings).fit(X, Y)
    weights = est.history_[["weight_a", "weight_c", "weight_b"]]
    assert (weights.to_numpy() == [0.0, 0.0, 1.0]).all()
    with pytest.raises(ValueError, match=r"`task` of Named must be one of \['a', 'c', 'b'\]. Found 'd'."):
        est.set_params(balancing__task="d").fit(X, Y)


def test_a_fit_without_a_task_asks_for_the_recipe_without_it():
    class Unnamed(Named):
        def without(self, names):
            return StaticWeights() if self.task in names else self

    estimator = MultiTaskRegressor(balancing=Unnamed())
    parameters = FitParameters.of(estimator, estimator._kind_rule)
    assert isinstance(parameters.without(["b"], ["a", "b"]).balancing, StaticWeights)
    assert isinstance(parameters.without(["a"], ["a", "b"]).balancing, Unnamed)
