"""Stacked weights: views of one tensor, updated together by AdamW, given back to each net when it leaves."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mtl.balancing import UncertaintyWeighting
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking.joint_update import parameter_groups, trained_parameters
from sklearn_mtl.training.stacking.weights import StackedWeights
from sklearn_mtl.trunks import MLP
from tests.training.stacking.nets import plans_of


def nets_of(data, *settings):
    """A net for each of some settings, at the beginning of its training."""
    found = []
    for number, params in enumerate(settings):
        (plan,) = plans_of(data, **{"random_state": number, **params})
        ready = make_ready(plan)
        ready.net.open_training(plan.train, plan.valid)
        found.append(ready.net)
    return found


def put_gradients(weights, seed=0):
    torch.manual_seed(seed)
    for tensor in weights.trained.values():
        tensor.grad = torch.randn_like(tensor)


def values(net):
    return {name: parameter.detach().clone() for name, parameter in trained_parameters(net).items()}


def test_parameters_are_views_of_the_stack(data):
    nets = nets_of(data, {}, {})
    before = [values(net) for net in nets]
    weights = StackedWeights(nets)
    for slot, net in enumerate(nets):
        for name, parameter in trained_parameters(net).items():
            assert torch.equal(parameter, before[slot][name])
            assert torch.equal(weights.trained[name][slot], parameter)
    with torch.no_grad():
        for tensor in weights.trained.values():
            tensor[1] += 1
    assert all(torch.equal(value, before[0][name]) for name, value in values(nets[0]).items())
    assert all(torch.equal(value, before[1][name] + 1) for name, value in values(nets[1]).items())


@pytest.mark.parametrize(
    "settings", [{}, {"ema_decay": None}, {"balancing": UncertaintyWeighting()}], ids=str
)
def test_steps_are_those_of_each_net_alone(data, settings):
    rates = [
        {"lr": lr, "weight_decay": decay, "lr_schedule": None, **settings}
        for lr, decay in ((0.1, 0.0), (0.1, 0.0), (0.3, 0.2))
    ]
    nets, alone = nets_of(data, *rates), nets_of(data, *rates)
    weights = StackedWeights(nets)
    # The last one has fewer batches.
    weights.begin_epoch([3, 3, 2])
    for step in range(3):
        put_gradients(weights, step)
        weights.step()
        for slot, net in enumerate(alone[: 3 if step < 2 else 2]):
            for name, parameter in trained_parameters(net).items():
                parameter.grad = weights.trained[name].grad[slot].clone()
            net.optimizer_.step()
            if net.run_.average is not None:
                net.run_.average.update()
    assert weights.steps == [3, 3, 2]
    for slot, (net, own) in enumerate(zip(nets, alone, strict=True)):
        weights.release(slot)
        for name, parameter in trained_parameters(net).items():
            expected = trained_parameters(own)[name]
            torch.testing.assert_close(parameter, expected)
            for key, value in own.optimizer_.state[expected].items():
                torch.testing.assert_close(net.optimizer_.state[parameter][key], value)
        if net.run_.average is not None:
            assert net.run_.average.steps == own.run_.average.steps
            for mine, theirs in zip(net.evaluated.parameters(), own.evaluated.parameters(), strict=True):
                torch.testing.assert_close(mine, theirs)


def test_neighbours_of_the_same_settings_are_updated_together(data):
    weights = StackedWeights(nets_of(data, {}, {}, {"lr": 0.5}, {}))
    weights.begin_epoch([2, 2, 2, 2])
    assert len(weights.updates) == 3
    weights.begin_epoch([2, 2, 2, 1])
    assert len(weights.updates) == 3
    weights.begin_epoch([2, 1, 1, 1])
    assert len(weights.updates) == 4


def test_a_parameter_without_gradient_stays(data):
    nets = nets_of(data, {}, {})
    weights = StackedWeights(nets)
    weights.begin_epoch([1, 1])
    put_gradients(weights)
    name = next(iter(weights.trained))
    weights.trained[name].grad = None
    before = values(nets[0])
    weights.step()
    after = values(nets[0])
    assert [name for name in before if torch.equal(before[name], after[name])] == [name]


def test_a_net_that_is_released_is_on_its_own(data):
    nets = nets_of(data, {}, {}, {})
    weights = StackedWeights(nets)
    weights.begin_epoch([2, 2, 2])
    put_gradients(weights)
    weights.step()
    weights.release(0)
    left = values(nets[0])
    weights.keep([1, 2])
    weights.begin_epoch([1, 1])
    put_gradients(weights, 1)
    before = [values(net) for net in nets[1:]]
    weights.step()
    assert len(weights) == 2
    assert all(torch.equal(value, left[name]) for name, value in values(nets[0]).items())
    for net, of_net in zip(nets[1:], before, strict=True):
        assert not any(torch.equal(value, of_net[name]) for name, value in values(net).items())
    stacks = {tensor.untyped_storage().data_ptr() for tensor in weights.trained.values()}
    own = trained_parameters(nets[0]).values()
    assert not stacks & {parameter.untyped_storage().data_ptr() for parameter in own}
    assert all(parameter.untyped_storage().nbytes() == parameter.nbytes for parameter in own)


def test_a_narrower_net_lies_in_the_corner_and_the_rest_is_no_wider_than_those_that_stay():
    rng = np.random.default_rng(0)
    nets = []
    for levels in ("abcdef", "abcd", "abc"):
        frame = pd.DataFrame({"number": rng.normal(size=60), "level": rng.choice(list(levels), size=60)})
        nets += nets_of((frame, {"price": rng.normal(size=60)}, None), {"trunk": MLP((8,))})
    weights = StackedWeights(nets)
    (name,) = (n for n, p in trained_parameters(nets[0]).items() if p.ndim == 2 and p.shape[0] == 8)
    own = [trained_parameters(net)[name].detach().clone() for net in nets]
    widths = [tensor.shape[1] for tensor in own]
    assert weights.trained[name].shape[2] == max(widths) > widths[1] > widths[2]
    for slot, tensor in enumerate(own):
        assert torch.equal(weights.trained[name][slot, :, : widths[slot]], tensor)
        assert (weights.trained[name][slot, :, widths[slot] :] == 0).all()
    weights.release(0)
    weights.keep([1, 2])
    for stack in (weights.trained, weights.first_moments, weights.second_moments):
        assert stack[name].shape == (2, 8, widths[1])
    assert torch.equal(trained_parameters(nets[2])[name], own[2])


def test_each_net_is_clipped_by_its_own_bound(data):
    nets = nets_of(data, {}, {}, {})
    weights = StackedWeights(nets)
    assert weights.bounds([None, None, None]) is None
    put_gradients(weights)
    before = {name: tensor.grad.clone() for name, tensor in weights.trained.items()}
    weights.clip(weights.bounds([0.1, None, 0.2]))
    norms = torch.stack([tensor.grad.flatten(1).norm(dim=1) for tensor in weights.trained.values()]).norm(
        dim=0
    )
    torch.testing.assert_close(norms[[0, 2]], torch.tensor([0.1, 0.2], dtype=norms.dtype), rtol=1e-5, atol=0)
    assert all(torch.equal(tensor.grad[1], before[name][1]) for name, tensor in weights.trained.items())


def test_groups_of_parameters_are_told_by_name(data):
    (net,) = nets_of(data, {"balancing": UncertaintyWeighting()})
    first, second = parameter_groups(net)
    assert (
        second == [name for name in trained_parameters(net) if name.startswith("criterion.balancer.")] != []
    )
    assert sorted(first + second) == sorted(trained_parameters(net))
