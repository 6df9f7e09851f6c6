"""Laws of every method, by what it does to three or four losses whose gradients are given.

The rate of a task is what the gradient of its loss is multiplied by in the parameters that all tasks share.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.tasks import StepLosses
from tests.balancing.cases import CASES, laws_of

every_case = pytest.mark.parametrize("case", CASES, ids=str)

PAGE = Path(__file__).parents[2] / "docs" / "balancing.md"
LOSSES = torch.tensor([0.9, 0.5, 1.4], dtype=torch.float64)
# At right angles, and of other lengths than the losses.
APART = torch.diag(torch.tensor([1.0, 2.0, 0.7], dtype=torch.float64))
# Each in conflict with another, and the first with their sum.
CROSSED = torch.tensor([[1.0, 0.2, 0.0], [-1.5, 2.0, 0.1], [-0.3, -0.2, 0.7]], dtype=torch.float64)
ONES = torch.ones(3, dtype=torch.float64)
N_STEPS, N_EPOCHS = 5, 60
N_DRAWS = 400


@cache
def tasks_of(n_tasks):
    """Tasks as a fit has them, of the names that methods in the table know."""
    X = np.random.default_rng(0).normal(size=(30, n_tasks))
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1, random_state=0)
    return est.fit(X, {f"regression{number}": X[:, number] for number in range(n_tasks)})._fitted.tasks.tasks


class Training:
    """A balancer in training, on losses whose gradients are given; nothing but the balancer learns."""

    def __init__(self, case, n_tasks, *, dtype=torch.float64, tasks=None):
        torch.manual_seed(0)
        self.balancer = case.recipe.fresh(n_tasks)
        self.balancer.note_tasks(tasks or tasks_of(n_tasks))
        self.balancer = self.balancer.to(dtype)
        groups = self.balancer.param_groups()
        self.optimizer = torch.optim.Adam(groups, lr=0.05) if groups else None
        self.rates_at_first = [group["lr"] for group in self.optimizer.param_groups] if groups else []

    def gradient(self, losses, gradients, weights=None, mass=None):
        """What a step puts on the shared parameters, shape (n_parameters,)."""
        n_tasks, n_parameters = gradients.shape
        weights = torch.ones_like(losses) if weights is None else weights
        mass = torch.ones_like(losses) if mass is None else mass
        shared = nn.Parameter(torch.zeros(n_parameters, dtype=losses.dtype))
        raw = (gradients @ shared).view(1, 1, n_tasks)
        cells = SimpleNamespace(spread=lambda of_tasks, weight: of_tasks.unsqueeze(-2) * weight)
        step = StepLosses(raw, losses * mass, mass, torch.ones_like(raw), mass.unsqueeze(0), cells)
        if self.optimizer is not None:
            self.optimizer.zero_grad()
        self.balancer.backward(step, weights, None, [shared])
        return shared.grad

    def rates(self, losses, gradients, weights=None, mass=None):
        """By what a step multiplies each gradient, which must be independent, shape (n_tasks,)."""
        found = self.gradient(losses, gradients, weights, mass)
        return torch.linalg.lstsq(gradients.T, found.unsqueeze(1)).solution[:, 0]

    def go_on(self, losses, gradients, weights=None, mass=None, *, epochs=N_EPOCHS):
        """Take steps that change no loss, by ever smaller learning rates, and return itself.

        A method without parameters to learn has settled when an epoch leaves its state as it was.
        """
        for epoch in range(epochs):
            before = deepcopy(self.balancer.state_dict())
            for _ in range(N_STEPS):
                self.gradient(losses, gradients, weights, mass)
                if self.optimizer is not None:
                    for group, rate in zip(self.optimizer.param_groups, self.rates_at_first, strict=True):
                        group["lr"] = rate * (1 - epoch / epochs)
                    self.optimizer.step()
                with torch.no_grad():
                    self.balancer.after_step(lambda: losses)
            labelled = losses if mass is None else torch.where(mass > 0, losses, torch.nan)
            self.balancer.end_epoch(labelled)
            if self.optimizer is None and equal_states(before, self.balancer.state_dict()):
                break
        return self


@cache
def _settled(case, factor, crossed):
    scale = torch.tensor([factor, 1.0, 1.0], dtype=torch.float64)
    gradients = CROSSED if crossed else APART
    return Training(case, 3).go_on(scale * LOSSES, scale.unsqueeze(1) * gradients)


def settled(case, factor=1.0, *, crossed=False):
    """A copy of a training to the end in which the loss of the first task is multiplied."""
    copy = deepcopy(_settled(case, factor, crossed))
    torch.manual_seed(0)
    return copy


def equal_states(one, other):
    """Whether two states of a balancer are equal to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def mean_rates(case, losses, gradients, weights=None):
    """The rates at the first step; of a method that draws random numbers, their mean over many."""
    if not case.by_chance:
        return Training(case, len(losses)).rates(losses, gradients, weights)
    training = Training(case, len(losses))
    return torch.stack([training.rates(losses, gradients, weights) for _ in range(N_DRAWS)]).mean(0)


