"""Mixtures of experts of which each task selects a few."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.sharing import SHARINGS, DSelectK
from sklearn_mtl.sharing.dselect_k import code_weights, entropy, smooth_step
from sklearn_mtl.sharing.gates import SCALE

GATES = pytest.mark.parametrize("gate", ["per_example", "static"])
N_TASKS = 3


def build(problem, *, spread=1.0, **parameters):
    """A module, what it selects by drawn at random, and what each of its experts makes of the rows alone."""
    trunks = []
    torch.manual_seed(0)
    sharing = DSelectK(**parameters).build(
        lambda: trunks.append(problem.make_trunk()) or trunks[-1], [None] * N_TASKS, problem.spec
    )
    sharing.double()
    for parameter in sharing.selection.parameters():
        parameter.data.normal_().mul_(spread)
    alone = np.stack([trunk(problem.inputs).detach().numpy() for trunk in trunks])
    return sharing, alone


def output(sharing, problem):
    return sharing(problem.inputs, heads=None)


def weights_of(sharing, problem):
    found = sharing.selection.experts(*sharing.selection(problem.inputs)).detach()
    return found.expand(50, -1, -1, -1)[:, 0].numpy()


# The rule, number by number


def step(t, gamma):
    if t <= -gamma / 2:
        return 0.0
    if t >= gamma / 2:
        return 1.0
    return -2 / gamma**3 * t**3 + 3 / (2 * gamma) * t + 0.5


def selector(z, gamma, n_bits):
    """The weights of all codes for one selector, r(z) in the paper."""
    weights = np.ones(2**n_bits)
    for code in range(2**n_bits):
        for bit, number in zip(np.binary_repr(code, n_bits), z, strict=True):
            weights[code] *= step(number, gamma) if bit == "1" else 1 - step(number, gamma)
    return weights


def logits(sharing, problem):
    """What the gates give, (rows, tasks, numbers)."""
    gates = [SCALE * parameter.detach().numpy() for parameter in sharing.selection.gates.parameters()]
    if len(gates) == 1:
        return np.repeat(gates[0][None], 50, axis=0)
    return np.einsum("ri,toi->rto", problem.inputs["x"].numpy(), gates[0]) + gates[1]


@GATES
@pytest.mark.parametrize(
    ("experts", "k", "gamma"), [(4, 2, 1.0), (8, 3, 2.5), (2, 1, 0.5), (5, 2, 1.0), (3, 3, 1.0)]
)
def test_weights_and_representation_are_those_of_the_paper(gate, experts, k, gamma, problem):
    sharing, alone = build(problem, experts=experts, k=k, gamma=gamma, gate=gate, spread=0.3)
    n_bits = int(np.ceil(np.log2(experts)))
    expected = np.zeros((50, N_TASKS, experts))
    for row, of_row in enumerate(logits(sharing, problem)):
        for task, numbers in enumerate(of_row):
            alpha = np.exp(numbers[:k]) / np.exp(numbers[:k]).sum()
            for share, z in zip(alpha, numbers[k:].reshape(k, n_bits), strict=True):
                # Codes that no expert has go round to the first.
                for code, weight in enumerate(selector(z, gamma, n_bits)):
                    expected[row, task, code % experts] += share * weight
    found = weights_of(sharing, problem)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    mixture = np.einsum("rte,ermw->rmtw", expected, alone)
    np.testing.assert_allclose(output(sharing, problem).detach(), mixture, rtol=1e-11, atol=1e-12)
    assert (sharing.width, sharing.members, sharing.per_task) == (5, problem.members, True)


def test_smooth_step_is_smooth_and_finite():
    t = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    found = smooth_step(t, 2.0)
    np.testing.assert_allclose(found.detach(), [step(number, 2.0) for number in t.tolist()], atol=1e-15)
    (slope,) = torch.autograd.grad(found.sum(), t)
    assert (slope[t.abs() > 1.001] == 0).all()
    assert (slope[t.abs() < 0.99] > 0).all()
    # Continuous: by so little it changes between neighbours.
    assert slope.diff().abs().max() < 0.02
    far = torch.tensor([-1e38, 1e38], requires_grad=True)
    ends = smooth_step(far, 1e-3)
    ends.sum().backward()
    assert ends.tolist() == [0, 1]
    assert far.grad.tolist() == [0, 0]


@pytest.mark.parametrize("n_bits", [1, 2, 3])
def test_entropy_of_the_bits_is_that_of_the_codes(n_bits):
    bits = torch.rand(20, n_bits, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    codes = code_weights(bits)
    expected = -(codes * codes.log()).sum(-1)
    torch.testing.assert_close(entropy(bits).sum(-1), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_entropy_is_finite_at_its_ends(dtype):
    bits = torch.tensor([0.0, 1.0, 0.5], dtype=dtype, requires_grad=True)
    found = entropy(bits)
    found.sum().backward()
    assert found.isfinite().all()
    assert bits.grad.isfinite().all()
    np.testing.assert_allclose(
        found.detach().float(), [0, 0, np.log(2)], atol=0.1 if dtype == torch.bfloat16 else 1e-5
    )


# Laws


@GATES
@pytest.mark.parametrize("experts", [4, 5, 6])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_settled_selectors_leave_at_most_k_experts(gate, experts, k, problem):
    sharing, _ = build(problem, experts=experts, k=k, gate=gate)
    for parameter in sharing.selection.parameters():
        parameter.data[:, k:] *= 1e6
    weights = weights_of(sharing, problem)
    n_selected = (weights > 0).sum(-1)
    # Several selectors may settle on one expert.
    assert n_selected.max() <= k
    assert n_selected.min() >= 1
    assert gate == "static" or n_selected.max() == k
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)


@GATES
def test_one_expert_is_hard_sharing(gate, problem):
    sharing, (trunk,) = build(problem, experts=1, k=1, gate=gate)
    for of_task in output(sharing, problem).unbind(2):
        np.testing.assert_allclose(of_task.detach(), trunk, rtol=1e-14)


@pytest.mark.parametrize("k", [1, 3])
def test_undecided_selectors_are_the_mean_of_the_experts(k, problem):
    sharing, alone = build(problem, experts=4, k=k, spread=0.0)
    for of_task in output(sharing, problem).unbind(2):
        np.testing.assert_allclose(of_task.detach(), alone.mean(0), rtol=1e-12, atol=1e-14)


@GATES
def test_permuting_the_gates_of_tasks_permutes_the_outputs(gate, problem):
    sharing, _ = build(problem, gate=gate, spread=0.3)
    before = output(sharing, problem)
    order = torch.tensor([2, 0, 1])
    for parameter in sharing.selection.parameters():
        parameter.data.copy_(parameter.data[order])
    torch.testing.assert_close(output(sharing, problem), before[:, :, order])


@GATES
def test_a_task_trains_its_own_gate_alone(gate, problem):
    sharing, _ = build(problem, gate=gate, spread=0.1)
    for task in range(N_TASKS):
        sharing.zero_grad()
        output(sharing, problem)[:, :, task].square().sum().backward()
        for parameter in sharing.selection.parameters():
            reached = [bool((of_gate != 0).any()) for of_gate in parameter.grad]
            assert reached == [other == task for other in range(N_TASKS)]
        assert all((parameter.grad != 0).any() for parameter in sharing.experts.parameters())
    assert list(map(id, sharing.shared_parameters())) == list(map(id, sharing.experts.parameters()))


# Training


@GATES
@pytest.mark.parametrize("n_columns", [4, 400])
def test_every_selector_can_be_trained_from_the_start(gate, n_columns, problem):
    spec = FeatureSpec((Block("x", (n_columns,), n_continuous=n_columns),))
    torch.manual_seed(0)
    trunk = problem.make_trunk
    selection = DSelectK(6, 3, gate=gate).build(trunk, [None] * 20, spec).selection
    _, bits = selection({"x": torch.randn(100, n_columns)})
    assert ((bits > 0.05) & (bits < 0.95)).all()
    assert bits[0].unique().numel() == bits[0].numel()


def test_the_penalty_is_the_entropy_of_rows_by_their_weight(problem):
    sharing, _ = build(problem, experts=4, k=2, entropy=0.5, spread=0.2)
    _, bits = sharing.selection(problem.inputs)
    of_rows = entropy(bits).detach().numpy().sum((1, 2, 3, 4))
    weight = torch.zeros(50, N_TASKS, dtype=torch.float64)
    weight[:10, 1], weight[10:20] = 1.0, 2.0
    expected = 0.5 * np.average(of_rows, weights=weight.numpy().max(1))
    np.testing.assert_allclose(sharing.penalty(problem.inputs, weight).detach(), expected, rtol=1e-12)
    assert sharing.penalty(problem.inputs, 0 * weight) == 0
    assert build(problem, entropy=0)[0].penalty(problem.inputs, weight) is None


def test_the_penalty_makes_selections_sparse(problem):
    torch.manual_seed(0)
    sharing = DSelectK(8, 2, gate="static", entropy=1.0).build(
        problem.make_trunk, [None] * N_TASKS, problem.spec
    )
    sharing = sharing.double()
    descent = torch.optim.Adam(sharing.selection.parameters(), lr=0.02)
    assert (weights_of(sharing, problem) > 0).all()
    for _ in range(100):
        descent.zero_grad()
        sharing.penalty(problem.inputs, problem.weight).backward()
        descent.step()
    assert ((weights_of(sharing, problem) > 0).sum(-1) <= 2).all()


# Parameters


def test_recipe_is_an_estimator():
    expected = {"experts": 8, "k": 1, "gate": "static", "gamma": 2.0, "entropy": 0.1}
    assert clone(DSelectK(8, 1, gate="static", gamma=2.0, entropy=0.1)).get_params() == expected
    assert SHARINGS["dselect_k"] is DSelectK


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"experts": 0}, "`experts` of DSelectK must be a positive integer"),
        ({"k": 5}, "`k` of DSelectK must be an integer from 1 to the number of experts, 4. Found 5"),
        ({"k": 0}, "`k` of DSelectK must be an integer from 1"),
        ({"k": 1.0}, "`k` of DSelectK must be an integer from 1"),
        ({"gate": "dense"}, "`gate` of DSelectK must be one of"),
        ({"gamma": 0}, "`gamma` of DSelectK must be a positive number. Found 0"),
        ({"gamma": "wide"}, "`gamma` of DSelectK must be a positive number"),
        ({"entropy": -1}, "`entropy` of DSelectK must be a number of 0 or more. Found -1"),
        ({"entropy": float("nan")}, "`entropy` of DSelectK must be a number of 0 or more"),
    ],
)
def test_bad_parameters_are_refused_before_training(parameters, words):
    est = MultiTaskClassifierRegressor(sharing=DSelectK(**parameters), n_bags=1)
    X = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(ValueError, match=words):
        est.fit(X, {"a": X[:, 0], "b": X[:, 1]})
