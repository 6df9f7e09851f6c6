"""The bases are wide enough: balancing methods of the literature through every way of training."""

import pickle
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import DTP, DWA, FAMO, RLW, LossBalancer, UncertaintyWeighting
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP
from tests.balancing.methods import METHODS, GradNorm

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)


@pytest.fixture(scope="module")
def data():
    return make_multitask(
        n_samples=80,
        n_features=4,
        n_regression=2,
        n_binary=1,
        n_factors=2,
        missing_labels=0.2,
        random_state=0,
    )


def make(method, **params):
    settings = {"trunk": MLP((6,), dropout=0.1), "n_bags": 1, "max_epochs": 4, "lr": 0.01, "batch_size": 16}
    return MultiTaskClassifierRegressor(balancing=method, random_state=0, **{**settings, **params})


def state_of(est):
    return {name: value.clone() for name, value in est.net_.criterion_.balancer.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@every_method
def test_fit_and_copies_of_it(method, data):
    est = make(method).fit(*data)
    scores = est.score_tasks(*data)
    assert np.isfinite(scores).all()
    assert (clone(est).fit(*data).score_tasks(*data) == scores).all()
    again = pickle.loads(pickle.dumps(est))
    assert same(state_of(again), state_of(est))
    assert (again.score_tasks(*data) == scores).all()


@every_method
def test_training_on_goes_on_with_the_state(method, data):
    est = make(method, warm_start=True, early_stopping=False, max_epochs=2).fit(*data)
    part = est.set_params(max_epochs=4).fit(*data)
    whole = make(method, early_stopping=False, max_epochs=4).fit(*data)
    assert same(state_of(part), state_of(whole))
    np.testing.assert_array_equal(part.score_tasks(*data), whole.score_tasks(*data))


@every_method
def test_partial_fit_goes_on_with_the_state(method, data):
    est = make(method)
    for _ in range(3):
        est.partial_fit(*data)
    whole = make(method, early_stopping=False, max_epochs=3).fit(*data)
    for name, value in state_of(whole).items():
        torch.testing.assert_close(state_of(est)[name], value)


@pytest.mark.parametrize(
    "method", [UncertaintyWeighting(), DWA(), RLW(), FAMO(), DTP(), GradNorm()], ids=repr
)
def test_the_state_moves(method, data):
    est = make(method).fit(*data)
    start = method.fresh(3).state_dict()
    assert all(not torch.equal(value.cpu(), start[name]) for name, value in state_of(est).items())


def test_an_epoch_without_a_label_of_a_task_is_nan_for_it_alone(data):
    X, Y = data
    epochs = []

    class Noting(DWA):
        def end_epoch(self, losses):
            super().end_epoch(losses)
            epochs.append(losses.isnan().tolist())

    est = make(Noting()).partial_fit(X, Y)
    est.partial_fit(X, {**Y, "regression1": np.full(len(X), np.nan)}).partial_fit(X, Y)
    assert epochs == [[False] * 3, [False, True, False], [False] * 3]
    assert all(value.isfinite().all() for value in state_of(est).values())
    assert np.isfinite(est.score_tasks(X, Y)).all()


# Groups of parameters.


class Still(LossBalancer):
    """A learned parameter that nothing moves but weight decay."""

    def start(self, n_tasks):
        self.level = nn.Parameter(torch.ones(n_tasks))

    def forward(self, losses, weights):
        return losses @ weights + 0 * self.level.sum()


class Decayed(Still):
    def param_groups(self):
        return []


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize(("balancer", "moves"), [(Still(), False), (Decayed(), True)], ids=repr)
def test_learned_parameters_are_not_decayed_unless_asked_for(optimizer, balancer, moves, data):
    est = make(balancer, optimizer=optimizer, weight_decay=0.5).fit(*data)
    assert (state_of(est)["level"] < 1).all() == moves


def test_a_rate_of_their_own(data):
    class Slope(LossBalancer):
        def start(self, n_tasks):
            self.level = nn.Parameter(torch.zeros(()))

        def forward(self, losses, weights):
            return losses @ weights - self.level

    class Steep(Slope):
        def param_groups(self):
            return [{"params": [self.level], "lr": 0.5}]

    settings = {
        "early_stopping": False,
        "optimizer": "sgd",
        "max_epochs": 2,
        "weight_decay": 0.0,
        "lr_schedule": None,
    }
    found = [float(state_of(make(one, **settings).fit(*data))["level"]) for one in (Slope(), Steep())]
    n_steps = 2 * 5
    np.testing.assert_allclose(found, [n_steps * 0.01, n_steps * 0.5], rtol=1e-5)


def test_schedules_move_every_rate(data):
    est = make(UncertaintyWeighting(lr=0.1), lr_schedule="cosine", early_stopping=False).fit(*data)
    network, own = est.net_.optimizer_.param_groups
    assert own["lr"] == pytest.approx(10 * network["lr"])
    assert own["lr"] < 0.1


def test_parameters_of_the_network_are_optimized_as_ever(data):
    est = make(UncertaintyWeighting(), weight_decay=0.25).fit(*data)
    network, own = est.net_.optimizer_.param_groups
    assert (network["weight_decay"], own["weight_decay"]) == (0.25, 0.0)
    assert [id(parameter) for parameter in own["params"]] == [id(est.net_.criterion_.balancer.log_scale)]
    assert len(network["params"]) == len(list(est.net_.module_.parameters()))


def n_groups(est):
    return len(est.net_.optimizer_.param_groups)


def test_groups_that_are_as_the_networks_are_one_group_with_it(data):
    plain, decayed = (
        make(UncertaintyWeighting(), weight_decay=0.0),
        make(UncertaintyWeighting(), weight_decay=0.1),
    )
    assert (n_groups(plain.fit(*data)), n_groups(decayed.fit(*data))) == (1, 2)
    same_rate = make(UncertaintyWeighting(lr=0.03), lr=0.03, weight_decay=0.0)
    assert n_groups(same_rate.fit(*data)) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": torch.optim.LBFGS, "weight_decay": 0.1},
        {"optimizer": torch.optim.Rprop, "weight_decay": 0.1},
        {"lr_schedule": LRScheduler("LambdaLR", lr_lambda=[lambda epoch: 0.9**epoch])},
        {"lr_schedule": LRScheduler("ReduceLROnPlateau", monitor="train_loss", min_lr=[1e-4])},
    ],
    ids=["LBFGS", "Rprop", "LambdaLR", "ReduceLROnPlateau"],
)
def test_what_takes_one_group_takes_a_learned_balancer(params, data):
    est = make(UncertaintyWeighting(), **{"weight_decay": 0.0, **params}).fit(*data)
    assert n_groups(est) == 1
    assert (state_of(est)["log_scale"] != 0).all()


