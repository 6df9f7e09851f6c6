"""Methods on gradients, held to their papers' equations, to TorchJD on the same gradients, and to laws."""

from functools import partial

import numpy as np
import pytest
import torch
from torchjd import aggregation
from torchjd.linalg import QuadprogProjector

from sklearn_mtl.balancing import BALANCERS, GradDrop, GradientBalancer, GramianBalancer

CONFLICT = torch.tensor([[1.0, 0.5, -1.0, 0.2], [-0.5, 2.0, 1.0, 0.0]])
THREE = torch.tensor([[1.0, 0.5, -1.0, 0.2], [-0.5, 2.0, 1.0, 0.0], [0.3, -1.0, 1.0, 3.0]])
ONES = torch.ones(3)
GRADIENT = [name for name, method in BALANCERS.items() if issubclass(method, GradientBalancer)]
WEIGHINGS = [name for name in GRADIENT if name != "graddrop"]
every_method = pytest.mark.parametrize("name", GRADIENT)
every_weighing = pytest.mark.parametrize("name", WEIGHINGS)
# The mean weight is 1, where TorchJD's is one over the number of tasks.
OF_MEAN = ["aligned_mtl", "cagrad", "dualproj", "imtl_g", "mgda", "upgrad"]
THEIRS = {
    "aligned_mtl": aggregation.AlignedMTL,
    "cagrad": lambda: aggregation.CAGrad(c=0.4),
    "config": aggregation.ConFIG,
    "dualproj": partial(aggregation.DualProj, projector=QuadprogProjector(reg_eps=1e-9)),
    "fairgrad": lambda: aggregation.FairGrad(alpha=1.0),
    "graddrop": aggregation.GradDrop,
    "gradvac": aggregation.GradVac,
    "imtl_g": aggregation.IMTLG,
    "mgda": partial(aggregation.MGDA, epsilon=1e-6, max_iters=2_000),
    "nash_mtl": lambda: aggregation.NashMTL(n_tasks=3),
    "pcd": aggregation.PCD,
    "pcgrad": aggregation.PCGrad,
    "upgrad": partial(aggregation.UPGrad, projector=QuadprogProjector(reg_eps=1e-9)),
}


def balanced(name, gradients, weights=None, **params):
    """What a method that begins makes of gradients."""
    n_tasks = len(gradients)
    weights = torch.ones(n_tasks) if weights is None else torch.tensor(weights)
    balancer = BALANCERS[name](**params).fresh(n_tasks)
    return balancer(gradients, torch.ones(n_tasks), weights)


@every_method
@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")
@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_as_torchjd_has_it(name, scale):
    theirs, ours = THEIRS[name](), BALANCERS[name]().fresh(3)
    for step in range(4):
        gradients = scale * (THREE + 0.3 * step * torch.eye(3, 4))
        if name in ("fairgrad", "nash_mtl") and scale < 1:
            # TorchJD's solvers end before the solution; see the tests of the equations.
            break
        if name in ("upgrad", "dualproj", "cagrad") and scale < 1:
            # TorchJD takes such short gradients for 0; the methods do not depend on the scale.
            gradients = gradients / scale
        torch.manual_seed(step)
        expected = theirs(gradients) * (3 if name in OF_MEAN else 1)
        torch.manual_seed(step)
        found = ours(gradients, ONES, ONES)
        # TorchJD's steps towards the shortest mean come near it.
        tolerance = 3e-2 if name == "mgda" else 2e-3
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * float(expected.norm()))


@every_method
def test_one_task_is_followed_as_it_is(name):
    torch.testing.assert_close(balanced(name, THREE[:1]), THREE[0])
    torch.testing.assert_close(balanced(name, THREE, [0.0, 2.0, 0.0]), 2 * THREE[1])


