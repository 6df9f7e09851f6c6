"""Cosines between the gradients of the tasks, recorded from time to time."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback, Checkpoint

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, TabM


@pytest.fixture(scope="module")
def data():
    return make_multitask(96, 4, n_regression=2, n_binary=1, n_factors=2, missing_labels=0.2, random_state=0)


def make(**params):
    settings = {"trunk": MLP((6, 5)), "n_bags": 1, "max_epochs": 3, "batch_size": 16, "gradient_conflict": 1}
    settings |= {"early_stopping": False, "linear_blend": False, "precision": "float64", "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def of_epoch(est, epoch):
    return est.gradient_conflict_.loc[epoch].to_numpy()


def test_they_are_the_cosines_of_the_gradients_of_the_losses(data):
    """One step of all rows: what it finds is found again by hand, from the initial weights."""

    class Before(Callback):
        def on_batch_begin(self, net, batch, training):
            if training:
                with net.autocast_now():
                    losses = net.criterion_.losses(net.module_(batch.inputs), batch.y, batch.weight)
                rows = []
                for task in torch.eye(3).to(losses.values):
                    found = torch.autograd.grad(
                        losses.raw,
                        list(net.module_.sharing.parameters()),
                        losses.gradient(task),
                        retain_graph=True,
                    )
                    rows.append(torch.cat([gradient.flatten() for gradient in found]))
                seen.append(
                    torch.nn.functional.cosine_similarity(
                        torch.stack(rows)[None], torch.stack(rows)[:, None], dim=2
                    )
                )

    seen = []
    est = make(max_epochs=2, batch_size=32, callbacks=[Before()], task_weights={"regression0": 0.0}).fit(
        *data
    )
    assert len(seen) == 6
    for epoch in (1, 2):
        expected = torch.stack(seen[3 * epoch - 3 : 3 * epoch]).mean(0)
        np.testing.assert_allclose(of_epoch(est, epoch), expected, rtol=1e-9)
    assert list(est.gradient_conflict_.columns) == list(data[1])
    assert est.gradient_conflict_.index.names == ["epoch", "task"]
    assert list(est.gradient_conflict_.loc[2].index) == list(data[1])


@pytest.mark.parametrize("balancing", [None, "gradnorm", "famo"])
@pytest.mark.parametrize("sharing", [None, "mmoe", "soft", "cross_stitch"])
def test_looking_changes_nothing_else(sharing, balancing, data):
    settings = {"sharing": sharing, "balancing": balancing, "gradient_clip": 1.0}
    one, plain = (make(gradient_conflict=every, **settings).fit(*data) for every in (2, None))
    pd.testing.assert_frame_equal(one.history_, plain.history_, check_exact=True)
    assert not hasattr(plain, "gradient_conflict_")
    found = of_epoch(one, 3)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found, found.T)
    assert (np.abs(found) <= 1).all()


def test_a_copy_of_a_task_pulls_the_same_way_and_its_opposite_not():
    X, Y = make_multitask(96, 4, n_regression=1, random_state=0)
    y = Y["regression0"]
    est = MultiTaskRegressor(
        trunk=MLP((32,)), n_bags=1, max_epochs=6, gradient_conflict=1, linear_blend=False, random_state=0
    ).fit(X, {"one": y, "twin": y, "other": np.random.default_rng(0).permutation(y)})
    last = est.gradient_conflict_.loc[est.n_iter_]
    assert last.loc["one", "twin"] > last.loc["one", "other"] + 0.1


@pytest.mark.parametrize(("every", "seen"), [(1, [1, 2, 3]), (6, [1, 2, 3]), (12, [1, 3]), (100, [1])])
def test_every_so_many_steps(every, seen, data):
    frame = make(gradient_conflict=every).fit(*data).gradient_conflict_
    known = frame.notna().all(axis=1).groupby("epoch").all()
    assert known.index[known].tolist() == seen
    assert frame.index.get_level_values("epoch").unique().tolist() == [1, 2, 3]


def test_a_task_without_a_label_is_nan(data):
    X, Y = data
    est = make().partial_fit(X, Y)
    est.partial_fit(X, {**Y, "regression1": np.full(len(X), np.nan)})
    frame = est.gradient_conflict_
    assert frame.loc[1].notna().all(axis=None)
    assert frame.loc[2].isna().sum(axis=None) == 5
    assert frame.loc[(2, "regression0"), "binary0"] == frame.loc[(2, "binary0"), "regression0"]


@pytest.mark.parametrize("params", [{"sharing": "separate"}, {"trunk": MLP(())}], ids=str)
def test_where_nothing_is_shared_it_is_nan(params, data):
    assert make(**params).fit(*data).gradient_conflict_.isna().all(axis=None)


def test_training_on_goes_on(data):
    parts = make(max_epochs=2, warm_start=True, gradient_conflict=4).fit(*data)
    parts.set_params(max_epochs=4).fit(*data)
    whole = make(max_epochs=4, gradient_conflict=4).fit(*data)
    pd.testing.assert_frame_equal(parts.gradient_conflict_, whole.gradient_conflict_)
    parts.set_params(max_epochs=5, gradient_conflict=None).fit(*data)
    assert parts.gradient_conflict_.loc[5].isna().all(axis=None)


def test_it_is_kept(data, tmp_path):
    est = make(n_bags=2, gradient_conflict=8).fit(*data)
    assert est.gradient_conflict_.index.names == ["bag", "epoch", "task"]
    save(est, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl"), clone(est).fit(*data)):
        pd.testing.assert_frame_equal(copy.gradient_conflict_, est.gradient_conflict_)


@pytest.mark.parametrize(
    "trunk", [MLP((6, 5), dropout=0.2), TabM((6,), members=2)], ids=lambda t: type(t).__name__
)
@pytest.mark.parametrize("sharing", [None, "mmoe", "soft"])
def test_nets_in_a_stack_are_those_nets_alone(trunk, sharing, data, monkeypatch):
    settings = {
        "n_bags": 3,
        "trunk": trunk,
        "sharing": sharing,
        "early_stopping": True,
        "gradient_conflict": 5,
    }
    alone = make(**settings).fit(*data)
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    stacked = make(**settings).fit(*data)
    pd.testing.assert_frame_equal(stacked.gradient_conflict_, alone.gradient_conflict_, rtol=1e-6)
    assert stacked.gradient_conflict_.notna().any(axis=None)


def test_a_stacked_search_has_it_of_each_weighting(data, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = data
    grid = {"task_weights__binary0": [0.1, 1.0]}
    found = [
        search(make(gradient_conflict=3), grid, cv=KFold(2), error_score="raise").fit(X, MultiTaskTarget(Y))
        for search in (GridSearchCV, StackedGridSearchCV)
    ]
    assert found[1].stacked_["stacked"].all()
    one, other = (search.best_estimator_.gradient_conflict_ for search in found)
    pd.testing.assert_frame_equal(one, other, rtol=1e-6)


def test_callbacks_and_printing_do_not_mind(data, tmp_path, capsys):
    checkpoint = Checkpoint(
        monitor=None, dirname=str(tmp_path), f_params=None, f_optimizer=None, f_criterion=None
    )
    est = make(verbose=1, callbacks=[checkpoint]).fit(*data)
    assert "conflict" not in capsys.readouterr().out
    assert est.gradient_conflict_.notna().all(axis=None)
    rows = json.loads(next(tmp_path.glob("*history*.json")).read_text())
    assert np.shape(rows[-1]["event_gradient_conflict"]) == (3, 3)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "often", True])
def test_a_wrong_number_is_named(wrong, data):
    with pytest.raises(ValueError, match="`gradient_conflict` must be None or a positive integer"):
        make(gradient_conflict=wrong).fit(*data)


def test_where_it_is_not_the_error_says_what_to_set(data):
    est = make(gradient_conflict=None).fit(*data)
    with pytest.raises(
        AttributeError, match=r"after a `fit` with `gradient_conflict` set to .* steps\. Found None\."
    ):
        est.gradient_conflict_  # noqa: B018
    assert not hasattr(est, "gradient_conflict_")
    assert hasattr(est.set_params(gradient_conflict=2).fit(*data), "gradient_conflict_")