def test_an_optimizer_of_one_group_refuses_another_rate_by_name(data):
    with pytest.raises(
        ValueError, match=r"`param_groups` of UncertaintyWeighting must .* LBFGS does. Found .*0.1"
    ):
        make(UncertaintyWeighting(lr=0.1), optimizer=torch.optim.LBFGS).fit(*data)


@pytest.mark.parametrize(("first", "then"), [(0.0, 0.1), (0.1, 0.0)])
def test_training_goes_on_where_groups_part_or_join(first, then, data):
    est = make(UncertaintyWeighting(), warm_start=True, early_stopping=False, weight_decay=first).fit(*data)
    steps = [float(state["step"]) for state in est.net_.optimizer_.state.values()]
    est.set_params(weight_decay=then, max_epochs=8).fit(*data)
    network = est.net_.optimizer_.param_groups[0]
    assert network["weight_decay"] == then
    assert [float(state["step"]) for state in est.net_.optimizer_.state.values()] == [2 * n for n in steps]


@pytest.mark.parametrize("params", [lambda own: own.parameters(), lambda own: own.level], ids=["all", "one"])
def test_parameters_of_a_group_may_be_a_generator_or_one(params, data):
    class Rising(LossBalancer):
        def start(self, n_tasks):
            self.level = nn.Parameter(torch.zeros(()))

        def param_groups(self):
            return [{"params": params(self), "lr": 0.5}]

        def forward(self, losses, weights):
            return losses @ weights - self.level

    est = make(
        Rising(), optimizer="sgd", early_stopping=False, max_epochs=1, weight_decay=0.0, lr_schedule=None
    ).fit(*data)
    assert float(state_of(est)["level"]) == pytest.approx(5 * 0.5)


# After the step.


class Watching(LossBalancer):
    """Notes the losses before and after each step."""

    seen: ClassVar[list] = []

    def forward(self, losses, weights):
        self.seen.append(losses.detach().clone())
        return losses @ weights

    def effective_weights(self, losses, weights):
        return weights  # without a call of `forward`, which would be noted

    def after_step(self, losses):
        assert not torch.is_grad_enabled()
        self.seen.append(losses())


def watched(data, **params):
    Watching.seen = []
    make(Watching(), early_stopping=False, calibrate=False, ema_decay=None, **params).fit(*data)
    return torch.stack(Watching.seen[::2]), torch.stack(Watching.seen[1::2])


def test_losses_after_a_step_are_those_of_its_rows_under_the_new_weights(data):
    before, after = watched(data, batch_size=80, trunk=MLP((6,)), max_epochs=3)
    assert before.shape == after.shape == (3, 3)
    # All rows are in each step: what comes after one is what the next begins with.
    torch.testing.assert_close(after[:-1], before[1:])


def test_without_a_step_they_are_the_losses_of_the_step_whatever_dropout_does(data):
    before, after = watched(data, lr=1e-12, optimizer="sgd", trunk=MLP((64,), dropout=0.5))
    torch.testing.assert_close(after, before)


@pytest.mark.parametrize("asked", [True, False])
def test_looking_changes_nothing_else(data, asked):
    class Looking(LossBalancer):
        def forward(self, losses, weights):
            return losses @ weights

        def after_step(self, losses):
            if asked:
                losses()

    class Normalized(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2))

        def forward(self, x):
            return self.layers(x)

    trunk = Normalized()
    plain, looking = (
        make(balancing, trunk=trunk, preprocessing=None).fit(*data) for balancing in (None, Looking())
    )
    np.testing.assert_array_equal(looking.score_tasks(*data), plain.score_tasks(*data))


def test_a_callback_at_each_step_does_not_keep_it_from_looking(data):
    class Each(Callback):
        def on_batch_end(self, net, **kwargs):
            pass

    before, after = watched(data, callbacks=[Each()])
    assert len(before) == len(after) > 0