@every_method
def test_a_task_that_takes_no_part_is_as_if_it_were_not_there(name):
    without = torch.cat([THREE[:1], torch.full((1, 4), 9.0), THREE[1:]])
    torch.manual_seed(0)
    expected = balanced(name, THREE)
    torch.manual_seed(0)
    found = balanced(name, without, [1.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(found, expected)


@every_method
def test_a_task_without_gradient_is_as_if_it_were_not_there(name):
    torch.manual_seed(0)
    expected = balanced(name, THREE)
    torch.manual_seed(0)
    torch.testing.assert_close(balanced(name, torch.cat([THREE, torch.zeros(1, 4)])), expected)


@every_weighing
def test_task_weights_multiply_what_the_method_gives(name):
    torch.manual_seed(0)
    balancer = BALANCERS[name]().fresh(3)
    balancer(THREE, ONES, ONES)
    plain = balancer.effective_weights(ONES, ONES)
    torch.manual_seed(0)
    other = BALANCERS[name]().fresh(3)
    weights = torch.tensor([0.5, 2.0, 1.0])
    found = other(THREE, ONES, weights)
    torch.testing.assert_close(other.effective_weights(ONES, weights), weights * plain)
    torch.testing.assert_close(found, (weights * plain) @ THREE)


@every_method
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-20, 1e18, 1e30])
def test_gradients_of_any_size_give_a_finite_step(name, scale):
    balancer = BALANCERS[name]().fresh(3)
    for _ in range(2):
        found = balancer(scale * THREE, ONES, ONES)
        assert found.isfinite().all()
        assert (found == 0).all() == (scale == 0)
    one = torch.ones(3, 1)
    one[0] = scale
    assert balanced(name, one * THREE).isfinite().all()


@every_method
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_passed_on(name, value):
    gradients = THREE.clone()
    gradients[1, 2] = value
    assert not balanced(name, gradients).isfinite().all()


@every_method
def test_gradients_of_one_direction_are_not_turned(name):
    found = balanced(name, torch.stack([THREE[0], 3 * THREE[0]]))
    torch.testing.assert_close(found / found.norm(), THREE[0] / THREE[0].norm(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["pcgrad", "config", "dualproj", "graddrop", "gradvac", "upgrad"])
def test_without_conflict_it_is_the_sum(name):
    if name == "config":
        pytest.skip("ConFIG looks at directions alone")
    gradients = torch.eye(3, 4) * 2
    torch.testing.assert_close(balanced(name, gradients), gradients.sum(0), rtol=1e-3, atol=1e-3)


@every_weighing
def test_order_of_the_tasks_does_not_matter(name):
    if name == "pcd":
        pytest.skip("the first task comes first")
    if name in ("pcgrad", "gradvac"):
        # Of two tasks there is one order to go through the others.
        first, second = balanced(name, CONFLICT), balanced(name, CONFLICT.flip(0))
    else:
        first, second = balanced(name, THREE), balanced(name, THREE[[2, 0, 1]])
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["config", "dualproj", "fairgrad", "mgda", "nash_mtl", "upgrad"])
@pytest.mark.parametrize("seed", range(3))
def test_no_task_is_in_conflict_with_the_step(name, seed):
    gradients = torch.randn(3, 6, generator=torch.Generator().manual_seed(seed))
    found = balanced(name, gradients)
    assert (gradients @ found > -1e-2 * gradients.norm(dim=1) * found.norm()).all()


# The papers.


def test_pcgrad_of_two_tasks():
    first, second = CONFLICT.numpy()
    inner = first @ second
    assert inner < 0
    expected = first - inner / (second @ second) * second + second - inner / (first @ first) * first
    np.testing.assert_allclose(balanced("pcgrad", CONFLICT), expected, rtol=1e-5)


def test_mgda_of_two_tasks():
    first, second = CONFLICT.numpy()
    share = ((second - first) @ second / ((first - second) @ (first - second))).clip(0, 1)
    expected = 2 * (share * first + (1 - share) * second)
    np.testing.assert_allclose(balanced("mgda", CONFLICT), expected, rtol=1e-4, atol=1e-4)


def test_cagrad_of_two_tasks():
    gradients, c = CONFLICT.numpy().astype(float), 0.5
    mean = gradients.mean(0)
    shares = np.linspace(0, 1, 20_001)
    mixed = np.column_stack([shares, 1 - shares]) @ gradients
    radius = c * np.linalg.norm(mean)
    best = mixed[np.argmin(mixed @ mean + radius * np.linalg.norm(mixed, axis=1))]
    expected = 2 * (mean + radius * best / np.linalg.norm(best))
    np.testing.assert_allclose(balanced("cagrad", CONFLICT, c=c), expected, rtol=1e-2, atol=1e-3)


