"""X and y side by side: what is no error, but hardly ever meant."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.estimators.label_warnings import warn_of_labels_in, warn_of_other_order
from sklearn_mtl.targets import read_targets

N = 80
RNG = np.random.default_rng(0)
X = pd.DataFrame({"area": RNG.normal(size=N), "rooms": RNG.integers(1, 9, N)}, index=np.arange(N) + 100)
PRICE = pd.Series(RNG.normal(size=N), index=X.index)
SHUFFLED = PRICE.sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ({"y": SHUFFLED}, r"\['y'\]"),
        ({"y": SHUFFLED.to_frame("price")}, r"\['y'\]"),
        ({"y": {"price": SHUFFLED, "type": PRICE}}, r"""\["y\['price'\]"\]"""),
        ({"y": PRICE, "sample_weight": SHUFFLED}, r"\['sample_weight'\]"),
        ({"y": SHUFFLED, "sample_weight": SHUFFLED}, r"\['y', 'sample_weight'\]"),
    ],
)
def test_the_same_labels_in_another_order(others, found):
    with pytest.warns(
        UserWarning, match=rf"index of `X` and that of {found} hold the same labels in another order"
    ):
        warn_of_other_order(X, others)


@pytest.mark.parametrize(
    ("table", "y"),
    [
        (X, PRICE),
        (X, PRICE.copy().set_axis(list(X.index))),
        (X, PRICE.to_numpy()),
        (X, {"price": PRICE.to_numpy()}),
        (X, MultiTaskTarget({"price": SHUFFLED})),
        (X, SHUFFLED.reset_index(drop=True)),
        (X, SHUFFLED[:-1]),
        (X.set_axis(np.zeros(N)), PRICE.set_axis(np.zeros(N))),
        (X.to_numpy(), SHUFFLED),
        (X, None),
    ],
)
def test_order_that_says_nothing(table, y):
    warn_of_other_order(table, {"y": y})


def quick(**settings):
    return MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=1, random_state=0, **settings)


def test_order_in_fit_and_score():
    ways_out = r"`y\.loc\[X\.index\]` .* `y\.reset_index\(drop=True\)`"
    with pytest.warns(UserWarning, match=ways_out) as caught:
        est = quick().fit(X, SHUFFLED.to_frame("price"))
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=ways_out):
        est.score(X, SHUFFLED.to_frame("price"))
    with pytest.warns(UserWarning, match=r"index of `X_val` and that of \['y_val'\]"):
        quick().fit(X, PRICE.to_frame("price"), X_val=X, y_val=SHUFFLED.to_frame("price"))
    est.fit(X, SHUFFLED.loc[X.index].to_frame("price"))
    est.fit(X, SHUFFLED.reset_index(drop=True).to_frame("price"))


def labels(**columns):
    return read_targets(columns).columns


GROUP = pd.Series(["u", "v"] * (N // 2), index=X.index)


@pytest.mark.parametrize(
    ("table", "columns", "found"),
    [
        (X, labels(rooms=X["rooms"]), "those of task 'rooms' in 'rooms'"),
        (X, labels(count=X["rooms"], price=PRICE), "those of task 'count' in 'rooms'"),
        (X, labels(size=X["area"].where(X["rooms"] > 2)), "those of task 'size' in 'area'"),
        (
            X,
            labels(many=X["rooms"] > 3, a=X["area"], b=X["rooms"]),
            "'a' in 'area', those of task 'b' in 'rooms'",
        ),
        (X.assign(group=GROUP), labels(group=GROUP), "those of task 'group' in 'group'"),
        (X.assign(group=GROUP.astype("category")), labels(group=GROUP), "those of task 'group' in 'group'"),
        (X.assign(group=GROUP.where(X["rooms"] > 2)), labels(group=GROUP), "'group' in 'group'"),
        (X.assign(late=PRICE > 0), labels(late=(PRICE > 0).astype(int)), "'late' in 'late'"),
    ],
)
def test_labels_among_the_columns(table, columns, found):
    with pytest.warns(UserWarning, match=f"`X` hold the labels of tasks: .*{found}"):
        warn_of_labels_in(table, columns)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (X, labels(price=PRICE)),
        # Of one name, but other values.
        (X, labels(rooms=X["rooms"] + 1)),
        (X.assign(when=pd.Timestamp("2024")), labels(when=PRICE)),
        (X.assign(price=None), labels(price=PRICE)),
        # Equal but in one row.
        (X, labels(size=X["area"].where(X["rooms"].index < X.index[-1], 0.0))),
        # So few may be equal by chance, and what does not vary says nothing.
        (X[:20], labels(count=X["rooms"][:20])),
        (X.assign(one=1), labels(always=np.ones(N))),
        (X.to_numpy(), labels(count=X["rooms"])),
        (X.set_axis(pd.MultiIndex.from_product([["price"], ["a", "b"]]), axis=1), labels(price=PRICE)),
    ],
)
def test_columns_that_are_not_the_labels(table, columns):
    warn_of_labels_in(table, columns)


def test_labels_among_the_columns_in_fit():
    Y = pd.DataFrame({"price": PRICE, "rooms": X["rooms"]})
    est = quick(tasks={"rooms": "regression"})
    with pytest.warns(UserWarning, match="'rooms' in 'rooms'") as caught:
        est.fit(X, Y)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est.score(X, Y)
        est.fit(X.drop(columns="rooms"), Y)


def test_order_of_what_a_view_scores():
    price = quick().fit(X, PRICE.to_frame("price")).task("price")
    with pytest.warns(UserWarning, match=r"index of `X` and that of \['y'\]"):
        price.score(X, SHUFFLED)
    with pytest.warns(UserWarning, match=r"index of `X` and that of \['sample_weight'\]"):
        price.score(X, PRICE, sample_weight=SHUFFLED.abs())
    price.score(X, PRICE)


def test_order_of_groups():
    groups = pd.Series(np.arange(N) // 4, index=X.index)
    with pytest.warns(UserWarning, match=r"index of `X` and that of \['groups'\]"):
        quick().fit(X, PRICE, groups=groups.sample(frac=1, random_state=0))
    quick().fit(X, PRICE, groups=groups)
