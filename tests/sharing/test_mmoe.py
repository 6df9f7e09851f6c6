"""Mixtures of experts with a gate for each task."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.sharing import SHARINGS, MMoE
from sklearn_mtl.sharing.gates import SCALE

GATES = pytest.mark.parametrize("gate", ["per_example", "static"])
N_TASKS = 3


def build(problem, **parameters):
    """A module, its gates drawn at random, and what each of its experts makes of the rows alone."""
    trunks = []
    torch.manual_seed(0)
    sharing = MMoE(**parameters).build(
        lambda: trunks.append(problem.make_trunk()) or trunks[-1], [None] * N_TASKS, problem.spec
    )
    sharing.double()
    for parameter in sharing.gates.parameters():
        parameter.data.normal_()
    alone = np.stack([trunk(problem.inputs).detach().numpy() for trunk in trunks])
    return sharing, alone


def output(sharing, problem):
    return sharing(problem.inputs, heads=None)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@GATES
def test_representation_is_that_of_the_paper(gate, problem):
    sharing, alone = build(problem, experts=4, gate=gate)
    if gate == "static":
        weights = np.repeat(softmax(SCALE * sharing.gates.outputs.detach().numpy())[None], 50, axis=0)
    else:
        weight, bias = (SCALE * parameter.detach().numpy() for parameter in sharing.gates.parameters())
        x = problem.inputs["x"].numpy()
        weights = np.stack([softmax(x @ w.T + b) for w, b in zip(weight, bias, strict=True)], axis=1)
    expected = np.zeros((50, problem.members, N_TASKS, 5))
    for task in range(N_TASKS):
        for expert in range(4):
            expected[:, :, task] += weights[:, None, None, task, expert] * alone[expert]
    np.testing.assert_allclose(output(sharing, problem).detach(), expected, rtol=1e-12, atol=1e-12)
    assert (sharing.width, sharing.members, sharing.per_task) == (5, problem.members, True)


@GATES
def test_one_expert_is_hard_sharing(gate, problem):
    sharing, (trunk,) = build(problem, experts=1, gate=gate)
    for of_task in output(sharing, problem).unbind(2):
        np.testing.assert_allclose(of_task.detach(), trunk, rtol=1e-14)


@GATES
def test_equal_gates_are_the_mean_of_the_experts(gate, problem):
    sharing, alone = build(problem, experts=3, gate=gate)
    for parameter in sharing.gates.parameters():
        parameter.data.fill_(0.7)
    for of_task in output(sharing, problem).unbind(2):
        np.testing.assert_allclose(of_task.detach(), alone.mean(0), rtol=1e-12, atol=1e-14)


@GATES
def test_permuting_the_gates_of_tasks_permutes_the_outputs(gate, problem):
    sharing, _ = build(problem, gate=gate)
    before = output(sharing, problem)
    order = torch.tensor([2, 0, 1])
    for parameter in sharing.gates.parameters():
        parameter.data.copy_(parameter.data[order])
    torch.testing.assert_close(output(sharing, problem), before[:, :, order])


@GATES
def test_a_task_trains_all_experts_and_its_own_gate(gate, problem):
    sharing, _ = build(problem, gate=gate)
    for task in range(N_TASKS):
        sharing.zero_grad()
        output(sharing, problem)[:, :, task].square().sum().backward()
        for parameter in sharing.gates.parameters():
            reached = [bool((of_gate != 0).any()) for of_gate in parameter.grad]
            assert reached == [other == task for other in range(N_TASKS)]
        assert all((parameter.grad != 0).any() for parameter in sharing.experts.parameters())


def test_shared_parameters_are_those_of_the_experts(problem):
    sharing, _ = build(problem)
    assert list(map(id, sharing.shared_parameters())) == list(map(id, sharing.experts.parameters()))
    assert sharing.penalty(problem.inputs, problem.weight) is None


def test_the_number_of_modules_does_not_grow(problem):
    sizes = {len(list(build(problem, experts=n)[0].modules())) for n in (2, 5)}
    assert len(sizes) == 1


def test_recipe_is_an_estimator():
    assert clone(MMoE(8, gate="static")).get_params() == {"experts": 8, "gate": "static"}
    assert SHARINGS["mmoe"] is MMoE


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"experts": 0}, "`experts` of MMoE must be a positive integer"),
        ({"experts": 2.5}, "`experts` of MMoE must be a positive integer"),
        ({"gate": "dense"}, "`gate` of MMoE must be one of"),
    ],
)
def test_bad_parameters_are_refused_before_training(parameters, words):
    est = MultiTaskClassifierRegressor(sharing=MMoE(**parameters), n_bags=1)
    X = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(ValueError, match=words):
        est.fit(X, {"a": X[:, 0], "b": X[:, 1]})
