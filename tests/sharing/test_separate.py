"""A trunk for each task: one fit is the fits to each task alone."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.sharing import SHARINGS, SeparateTrunks
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, TabM
from tests.training.stacking.nets import plans_of, stacked_as_alone


def built(problem):
    trunks = [problem.make_trunk() for _ in range(3)]
    given = iter(trunks)
    return trunks, SeparateTrunks().build(lambda: next(given), [None] * 3, problem.spec)


def test_each_task_has_the_representation_of_its_trunk(problem):
    trunks, sharing = built(problem)
    assert (sharing.width, sharing.members, sharing.per_task) == (5, problem.members, True)
    found = sharing(problem.inputs, heads=None)
    assert found.shape == (50, problem.members, 3, 5)
    for task, trunk in enumerate(trunks):
        torch.testing.assert_close(found[:, :, task], trunk(problem.inputs))


def test_nothing_is_shared_and_nothing_is_penalized(problem):
    _, sharing = built(problem)
    assert list(sharing.shared_parameters()) == []
    assert sharing.penalty(problem.inputs, problem.weight) is None


def test_a_task_trains_its_own_trunk_and_no_other(problem):
    network, loss = problem.build(SeparateTrunks())
    for task in range(3):
        gradients = problem.gradient(network, loss, task, network.sharing)
        others = [other for other in range(3) if other != task]
        assert all((gradient[others] == 0).all() for gradient in gradients)
        assert all((gradient[task] != 0).any() for gradient in gradients)


def test_recipe_is_an_estimator():
    assert clone(SeparateTrunks()).get_params() == {}
    assert SHARINGS["separate"] is SeparateTrunks


class StartAlike(Callback):
    """The weights that every task begins with, whether its trunk is alone or among others."""

    def on_train_begin(self, net, **kwargs):
        for parameter in net.module_.heads.parameters():
            parameter.data.zero_()
        for name, parameter in net.module_.sharing.named_parameters():
            one = parameter[0] if name.startswith("trunks") else parameter
            start = torch.linspace(-1, 2, one.numel(), dtype=one.dtype).sin().view_as(one)
            parameter.data.copy_(start.expand_as(parameter))


@pytest.mark.parametrize("trunk", [MLP((7,)), TabM((7,), members=2, dropout=0.0)], ids=["mlp", "tabm"])
def test_one_fit_is_the_fits_of_each_task_alone(trunk):
    """Where the initial weights, the batches and the number of epochs are equal."""
    X, Y = make_multitask(80, 4, n_regression=2, n_binary=1, noise=0.3, random_state=0)
    settings = {
        "trunk": trunk,
        "n_bags": 1,
        "max_epochs": 5,
        # In other batches rows would come in another order, which is drawn after the weights.
        "batch_size": 80,
        "ema_decay": None,
        "early_stopping": False,
        "linear_blend": False,
        "precision": "float64",
        "random_state": 0,
        "callbacks": [StartAlike()],
    }
    together = MultiTaskClassifierRegressor(**settings, sharing="separate").fit(X, Y)
    for name in Y:
        alone = MultiTaskClassifierRegressor(**settings, sharing="hard").fit(X, {name: Y[name]})
        np.testing.assert_allclose(alone.transform(X), of_task(together, X, name), rtol=1e-8, atol=1e-9)
        predictions = [est.task(name).predict(X).astype(float) for est in (alone, together)]
        np.testing.assert_allclose(*predictions, rtol=1e-8, atol=1e-9)


def of_task(est, X, name):
    columns = [task.name for task in est._fitted.tasks.ordered]
    return np.split(est.transform(X), len(columns), axis=1)[columns.index(name)]


class Squares(nn.Module):
    """A stage that only its own class knows."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        return self.linear(x).square()


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)), None),
        (Squares(), None),
        (nn.Sequential(nn.Linear(5, 6), nn.Dropout(0.5)), "random"),
    ],
    ids=["known", "unknown", "dropout"],
)
def test_modules_of_the_users_are_stacked_too_but_for_dropout(module, reason, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = make_multitask(80, 5, n_regression=2, n_binary=1, noise=0.3, random_state=0)
    settings = {"trunk": module, "sharing": "separate", "preprocessing": None, "linear_blend": False}
    plans = [plan for seed in (0, 1) for plan in plans_of((X, Y, np.ones(80)), random_state=seed, **settings)]
    if reason is None:
        stacked_as_alone(plans)
    else:
        outcomes = dict(train_nets(plans))
        assert all(reason in outcome.not_stacked_because for outcome in outcomes.values())


class LastStep(nn.GRU):
    """What a recurrent layer says after one step."""

    def forward(self, x):
        return super().forward(x.unsqueeze(1))[0][:, -1]


def test_recurrent_weights_of_several_are_not_put_together(monkeypatch):
    def put_together(layer):
        # cuDNN takes those of one layer: a matrix and a vector of each kind.
        assert all(weight.ndim <= 2 for weight in layer._flat_weights)

    monkeypatch.setattr(nn.GRU, "flatten_parameters", put_together)
    X, Y = make_multitask(60, 5, n_regression=2, random_state=0)
    est = MultiTaskRegressor(
        trunk=nn.Sequential(LastStep(5, 4, batch_first=True)),
        sharing="separate",
        preprocessing=None,
        max_epochs=2,
        n_bags=1,
        random_state=0,
    ).fit(X, Y)
    copy = pickle.loads(pickle.dumps(est))
    for task, values in est.predict(X).items():
        np.testing.assert_array_equal(copy.predict(X)[task], values)