def close(found, expected, case, tolerance=1e-6):
    """Whether rates are equal, or nearly so where they are means of random ones."""
    tolerance = 0.15 if case.by_chance else tolerance
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_the_table_has_every_method():
    assert {type(case.recipe) for case in CASES} >= set(BALANCERS.values())


@every_case
def test_the_page_has_the_laws_that_are_tested(case):
    assert laws_of(case) in re.sub(" +", " ", PAGE.read_text(encoding="utf-8"))


@every_case
def test_rates_add_up_to_the_number_of_tasks_where_promised(case):
    kept = []
    for gradients in (APART, CROSSED):
        for training in (Training(case, 3), settled(case, crossed=gradients is CROSSED)):
            for weights, expected in (([1.0, 1.0, 1.0], 3.0), ([1.0, 0.0, 1.0], 2.0)):
                rates = training.rates(LOSSES, gradients, torch.tensor(weights, dtype=torch.float64))
                kept.append(abs(float(rates.sum()) - expected) < 1e-5)
    assert all(kept) == case.adds_up


@every_case
def test_equal_losses_with_gradients_alike_have_equal_rates(case):
    equal, alike = torch.full((3,), 0.7, dtype=torch.float64), 2 * torch.eye(3, dtype=torch.float64)
    if not case.same_for_equal:
        rates = mean_rates(case, equal, alike)
        assert rates.max() - rates.min() > 0.01
        return
    rates = mean_rates(case, equal, alike)
    close(rates, rates.mean().expand(3), case)
    if not case.by_chance:
        rates = Training(case, 3).go_on(equal, alike).rates(equal, alike)
        close(rates, rates.mean().expand(3), case)


def rates_where_the_first_is_scaled(case, factor, when):
    """The rates, at first or at the end of a training in which the loss of the first task is multiplied."""
    scale = torch.tensor([factor, 1.0, 1.0], dtype=torch.float64)
    losses, gradients = scale * LOSSES, scale.unsqueeze(1) * APART
    training = Training(case, 3) if when == "at first" else settled(case, factor)
    # What is drawn at random is drawn alike.
    torch.manual_seed(1)
    return training.rates(losses, gradients)


def relative_change(before, after):
    """By what the rate of the first task is multiplied, beside the others'."""
    return float((after[0] / before[0]) / (after[1:] / before[1:]).mean())


@every_case
@pytest.mark.parametrize("when", ["at first", "settled"])
def test_what_rescaling_a_loss_does(case, when):
    power = case.rescaled if when == "at first" else case.settled
    as_it_is = rates_where_the_first_is_scaled(case, 1.0, when)
    changes = {
        factor: relative_change(as_it_is, rates_where_the_first_is_scaled(case, factor, when))
        for factor in (0.5, 2.0)
    }
    if power is None:
        powers = [np.log(change) / np.log(factor) for factor, change in changes.items()]
        assert abs(powers[0] - powers[1]) > 0.01
        return
    for factor, change in changes.items():
        assert change == pytest.approx(factor**power, rel=0.02)


@every_case
@pytest.mark.parametrize("lengths", [(1.0, 3.0, 0.3), (1.0, 10.0, 1e-4)], ids=["alike", "far apart"])
def test_no_step_against_a_gradient_where_promised(case, lengths):
    drawn = np.random.default_rng(0)
    against = []
    for _ in range(30):
        gradients = torch.tensor(drawn.normal(size=(3, 4)) * np.array(lengths)[:, None])
        step = Training(case, 3).gradient(LOSSES, gradients)
        cosines = (gradients @ step) / (gradients.norm(dim=1) * step.norm()).clamp_min(1e-12)
        against.append(float(cosines.min()))
    assert (min(against) > -1e-3) == case.never_against


