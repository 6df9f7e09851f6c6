"""What follows on the raw outputs of a step, for one net and for a stack."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.data.table import Batch
from sklearn_mtl.network.module import BalancedLoss
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskLosses, TaskSet
from sklearn_mtl.training.stacking.losses import StackedLoss
from sklearn_mtl.training.steps import (
    WeightAverage,
    clip_gradients,
    losses_and_masses,
    training_step,
    validation_scores,
    validation_step,
)

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


def test_averages_of_others_move_as_those_of_the_module():
    module = nn.Linear(3, 2)
    average = WeightAverage(module, 0.9)
    other = deepcopy(average)
    averages = [value.clone() for value in average.module.parameters()]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
        average.update()
        other.move(averages, list(module.parameters()))
    assert other.steps == average.steps == 1
    for moved, expected in zip(averages, average.module.parameters(), strict=True):
        assert torch.equal(moved, expected)
