"""Learned weights: from rows that no member has seen, and never from a row's own label."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_click_purchase
from sklearn_mtl.ensemble import MultiTaskVoting, PerTask, learning
from sklearn_mtl.ensemble.learning import _merged, tied_tasks, unseen_votes
from sklearn_mtl.ensemble.member_fits import MemberFits
from sklearn_mtl.sharing import Cascade
from sklearn_mtl.trunks import MLP

CONDITIONAL = Cascade(conditional={"purchase": "click"})

MEMORISER = (KNeighborsRegressor(1), KNeighborsClassifier(1))


def noise(n_rows=400, missing=0.0):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, 3))
    price, kind = rng.normal(size=n_rows), rng.choice(["a", "b"], n_rows).astype(object)
    kind[rng.rand(n_rows) < missing] = None
    return X, {"price": price, "kind": kind}


def small(**params):
    return MultiTaskClassifierRegressor(
        **{
            "trunk": MLP((8,)),
            "max_epochs": 3,
            "n_bags": 2,
            "linear_blend": False,
            "random_state": 0,
            **params,
        }
    )


@pytest.mark.parametrize(
    "network",
    [
        small(),
        small(n_bags=8),
        small(early_stopping=False),
        make_pipeline(StandardScaler(), small()),
        PerTask(Ridge(), LogisticRegression()),
    ],
    ids=["two nets", "eight nets", "no row held out", "pipeline", "no network"],
)
def test_of_labels_without_meaning_none_goes_to_what_remembers_them(network):
    """The planted leak: had it seen a row's label, the memoriser would predict it without an error."""
    X, Y = noise()
    est = MultiTaskVoting([("net", network), ("memory", MEMORISER)], weights="learned", random_state=0)
    est.fit(X, Y)
    assert (est.weights_["memory"] < 0.3).all()
    if est.weights_["memory"].any():
        return
    assert not est.named_estimators_.memory.tasks_


def test_a_votes_of_single_models_on_a_row_do_not_move_with_its_label():
    X, Y = noise()
    votes = []
    for change in (0.0, 1000.0):
        y = {"price": Y["price"].copy()}
        y["price"][17] += change
        est = MultiTaskVoting([("ridge", Ridge()), ("memory", KNeighborsRegressor(1))], weights=None)
        fits = MemberFits(est._read(X, y, None), y, {"sample_weight": None, "groups": None}, None, None)
        members = [("ridge", PerTask(Ridge())), ("memory", PerTask(KNeighborsRegressor(1)))]
        unseen = unseen_votes(fits, members, np.random.RandomState(0))
        assert unseen.rows.tolist() == list(range(400))
        votes.append([of_member["price"][17, 0] for of_member in unseen.by_member])
    # The scale of the labels rounds otherwise.
    assert votes[0] == pytest.approx(votes[1], rel=1e-9)


def test_weight_goes_to_who_is_right():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 3))
    Y = {"line": X @ [1.0, 2.0, 3.0], "kind": np.where(X[:, 0] * X[:, 1] > 0, "a", "b")}
    members = [
        ("linear", (LinearRegression(), LogisticRegression())),
        ("near", (KNeighborsRegressor(5), KNeighborsClassifier(25))),
    ]
    est = MultiTaskVoting(members, weights="learned", random_state=0).fit(X, Y)
    assert est.weights_.loc["line"].tolist() == [1.0, 0.0]
    assert est.weights_.loc["kind", "near"] > 0.8
    assert list(est.named_estimators_.near.tasks_) == ["kind"]


def test_a_mean_of_members_beats_each_of_them_where_their_errors_differ():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(600, 4))
    y = X[:, 0] + X[:, 1]

    class Column(RegressorMixin, BaseEstimator):
        def __init__(self, column=0):
            self.column = column

        def fit(self, X, y):
            return self

        def predict(self, X):
            return 2 * X[:, self.column]

    est = MultiTaskVoting([("a", Column(0)), ("b", Column(1))], weights="learned", random_state=0).fit(X, y)
    assert est.weights_.loc["y"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.02)
    assert est.score(X, y) > 0.99


def test_tasks_of_few_labels_share_their_weights():
    X, Y = noise(missing=0.7)
    Y["other"] = np.where(np.arange(400) % 3 == 0, X[:, 0] + X[:, 1], np.nan)
    members = [("linear", (Ridge(), LogisticRegression())), ("near", MEMORISER)]
    weights = MultiTaskVoting(members, weights="learned", random_state=0).fit(X, Y).weights_
    assert weights.loc["kind"].equals(weights.loc["other"])
    assert not weights.loc["price"].equals(weights.loc["other"])


