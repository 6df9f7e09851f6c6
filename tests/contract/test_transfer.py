"""The trained trunk of an estimator is the trunk of another, frozen or trained on."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.tasks import TokenClassification
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, RNN, Fusion, ModuleTrunk, TabM


@pytest.fixture(params=[MLP((8, 6)), TabM((8,), members=2)], ids=lambda trunk: type(trunk).__name__)
def trained(request, quick, houses):
    X, Y = houses
    return quick(trunk=request.param).fit(X, Y[["price", "type"]])


def weights(est):
    return {name: value.clone() for name, value in est.net_.module_.sharing.trunk.state_dict().items()}


def same(first, second):
    return all(torch.equal(*pair) for pair in zip(first.values(), second.values(), strict=True))


@pytest.mark.parametrize("frozen", [True, False])
def test_the_other_estimator_begins_with_the_trained_weights(quick, houses, trained, frozen):
    X, Y = houses
    before = weights(trained)
    trunk = ModuleTrunk(trained.net_.module_.sharing.trunk, frozen=frozen)
    est = quick(trunk=trunk).fit(X, Y[["quality"]])
    assert same(weights(trained), before)
    assert same(weights(est), before) == frozen
    assert np.array_equal(est.transform(X), trained.transform(X)) == frozen
    module = quick(trunk=trained.net_.module_.sharing.trunk).fit(X, Y[["quality"]])
    assert np.array_equal(
        module.predict(X),
        quick(trunk=clone(trunk).set_params(frozen=False)).fit(X, Y[["quality"]]).predict(X),
    )
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.transform(X), est.transform(X))
    est.partial_fit(X, Y[["quality"]])
    assert same(weights(est), before) == frozen


@pytest.mark.parametrize("frozen", [True, False])
def test_a_file_holds_it(quick, houses, trained, frozen, tmp_path):
    pytest.importorskip("safetensors")
    X, Y = houses
    trunk = trained.net_.module_.sharing.trunk
    est = quick(trunk=ModuleTrunk(trunk, frozen=frozen)).fit(X, Y)
    save(est, tmp_path / "it.mtl")
    again = load(tmp_path / "it.mtl", modules={"TrunkModule": trunk})
    np.testing.assert_array_equal(again.transform(X), est.transform(X))


@pytest.mark.parametrize("frozen", [True, False])
def test_it_is_stacked(quick, houses, trained, frozen, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = houses
    est = quick(trunk=ModuleTrunk(trained.net_.module_.sharing.trunk, frozen=frozen))
    search = StackedGridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2, refit=False).fit(X, Y)
    assert search.stacked_["stacked"].all(), search.stacked_["reason"].tolist()


def test_other_columns_are_refused(quick, houses, trained):
    X, Y = houses
    est = quick(trunk=ModuleTrunk(trained.net_.module_.sharing.trunk))
    with pytest.raises(ValueError, match=r"`trunk` must take rows of shape \(3,\)"):
        est.fit(X.iloc[:, :3], Y)


@pytest.mark.parametrize("params", [{}, {"frozen": True}, {"lr_scale": (0.01, 1)}], ids=str)
def test_a_fitted_trunk_brings_its_preprocessing(quick, houses, trained, params):
    X, Y = houses
    few = slice(40)
    est = quick(trunk=ModuleTrunk(trained.trunk_, **params), preprocessing="auto")
    est.fit(X[few], Y[["quality"]][few])
    assert est._fitted.encoder.spec == trained._fitted.encoder.spec
    for one, other in zip(
        est._encoded(X)[0].read(slice(None)).values(),
        trained._encoded(X)[0].read(slice(None)).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert np.array_equal(est.transform(X), trained.transform(X)) == (params == {"frozen": True})
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.transform(X), est.transform(X))
    est.partial_fit(X[few], Y[["quality"]][few])


def test_a_fitted_trunk_goes_through_searches_and_files(quick, houses, trained, tmp_path):
    pytest.importorskip("safetensors")
    X, Y = houses
    est = quick(trunk=trained.trunk_, preprocessing="auto", warm_start=True)
    search = StackedGridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2).fit(X, Y)
    save(search.best_estimator_, tmp_path / "it.mtl")
    again = load(tmp_path / "it.mtl", modules={"FittedTrunk": trained.trunk_})
    np.testing.assert_array_equal(again.transform(X), search.best_estimator_.transform(X))
    search.best_estimator_.set_params(max_epochs=3).fit(X, Y)


def test_a_fitted_trunk_refuses_other_features_and_preprocessing(quick, houses, trained):
    X, Y = houses
    est = quick(trunk=trained.trunk_, preprocessing="auto")
    with pytest.raises(ValueError, match=r"`X` must have the features that `trunk`, .* Found"):
        est.fit(X[X.columns[::-1]], Y)
    with pytest.raises(ValueError, match=r"`X` must have the features that `trunk`, .* Found 3"):
        est.fit(X.iloc[:, :3].to_numpy(), Y)
    with pytest.raises(ValueError, match="`preprocessing` must be 'auto' where `trunk` is that of a fitted"):
        est.set_params(preprocessing=StandardScaler()).fit(X, Y)


def test_no_trunk_of_all_tasks_is_said(quick, houses):
    X, Y = houses
    est = quick(trunk=MLP((4,)), sharing="separate")
    with pytest.raises(AttributeError, match="has `trunk_` after `fit`"):
        est.trunk_  # noqa: B018
    with pytest.raises(AttributeError, match=r"`trunk_` is that of one trunk .* Found SeparateTrunks\(\)"):
        est.fit(X, Y).trunk_  # noqa: B018


SEQUENCES = [np.random.default_rng(row).normal(size=(2 + row % 5, 2)) for row in range(30)]


def test_in_a_fusion_it_is_refused_and_that_of_one_is_taken(quick):
    y = np.arange(30.0)
    X = {"series": SEQUENCES, "table": np.random.default_rng(0).normal(size=(30, 3))}
    of_one, of_both = quick(trunk=RNN(hidden_size=4)).fit(SEQUENCES, y), quick(trunk=None).fit(X, y)
    for trunk in (of_one.trunk_, ModuleTrunk(of_one.trunk_, frozen=True)):
        with pytest.raises(
            ValueError, match=r"whole network, .* Found the blocks \['series', 'series_length"
        ):
            quick(trunk=Fusion({"series": trunk})).fit(X, y)
    for trunk in (of_both.trunk_, ModuleTrunk(of_both.trunk_, frozen=True)):
        assert np.isfinite(quick(trunk=trunk).fit(X, -y).predict(X)).all()


def test_positions_are_learned_by_it_and_fine_tuning_refuses_them(quick):
    tags = [["a", "b"] * (len(row) // 2) + ["a"] * (len(row) % 2) for row in SEQUENCES]
    first = quick(trunk=RNN(hidden_size=4)).fit(SEQUENCES, np.arange(30.0))
    Y, tasks = {"tags": tags}, {"tags": TokenClassification()}
    second = quick(trunk=first.trunk_, tasks=tasks).fit(SEQUENCES, Y)
    assert [len(row) for row in second.predict(SEQUENCES)["tags"]] == [len(row) for row in tags]
    for fine in (ModuleTrunk(first.trunk_, frozen=True), ModuleTrunk(second.trunk_, lr_scale=0.1)):
        with pytest.raises(ValueError, match=r"for each position needs a trunk .* Found `trunk` Module"):
            quick(trunk=fine, tasks=tasks).fit(SEQUENCES, Y)