@every_case
def test_permuting_the_tasks_permutes_the_rates(case):
    order, weights, gradients = [2, 0, 1], torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64), CROSSED
    if case.by_chance:
        found = mean_rates(case, LOSSES, gradients, weights)[order]
        other = mean_rates(case, LOSSES[order], gradients[order], weights[order])
    else:
        start = Training(case, 3).go_on(LOSSES, gradients, weights, epochs=2)
        tasks = [tasks_of(3)[place] for place in order]
        permuted = Training(case, 3, tasks=tasks)
        permuted.go_on(LOSSES[order], gradients[order], weights[order], epochs=2)
        found = start.rates(LOSSES, gradients, weights)[order]
        other = permuted.rates(LOSSES[order], gradients[order], weights[order])
    if case.by_place:
        assert (other - found).abs().max() > 0.01
    else:
        close(other, found, case)


@every_case
def test_one_task_is_the_plain_sum(case):
    loss, gradient = torch.tensor([0.6], dtype=torch.float64), torch.tensor([[1.0, -2.0]]).double()
    for weight in (1.0, 3.0):
        rates = Training(case, 1).rates(loss, gradient, torch.tensor([weight], dtype=torch.float64))
        assert rates.tolist() == pytest.approx([weight * case.alone])
    settled = Training(case, 1).go_on(loss, gradient).gradient(loss, gradient)
    torch.testing.assert_close(settled / settled.norm(), gradient[0] / gradient[0].norm())


@every_case
def test_the_users_weights_multiply_the_rates(case):
    weights = torch.tensor([3.0, 0.5, 1.0], dtype=torch.float64)
    training = Training(case, 3).go_on(LOSSES, APART, epochs=2)
    found = []
    for own in (ONES, weights):
        copy = deepcopy(training)
        torch.manual_seed(1)
        found.append(copy.rates(LOSSES, APART, own))
    torch.testing.assert_close(found[1], weights * found[0])


@every_case
@pytest.mark.parametrize("without", ["weight", "labels"])
def test_a_task_that_takes_no_part_is_as_one_that_is_not_there(case, without):
    there = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    absent = {"weights": there} if without == "weight" else {"mass": there}
    losses = LOSSES * there if without == "labels" else LOSSES
    keep = [0, 2]
    whole = Training(case, 3).go_on(losses, APART, **absent, epochs=2)
    part = Training(case, 2, tasks=[tasks_of(3)[place] for place in keep])
    part.go_on(losses[keep], APART[keep], epochs=2)
    found = whole.rates(losses, APART, **absent)
    assert found[1] == 0
    if not case.by_chance:
        expected = torch.linalg.lstsq(
            APART[keep].T, part.gradient(losses[keep], APART[keep]).unsqueeze(1)
        ).solution[:, 0]
        torch.testing.assert_close(found[keep], expected)


@every_case
@pytest.mark.parametrize("extreme", [0.0, 1e-30, 1e15])
def test_rates_are_finite_on_zero_and_on_huge_losses(case, extreme):
    losses = torch.tensor([extreme, 0.5, 1.0])
    gradients = torch.diag(torch.tensor([extreme, 1.0, 2.0]))
    training = Training(case, 3, dtype=torch.float32)
    training.go_on(losses, gradients, epochs=2)
    assert training.gradient(losses, gradients).isfinite().all()
    assert all(value.isfinite().all() for value in training.balancer.state_dict().values())
    # All of them, and back to what losses mostly are.
    training.go_on(torch.full((3,), extreme), extreme * torch.eye(3), epochs=2)
    usual = training.gradient(torch.ones(3), torch.eye(3))
    assert usual.isfinite().all()
    assert (usual > 0).any()


@every_case
def test_a_batch_without_labels_moves_nothing(case):
    training = Training(case, 3)
    none = torch.zeros_like(LOSSES)
    found = training.gradient(none, APART, mass=none)
    assert (found == 0).all()
    training.go_on(none, APART, mass=none, epochs=1)
    assert training.gradient(LOSSES, APART).isfinite().all()
