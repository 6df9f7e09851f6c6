"""What follows on the raw outputs of a step, for one net and for a stack."""

import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.data import Batch
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.network.balanced_loss import BalancedLoss
from sklearn_mtl.network.torch_private import move_each_towards
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskLosses, TaskSet
from sklearn_mtl.training.stacking.losses import StackedLoss
from sklearn_mtl.training.steps import (
    FusedAdamW,
    WeightAverage,
    clip_gradients,
    losses_and_masses,
    training_step,
    validation_scores,
    validation_step,
)
from sklearn_mtl.trunks import MLP

N_NETS, N_ROWS = 3, 12


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def criteria(rng):
    """The losses of nets that differ in task weights and in baselines."""
    found = []
    for weight in (0.1, 1.0, 5.0):
        columns = read_targets({"price": rng.normal(size=20), "kind": rng.integers(0, 3, 20)}).columns
        kinds = {"price": Regression(), "kind": Classification()}
        tasks = TaskSet(tuple(kinds[name].bind(column, np.ones(20)) for name, column in columns.items()))
        y, cell_weight = (torch.from_numpy(part) for part in tasks.encode(columns, np.ones((20, 2))))
        weights = torch.tensor([weight, 1.0], dtype=y.dtype)
        found.append(BalancedLoss(TaskLosses(tasks, y, cell_weight), StaticWeights(), weights))
    return found


@pytest.fixture
def batches(rng):
    """A batch for each net, some cells without a label."""
    found = []
    for _ in range(N_NETS):
        y = np.stack([rng.normal(size=N_ROWS), rng.integers(0, 3, N_ROWS)], axis=1)
        weight = rng.uniform(size=(N_ROWS, 2)) * (rng.uniform(size=(N_ROWS, 2)) > 0.2)
        found.append(Batch({}, torch.from_numpy(y), torch.from_numpy(weight)))
    return found


def stacked(batches):
    return Batch({}, torch.stack([b.y for b in batches]), torch.stack([b.weight for b in batches]))


def raw_outputs(rng, *shape):
    return torch.from_numpy(rng.normal(size=(*shape, 2, 4))).requires_grad_()


def test_a_training_step_of_a_stack_is_that_of_each_net(rng, criteria, batches):
    together = raw_outputs(rng, N_NETS, N_ROWS)
    step = training_step(StackedLoss.of(criteria), stacked(batches), together, None)
    for number, (criterion, batch) in enumerate(zip(criteria, batches, strict=True)):
        raw = together.detach()[number].clone().requires_grad_()
        own = training_step(criterion, batch, raw, None)
        torch.testing.assert_close(raw.grad, together.grad[number])
        for key, value in own.items():
            torch.testing.assert_close(value, step[key][number])


def test_a_penalty_is_minimised_along_with_the_losses(rng, criteria, batches):
    raw, weight = raw_outputs(rng, N_ROWS), torch.ones(2, requires_grad=True)
    without = training_step(criteria[0], batches[0], raw, None)
    step = training_step(criteria[0], batches[0], raw, weight.square().sum())
    torch.testing.assert_close(step["loss"], without["loss"] + 2)
    torch.testing.assert_close(weight.grad, torch.full((2,), 2.0))


def test_validation_of_a_stack_in_batches_is_that_of_each_net_at_once(rng, criteria, batches):
    raw, loss = raw_outputs(rng, N_NETS, N_ROWS).detach(), StackedLoss.of(criteria)
    rows = stacked(batches)
    steps = [
        validation_step(loss.losses, raw[:, part], Batch({}, rows.y[:, part], rows.weight[:, part]))
        for part in (slice(5), slice(5, N_ROWS))
    ]
    losses, masses = (sums.sum(0) for sums in losses_and_masses(steps))
    scores = validation_scores(loss.losses, steps, rows.y, rows.weight)
    for number, (criterion, batch) in enumerate(zip(criteria, batches, strict=True)):
        own = validation_step(criterion.losses, raw[number], batch)
        np.testing.assert_allclose(losses[number], own["task_loss"])
        np.testing.assert_allclose(masses[number], own["task_mass"])
        expected = validation_scores(criterion.losses, [own], batch.y, batch.weight)
        np.testing.assert_allclose(scores[number], expected)


@pytest.mark.parametrize("largest", [0.5, 1e3])
def test_gradients_are_clipped_as_torch_does(rng, largest):
    shapes = [(3, 4), (4,), ()]
    parameters = [nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in shapes]
    for parameter, shape in zip(parameters, shapes, strict=True):
        parameter.grad = torch.from_numpy(np.asarray(rng.normal(size=shape)))
    gradients = [parameter.grad.clone() for parameter in parameters]
    clip_gradients(gradients, largest)
    torch.nn.utils.clip_grad_norm_(parameters, largest)
    for gradient, parameter in zip(gradients, parameters, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)


def test_each_net_of_a_stack_has_a_largest_norm_of_its_own(rng):
    together = [torch.from_numpy(rng.normal(size=(3, *shape))) for shape in [(3, 4), (4,), ()]]
    before = [gradient.clone() for gradient in together]
    bounds = [0.5, float("inf"), 1e-3]
    clip_gradients(together, torch.tensor(bounds, dtype=torch.float64))
    for number, bound in enumerate(bounds):
        own = [gradient[number].clone() for gradient in before]
        clip_gradients(own, bound)
        for gradient, expected in zip(together, own, strict=True):
            torch.testing.assert_close(gradient[number], expected)
    assert torch.equal(together[0][1], before[0][1])


