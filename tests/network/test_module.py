"""A network and its loss, built from a blueprint."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.network import Blueprint, draws_alone
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.trunks import MLP, TabM
from sklearn_mtl.trunks.layers import Dropout

COLUMNS = read_targets({"price": [1.0, np.nan, 4.0], "kind": ["a", "b", "c"]}).columns
INPUTS = {"x": torch.linspace(-1, 1, 6).reshape(3, 2)}


@pytest.fixture
def blueprint():
    labelled = np.array([1.0, 0.0, 1.0])
    price = Regression().bind(COLUMNS["price"], labelled)
    tasks = TaskSet((price, Classification().bind(COLUMNS["kind"], np.ones(3))))
    spec = FeatureSpec((Block("x", (2,), n_continuous=2),))
    return Blueprint(spec, tasks, MLP((4,)), HardSharing(), StaticWeights(), ((3,), ()), (1.0, 0.5))


def build(blueprint):
    return blueprint.build(blueprint.fit_statistics(INPUTS))


@pytest.mark.parametrize(
    ("trunk", "members"), [(MLP((4,)), 1), (TabM((4,), members=3, embedding=None), 3)], ids=repr
)
def test_raw_outputs_are_rows_by_members_by_outputs_of_all_tasks(blueprint, trunk, members):
    module = build(replace(blueprint, trunk=trunk))
    assert module(INPUTS).shape == (3, members, 4)
    assert module.represent(INPUTS).shape == (3, 4)


def test_weights_are_drawn_from_the_global_generator(blueprint):
    with torch.random.fork_rng(devices=[]):
        outputs = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            outputs.append(build(blueprint)(INPUTS))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_hidden_layers_are_those_of_the_task(blueprint):
    module = build(blueprint)
    weights = [value for name, value in module.heads.named_parameters() if name.endswith("weight")]
    sizes = sorted(tuple(weight.shape[-2:]) for weight in weights)
    # The price has a layer of three and an output, the kind three outputs of the representation.
    assert sizes == [(1, 3), (3, 4), (3, 4)]


def test_temperatures_divide_the_outputs(blueprint):
    module = build(blueprint)
    assert torch.equal(module.calibrated(INPUTS), module(INPUTS))
    module.raw_scale.copy_(torch.tensor([1.0, 0.5, 0.5, 0.5]))
    assert torch.equal(module.calibrated(INPUTS), module(INPUTS) * module.raw_scale)


def test_a_loss_has_a_balancer_of_its_own_and_the_weights_of_the_user(blueprint):
    y, weight = (torch.tensor(part) for part in blueprint.tasks.encode(COLUMNS, np.ones((3, 2))))
    one, other = (blueprint.build_loss(y, weight) for _ in range(2))
    assert one.weights.tolist() == [1.0, 0.5]
    assert one.balancer is not other.balancer
    assert one.balancer is not blueprint.balancing


def test_rows_can_be_validated_on_if_they_have_a_label_that_counts(blueprint):
    _, weight = (torch.tensor(part) for part in blueprint.tasks.encode(COLUMNS, np.ones((3, 2))))
    assert blueprint.can_validate_on(weight)
    price_alone = replace(blueprint, task_weights=(1.0, 0.0))
    assert price_alone.can_validate_on(weight)
    assert not price_alone.can_validate_on(weight[1:2])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh(), Dropout(0.1)), True),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), False),
        (nn.RReLU(), False),
        (type("OfAUser", (nn.Linear,), {})(2, 2), False),
    ],
    ids=["ours", "dropout", "random activation", "users"],
)
def test_what_is_known_to_draw_from_its_own_generators(module, expected):
    assert draws_alone(module) is expected


def hooked(kind):
    layer = nn.Linear(2, 2)
    getattr(layer, f"register_{kind}_hook")(lambda *_given: None)
    return nn.Sequential(layer)


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_nothing_is_known_of_a_module_with_hooks(kind):
    assert not draws_alone(hooked(kind))


def test_nothing_is_known_of_a_module_with_a_function_of_its_own():
    layers = nn.Sequential(Dropout(0.1))
    layers[0].draw = lambda *_given: torch.ones(1)
    assert not draws_alone(layers)
    layers = nn.Sequential(nn.Linear(2, 2))
    layers.forward = lambda x: x
    assert not draws_alone(layers)


def test_nothing_is_known_of_modules_while_all_have_hooks():
    hook = nn.modules.module.register_module_forward_hook(lambda *_given: None)
    try:
        assert not draws_alone(nn.Linear(2, 2))
    finally:
        hook.remove()
    assert draws_alone(nn.Linear(2, 2))
