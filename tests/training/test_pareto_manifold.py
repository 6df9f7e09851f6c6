"""The training of a manifold: what it comes to with one task, and the ordinary net at any preference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import GradientBalancer
from sklearn_mtl.training import ManifoldPlan, MultiTaskNet
from sklearn_mtl.training.gradient_conflict import CONFLICT
from sklearn_mtl.training.runs import make_ready, train_alone


class MeanGradient(GradientBalancer):
    """The weighted mean of the gradients."""

    def forward(self, gradients, losses, weights):
        return weights @ gradients


class MeanAtRepresentation(MeanGradient):
    at_representation = True


@pytest.fixture
def make_manifold(make_plan):
    """Return a function from settings, and fields of the blueprint, to the plan of a manifold."""

    def make(*, blueprint=None, **settings):
        plan = make_plan(**settings)
        return ManifoldPlan.of(replace(plan, blueprint=replace(plan.blueprint, **(blueprint or {}))))

    return make


def raw(module, table):
    with torch.no_grad():
        return module.eval()(table.inputs)


@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9, "gradient_clip": 0.1, "patience": 2}])
def test_of_one_task_it_is_the_plain_training(make_plan, make_manifold, settings):
    one = {"task_weights": (1.0, 0.0)}
    manifold = make_manifold(blueprint=one, **settings)
    plan = make_plan(**settings)
    plain = train_alone(make_ready(replace(plan, blueprint=replace(plan.blueprint, **one))))
    net = train_alone(make_ready(manifold))
    assert net.network.corners.shape[0] == 1
    found = manifold.net_at(net, {"price": 1.0})
    np.testing.assert_allclose(net.history[:, "valid_loss"], plain.history[:, "valid_loss"], rtol=1e-5)
    for mine, theirs in zip(found.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_at_a_preference_it_is_an_ordinary_net(make_manifold):
    plan = make_manifold(calibrate=True, ema_decay=0.9, patience=3)
    net = train_alone(make_ready(plan))
    found = plan.net_at(net, {"price": 3, "type": 1})
    assert type(found) is MultiTaskNet
    assert [name for name, _ in found.network.named_parameters()] == [
        name for name, _ in net.network.point.named_parameters()
    ]
    corners = net.network.corners.detach()
    net.network.train().preference.copy_(torch.tensor([0.75, 0.25]))
    net.network.point.eval()
    with torch.no_grad():
        torch.testing.assert_close(raw(found.network, plan.train), net.network(plan.train.inputs))
    assert not torch.equal(corners[0], corners[1])
    # The type alone has a temperature; the weights are the user's, 1 and 0.5, times twice the preference.
    assert (found.network.raw_scale != 1).tolist() == [False, True]
    assert found.criterion_.weights.tolist() == [1.5, 0.25]
    assert plan.at({"price": 3, "type": 1}).blueprint.task_weights == (1.5, 0.25)
    assert found.epoch_of(found.history[0])["weight"].tolist() == [1.5, 0.25]
    assert len(found.history) == len(net.history)


def test_losses_are_weighted_by_the_preference_at_each_step(make_manifold):
    plan = make_manifold()
    net = make_ready(plan).net
    net.open_training(plan.train, plan.valid)
    batch = plan.train.rows(slice(0, 16))
    net.network.train().preference.copy_(torch.tensor([0.9, 0.1]))
    net.network.point.eval()
    net.train_step_single(batch)
    mine = net.network.corners.grad.clone()
    point = net.network.point
    losses = net.criterion_.losses(point(batch.inputs), batch.y, batch.weight)
    weights = torch.tensor([1.0, 0.5]) * torch.tensor([0.9, 0.1]) * 2
    losses.raw.backward(losses.gradient(weights))
    flat = torch.cat([parameter.grad.flatten() for parameter in point.parameters()])
    torch.testing.assert_close(mine, torch.stack([0.9 * flat, 0.1 * flat]))


@pytest.mark.parametrize(
    "settings",
    [{"optimizer": torch.optim.SGD}, {"optimizer": torch.optim.LBFGS}, {"autocast": torch.bfloat16}],
    ids=["sgd", "lbfgs", "bfloat16"],
)
def test_it_trains_by_any_optimizer_and_in_half_precision(make_manifold, settings):
    net = train_alone(make_ready(make_manifold(**settings)))
    corners = net.network.corners.detach()
    assert corners.isfinite().all()
    assert not torch.equal(corners[0], corners[1])
    assert np.isfinite(net.history[:, "train_loss"]).all()


@pytest.mark.parametrize("balancing", [MeanGradient(), MeanAtRepresentation()], ids=repr)
def test_gradients_may_be_balanced(make_manifold, balancing):
    sums = train_alone(make_ready(make_manifold()))
    balanced = train_alone(make_ready(make_manifold(blueprint={"balancing": balancing})))
    torch.testing.assert_close(balanced.network.corners, sums.network.corners, rtol=1e-4, atol=1e-6)


def test_gradients_are_compared_at_the_points_of_the_steps(make_manifold):
    plan = make_manifold(gradient_conflict=1)
    net = train_alone(make_ready(plan))
    found = plan.net_at(net, {"price": 1, "type": 1})
    cosines = np.array(found.epoch_of(found.history[0])[CONFLICT])
    np.testing.assert_allclose(np.diag(cosines), 1, rtol=1e-5)
    assert 0 < abs(cosines[0, 1]) < 1
    plain = train_alone(make_ready(make_manifold()))
    assert torch.equal(net.network.corners, plain.network.corners)


def test_held_out_rows_are_predicted_at_the_centre_and_towards_the_corners(make_manifold):
    plan = make_manifold(max_epochs=2)
    net = train_alone(make_ready(plan))
    watched = net.network.watched
    assert watched.tolist() == [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    losses, table = net.criterion_.losses, plan.valid
    expected = []
    for preference in watched:
        responses = losses.responses(raw(net.network.at(preference), table))
        loss, mass = losses.response_sums(responses, table.y, table.weight)
        expected.append((loss / mass).mean().item())
    assert net.loss_on(table) == pytest.approx(np.mean(expected))


def test_a_preference_must_count_a_task_that_there_is(make_manifold):
    plan = make_manifold(blueprint={"task_weights": (1.0, 0.0)})
    message = "A preference must be positive for a task with labels, one of .'price'.. Found"
    with pytest.raises(ValueError, match=message):
        plan.at({"price": 0.0, "type": 1.0})
