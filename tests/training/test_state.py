"""A net as arrays, and back."""

import numpy as np
import pytest
import torch

from sklearn_mtl.training import pack_net, unpack_net
from sklearn_mtl.training.runs import make_ready, train_alone

CPU = torch.device("cpu")


def leaves(value):
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_net_that_was_packed_predicts_and_remembers_as_before(make_plan, ema_decay):
    plan = make_plan(ema_decay=ema_decay, calibrate=True)
    net = train_alone(make_ready(plan))
    state = pack_net(net)
    assert {type(leaf) for leaf in leaves(state)} <= {np.ndarray, int, float, bool}
    before = torch.get_rng_state()
    found = unpack_net(state, plan.blueprint, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    inputs = plan.valid.inputs
    assert torch.equal(found.evaluated.calibrated(inputs), net.evaluated.calibrated(inputs))
    assert found.history[:, "valid_loss"] == net.history[:, "valid_loss"]
    assert found.n_steps == net.n_steps


def test_a_net_that_was_packed_trains_on_with_a_fresh_optimizer(make_plan):
    plan = make_plan()
    found = unpack_net(pack_net(train_alone(make_ready(plan))), plan.blueprint, CPU)
    assert found.resume_ is None
    further = train_alone(make_ready(make_plan(before=found, epochs=2)))
    assert len(further.history) == 6
    assert further.history[-1, "train_loss"] < further.history[0, "train_loss"]
