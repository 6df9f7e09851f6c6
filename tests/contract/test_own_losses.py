"""A loss of the user's own is as good as ours: its baseline, its parameters, and what is refused."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.model_selection import StackedGridSearchCV, task_scorer
from sklearn_mtl.tasks import Classification, ClassLoss, PointLoss, Regression
from sklearn_mtl.tasks.losses import CrossEntropy
from tests.contract.extensions import Expectile, Poly, share_below


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    kinds = np.array(["flat", "house", "loft"])[np.digitize(X[:, 0] + 0.2 * rng.normal(size=150), [-0.5, 1])]
    return X, MultiTaskTarget({"price": 1e5 + 1e4 * (X[:, 1] + rng.normal(size=150)), "type": kinds})


def quick(**params):
    tasks = {"price": Regression(Expectile(0.9)), "type": Classification(Poly(epsilon=2.0))}
    settings = {"tasks": tasks, "trunk": "mlp", "n_bags": 1, "max_epochs": 5, "lr": 0.02, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def test_it_starts_near_one_and_is_learned(data):
    X, Y = data
    est = clone(quick(max_epochs=40, lr=3e-3)).fit(X, Y)
    for name in Y:
        losses = est.history_[f"train_loss_{name}"]
        assert 0.5 < losses[0] < 2.5
        assert losses.min() < 0.8
    # Of the expectile at 0.9 most labels lie below.
    assert share_below(Y["price"], est.predict(X)["price"]) > 0.7
    np.testing.assert_allclose(est.predict_proba(X)["type"].sum(axis=1), 1)
    assert (est.net_.module_.raw_scale != 1).sum() == 3
    assert (est.score_tasks(X, Y) > [-1, 0.6]).all()


def test_half_the_squared_error_trains_as_the_squared_error(data):
    X, Y = data
    one, other = (
        quick(tasks={"price": Regression(loss)}).fit(X, Y) for loss in (Expectile(), "squared_error")
    )
    np.testing.assert_allclose(one.history_["valid_loss"], other.history_["valid_loss"], rtol=1e-4)


def test_two_classes_have_two_logits(data):
    X, Y = data
    est = quick().fit(X, {"price": Y["price"], "type": Y["type"] == "house"})
    assert est.predict_proba(X)["type"].shape == (150, 2)
    assert est.tasks_["type"].loss == Poly(n_classes=2, epsilon=2.0)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_a_search_over_its_parameter_finds_the_best_value(data, search):
    grid = {
        "tasks__price__loss": [Expectile(0.1), Expectile(0.9), "huber"],
        "tasks__type__loss": ["cross_entropy", Poly(epsilon=0.0), Poly(epsilon=0.5)],
    }
    scoring = {
        # At the level 0.9 the predictions are high: more labels lie below them than at any other level.
        "price": task_scorer("price", make_scorer(share_below)),
        "type": task_scorer("type", "neg_log_loss"),
    }
    est = quick(precision="float64", linear_blend=False)
    found = search(est, grid, cv=2, scoring=scoring, refit="price").fit(*data)
    assert found.best_params_["tasks__price__loss"] == Expectile(0.9)
    of_price, of_type = (found.cv_results_[f"mean_test_{name}"].reshape(3, 3) for name in data[1])
    assert (of_price[1] > of_price[[0, 2]]).all()
    # Without the multiple of 1 - p it is the cross-entropy.
    np.testing.assert_allclose(of_type[:, 1], of_type[:, 0], rtol=1e-6)
    assert (abs(of_type[:, 2] - of_type[:, 0]) > 1e-4).all()


def test_the_number_of_classes_is_set_by_keyword_only():
    assert Poly(3.0) == Poly(epsilon=3.0, n_classes=2)
    assert CrossEntropy(0.1) == CrossEntropy(label_smoothing=0.1, n_classes=2)


@dataclass(frozen=True)
class Priced(ClassLoss):
    """The cross-entropy, each class at its own price."""

    prices: object = (1.0, 1.0)

    def __call__(self, raw, y):
        prices = self.prices
        prices = torch.as_tensor(list(prices.values()) if isinstance(prices, dict) else prices).to(raw)
        code = y.long().expand(raw.shape[:-1])
        return -prices[code] * raw.log_softmax(-1).gather(-1, code.unsqueeze(-1))[..., 0]


class Bent(PointLoss):
    """The error to a power, of an array."""

    def __init__(self, power=(2.0,)):
        self.power = np.array(power)

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs() ** float(self.power[0])


def made_of(of):
    return [of({"below": 1.0, "above": price}) for price in (1.0, 6.0)]


@pytest.mark.parametrize(
    "of",
    [dict, lambda prices: list(prices.values()), lambda prices: np.array([*prices.values()])],
    ids=["dict", "list", "array"],
)
def test_parameters_may_be_lists_arrays_and_dicts(data, of):
    X = data[0]
    targets = {"above": X[:, 0] > 0.2, "right": X[:, 1] > 0, "a": X[:, 0] + X[:, 1], "b": X[:, 2]}
    cheap, dear = made_of(of)

    def recipe(prices):
        own = {name: Classification(Priced(prices=copy.deepcopy(prices))) for name in ("above", "right")}
        tasks = own | {name: Regression(Bent([1.5, 0.0])) for name in "ab"}
        # A linear model makes no error in these classes, whatever its price.
        return quick(tasks=tasks, precision="float64", linear_blend=False)

    est = recipe(dear).fit(X, targets)
    assert len(est.net_.criterion_.losses.groups) == 2
    assert est.predict(X)["above"].mean() > recipe(cheap).fit(X, targets).predict(X)["above"].mean()
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict(X)["a"], est.predict(X)["a"])
    assert again.tasks_["above"].loss == est.tasks_["right"].loss
    losses = [Priced(prices=cheap), Priced(prices=dear)]
    grid = [{"tasks__above__loss": losses}, {"tasks__a__loss": [Bent()]}]
    stacked, alone = (
        search(recipe(dear).set_params(max_epochs=2), grid, cv=2, refit=False).fit(
            X, MultiTaskTarget(targets)
        )
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    scores = alone.cv_results_["mean_test_score"]
    np.testing.assert_allclose(stacked.cv_results_["mean_test_score"], scores, atol=1e-9)
    assert len(set(scores.round(9))) == 3


class OfRows(PointLoss):
    def __call__(self, raw, y):
        return ((raw[..., 0] - y) ** 2).mean(-1)


class BelowZero(PointLoss):
    def __call__(self, raw, y):
        return (raw[..., 0] - y) ** 2 - 10


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (OfRows(), r"must give the loss of each cell, here of shape .*which gives the shape"),
        (BelowZero(), r"finite loss of its best constant, 0 or more.*BelowZero\(\)"),
        (OfRows, r"must be one of .* or a RegressionLoss"),
        (Poly(), r"must be one of .* or a RegressionLoss"),
    ],
)
def test_what_can_not_be_trained_on_is_refused(data, loss, match):
    X, Y = data
    with pytest.raises(ValueError, match=match):
        quick(tasks={"price": Regression(loss)}).fit(X, Y)


def test_smoothing_is_not_asked_of_a_loss_that_has_none(data):
    X, Y = data
    with pytest.raises(
        ValueError, match="`label_smoothing` of Classification must be 0 with a loss of your own"
    ):
        quick(tasks={"type": Classification(Poly(), label_smoothing=0.1)}).fit(X, Y)
