"""The losses of nets that differ in a parameter of a loss are those of each, as are their balancers."""

import pytest
import torch

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.data.table import Batch
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking.losses import StackedLoss, StackedLosses, losses_key
from sklearn_mtl.training.steps import training_step, validation_step
from tests.balancing.methods import Uncertainty
from tests.training.stacking.nets import plans_of


def ready_of(data, smoothing, **params):
    tasks = {"regression0": Regression(loss="huber"), "binary0": Classification(label_smoothing=smoothing)}
    (plan,) = plans_of(data, tasks=tasks, **params)
    return make_ready(plan)


@pytest.fixture
def ready(data):
    """Nets, those of equal losses next to each other."""
    settings = ((0.0, 1.0), (0.0, 3.0), (0.1, 1.0))
    return [
        ready_of(data, smoothing, task_weights={"binary0": weight}, balancing=Uncertainty())
        for smoothing, weight in settings
    ]


@pytest.fixture
def loss(ready):
    return StackedLoss.of([one.net.criterion_ for one in ready])


def outputs(ready, n_rows=9):
    torch.manual_seed(0)
    table = ready[0].plan.train.rows(slice(n_rows))
    batch = Batch({}, *(part.expand(len(ready), *part.shape) for part in (table.y, table.weight)))
    width = ready[0].plan.blueprint.tasks.raw_width
    return torch.randn(len(ready), n_rows, 2, width, dtype=torch.float64, requires_grad=True), batch, table


def test_losses_of_equal_parameters_are_one_expression(ready, loss):
    keys = [losses_key(one.net.criterion_.losses) for one in ready]
    assert keys[0] == keys[1] != keys[2]
    assert [part for part, _ in loss.losses.parts] == [slice(0, 2), slice(2, 3)]
    equal = StackedLoss.of([one.net.criterion_ for one in ready[:2]])
    assert not isinstance(equal.losses, StackedLosses)


def test_a_step_is_that_of_each_net_with_its_balancer(ready, loss):
    raw, batch, rows = outputs(ready)
    states = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    ((name, _),) = ready[0].net.criterion_.balancer.named_parameters()
    loss.balancer.learned = {name: states}
    step = training_step(loss, batch, raw, None)
    for slot, one in enumerate(ready):
        own_raw = raw.detach()[slot].clone().requires_grad_()
        criterion = one.net.criterion_
        with torch.no_grad():
            criterion.balancer.get_parameter(name).copy_(states[slot])
        own = training_step(criterion, rows, own_raw, None)
        torch.testing.assert_close(raw.grad[slot], own_raw.grad)
        torch.testing.assert_close(states.grad[slot], criterion.balancer.get_parameter(name).grad)
        for key, value in own.items():
            torch.testing.assert_close(step[key][slot], value)


def test_validation_is_that_of_each_net(ready, loss):
    raw, batch, rows = outputs(ready)
    step = validation_step(loss.losses, raw.detach(), batch)
    scores = loss.losses.scores(step["responses"], batch.y, batch.weight)
    for slot, one in enumerate(ready):
        losses = one.net.criterion_.losses
        own = validation_step(losses, raw.detach()[slot], rows)
        torch.testing.assert_close(step["task_loss"][slot], own["task_loss"])
        torch.testing.assert_close(step["task_mass"][slot], own["task_mass"])
        expected = losses.scores(own["responses"], rows.y, rows.weight)
        torch.testing.assert_close(scores[slot], expected, equal_nan=True)


class Counting(LossBalancer):
    """Counts its steps in a buffer."""

    def start(self, n_tasks):
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, losses, weights):
        self.steps = self.steps + 1
        return losses @ weights


def test_buffers_are_kept_of_the_nets_that_took_the_step(data):
    ready = [ready_of(data, 0.0, random_state=seed, balancing=Counting()) for seed in (0, 1)]
    balancers = [one.net.criterion_.balancer for one in ready]
    loss = StackedLoss.of([one.net.criterion_ for one in ready])
    loss.balancer.begin_epoch([2, 1])
    for number in range(2):
        raw, batch, _ = outputs(ready)
        training_step(loss, batch, raw, None)
        loss.balancer.keep(number)
    assert [int(balancer.steps) for balancer in balancers] == [2, 1]
    loss.balancer.release(0)
    loss.balancer.buffers["steps"].zero_()
    assert [int(balancer.steps) for balancer in balancers] == [2, 0]
