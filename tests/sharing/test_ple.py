"""Experts of each task beside shared ones, mixed level by level."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.sharing import PLE, SHARINGS
from sklearn_mtl.sharing.gates import SCALE
from sklearn_mtl.trunks import MLP, TrunkModule

N_TASKS = 3


def build(problem, *parameters, make_trunk=None, n_tasks=N_TASKS):
    """A module and the trunks it was made of, the shared ones first."""
    trunks, make_trunk = [], make_trunk or problem.make_trunk
    torch.manual_seed(0)
    sharing = PLE(*parameters).build(
        lambda: trunks.append(make_trunk()) or trunks[-1], [None] * n_tasks, problem.spec
    )
    sharing.double()
    # Gates that make a difference.
    for parameter in (*sharing.task_gates.parameters(), *sharing.shared_gates.parameters()):
        parameter.data.mul_(4)
    return sharing, trunks


def output(sharing, problem):
    return sharing(problem.inputs, heads=None)


def three_stages():
    return MLP((6, 5, 4)).build(FeatureSpec((Block("x", (4,), n_continuous=4),)), {}).double()


# The rule, gate by gate


def gate(parts, given, number):
    """The weights of one gate, (rows, members, experts), given what it reads."""
    if isinstance(given, dict):
        weight, bias, given = parts.weight[number], parts.bias[number], given["x"][:, None]
    else:
        weight, bias = parts.linear.weight[0, number], parts.linear.bias[0, number]
    powers = np.exp(SCALE * (given @ weight.T + bias).detach().numpy())
    return powers / powers.sum(-1, keepdims=True)


def mixture(weights, experts):
    return torch.tensor(
        sum(weights[..., i, None] * expert.detach().numpy() for i, expert in enumerate(experts))
    )


def reference(sharing, trunks, problem, n_shared, n_own, bounds):
    shared, own = trunks[:n_shared], trunks[n_shared:]
    own = [own[task * n_own : (task + 1) * n_own] for task in range(N_TASKS)]
    by_task, for_all = [problem.inputs] * N_TASKS, problem.inputs
    for level, (start, stop) in enumerate(pairwise(bounds)):

        def run(trunk, hidden, level=level, start=start, stop=stop):
            hidden = hidden if level else trunk.entry(hidden)
            for stage in trunk.stages[start:stop]:
                hidden = stage(hidden)
            return hidden

        of_shared = [run(trunk, for_all) for trunk in shared]
        of_own = [[run(trunk, by_task[task]) for trunk in own[task]] for task in range(N_TASKS)]
        everything = [*(expert for of_task in of_own for expert in of_task), *of_shared]
        gates = sharing.task_gates[level]
        seen = [
            mixture(gate(gates, by_task[task], task), [*of_own[task], *of_shared]) for task in range(N_TASKS)
        ]
        if level < len(bounds) - 2:
            for_all = mixture(gate(sharing.shared_gates[level], for_all, 0), everything)
        by_task = seen
    return torch.stack(by_task, dim=2)


@pytest.mark.parametrize(
    ("parameters", "bounds"),
    [((1, 1, 1), (0, 2)), ((1, 3, 2), (0, 2)), ((2, 1, 1), (0, 1, 2)), ((2, 2, 3), (0, 1, 2))],
    ids=str,
)
def test_representation_is_that_of_the_paper(parameters, bounds, problem):
    sharing, trunks = build(problem, *parameters)
    expected = reference(sharing, trunks, problem, *parameters[1:], bounds)
    torch.testing.assert_close(output(sharing, problem), expected, rtol=1e-11, atol=1e-12)
    assert (sharing.width, sharing.members, sharing.per_task) == (5, problem.members, True)


@pytest.mark.parametrize(("levels", "bounds"), [(1, (0, 3)), (2, (0, 1, 3)), (3, (0, 1, 2, 3))])
def test_levels_share_out_the_stages(levels, bounds, problem):
    sharing, trunks = build(problem, levels, 2, 1, make_trunk=three_stages)
    expected = reference(sharing, trunks, problem, 2, 1, bounds)
    torch.testing.assert_close(output(sharing, problem), expected, rtol=1e-11, atol=1e-12)


def test_one_level_is_customized_gate_control(problem):
    sharing, trunks = build(problem, 1, 2, 1)
    shared, own = trunks[:2], trunks[2:]
    x = problem.inputs["x"]
    for task, found in enumerate(output(sharing, problem).unbind(2)):
        logits = SCALE * (x @ sharing.task_gates[0].weight[task].T + sharing.task_gates[0].bias[task])
        experts = torch.stack([trunk(problem.inputs) for trunk in (own[task], *shared)])
        torch.testing.assert_close(found, torch.einsum("re,ermw->rmw", logits.softmax(-1), experts))
    assert len(sharing.shared_gates) == 0


# Laws


@pytest.mark.parametrize("levels", [1, 2])
def test_equal_gates_are_the_mean_of_what_a_task_sees(levels, problem):
    sharing, trunks = build(problem, levels, 1, 2)
    for parameter in (*sharing.task_gates.parameters(), *sharing.shared_gates.parameters()):
        parameter.data.zero_()
    if levels == 1:
        alone = torch.stack([trunk(problem.inputs) for trunk in trunks])
        for task, found in enumerate(output(sharing, problem).unbind(2)):
            of_task = alone[[0, 1 + 2 * task, 2 + 2 * task]]
            torch.testing.assert_close(found, of_task.mean(0))
    else:
        first = torch.stack([trunk.stages[0](trunk.entry(problem.inputs)) for trunk in trunks])
        common = trunks[0].stages[1](first.mean(0))
        for task, found in enumerate(output(sharing, problem).unbind(2)):
            places = [1 + 2 * task, 2 + 2 * task]
            given = first[[0, *places]].mean(0)
            second = torch.stack([common, *(trunks[place].stages[1](given) for place in places)])
            torch.testing.assert_close(found, second.mean(0))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_permuting_the_tasks_permutes_the_outputs(levels, problem):
    sharing, _ = build(problem, levels, 2, 2, make_trunk=three_stages)
    before = output(sharing, problem)
    order = [2, 0, 1]
    experts = [2 * task + number for task in order for number in range(2)]
    for parameter in sharing.own.parameters():
        parameter.data.copy_(parameter.data[experts])
    for gates in sharing.task_gates:
        for parameter in gates.parameters():
            axis = parameter.shape.index(N_TASKS)
            parameter.data.copy_(parameter.data.index_select(axis, torch.tensor(order)))
    outputs = torch.tensor([*experts, 6, 7])
    for gates in sharing.shared_gates:
        for parameter in gates.parameters():
            axis = parameter.shape.index(8)
            parameter.data.copy_(parameter.data.index_select(axis, outputs))
    torch.testing.assert_close(output(sharing, problem), before[:, :, order])


def reach(sharing, problem):
    """For each parameter, which of its numbers each task trains, (tasks, ...)."""
    found = {name: [] for name, _ in sharing.named_parameters()}
    for task in range(N_TASKS):
        sharing.zero_grad()
        output(sharing, problem)[:, :, task].square().sum().backward()
        for name, parameter in sharing.named_parameters():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            found[name].append(gradient != 0)
    return {name: torch.stack(of_tasks) for name, of_tasks in found.items()}


@pytest.mark.parametrize("n_own", [1, 2])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_shared_parameters_are_those_that_several_tasks_train(levels, n_own, problem):
    sharing, _ = build(problem, levels, 2, n_own, make_trunk=three_stages)
    names = {id(parameter): name for name, parameter in sharing.named_parameters()}
    shared = [names[id(parameter)] for parameter in sharing.shared_parameters()]
    reached = reach(sharing, problem)
    assert set(shared) == {name for name, of_tasks in reached.items() if (of_tasks.sum(0) > 1).any()}
    assert len(set(shared)) == len(shared)
    assert all(of_tasks.any() for of_tasks in reached.values())


@pytest.mark.parametrize("levels", [1, 2])
def test_a_task_does_not_train_the_own_experts_of_others_at_the_last_level(levels, problem):
    sharing, _ = build(problem, levels, 1, 2)
    for name, of_tasks in reach(sharing, problem).items():
        if not name.startswith("own."):
            continue
        is_last = levels == 1 or name.startswith("own.stages.1.")
        for task, numbers in enumerate(of_tasks):
            trained = [bool(of_expert.any()) for of_expert in numbers]
            own = [place // 2 == task for place in range(2 * N_TASKS)]
            # Before the last level, what all experts give reaches every task through the shared gate.
            assert trained == (own if is_last else [True] * len(own)), name


def test_the_number_of_modules_does_not_grow(problem):
    sizes = {len(list(build(problem, 2, 1, 1, n_tasks=n)[0].modules())) for n in (2, 9)}
    assert len(sizes) == 1


# Parameters


def test_recipe_is_an_estimator():
    assert clone(PLE(1, 2, 3)).get_params() == {"levels": 1, "shared_experts": 2, "task_experts": 3}
    assert SHARINGS["ple"] is PLE


X = np.random.default_rng(0).normal(size=(40, 3))
Y = {"a": X[:, 0], "b": X[:, 1]}


@pytest.mark.parametrize("name", ["levels", "shared_experts", "task_experts"])
@pytest.mark.parametrize("wrong", [0, 1.5, "2", None])
def test_counts_must_be_positive_integers(name, wrong):
    est = MultiTaskClassifierRegressor(sharing=PLE(**{name: wrong}), n_bags=1)
    with pytest.raises(ValueError, match=f"`{name}` of PLE must be a positive integer"):
        est.fit(X, Y)


@pytest.mark.parametrize(
    ("trunk", "levels", "words"),
    [
        (MLP((8, 8)), 3, "from 1 to 2, as the trunk has 2 stages. Found 3"),
        (MLP((8,)), 2, "from 1 to 1, as the trunk has 1 stage. Found 2"),
        (nn.Linear(3, 5), 2, "from 1 to 1, as the trunk has 0 stages. Found 2"),
    ],
    ids=["two", "one", "none"],
)
def test_more_levels_than_stages_are_refused(trunk, levels, words):
    settings = {"trunk": trunk, "n_bags": 1, "max_epochs": 1, "preprocessing": None}
    est = MultiTaskClassifierRegressor(sharing=PLE(levels), **settings)
    with pytest.raises(ValueError, match=f"`levels` of PLE must be an integer {words}"):
        est.fit(X, Y)
    one = MultiTaskClassifierRegressor(sharing=PLE(1), **settings)
    assert np.isfinite(one.fit(X, Y).predict(X)["a"]).all()


def test_a_trunk_that_does_more_than_its_stages_has_none(problem):
    class Doubled(TrunkModule):
        def forward(self, inputs):
            return 2 * super().forward(inputs)

    def make_trunk():
        trunk = three_stages()
        return Doubled(trunk.entry, trunk.stages, trunk.widths)

    with pytest.raises(ValueError, match=r"as the trunk has 0 stages\. Found 2"):
        build(problem, 2, make_trunk=make_trunk)
    sharing, trunks = build(problem, 1, 1, 1, make_trunk=make_trunk)
    for parameter in sharing.task_gates.parameters():
        parameter.data.zero_()
    alone = torch.stack([trunk(problem.inputs) for trunk in trunks])
    for task, found in enumerate(output(sharing, problem).unbind(2)):
        torch.testing.assert_close(found, alone[[0, 1 + task]].mean(0))


def test_inputs_of_codes_are_refused(problem):
    spec = FeatureSpec((Block("tokens", (7,), kind="codes", cardinalities=(9,) * 7),))
    with pytest.raises(ValueError, match=r"Gates of PLE .* Found codes in \['tokens'\].$"):
        PLE(1).build(problem.make_trunk, [None] * 2, spec)
