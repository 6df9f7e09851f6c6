"""Copies of fewer members, of weights of 0 and of eight bits predict, and leave the original as it was."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import prune, quantize
from sklearn_mtl.trunks import MLP, TabM


@pytest.fixture(scope="module")
def fitted():
    X, y = load_diabetes(return_X_y=True)
    Y = {"progress": y, "far": np.where(y > 150, "yes", "no")}
    est = MultiTaskClassifierRegressor(
        trunk=TabM((16, 16), members=4), n_bags=3, max_epochs=8, random_state=0
    )
    est.fit(X[:300], {name: own[:300] for name, own in Y.items()})
    return est, X[300:], {name: own[300:] for name, own in Y.items()}


def loss_of(est, X, Y):
    """The mean of squared errors and log-losses, in shares of those of a constant, over rows."""
    error = np.mean((est.predict(X)["progress"] - Y["progress"]) ** 2) / np.var(Y["progress"])
    proba = est.predict_proba(X)["far"][np.arange(len(X)), (Y["far"] == "yes").astype(int)]
    return error - np.log(proba).mean() / np.log(2)


def test_the_best_net_and_members_are_kept(fitted):
    est, X, Y = fitted
    before = est.predict(X)["progress"]
    one = prune(est, nets=1, X=X, y=Y)
    assert len(one.nets_) == 1
    few = prune(est, members=2, X=X, y=Y)
    assert [net.evaluated.sharing.members for net in few.nets_] == [2, 2, 2]
    # All members are the estimator itself.
    same = prune(est, members=4, nets=3, X=X, y=Y)
    np.testing.assert_array_equal(same.predict(X)["progress"], before)
    np.testing.assert_array_equal(est.predict(X)["progress"], before)
    again = pickle.loads(pickle.dumps(few))
    np.testing.assert_array_equal(again.predict(X)["progress"], few.predict(X)["progress"])
    again.partial_fit(X, Y)
    assert again.nets_[0].evaluated.sharing.members == 2


def test_members_that_are_kept_respond_as_before(fitted):
    est, X, Y = fitted
    one = prune(est, members=1, X=X, y=Y)
    raws = [net.evaluated.calibrated({"x": encoded(est, X)}).detach().numpy() for net in est.nets_]
    of_one = [net.evaluated.calibrated({"x": encoded(est, X)}).detach().numpy() for net in one.nets_]
    for all_of_net, kept in zip(raws, of_one, strict=True):
        differences = [np.abs(all_of_net[:, member] - kept[:, 0]).max() for member in range(4)]
        assert min(differences) < 1e-5 < sorted(differences)[1]


def encoded(est, X):
    import torch

    return torch.from_numpy(est._fitted.encoder.transform(X)["x"])


def test_the_net_that_is_kept_is_the_best_one(fitted):
    est, X, Y = fitted
    from dataclasses import replace

    losses = []
    for net in est.nets_:
        alone = pickle.loads(pickle.dumps(est))
        alone._keep(replace(alone._fitted, nets=[alone._fitted.nets[est.nets_.index(net)]]))
        losses.append(loss_of(alone, X, Y))
    assert loss_of(prune(est, nets=1, X=X, y=Y), X, Y) == pytest.approx(min(losses), rel=0.01)


def test_the_smallest_weights_are_0(fitted):
    est, X, _ = fitted
    half = prune(est, 0.5)
    for net, before in zip(half.nets_, est.nets_, strict=True):
        weights = [
            (part.weight.detach().numpy(), old.weight.detach().numpy())
            for part, old in zip(net.evaluated.modules(), before.evaluated.modules(), strict=True)
            if "weight" in dict(part.named_parameters(recurse=False)) and part.weight.ndim > 1
        ]
        now = np.concatenate([of_part.ravel() for of_part, _ in weights])
        old = np.concatenate([of_part.ravel() for _, of_part in weights])
        assert np.mean(now == 0) == pytest.approx(0.5, abs=0.01) or np.mean(old == 0) > 0.5
        kept = now != 0
        np.testing.assert_array_equal(now[kept], old[kept])
        assert np.abs(old[~kept]).max() <= np.abs(now[kept]).min()
    assert np.isfinite(half.predict(X)["progress"]).all()


def test_eight_bits_predict_nearly_the_same(fitted):
    est, X, Y = fitted
    small = quantize(est)
    found, before = small.predict(X)["progress"], est.predict(X)["progress"]
    assert 0 < np.abs(found - before).max() < 0.1 * np.std(Y["progress"])
    np.testing.assert_array_equal(small.predict(X[:1])["progress"], found[:1])
    with pytest.raises(TypeError, match="can't be copied, pickled, saved"):
        pickle.dumps(small)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`amount`, `members` or `nets` must say what to prune"),
        ({"amount": 1.0}, r"`amount` must be None or in \[0, 1\)"),
        ({"members": 5, "X": 1, "y": 1}, "`members` must be None or an integer from 1 up to the 4 members"),
        ({"nets": 0, "X": 1, "y": 1}, "`nets` must be None or an integer from 1 up to the 3 nets"),
        ({"nets": 1}, "`X` and `y` must be labelled rows"),
    ],
)
def test_what_can_not_be_pruned_is_said(fitted, given, message):
    with pytest.raises(ValueError, match=message):
        prune(fitted[0], **given)


def test_rows_without_a_known_label_choose_nothing(fitted):
    est, X, _ = fitted
    unknown = {"progress": np.full(len(X), np.nan), "far": np.full(len(X), "unheard of")}
    with pytest.raises(ValueError, match="`y` must have labels that `fit` has seen"):
        prune(est, nets=1, X=X, y=unknown)


def test_double_precision_is_not_quantized():
    X = np.arange(90.0).reshape(-1, 3)
    est = MultiTaskClassifierRegressor(trunk=MLP((4,)), n_bags=1, max_epochs=1, precision="float64")
    with pytest.raises(ValueError, match="single precision to be quantized"):
        quantize(est.fit(X, {"a": X[:, 0]}))
