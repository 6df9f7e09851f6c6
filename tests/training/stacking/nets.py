"""Plans of small nets, and what is asked of those that are trained in a stack."""

import numpy as np
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.trunks import MLP


def plans_of(data, **params):
    """The plans of a fit of the data."""
    settings = {
        "trunk": MLP((8,)),
        "n_bags": 1,
        "max_epochs": 6,
        "lr": 0.01,
        "precision": "float64",
        "random_state": 0,
    }
    est = MultiTaskClassifierRegressor(**{**settings, **params})
    return list(est._plan(FitData(*data), Stages()).plans)


def rows(data, n_rows):
    """The first rows of the data."""
    X, Y, weight = data
    return X[:n_rows], {name: y[:n_rows] for name, y in Y.items()}, weight[:n_rows]


def same_net(one, other, tolerance):
    """Two nets have the same weights, history, moments and generator, to rounding."""
    assert len(one.history) == len(other.history)
    for name, value in one.module_.state_dict().items():
        torch.testing.assert_close(value, other.module_.state_dict()[name], rtol=tolerance, atol=tolerance)
    for name, value in one.resume_.weights.items():
        torch.testing.assert_close(value, other.resume_.weights[name], rtol=tolerance, atol=tolerance)
    assert torch.equal(one.resume_.generator.cpu, other.resume_.generator.cpu)
    epochs = [[net.epoch_of(row) for row in net.history] for net in (one, other)]
    for key in ("train_loss", "valid_loss", "valid_score", "weight"):
        for mine, theirs in zip(*epochs, strict=True):
            np.testing.assert_allclose(mine.get(key, 0), theirs.get(key, 0), rtol=tolerance, atol=tolerance)
    for mine, theirs in zip(one.history, other.history, strict=True):
        assert mine.keys() == theirs.keys()
        for key in ("epoch", "train_batch_count", "train_loss_best", "valid_loss_best"):
            assert mine.get(key) == theirs.get(key)
    same_steps(one.history[-1]["batches"], other.history[-1]["batches"], tolerance)
    mine, theirs = one.optimizer_.state_dict()["state"], other.optimizer_.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    for place, moments in mine.items():
        for key, value in moments.items():
            torch.testing.assert_close(value, theirs[place][key], rtol=tolerance, atol=tolerance)


def same_steps(some, others, tolerance):
    """Two nets have the same record of the steps of training in an epoch, to rounding."""
    mine, theirs = ([row for row in rows if "train_loss" in row] for rows in (some, others))
    assert [row["train_batch_size"] for row in mine] == [row["train_batch_size"] for row in theirs]
    losses = ([row["train_loss"] for row in rows] for rows in (mine, theirs))
    np.testing.assert_allclose(*losses, rtol=tolerance, atol=tolerance)


def stacked_as_alone(plans, tolerance=1e-8, **options):
    """A stack of nets is those nets; return what became of them."""
    outcomes = dict(train_nets(plans, **options))
    assert [outcomes[place].not_stacked_because for place in range(len(plans))] == [None] * len(plans)
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), tolerance)
    return outcomes