def test_imtl_g_has_equal_projections():
    found = balanced("imtl_g", THREE)
    projections = THREE @ found / THREE.norm(dim=1)
    torch.testing.assert_close(projections, projections[0].expand(3))


def test_aligned_mtl_has_equal_singular_values():
    left, values, right = np.linalg.svd(THREE.numpy(), full_matrices=False)
    for mode, value in (("min", values[-1]), ("rmse", np.sqrt((values**2).mean()))):
        expected = value * (left @ right).sum(0)
        np.testing.assert_allclose(balanced("aligned_mtl", THREE, scale_mode=mode), expected, rtol=1e-4)


def test_upgrad_projects_each_gradient():
    first, second = CONFLICT.numpy()
    inner = first @ second
    expected = first - inner / (second @ second) * second + second - inner / (first @ first) * first
    np.testing.assert_allclose(balanced("upgrad", CONFLICT), expected, rtol=1e-2, atol=1e-3)


def test_dualproj_projects_the_sum():
    first, second = torch.tensor([1.0, 0.0]), torch.tensor([-3.0, 1.0])
    found = balanced("dualproj", torch.stack([first, second]))
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0]), rtol=0, atol=1e-2)


def test_config_has_equal_cosines():
    found = balanced("config", THREE)
    cosines = THREE @ found / THREE.norm(dim=1) / found.norm()
    torch.testing.assert_close(cosines, cosines[0].expand(3))
    torch.testing.assert_close(found.norm(), (THREE @ found).sum() / found.norm())


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_fairgrad_solves_its_equation(alpha, scale):
    balancer = BALANCERS["fairgrad"](alpha=alpha).fresh(3)
    found = balancer(scale * THREE, ONES, ONES)
    weights = balancer.effective_weights(ONES, ONES)
    torch.testing.assert_close(scale * THREE @ found, weights ** (-1 / alpha), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("gradients", [THREE, 1e-3 * THREE, torch.eye(3), THREE.abs()])
def test_nash_mtl_is_the_bargaining_solution(gradients):
    balancer = BALANCERS["nash_mtl"](max_norm=0).fresh(3)
    found = balancer(gradients, ONES, ONES)
    weights = balancer.effective_weights(ONES, ONES)
    torch.testing.assert_close(gradients @ found, 1 / weights, rtol=1e-3, atol=1e-4)
    cut = balanced("nash_mtl", gradients, max_norm=0.5)
    torch.testing.assert_close(cut.norm(), torch.tensor(0.5))


def test_gradvac_turns_gradients_to_the_average_cosine():
    balancer = BALANCERS["gradvac"](beta=1.0).fresh(2)
    alike = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    cosine = 0.8
    torch.testing.assert_close(balancer(alike, ONES[:2], ONES[:2]), alike.sum(0))
    torch.testing.assert_close(balancer.averages, torch.tensor([[0.0, cosine], [cosine, 0.0]]))
    first, second = np.eye(2)
    # Equation 4, of two orthogonal gradients of length 1.
    share = cosine / np.sqrt(1 - cosine**2)
    expected = (first + share * second) + (second + share * first)
    np.testing.assert_allclose(balancer(torch.eye(2), ONES[:2], ONES[:2]), expected, rtol=1e-5)


def test_gradvac_keeps_the_averages_of_tasks_that_are_not_there():
    balancer = BALANCERS["gradvac"]().fresh(3)
    balancer(THREE, ONES, ONES)
    before = balancer.averages.clone()
    balancer(THREE, ONES, torch.tensor([1.0, 0.0, 1.0]))
    assert (balancer.averages[1] == before[1]).all()
    assert (balancer.averages[:, 1] == before[:, 1]).all()
    assert balancer.averages[0, 2] != before[0, 2]


@pytest.mark.parametrize("length", [1e-3, 1e-6, 1e4])
def test_bargaining_does_not_depend_on_the_length_of_a_gradient(length):
    scaled = torch.tensor([[1.0], [length], [1.0]]) * THREE
    for name, params in {"nash_mtl": {"max_norm": 0}, "fairgrad": {"alpha": 1.0}}.items():
        expected, found = (balanced(name, gradients, **params) for gradients in (THREE, scaled))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_fairgrad_keeps_its_equation_for_short_gradients(alpha):
    gradients = torch.tensor([[1.0], [1e-3], [10.0]]) * THREE
    balancer = BALANCERS["fairgrad"](alpha).fresh(3)
    step = balancer(gradients, ONES, ONES)
    weights = balancer.effective_weights(ONES, ONES)
    torch.testing.assert_close(gradients @ step, weights ** (-1 / alpha), rtol=1e-2, atol=0)


@pytest.mark.parametrize("length", [1e-2, 1e-4, 1e-6, 1e-9])
def test_cagrad_goes_on_where_a_task_is_all_but_learned(length):
    gradients = torch.tensor([[length, 0.0], [0.0, 1.0]])
    found = balanced("cagrad", gradients, c=0.5)
    # From the mean, half its length along the short gradient; without a direction, the mean.
    expected = [length + 0.5 if length > 1e-7 else length, 1.0]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-3, atol=1e-3)


