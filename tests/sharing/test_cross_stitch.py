"""Trunks whose activations are mixed after each stage."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.sharing import SHARINGS, CrossStitch
from sklearn_mtl.sharing.cross_stitch import FEW_TASKS, mixed
from sklearn_mtl.trunks import MLP, ModuleTrunk


def with_units(problem, units):
    """A module with trunks that differ, and with units in the place of those at the start."""
    trunks = iter([problem.make_trunk() for _ in range(3)])
    sharing = CrossStitch().build(lambda: next(trunks), [None] * 3, problem.spec).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in sharing.trunks.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    for difference in sharing.differences:
        found = units(difference.shape) if callable(units) else units.unsqueeze(-1)
        difference.data.copy_(found - sharing.start.unsqueeze(-1))
    return sharing


def test_units_that_are_the_identity_are_separate_trunks(problem):
    sharing = with_units(problem, torch.eye(3, dtype=torch.float64))
    found = sharing(problem.inputs, heads=None)
    torch.testing.assert_close(found, sharing.trunks(problem.inputs))
    assert (found[:, :, 0] != found[:, :, 1]).any()


def test_units_that_are_equal_give_every_task_the_mean(problem):
    sharing = with_units(problem, torch.full((3, 3), 1 / 3, dtype=torch.float64))
    found = sharing(problem.inputs, heads=None)
    for task in (1, 2):
        torch.testing.assert_close(found[:, :, task], found[:, :, 0])


def test_the_rule_in_plain_numpy(problem):
    """Misra et al. (2016), eq. 1, for each channel."""
    sharing = with_units(problem, lambda shape: torch.randn(shape, dtype=torch.float64))
    hidden = sharing.trunks.entry(problem.inputs)
    for stage, difference in zip(sharing.trunks.stages, sharing.differences, strict=True):
        given = stage(hidden).detach().numpy()
        units = (sharing.start.unsqueeze(-1) + difference).detach().numpy()
        expected = np.zeros_like(given)
        for task in range(3):
            for other in range(3):
                expected[:, :, task] += units[task, other] * given[:, :, other]
        hidden = torch.tensor(expected)
    torch.testing.assert_close(sharing(problem.inputs, heads=None), hidden)


@pytest.mark.parametrize("n_tasks", [1, 2, FEW_TASKS, FEW_TASKS + 1])
def test_both_ways_to_mix_are_one_rule(n_tasks):
    hidden = torch.randn(7, 3, n_tasks, 5, dtype=torch.float64)
    units = torch.randn(n_tasks, n_tasks, 5, dtype=torch.float64)
    torch.testing.assert_close(mixed(hidden, units), torch.einsum("rmsc,tsc->rmtc", hidden, units))


def test_it_starts_as_one_trunk(problem):
    """All trunks are alike, and units are averages: 0.9 of the own activations, and 0.1 of the others."""
    network, _ = problem.build(CrossStitch())
    torch.testing.assert_close(network.sharing.start.diag(), torch.full((3,), 0.9).double())
    torch.testing.assert_close(network.sharing.start.sum(1), torch.ones(3).double())
    apart = network.sharing.trunks(problem.inputs)
    for task in range(3):
        torch.testing.assert_close(network.sharing(problem.inputs, None)[:, :, task], apart[:, :, 0])


def test_a_task_trains_all_trunks_and_its_own_last_units(problem):
    network, loss = problem.build(CrossStitch())
    sharing = network.sharing
    shared = {id(part) for part in sharing.shared_parameters()}
    last = sharing.differences[-1]
    assert shared == {id(part) for part in sharing.parameters()} - {id(last)}
    for task in range(3):
        gradients = problem.gradient(network, loss, task, sharing.trunks)
        assert all((gradient != 0).any() for gradient in gradients)
        (*_, own) = problem.gradient(network, loss, task, sharing.differences)
        others = [other for other in range(3) if other != task]
        assert (own[others] == 0).all()
        assert (own[task] != 0).any()


@pytest.mark.parametrize("trunk", [MLP(()), ModuleTrunk(nn.Linear(4, 5))], ids=["mlp", "module"])
def test_a_trunk_without_stages_is_refused(trunk, problem):
    with pytest.raises(ValueError, match=r"`trunk` must have stages for CrossStitch.*Found one of 0 stages"):
        CrossStitch().build(lambda: trunk.build(problem.spec, {}), [None] * 3, problem.spec)


def test_recipe_is_an_estimator():
    assert clone(CrossStitch()).get_params() == {}
    assert SHARINGS["cross_stitch"] is CrossStitch


# What it is for


def test_it_learns_which_tasks_belong_together():
    """Of tasks in two groups that are not told; the difference is more than the spread over seeds."""
    scores = {
        sharing: np.array([score(sharing, seed) for seed in range(3)])
        for sharing in ("hard", "separate", "cross_stitch")
    }
    for other in ("hard", "separate"):
        gain = scores["cross_stitch"] - scores[other]
        assert gain.min() > 0, scores
        assert gain.mean() > 2 * gain.std(), scores


def score(sharing, seed):
    X, Y = make_multitask(
        2000, 10, n_regression=6, n_groups=2, n_factors=3, difficulty=1.5, noise=0.3, random_state=seed
    )
    train, test = slice(0, 1000), slice(1000, None)
    est = MultiTaskRegressor(
        trunk=MLP((32, 32)),
        sharing=sharing,
        n_bags=1,
        linear_blend=False,
        max_epochs=25,
        lr=0.01,
        batch_size=128,
        random_state=seed,
    )
    est.fit(X[train], {name: y[train] for name, y in Y.items()})
    return est.score(X[test], {name: y[test] for name, y in Y.items()})