def test_rows_that_cannot_be_held_out_give_all_to_the_first():
    X, y = np.arange(8.0)[:, None], np.arange(8.0)
    with pytest.warns(UserWarning, match="No row could be held out"):
        est = MultiTaskVoting([("a", Ridge()), ("b", Ridge())], weights="learned").fit(X, y)
    assert est.weights_.loc["y"].tolist() == [1.0, 0.0]


def test_a_network_is_fitted_once_and_the_others_twice(monkeypatch):
    X, Y = noise(missing=0.2)
    networks, others = [], []
    fit, fit_tasks = MultiTaskClassifierRegressor.fit, PerTask._fit_tasks

    def counted(self, X, y, **given):
        networks.append(len(X))
        return fit(self, X, y, **given)

    def counted_tasks(self, read, names):
        others.append(len(read.rows))
        return fit_tasks(self, read, names)

    monkeypatch.setattr(MultiTaskClassifierRegressor, "fit", counted)
    monkeypatch.setattr(PerTask, "_fit_tasks", counted_tasks)
    members = [("net", small()), ("linear", (Ridge(), LogisticRegression()))]
    est = MultiTaskVoting(members, weights="learned").fit(X, Y)
    assert networks == [400]
    held_out = np.unique(np.concatenate(est.estimators_[0]._fitted.held_out))
    assert others == [400 - len(held_out), 400]


def test_rows_without_any_label_are_nobodys():
    X, Y = noise()
    Y["price"][:50], Y["kind"][:50] = np.nan, None
    est = MultiTaskVoting([("net", small()), ("memory", MEMORISER)], weights="learned", random_state=0)
    weights = est.fit(X, Y).weights_
    alone = MultiTaskVoting([("net", small()), ("memory", MEMORISER)], weights="learned", random_state=0)
    alone.fit(X[50:], {name: of[50:] for name, of in Y.items()})
    pd.testing.assert_frame_equal(weights, alone.weights_)


def test_whole_groups_are_unseen(monkeypatch):
    X, Y = noise()
    groups = np.arange(400) // 20
    seen = []
    fit_to = MemberFits.fit_to
    monkeypatch.setattr(
        learning.MemberFits, "fit_to", lambda self, *args: (seen.append(args[1]), fit_to(self, *args))[1]
    )
    for network in (small(), PerTask(Ridge(), LogisticRegression())):
        est = MultiTaskVoting([("net", network), ("memory", MEMORISER)], weights="learned", random_state=0)
        est.fit(X, Y, groups=groups)
    for rows in seen:
        others = np.setdiff1d(np.arange(400), rows)
        assert not set(groups[rows]) & set(groups[others])


def test_folds_of_nets_are_joined_up_to_a_quarter_of_the_rows():
    folds = np.arange(100).reshape(10, 10)
    assert [len(rows) for rows in _merged(folds[:2], 100)] == [20]
    assert [len(rows) for rows in _merged(folds[:5], 100)] == [20, 20, 10]
    assert [len(rows) for rows in _merged([np.arange(50), np.arange(50, 100)], 100)] == [50, 50]
    assert _merged([], 100) == []


def test_members_that_keep_a_purchase_below_a_click_vote_so():
    X, Y = make_click_purchase(800, 5, click_rate=0.5, purchase_rate=0.9, random_state=2)
    quick = {"n_bags": 1, "max_epochs": 2, "linear_blend": False, "sharing": CONDITIONAL}
    members = [
        ("one", MultiTaskClassifierRegressor(trunk=MLP((8,)), **quick)),
        (
            "other",
            make_pipeline(StandardScaler(), MultiTaskClassifierRegressor(trunk=MLP((32, 32)), **quick)),
        ),
    ]
    est = MultiTaskVoting(members, random_state=0).fit(X, {**Y, "x": X[:, 0]})
    assert est.weights_.loc["click"].equals(est.weights_.loc["purchase"])
    found = est.predict_proba(3 * X)
    assert (found["purchase"][:, 1] <= found["click"][:, 1]).all()


def test_tasks_are_tied_that_all_members_tie():
    X, Y = make_click_purchase(100, 5, click_rate=0.6, purchase_rate=0.6, random_state=0)
    Y = {**Y, "return": Y["purchase"] & (X[:, 0] > 0)}
    quick = {"n_bags": 1, "max_epochs": 1, "trunk": MLP((4,)), "linear_blend": False}
    both, one, none = (
        MultiTaskClassifierRegressor(sharing=sharing, **quick).fit(X, Y)
        for sharing in (Cascade(conditional={"purchase": "click", "return": "purchase"}), CONDITIONAL, "hard")
    )
    assert tied_tasks([("a", both), ("b", both)]) == [["click", "purchase", "return"]]
    assert tied_tasks([("a", both), ("b", one)]) == [["click", "purchase"]]
    assert tied_tasks([("a", both), ("b", none)]) == []
    assert tied_tasks([("a", both), ("b", PerTask(classifier=LogisticRegression()))]) == []