def test_pcd_gives_every_other_task_its_share():
    tau = 0.1
    found = balanced("pcd", THREE, tau=tau)
    first = THREE[0].norm()
    torch.testing.assert_close(found.norm(), first)
    progress = THREE[1:] @ found / THREE[1:].norm(dim=1)
    assert (progress > 0).all()


def test_pcd_follows_the_first_task_where_that_is_enough():
    torch.testing.assert_close(balanced("pcd", torch.stack([THREE[0], 2 * THREE[0]])), THREE[0])


def test_pcd_counts_the_steps_of_each_task():
    ours, theirs = (BALANCERS["pcd"](beta=0.9).fresh(2) for _ in range(2))
    both, alone = torch.ones(2), torch.tensor([1.0, 0.0])
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    ours(gradients, both, both)
    ours(gradients, both, alone)
    theirs(gradients, both, both)
    assert ours.steps.tolist() == theirs.steps.tolist() == [1, 1]
    torch.testing.assert_close(ours.norms, theirs.norms)


def test_graddrop_takes_one_sign_of_each_number():
    gradients = torch.tensor([[3.0, 1.0, -2.0], [-1.0, 1.0, -2.0]])
    balancer = GradDrop().fresh(2)
    torch.manual_seed(0)
    found = torch.stack([balancer(gradients, ONES[:2], ONES[:2]) for _ in range(2_000)])
    assert sorted(set(found[:, 0].tolist())) == [-1, 3]
    assert (found[:, 1:] == torch.tensor([2.0, -4.0])).all()
    # The share of the positive sizes.
    assert (found[:, 0] > 0).float().mean() == pytest.approx(0.75, abs=0.03)
    leaking = GradDrop(leak=1.0).fresh(2)
    torch.testing.assert_close(leaking(gradients, ONES[:2], ONES[:2]), gradients.sum(0))


# Parameters.


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (
            name,
            {"at": "heads"},
            r"`at` of \w+ must be one of \('parameters', 'representation'\)\. Found 'heads'",
        )
        for name in GRADIENT
    ]
    + [
        ("cagrad", {"c": -1}, r"`c` of CAGrad must be a number of at least 0\. Found -1\."),
        ("aligned_mtl", {"scale_mode": "max"}, r"`scale_mode` of AlignedMTL must be one of"),
        ("fairgrad", {"alpha": "1"}, r"`alpha` of FairGrad must be a number of at least 0\. Found '1'\."),
        (
            "graddrop",
            {"leak": 2},
            r"`leak` of GradDrop must be a number .* at most 1\. Found 2\.",
        ),
        (
            "gradvac",
            {"beta": -1},
            r"`beta` of GradVac must be a number .* at most 1\. Found -1\.",
        ),
        ("pcd", {"beta": 1}, r"`beta` of PCD must be a number of at least 0, below 1\. Found 1\."),
        ("pcd", {"tau": 2}, r"`tau` of PCD must be a number of at least 0 and of at most 1\. Found 2\."),
        ("nash_mtl", {"max_norm": -1}, r"`max_norm` of NashMTL must be a number of at least 0\. Found -1\."),
    ],
)
def test_bad_parameters(name, params, message):
    with pytest.raises(ValueError, match=message):
        BALANCERS[name](**params).fresh(2)


def test_all_weighings_are_of_the_base():
    assert all(issubclass(BALANCERS[name], GramianBalancer) for name in WEIGHINGS)
