"""Columns of many levels, as ids are, in everything that an estimator does."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.sharing import SHARINGS, Cascade, Hierarchical
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, FTTransformer, ResNet, TabM

TRUNKS = [
    MLP((8, 6)),
    ResNet(6, dropout=0.1),
    FTTransformer(6, blocks=1, heads=2),
    TabM((8, 6), members=2, n_bins=4, embedding_size=2),
]
every_trunk = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: type(trunk).__name__)


def ratings(n_rows=700, n_users=60, n_films=75, seed=0):
    """What users make of films: each has a liking of its own, and some ratings have no label."""
    rng = np.random.default_rng(seed)
    user, film = rng.integers(0, n_users, n_rows), rng.integers(0, n_films, n_rows)
    rating = rng.normal(size=n_users)[user] + rng.normal(size=n_films)[film]
    X = pd.DataFrame(
        {
            "user": [f"user {i}" for i in user],
            "film": pd.Categorical(film + 1000),
            "age": rng.integers(10, 80, n_users)[user],
        }
    )
    X.loc[rng.random(n_rows) < 0.03, "user"] = None
    noisy = rating + 0.3 * rng.normal(size=n_rows)
    Y = {
        "rating": np.where(rng.random(n_rows) < 0.1, np.nan, noisy),
        "liked": np.where(noisy > 0, "yes", "no"),
    }
    return X, Y


@pytest.fixture(scope="module")
def data():
    return ratings()


def make(**params):
    settings = {"trunk": MLP((8, 6)), "n_bags": 1, "max_epochs": 4, "lr": 0.01, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def assert_same(one, other, X):
    for name, values in one.predict(X).items():
        np.testing.assert_array_equal(values, other.predict(X)[name])
    np.testing.assert_array_equal(one.predict_proba(X)["liked"], other.predict_proba(X)["liked"])


def test_what_each_user_and_film_is_worth_is_learned():
    X, Y = ratings(3000)
    est = make(max_epochs=60, linear_blend=False, tree_blend=False).fit(
        X[:2400], {t: y[:2400] for t, y in Y.items()}
    )
    assert est._fitted.encoder.spec.codes.cardinalities == (62, 77)
    held_out = est.score_tasks(X[2400:], {t: y[2400:] for t, y in Y.items()})
    assert held_out["rating"] > 0.8
    assert held_out["liked"] > 0.8


@every_trunk
@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_with_every_way_of_sharing(sharing, trunk, data):
    X, Y = data
    needed = {"cascade": Cascade(["rating", "liked"]), "hierarchical": Hierarchical([["rating"], ["liked"]])}
    est = make(trunk=trunk, sharing=needed.get(sharing, sharing), max_epochs=1, linear_blend=False)
    est.fit(X, Y)
    assert np.isfinite(est.score_tasks(X, Y)).all()
    assert est.transform(X[:3]).shape[0] == 3


def test_models_beside_the_network_read_the_numbers(data):
    X, Y = data
    est = make(linear_blend=True, tree_blend=True).fit(X, Y)
    spec = est._fitted.encoder.spec
    linear = est.net_.module_.linear
    assert linear is not None
    assert linear.weight.shape[1] == spec.single.shape[0]
    assert np.isfinite(est.score_tasks(X, Y)).all()


def test_rows_of_levels_never_met_and_missing_ones_are_predicted(data):
    X, Y = data
    est = make().fit(X, Y)
    new = X[:5].assign(user=["nobody", None, "user 3", "nobody else", np.nan], film=[1, 2, 1003, None, 1004])
    together = est.predict(new)["rating"]
    assert np.isfinite(together).all()
    alone = [est.predict(new[i : i + 1])["rating"][0] for i in range(5)]
    np.testing.assert_array_equal(together, alone)


@every_trunk
def test_copies_predict_as_it_does(trunk, data, tmp_path):
    X, Y = data
    est = make(trunk=trunk, n_bags=2, max_epochs=2).fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert_same(copy, est, X)


@pytest.mark.parametrize("precision", ["float64", "bf16"])
def test_precisions(precision, data):
    X, Y = data
    est = make(precision=precision, max_epochs=2).fit(X, Y)
    assert np.isfinite(est.score_tasks(X, Y)).all()


def test_going_on_keeps_the_codes(data):
    X, Y = data
    est = make().partial_fit(X[:600], {t: y[:600] for t, y in Y.items()}, classes={"liked": ["no", "yes"]})
    levels = est._fitted.encoder._codes.levels
    more = X[600:].assign(user=[*X["user"][600:-1], "a new one"])
    est.partial_fit(more, {t: y[600:] for t, y in Y.items()})
    assert est._fitted.encoder._codes.levels is levels
    assert np.isfinite(est.score_tasks(X, Y)).all()


# Every trunk, and trunks of each task and of each expert with two ways of reading codes.
@pytest.mark.parametrize(
    ("trunk", "sharing"),
    [
        *((trunk, None) for trunk in TRUNKS),
        *((trunk, sharing) for trunk in (TRUNKS[0], TRUNKS[3]) for sharing in ("separate", "mmoe")),
    ],
    ids=lambda of: of if isinstance(of, str) else type(of).__name__,
)
def test_a_stacked_search_has_the_scores_of_the_plain_one(sharing, trunk, data, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = data[0], MultiTaskTarget(data[1])
    est = make(trunk=trunk, sharing=sharing, precision="float64", max_epochs=2, early_stopping=False)
    # Folds differ in the levels that are met, and so in the numbers of codes and columns.
    grid, cv = {"task_weights__liked": [0.1, 1.0]}, KFold(3)
    plain = GridSearchCV(est, grid, cv=cv, refit=False, error_score="raise").fit(X, Y)
    stacked = StackedGridSearchCV(est, grid, cv=cv, refit=False, error_score="raise").fit(X, Y)
    assert stacked.stacked_["stacked"].all(), stacked.stacked_["reason"].tolist()
    for fold in range(3):
        key = f"split{fold}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=0, atol=1e-9)


def test_a_hundred_thousand_levels():
    rng = np.random.default_rng(0)
    n_levels, n_rows = 100_000, 500_000
    item = rng.permutation(np.repeat(np.arange(n_levels), 5))
    worth = rng.normal(size=n_levels)
    X = pd.DataFrame({"item": pd.Categorical(item)})
    begun = time.perf_counter()
    est = make(max_epochs=1, batch_size=8192, early_stopping=False, linear_blend=False, tree_blend=False)
    est.fit(X, {"worth": worth[item]})
    assert time.perf_counter() - begun < 60
    assert est._fitted.encoder.spec.codes.cardinalities == (n_levels + 2,)
    (table,) = est.net_.module_.sharing.trunk.entry.embedding.tables
    assert table.shape[0] == n_levels + 2
    assert table.numel() * table.element_size() < 2**24
    assert len(est.predict(X[:10])["worth"]) == 10 < n_rows
    assert torch.isfinite(table).all()
