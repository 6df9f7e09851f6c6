"""A net in training: its steps, its epochs, and what it goes by from beginning to end."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_mtl.training.kept_weights import TrainingRun
from sklearn_mtl.training.runs import make_ready, train_alone


def weights(module):
    return [value.detach().clone() for value in module.parameters()]


class Listens(Callback):
    """Hears of every batch, which makes a net take skorch's own steps."""

    def on_batch_begin(self, net, **kwargs):
        pass


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("gradient_clip", [None, 0.01])
def test_a_net_whose_callbacks_listen_takes_the_same_steps(make_plan, ema_decay, gradient_clip):
    told = {"ema_decay": ema_decay, "gradient_clip": gradient_clip, "weight_decay": 0.1}
    plain = train_alone(make_ready(make_plan(**told)))
    heard = train_alone(make_ready(make_plan(callbacks=[Listens()], **told)))
    for mine, theirs in zip(weights(plain.module_), weights(heard.module_), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(plain.history[:, "train_loss"], heard.history[:, "train_loss"], rtol=1e-5)


def test_a_step_is_that_of_a_hand_written_loop(make_plan):
    ready = make_ready(make_plan(weight_decay=0.1))
    net, plan = ready.net, ready.plan
    hand = make_ready(make_plan(weight_decay=0.1)).net
    batch = plan.train.rows(slice(0, 16))
    net.open_training(plan.train, plan.valid)
    hand.open_training(plan.train, plan.valid)
    optimizer = torch.optim.AdamW(hand.module_.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        with ready.generator.restored(torch.device("cpu")):
            net.module_.train()
            step = net.train_step(batch)
        with ready.generator.restored(torch.device("cpu")):
            hand.module_.train()
            losses = hand.criterion_.losses(hand.module_(batch.inputs), batch.y, batch.weight)
            total = losses.values @ hand.criterion_.weights
            optimizer.zero_grad()
            losses.raw.backward(losses.gradient(hand.criterion_.weights))
            optimizer.step()
        torch.testing.assert_close(step["loss"], total.detach())
    for mine, theirs in zip(weights(net.module_), weights(hand.module_), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)


def test_validation_leaves_the_weights_alone_and_uses_their_average(make_plan):
    plan = make_plan(ema_decay=0.9)
    net = make_ready(plan).net
    net.open_training(plan.train, plan.valid)
    assert net.evaluated is net.run_.average.module
    with torch.no_grad():
        for parameter in net.module_.parameters():
            parameter.zero_()
    batch = plan.valid.rows(slice(None))
    found = net.validation_step(batch)
    assert not found["task_loss"].requires_grad
    raw = net.run_.average.module(batch.inputs)
    losses = net.criterion_.losses
    torch.testing.assert_close(
        found["task_loss"], losses.response_sums(losses.responses(raw), batch.y, batch.weight)[0]
    )
    assert all((parameter == 0).all() for parameter in net.module_.parameters())


# What it goes by


def test_a_net_goes_by_a_run_from_the_beginning_to_the_end_of_a_training(make_plan):
    plan = make_plan(ema_decay=0.9, patience=5)
    net = make_ready(plan).net
    assert net.run_ == TrainingRun()
    assert net.resume_ is None
    net.open_training(plan.train, plan.valid)
    assert (net.run_.n_before, net.run_.n_over, net.run_.start) == (0, 0, None)
    assert net.run_.kept is None
    net.fit_loop((plan.train, plan.valid), epochs=2)
    assert net.run_.n_over == 2
    kept, latest = net.run_.kept, weights(net.module_)
    net.close_training(plan.train, plan.valid)
    assert net.run_ == TrainingRun()
    assert net.resume_.kept is kept
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, kept.predicting[0][name]), name
    resumed = [net.resume_.weights[name] for name, _ in net.module_.named_parameters()]
    assert all(map(torch.equal, resumed, latest))


def test_a_net_that_goes_on_starts_from_what_it_predicted_with(make_plan):
    before = train_alone(make_ready(make_plan(patience=9)))
    plan = make_plan(patience=9, before=before)
    net = make_ready(plan).net
    assert net.resume_ is before.resume_
    net.open_training(plan.train, plan.valid)
    assert net.resume_ is None
    assert net.run_.n_before == 4
    for name, value in before.module_.state_dict().items():
        assert torch.equal(net.run_.start.predicting[0][name], value), name
    assert net.run_.start.predicting[1] == before.resume_.kept.predicting[1]
    for name, value in net.module_.named_parameters():
        assert torch.equal(value, before.resume_.weights[name]), name


# Files


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_saved_are_the_weights_that_predict(make_plan, ema_decay, tmp_path):
    plan = make_plan(ema_decay=ema_decay)
    net, other = make_ready(plan).net, make_ready(make_plan(seed=1)).net
    net.open_training(plan.train, plan.valid)
    net.fit_loop((plan.train, plan.valid), epochs=1)
    before = weights(net.module_)
    net.save_params(f_params=tmp_path / "weights.pt")
    assert all(map(torch.equal, weights(net.module_), before))
    other.load_params(f_params=tmp_path / "weights.pt")
    assert all(map(torch.equal, weights(other.module_), weights(net.evaluated)))
