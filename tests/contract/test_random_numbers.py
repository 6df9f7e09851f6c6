"""Where the random numbers of a fit come from, whoever else draws, and who waits for whom."""

import pickle
from threading import Event, Thread

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional as F

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.trunks import MLP, ModuleTrunk

X = np.random.default_rng(0).normal(size=(80, 5))
Y = X.sum(1)


def regressor(trunk="mlp", **settings):
    settings = {"n_bags": 1, "max_epochs": 2, "random_state": 0, **settings}
    return MultiTaskRegressor(trunk=MLP((4,), dropout=0.3) if trunk == "mlp" else trunk, **settings)


def in_a_thread(function):
    """Run a function in another thread; return whether it is over soon."""
    thread = Thread(target=function, daemon=True)
    thread.start()
    thread.join(30)
    return not thread.is_alive()


def hooked():
    layer = nn.Linear(5, 6)
    layer.register_forward_hook(lambda part, _given, output: F.dropout(output, 0.5, part.training))
    return layer


def patched():
    layers = nn.Sequential(nn.Linear(5, 6))
    # It is copied as it is: the layers that it knew would not be those of the copy.
    layers.forward = lambda x: F.dropout(x[:, :3], 0.5, torch.is_grad_enabled())
    return layers


class NoisyAdam(torch.optim.Adam):
    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(F.dropout(torch.full_like(parameter, 0.01)))


@pytest.mark.parametrize(
    "settings",
    [{"trunk": ModuleTrunk(hooked())}, {"trunk": ModuleTrunk(patched())}, {"optimizer": NoisyAdam}],
    ids=["hook", "forward of its own", "optimizer"],
)
def test_what_draws_unseen_draws_by_the_seed(settings):
    found, after = [], []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            found.append(regressor(**settings).fit(X, Y).predict(X))
            after.append(torch.equal(torch.get_rng_state(), before))
    np.testing.assert_array_equal(*found)
    assert all(after)


class Calls(Callback):
    """Calls a function after each epoch."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, net, **kwargs):
        self.function()


OTHERS = {
    "fit of known parts": lambda: regressor().fit(X, Y),
    "fit of foreign parts": lambda: regressor(ModuleTrunk(nn.Sequential(nn.Linear(5, 4)))).fit(X, Y),
    "fit with a callback": lambda: regressor(callbacks=[Calls(int)]).fit(X, Y),
    "fit of a dropout of torch's": lambda: regressor(ModuleTrunk(nn.Dropout(0.5))).fit(X, Y),
}


@pytest.mark.parametrize("trunk", ["mlp", ModuleTrunk(nn.Dropout(0.5))], ids=["known", "foreign"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_callback_may_wait_for_the_fit_of_another_thread(trunk, other):
    over = []
    fitted = regressor(trunk, callbacks=[Calls(lambda: over.append(in_a_thread(other)))]).fit(X, Y)
    assert over == [True, True]
    alone = regressor(trunk, callbacks=[Calls(int)]).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))


class Waits(nn.Module):
    """Waits within a step."""

    entered, may_go = Event(), Event()

    def forward(self, x):
        if self.training:
            self.entered.set()
            self.may_go.wait(60)
        return F.dropout(x, 0.5, self.training)

    def __deepcopy__(self, memo):
        return Waits()


def test_only_steps_of_foreign_parts_wait_for_each_other():
    packed = pickle.dumps(regressor(ModuleTrunk(nn.Sequential(nn.Linear(5, 4)))).fit(X, Y))
    first = Thread(target=lambda: regressor(ModuleTrunk(Waits())).fit(X, Y), daemon=True)
    first.start()
    try:
        assert Waits.entered.wait(30)
        assert in_a_thread(lambda: pickle.loads(packed).predict(X))
        assert in_a_thread(OTHERS["fit of known parts"])
        assert in_a_thread(OTHERS["fit with a callback"])
    finally:
        Waits.may_go.set()
        first.join()


@pytest.mark.parametrize("trunk", [None, "mlp"])
@pytest.mark.parametrize("n_bags", [1, 3, 5])
def test_torchs_own_stream_is_not_touched_by_a_fit_of_known_parts(trunk, n_bags, monkeypatch):
    calls = []
    for name in ("set_rng_state", "manual_seed"):
        monkeypatch.setattr(torch, name, lambda *_given, name=name: calls.append(name))
    before = torch.get_rng_state()
    fitted = regressor(trunk, n_bags=n_bags).fit(X, Y)
    pickle.loads(pickle.dumps(fitted)).predict(X)
    assert calls == []
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("trunk", ["mlp", ModuleTrunk(nn.Dropout(0.5))], ids=["known", "foreign"])
def test_what_a_callback_draws_follows_the_seed(trunk):
    drawn = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            regressor(trunk, callbacks=[Calls(lambda: drawn.append(torch.rand(3)))]).fit(X, Y)
            assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.cat(drawn[:2]), torch.cat(drawn[2:]))
    assert not torch.equal(drawn[0], drawn[1])
