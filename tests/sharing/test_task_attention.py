"""The multi-task attention network."""

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import GradientBalancer
from sklearn_mtl.sharing import SHARINGS, HardSharing, TaskAttention
from sklearn_mtl.trunks import MLP
from tests.sharing.learning import is_better, scores

THREE = [None, None, None]
sizes = pytest.mark.parametrize("hidden_size", [None, 4])


def built(problem, hidden_size=None):
    torch.manual_seed(0)
    return TaskAttention(hidden_size).build(problem.make_trunk, THREE, problem.spec).double()


def product(layer, x, task):
    return x @ layer.weight.detach().numpy()[task].T + layer.bias.detach().numpy()[task]


def logistic(x):
    return 1 / (1 + np.exp(-x))


@sizes
@pytest.mark.parametrize("training", [False, True])
def test_forward_is_the_equations(hidden_size, training, problem):
    """Equations 1 and 2 of the paper, member by member and task by task."""
    sharing = built(problem, hidden_size).train(training)
    found = sharing(problem.inputs, None).detach().numpy()
    features, seen = sharing.trunk.entry(problem.inputs), []
    for stage in sharing.trunk.stages:
        features = stage(features)
        seen.append(features.detach().numpy())
    for member in range(problem.members):
        for task in range(3):
            selected = None
            for number, (p, masks) in enumerate(zip(seen, sharing.masks, strict=True)):
                p = p[:, member]
                if number == 0:
                    hidden = product(masks.of_features, p, task)
                else:
                    between = sharing.between[number - 1][0]
                    f = np.maximum(
                        selected @ between.weight.detach().numpy().T + between.bias.detach().numpy(), 0
                    )
                    hidden = product(masks.of_features, p, task) + product(masks.of_selected, f, task)
                mask = logistic(product(masks.to_mask, np.maximum(hidden, 0), task))
                selected = mask * p
            np.testing.assert_allclose(found[:, member, task], selected, rtol=1e-10, atol=1e-12)


@sizes
def test_masks_of_one_are_hard_sharing_and_masks_of_zero_select_nothing(hidden_size, problem):
    sharing = built(problem, hidden_size)
    hard = HardSharing().build(lambda: sharing.trunk, [], problem.spec)
    for bias, share in ((500.0, 1), (-500.0, 0)):
        for masks in sharing.masks:
            masks.to_mask.weight.data.zero_()
            masks.to_mask.bias.data.fill_(bias)
        expected = share * hard(problem.inputs, None).unsqueeze(2).expand(-1, -1, 3, -1)
        torch.testing.assert_close(sharing(problem.inputs, None), expected, rtol=0, atol=1e-14)


def test_masks_are_shares_that_differ_between_rows_and_tasks(problem):
    sharing = built(problem)
    masks = sharing.masks[0](torch.randn(50, problem.members, 6, dtype=torch.float64))
    assert masks.shape == (50, problem.members, 3, 6)
    assert ((masks > 0) & (masks < 1)).all()
    assert (masks[0] != masks[1]).all()
    assert (masks[:, :, 0] != masks[:, :, 1]).all()


def test_permuting_the_tasks_permutes_the_representations(problem):
    sharing, order = built(problem), [2, 0, 1]
    before = sharing(problem.inputs, None)
    for masks in sharing.masks:
        for weights in masks.parameters():
            weights.data = weights.data[order]
    torch.testing.assert_close(sharing(problem.inputs, None), before[:, :, order])


def test_gradients_of_a_task_reach_no_masks_of_another(problem):
    network, loss = problem.build(TaskAttention())
    losses = loss.losses(network(problem.inputs), problem.y, problem.weight)
    alone = losses.gradient(torch.eye(3, dtype=torch.float64)[1])
    for masks in network.sharing.masks:
        for weights in masks.parameters():
            (gradient,) = torch.autograd.grad(losses.raw, [weights], alone, retain_graph=True)
            assert (gradient[1] != 0).any()
            assert (gradient[[0, 2]] == 0).all()


def test_every_task_trains_what_is_shared_and_nothing_else_is(problem):
    network, loss = problem.build(TaskAttention())
    shared = set(map(id, network.sharing.shared_parameters()))
    own = set(map(id, network.sharing.masks.parameters()))
    assert shared | own == set(map(id, network.sharing.parameters()))
    assert not shared & own
    for task in range(3):
        for part in (network.sharing.trunk, network.sharing.between):
            assert all((gradient != 0).any() for gradient in problem.gradient(network, loss, task, part))


class WeightedSum(GradientBalancer):
    def forward(self, gradients, losses, weights):
        return weights @ gradients


def test_balancing_gradients_is_balancing_losses(problem):
    found = []
    for balancing in (None, WeightedSum()):
        network, loss = problem.build(TaskAttention(), balancing)
        total = problem.backward(network, loss)
        found.append((total, [weights.grad for weights in network.parameters()]))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("hidden_size", [0, -1, 4.0, "4", True, 2**31, (4,)])
def test_hidden_size_must_be_none_or_a_positive_integer(hidden_size, problem):
    with pytest.raises(
        ValueError, match=r"`hidden_size` of TaskAttention must be None or an integer of at least 1"
    ):
        TaskAttention(hidden_size).build(problem.make_trunk, THREE, problem.spec)


def test_a_trunk_without_stages_is_refused(problem):
    trunk = MLP(()).build(problem.spec, {})
    with pytest.raises(
        ValueError, match=r"TaskAttention needs a trunk with at least one stage. Found one without"
    ):
        TaskAttention().build(lambda: trunk, THREE, problem.spec)


def test_one_stage_is_enough(problem):
    trunk = MLP((6,)).build(problem.spec, {}).double()
    sharing = TaskAttention().build(lambda: trunk, THREE, problem.spec).double()
    assert len(sharing.between) == 0
    assert sharing(problem.inputs, None).shape == (50, 1, 3, 6)


def test_short_name():
    assert SHARINGS["task_attention"] is TaskAttention
    assert TaskAttention().get_params() == {"hidden_size": None}


def features_that_open_and_close(n_rows, seed):
    """Six tasks that are sums of the same four features, each open or closed as the features of a row say."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, 10))
    directions = np.linalg.qr(random.normal(size=(10, 4)))[0]
    features = np.sin(1.5 * X @ directions)
    Y = {}
    for task in range(6):
        open_share = logistic(8 * features @ random.normal(size=(4, 4)))
        y = (open_share * features) @ random.choice([-1, 1], size=4)
        Y[f"task{task}"] = y / y.std() + 0.1 * random.normal(size=n_rows)
    return X, Y


def test_tasks_that_select_features_row_by_row_are_learned_better_with_attention():
    hard, attention = (
        scores(features_that_open_and_close, sharing, hidden_sizes=(32, 8), n_train=800, max_epochs=40)
        for sharing in (HardSharing(), TaskAttention())
    )
    assert is_better(attention, hard), (attention, hard)
