"""Parts of a trunk that learn at rates of their own, or from a later epoch on."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import Fusion, ModuleTrunk


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(96, 5)).astype(np.float32)
    return X, np.stack([X[:, 0], X[:, 1] + X[:, 2]], axis=1)


def layers():
    torch.manual_seed(0)
    parts = nn.Linear(5, 6), nn.Tanh(), nn.Dropout(0.1), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 4)
    return nn.Sequential(*parts)


def make(trunk, **params):
    fixed = {"preprocessing": None, "n_bags": 1, "linear_blend": False, "tree_blend": False}
    fixed |= {"random_state": 0, "batch_size": 32, "ema_decay": None, "lr_schedule": None}
    return MultiTaskRegressor(trunk=trunk, **{**fixed, "early_stopping": False, "max_epochs": 3, **params})


def weights(est):
    trunk = est.net_.module_.sharing.trunk.entry.module
    return {name: value.detach().cpu().clone() for name, value in trunk.named_parameters()}


def moved(est, module):
    """Return by name how far each matrix is from where it began, at most."""
    before = dict(module.named_parameters())
    return {n: (w - before[n]).abs().max().item() for n, w in weights(est).items() if n.endswith("weight")}


def test_the_rate_of_a_layer_is_scaled(data):
    module = layers()
    # One step of Adam moves each weight by about its learning rate.
    params = {"max_epochs": 1, "batch_size": 96, "lr": 0.01, "weight_decay": 0.0}
    found = moved(make(ModuleTrunk(module, lr_scale=(0.01, 1.0)), **params).fit(*data), module)
    assert found == pytest.approx({"0.weight": 1e-4, "3.weight": 1e-3, "5.weight": 1e-2}, rel=0.01)
    found = moved(make(ModuleTrunk(module, lr_scale=0.5), **params).fit(*data), module)
    assert found == pytest.approx(dict.fromkeys(found, 5e-3), rel=0.01)


def test_a_scale_of_one_changes_nothing(data):
    module = layers()
    expected = make(module).fit(*data)
    found = make(ModuleTrunk(module, lr_scale=(1, 1))).fit(*data)
    assert len(found.net_.optimizer_.param_groups) == 1
    np.testing.assert_array_equal(found.predict(data[0]), expected.predict(data[0]))


def test_a_training_that_ends_before_layers_are_unfrozen_is_warned_of(data):
    trunk = ModuleTrunk(layers(), frozen=True, unfreeze_after=(4, 1))
    message = r"`max_epochs` should be more than `unfreeze_after` .* Found {}, .* frozen for 4 epochs"
    with pytest.warns(UserWarning, match=message.format(3)):
        make(trunk, max_epochs=3).fit(*data)
    with pytest.warns(UserWarning, match=message.format(4)):
        GridSearchCV(make(trunk, max_epochs=4), {"lr": [0.01]}, cv=2, refit=False).fit(*data)
    with pytest.warns(UserWarning, match=message.format(1)):
        StackedGridSearchCV(make(trunk, max_epochs=1), {"lr": [0.01]}, cv=2, refit=False).fit(*data)
    table = pd.DataFrame(data[0])
    several = Fusion({"table": ModuleTrunk(nn.Linear(5, 4), frozen=True, unfreeze_after=2)})
    with pytest.warns(UserWarning, match="frozen for 2 epochs"):
        make(several, preprocessing="auto", max_epochs=1).fit({"table": table, "other": data[0]}, data[1])
    make(trunk, max_epochs=5).fit(*data)
    # Epochs are counted over all trainings.
    make(trunk, max_epochs=1, warm_start=True).fit(*data)
    make(trunk).partial_fit(*data)


@pytest.mark.filterwarnings("ignore:`max_epochs` should be more than `unfreeze_after`")
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_layers_are_unfrozen_from_the_top(data, optimizer):
    module = layers()
    trunk = ModuleTrunk(module, frozen=True, unfreeze_after=(4, 2))
    for epochs, still in ((2, {"0", "3", "5"}), (3, {"0", "3"}), (4, {"0"}), (5, set())):
        est = make(trunk, max_epochs=epochs, optimizer=optimizer).fit(*data)
        assert {name[0] for name, by in moved(est, module).items() if by == 0} == still


def test_frozen_parts_are_named(data):
    module = layers()
    found = moved(make(ModuleTrunk(module, frozen=["0", "5.weight"])).fit(*data), module)
    assert [found[name] == 0 for name in ("0.weight", "3.weight", "5.weight")] == [True, False, True]


@pytest.mark.filterwarnings("ignore:`max_epochs` should be more than `unfreeze_after`")
def test_norms_and_dropout_keep_still_while_frozen(data):
    module = nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 4))
    for epochs, still in ((2, True), (3, False)):
        est = make(ModuleTrunk(module, frozen=True, unfreeze_after=2), max_epochs=epochs).fit(*data)
        norm, dropout, linear = est.net_.module_.sharing.trunk.entry.module
        assert torch.equal(norm.running_mean.cpu(), module[0].running_mean) == still
        est.net_.module_.train()
        assert [part.training for part in (norm, dropout, linear)] == [not still] * 3


@pytest.mark.parametrize("further", ["fit", "partial_fit", "pickle"])
def test_training_on_goes_on_counting_epochs(data, further):
    module = layers()
    trunk = ModuleTrunk(module, frozen=True, unfreeze_after=3, lr_scale=0.5)
    est = make(trunk, warm_start=True, max_epochs=2).fit(*data)
    for epoch in (3, 4):
        if further == "pickle":
            est = pickle.loads(pickle.dumps(est))
        if further == "partial_fit":
            est.partial_fit(*data)
        else:
            est.set_params(max_epochs=epoch).fit(*data)
        assert all(by == 0 for by in moved(est, module).values()) == (epoch == 3)


def test_warm_start_is_one_long_fit(data):
    trunk = ModuleTrunk(layers(), frozen=True, unfreeze_after=(2, 1), lr_scale=(0.1, 1))
    long = make(trunk, max_epochs=4).fit(*data)
    parts = make(trunk, max_epochs=2, warm_start=True).fit(*data).set_params(max_epochs=4).fit(*data)
    np.testing.assert_allclose(parts.predict(data[0]), long.predict(data[0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "reason"),
    [({"lr_scale": (0.1, 1.0)}, ""), ({"frozen": True, "unfreeze_after": 2}, "first epochs only")],
    ids=["rates", "unfreezing"],
)
def test_a_search_trains_what_single_fits_train(data, params, reason, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = data
    est = make(ModuleTrunk(layers(), **params))
    search = StackedGridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2, refit=False).fit(X, Y)
    assert search.stacked_["stacked"].all() == (not reason), search.stacked_["reason"].tolist()
    if reason:
        assert search.stacked_["reason"].str.contains(reason).all()
    alone = GridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2, refit=False).fit(X, Y)
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(search.cv_results_[key], alone.cv_results_[key], rtol=1e-4)


def test_shared_gradients_are_those_of_what_is_trained_now(data):
    module, looked = layers(), []

    class Looking(type(make(None)._fit_parameters().balancing)):
        def looks_at(self, sharing):
            looked.append(len(super().looks_at(sharing)))
            return super().looks_at(sharing)

    trunk = ModuleTrunk(module, frozen=True, unfreeze_after=(3, 1))
    make(trunk, balancing=Looking(), max_epochs=4, gradient_conflict=1).fit(*data)
    assert looked == [0, 2, 4, 6]


@pytest.mark.parametrize("balancing", ["pcgrad", "gradnorm"])
def test_balancers_of_gradients_take_it(data, balancing):
    trunk = ModuleTrunk(layers(), frozen=["0", "3"], unfreeze_after=2, lr_scale=(0.1, 1))
    est = make(trunk, balancing=balancing).fit(*data)
    assert all(by > 0 for by in moved(est, layers()).values())


@pytest.mark.parametrize("balancing", ["pcgrad", "mgda", "gradnorm"])
def test_balancers_of_gradients_say_that_what_is_shared_is_frozen(data, balancing):
    est = make(ModuleTrunk(layers(), frozen=True, unfreeze_after=1), balancing=balancing)
    with pytest.raises(ValueError, match=r"frozen now\. With `unfreeze_after` of ModuleTrunk, .* `frozen`"):
        est.fit(*data)


def test_one_group_is_not_enough(data):
    with pytest.raises(ValueError, match=r"`trunk` must be trained as the rest .* LBFGS does\. Found"):
        make(ModuleTrunk(layers(), lr_scale=0.1), optimizer=torch.optim.LBFGS).fit(*data)


@pytest.mark.parametrize("sharing", ["hard", "separate", "mmoe"])
def test_every_trunk_of_a_way_of_sharing_is_fine_tuned(data, sharing):
    module = layers()
    params = {"max_epochs": 1, "batch_size": 96, "lr": 0.01, "weight_decay": 0.0, "sharing": sharing}
    est = make(ModuleTrunk(module, lr_scale=(0.01, 1.0)), **params).fit(*data)
    before, found = dict(module.named_parameters()), {}
    for name, value in est.net_.module_.named_parameters():
        own = next((key for key in before if name.endswith(f"module.{key}")), None)
        if own is not None and own.endswith("weight"):
            found[own] = (value.cpu() - before[own]).abs().max().item()
    assert found == pytest.approx({"0.weight": 1e-4, "3.weight": 1e-3, "5.weight": 1e-2}, rel=0.05)


def test_mixed_tasks_and_bags(data):
    X, Y = data
    trunk = ModuleTrunk(layers(), frozen=True, unfreeze_after=1, lr_scale=0.1)
    est = MultiTaskClassifierRegressor(trunk=trunk, preprocessing=None, n_bags=2, max_epochs=2)
    assert est.fit(X, {"a": Y[:, 0], "b": Y[:, 1] > 0}).score(X, {"a": Y[:, 0], "b": Y[:, 1] > 0}) < 1
