"""One net from its plan to its end."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_mtl.data import Table
from sklearn_mtl.training import plan_bag, plan_further
from sklearn_mtl.training.runs import finish_interrupted, make_ready, train_alone
from sklearn_mtl.trunks import MLP


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_same_weights(one, other):
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name


# Plans


def test_a_bag_is_planned_on_its_parts_with_a_seed_each(make_plan):
    plan = make_plan()
    parts = [(plan.train, plan.valid), (plan.train, None)]
    one, other = plan_bag(plan.blueprint, parts, plan.settings, [3, 4], epochs=2)
    assert (one.seed, one.valid, one.epochs, one.prefix) == (3, plan.valid, 2, "net0_")
    assert (other.seed, other.valid, other.epochs, other.prefix) == (4, None, 2, "net1_")
    (alone,) = plan_bag(plan.blueprint, parts[:1], plan.settings, [3])
    assert alone.prefix == ""


def test_further_epochs_are_planned_from_the_nets_there_are(make_plan):
    plan = make_plan()
    net = train_alone(make_ready(plan))
    (further,) = plan_further([net], plan.blueprint, [(plan.train, plan.valid)], plan.settings, epochs=3)
    assert further.before is net
    assert further.epochs == 3


def test_a_step_of_each_batch(make_plan):
    plan = make_plan(validated=False, batch_size=25)
    assert plan.batch_sizes == [25, 25, 10]
    assert plan.n_batches == 3


@pytest.mark.parametrize(("times", "begins"), [(1, True), (20, False)])
def test_a_net_of_few_rows_begins_with_the_shares_of_rare_classes(make_plan, times, begins):
    plan = make_plan(validated=False)
    y, weight = plan.train.y.clone(), plan.train.weight
    y[:, 1] = torch.arange(len(y)) % 10 == 0
    x, y, weight = (np.tile(part, (times, 1)) for part in (plan.train.inputs["x"], y, weight))
    rows = Table.from_arrays({"x": x}, y, weight, device=torch.device("cpu"), dtype=torch.float32)
    bias = make_ready(replace(plan, train=rows)).net.network.heads.branches[0].bias.detach()[0]
    assert abs(float(bias[0])) < 0.4  # of the price, drawn
    assert (float(bias[1].sigmoid()) == pytest.approx(0.1)) == begins


class Counting(MLP):
    """A trunk whose fit statistics are given."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def fit_statistics(self, spec, sample):
        return self.found


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"n": torch.ones(()), "reach": 3.0}, "3.0, of type float, for 'reach'"),
        (None, "None, of type NoneType"),
    ],
)
def test_fit_statistics_that_are_no_tensors_are_refused_at_once(found, told, make_plan):
    plan = make_plan()
    plan = replace(plan, blueprint=replace(plan.blueprint, trunk=Counting(found)))
    rule = "`fit_statistics` of Counting must return a dict of tensors. "
    with pytest.raises(TypeError, match=re.escape(f"{rule}Found {told}.")):
        make_ready(plan)


# A net that is ready


def test_a_net_is_drawn_from_its_seed_and_the_global_generator_is_left_alone(make_plan):
    before = torch.get_rng_state()
    one, other, third = (make_ready(make_plan(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_weights(one.net.module_, other.net.module_)
    assert torch.equal(one.generator.cpu, other.generator.cpu)
    assert any(
        (mine != theirs).any()
        for mine, theirs in zip(one.net.module_.parameters(), third.net.module_.parameters(), strict=True)
    )


def test_known_statistics_change_nothing_of_what_is_drawn(make_plan):
    plan = make_plan()
    one, other = make_ready(plan), make_ready(plan, plan.fit_statistics())
    assert_same_weights(one.net.module_, other.net.module_)
    assert torch.equal(one.generator.cpu, other.generator.cpu)


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("validated", [True, False])
def test_training_in_two_parts_is_training_at_once(make_plan, ema_decay, validated):
    told = {"ema_decay": ema_decay, "validated": validated, "patience": 9}
    whole = train_alone(make_ready(make_plan(max_epochs=6, **told)))
    half = train_alone(make_ready(make_plan(max_epochs=6, epochs=4, **told)))
    resumed = half.resume_
    rest = train_alone(make_ready(make_plan(max_epochs=6, epochs=2, before=half, **told)))
    assert len(half.history) == 4
    assert [row["train_loss"] for row in rest.history] == [row["train_loss"] for row in whole.history]
    assert_same_weights(rest.module_, whole.module_)
    # The net that was trained on is as it was.
    assert half.resume_ is resumed


# Its end


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_net_ends_calibrated_and_in_evaluation_mode(make_plan, ema_decay):
    net = train_alone(make_ready(make_plan(calibrate=True, ema_decay=ema_decay)))
    assert not any(module.training for module in net.module_.modules())
    assert net.evaluated is net.module_
    assert (net.module_.raw_scale != 1).any()
    plain = train_alone(make_ready(make_plan(calibrate=True, validated=False)))
    assert (plain.module_.raw_scale == 1).all()


class CtrlC(Callback):
    """Interrupts the training in an epoch, as Ctrl-C does."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def interrupted_in(plan):
    ready = make_ready(plan)
    with pytest.raises(KeyboardInterrupt):
        train_alone(ready)
    return finish_interrupted(ready)


def test_an_interrupted_net_has_the_epochs_that_are_over(make_plan):
    net = interrupted_in(make_plan(callbacks=[CtrlC(3)]))
    expected = train_alone(make_ready(make_plan(max_epochs=2)))
    assert len(net.history) == 2
    assert_same_weights(net.module_, expected.module_)
    assert net.resume_ is None


def test_a_net_that_is_interrupted_in_its_first_epoch_is_none(make_plan):
    assert interrupted_in(make_plan(callbacks=[CtrlC(1)])) is None
    trained = train_alone(make_ready(make_plan(max_epochs=2)))
    assert interrupted_in(make_plan(before=trained, callbacks=[CtrlC(3)])) is None
