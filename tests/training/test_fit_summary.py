"""Missing labels, and the scores of a constant."""

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.tasks import Regression
from sklearn_mtl.tasks.losses import PointLoss
from sklearn_mtl.training.fit_summary import missing_shares
from sklearn_mtl.trunks import MLP

rng = np.random.default_rng(0)
X, X_VAL = rng.normal(size=(80, 2)), rng.normal(size=(40, 2))


def labels_of(X):
    kind = np.where(X[:, 1] > 0.8, "c", np.where(X[:, 1] > 0, "b", "a"))
    return {"price": X[:, 0] + 1, "kind": kind, "pair": X, "sold": X[:, 0] > 0.3}


def make(**params):
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 2, "random_state": 0, "linear_blend": False}
    return MultiTaskClassifierRegressor(**settings | params)


def test_a_row_without_any_label_of_a_task_lacks_it():
    weight = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [1.0, 1.0, 1.0], [0.5, 0.0, 0.0]])
    shares = missing_shares(weight, torch.tensor([1, 0, 0]), 2)
    np.testing.assert_allclose(shares, [0.5, 0.25])


def test_constants_score_as_those_of_scikit_learn():
    Y, Y_val = labels_of(X), labels_of(X_VAL)
    found = make().fit(X, Y, X_val=X_VAL, y_val=Y_val)._fitted.summary
    dummies = {
        "price": DummyRegressor(),
        "kind": DummyClassifier(),
        "pair": DummyRegressor(),
        "sold": DummyClassifier(),
    }
    expected = [dummy.fit(X, Y[task]).score(X_VAL, Y_val[task]) for task, dummy in dummies.items()]
    np.testing.assert_allclose(found.constant_scores, expected, atol=1e-5)
    np.testing.assert_allclose(found.missing, 0)
    assert found.seconds > 0


def test_of_a_bag_the_mean_over_its_held_out_rows():
    found = make(n_bags=3).fit(X, labels_of(X))._fitted.summary
    assert np.isfinite(found.constant_scores).all()
    assert np.isnan(make(early_stopping=False).fit(X, labels_of(X))._fitted.summary.constant_scores).all()


class Unknown(PointLoss):
    """A loss that says what it is divided by, and no constant."""

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs()

    def reference(self, y, weight):
        return weight.double().sum(0)

    def constant(self, y, weight):
        raise NotImplementedError


@pytest.mark.filterwarnings("ignore")
def test_a_loss_without_a_constant_makes_no_fit_fail():
    found = make(tasks={"price": Regression(loss=Unknown())}).fit(X, {"price": X[:, 0]})._fitted.summary
    assert np.isnan(found.constant_scores).all()