# The moving average


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_follows_the_formula(decay):
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(1.0)
    average, expected = WeightAverage(module, decay), 1.0
    for step in range(200):
        value = float(np.sin(step))
        module.weight.data.fill_(value)
        average.update()
        rate = min(decay, (1 + step) / (10 + step))
        expected = rate * expected + (1 - rate) * value
        assert float(average.module.weight) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_weights_of_recurrent_layers_lie_together_in_the_average(monkeypatch):
    # In a copy they do not, and a GPU gathers them at every call.
    put_together = []
    monkeypatch.setattr(nn.GRU, "flatten_parameters", lambda self: put_together.append(self))
    module = nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 1))
    put_together.clear()
    average = WeightAverage(module, 0.9)
    assert [id(part) for part in put_together] == [id(average.module[0])]


def test_the_average_is_a_copy_that_is_not_trained():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    average = WeightAverage(module, 0.9)
    assert not average.module.training
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    average.update()
    module[0].weight.data.fill_(7.0)
    assert (average.module[0].weight != 7.0).all()


def test_buffers_are_copied_not_averaged():
    module = nn.BatchNorm1d(3)
    average = WeightAverage(module, 0.99)
    module(torch.randn(8, 3))
    average.update()
    for ours, theirs in zip(average.module.buffers(), module.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_decay_of_zero_is_no_average():
    X, Y = make_multitask(n_samples=60, n_features=4, n_factors=2, random_state=0)
    y = Y["regression0"]
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "linear_blend": False, "random_state": 0}
    predictions = {
        decay: MultiTaskRegressor(ema_decay=decay, **settings).fit(X, y).predict(X)
        for decay in (None, 0.0, 0.9)
    }
    np.testing.assert_allclose(predictions[None], predictions[0.0], rtol=1e-6)
    assert (predictions[None] != predictions[0.9]).any()


def test_averages_of_others_move_as_those_of_the_module():
    module = nn.Linear(3, 2)
    average = WeightAverage(module, 0.9)
    other = deepcopy(average)
    averages = [value.clone() for value in average.module.parameters()]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
        average.update()
        move_each_towards(averages, list(module.parameters()), other.next_share())
    assert other.steps == average.steps == 1
    for moved, expected in zip(averages, average.module.parameters(), strict=True):
        assert torch.equal(moved, expected)


# AdamW


def trained(optimizer_class, *, dtype, skip=(), own_rate=False):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    groups = [{"params": [*module.parameters()]}]
    if own_rate:
        last = {"params": [*module[2].parameters()], "lr": 0.2, "weight_decay": 0.0}
        groups = [{"params": [*module[0].parameters()]}, last]
    optimizer = optimizer_class(groups, lr=0.05, weight_decay=0.1, fused=True)
    x = torch.randn(7, 3, dtype=dtype)
    for step in range(6):
        optimizer.zero_grad()
        module(x).square().mean().backward()
        if step in skip:
            module[0].weight.grad = None
        optimizer.step()
    return module, optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("skip", [(), (0, 3)])
@pytest.mark.parametrize("own_rate", [False, True])
def test_the_same_numbers_as_torch(dtype, skip, own_rate):
    module, optimizer = trained(FusedAdamW, dtype=dtype, skip=skip, own_rate=own_rate)
    reference, theirs = trained(torch.optim.AdamW, dtype=dtype, skip=skip, own_rate=own_rate)
    for mine, expected in zip(module.parameters(), reference.parameters(), strict=True):
        assert torch.equal(mine, expected)
    mine, expected = optimizer.state_dict()["state"], theirs.state_dict()["state"]
    assert mine.keys() == expected.keys()
    for place, state in expected.items():
        for key, value in state.items():
            assert torch.equal(mine[place][key], value)


def test_it_goes_on_from_the_state_of_torch():
    module, optimizer = trained(torch.optim.AdamW, dtype=torch.float64)
    successor = FusedAdamW(module.parameters(), lr=0.05, weight_decay=0.1, fused=True)
    successor.load_state_dict(deepcopy(optimizer.state_dict()))
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer.step()
    expected = [parameter.detach().clone() for parameter in module.parameters()]
    for parameter, value in zip(module.parameters(), before, strict=True):
        parameter.data.copy_(value)
    successor.step()
    for parameter, value in zip(module.parameters(), expected, strict=True):
        assert torch.equal(parameter, value)


def test_frozen_parameters_leave_the_count_of_steps_shared():
    trained, frozen = [nn.Parameter(torch.ones(2)) for _ in range(2)], nn.Parameter(torch.ones(2))
    optimizer = FusedAdamW([*trained, frozen], lr=0.5, weight_decay=0.0, fused=True)
    for _ in range(3):
        for weight in trained:
            weight.grad = torch.ones(2)
        optimizer.step()
    first, second = (optimizer.state[weight]["step"] for weight in trained)
    assert first is second
    assert first == 3
    assert frozen not in optimizer.state
    assert torch.equal(frozen, torch.ones(2))


def test_a_closure_is_called_first():
    weight = nn.Parameter(torch.ones(2))

    def closure():
        weight.grad = torch.ones(2)

    FusedAdamW([weight], lr=0.5, weight_decay=0.0, fused=True).step(closure)
    torch.testing.assert_close(weight.detach(), torch.full((2,), 0.5))


def test_the_first_fit_of_a_process_does_not_wait_for_the_compiler():
    code = """
import sys
import numpy as np
from sklearn_mtl import MultiTaskRegressor
X = np.random.default_rng(0).normal(size=(30, 2))
MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1).fit(X, X)
assert "torch" in sys.modules
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
