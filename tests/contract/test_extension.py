"""Whatever a user adds from outside the package is as good as what the package has: one of each.

A display is not among them: displays show them all, as the table of tasks in a notebook does.
"""

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV, task_scorer
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.tasks import KINDS, Classification, Regression
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import TRUNKS
from tests.contract.extensions import (
    CLASSES,
    Colour,
    EvenGradients,
    Expectile,
    Fallen,
    Gated,
    Paced,
    Poly,
    Squashed,
    share_below,
    share_found,
)


@dataclass(frozen=True, eq=False)
class Case:
    """What is added: the parameters that name it, what of it is searched, the metric, what a notebook shows.

    `not_stacked` is why its networks are trained one by one in a stacked search; empty where they are not.
    """

    params: dict
    grid: dict
    scoring: object = None
    shown: tuple = field(default=())
    not_stacked: str = ""


CASES = {
    "trunk": Case({"trunk": Squashed(8)}, {"trunk__steepness": [0.5, 4.0]}, shown=("Squashed(width=8)",)),
    "sharing": Case({"sharing": Gated()}, {"sharing__sharpness": [0.1, 5.0]}, shown=("Gated()",)),
    "balancer": Case({"balancing": Paced()}, {"balancing__rate": [0.01, 0.5]}, shown=("Paced()",)),
    "balancer that looks at each step": Case(
        {"balancing": Fallen()}, {"balancing__rate": [0.1, 5.0]}, shown=("Fallen()",)
    ),
    "balancer of gradients": Case(
        {"balancing": EvenGradients()},
        {"balancing__power": [0.0, 1.5]},
        shown=("EvenGradients()",),
        not_stacked="EvenGradients balances gradients",
    ),
    "kind": Case(
        {"tasks": {"colour": Colour()}},
        {"tasks__colour__smoothing": [0.0, 0.4]},
        task_scorer("colour", "neg_log_loss"),
        shown=("<td>colour</td><td>colour</td>",),
    ),
    "loss": Case(
        {"tasks": {"price": Regression(Expectile(0.9)), "colour": Classification(Poly())}},
        {
            "tasks__price__loss": [Expectile(0.1), "huber"],
            "tasks__colour__loss": [Poly(epsilon=3.0), "focal"],
        },
        shown=("<td>Expectile</td>", "<td>Poly</td>"),
    ),
    "metric": Case(
        {},
        {"lr": [0.003, 0.1]},
        {
            "below": task_scorer("price", make_scorer(share_below)),
            "found": task_scorer("colour", make_scorer(share_found)),
        },
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    colours = np.array(["red", "green", "blue"])[np.digitize(X[:, 0] + 0.3 * rng.normal(size=120), [-0.5, 1])]
    return X, MultiTaskTarget({"price": 100 + 10 * (X[:, 1] + rng.normal(size=120)), "colour": colours})


def make(case, **params):
    est = MultiTaskClassifierRegressor(
        trunk="mlp", n_bags=1, max_epochs=4, lr=0.02, batch_size=32, precision="float64", random_state=0
    )
    return est.set_params(trunk__hidden_sizes=(8,), **params).set_params(**case.params)


@every_case
def test_it_is_fitted_and_shown(case, data):
    X, Y = data
    est = make(case)
    found = est.fit(X, Y).predict(X)
    assert found["price"].shape == found["colour"].shape == (120,)
    assert set(found["colour"]) <= {"red", "green", "blue"}
    np.testing.assert_allclose(est.predict_proba(X)["colour"].sum(axis=1), 1)
    assert np.isfinite(est.score_tasks(X, Y)).all()
    assert all(words in est._repr_html_() for words in case.shown)


@every_case
def test_its_copies_predict_as_it_does(case, data, tmp_path):
    X, Y = data
    est = make(case).fit(X, Y)
    save(est, tmp_path / "model.mtl")
    copies = [
        clone(est).fit(X, Y),
        pickle.loads(pickle.dumps(est)),
        load(tmp_path / "model.mtl", modules=CLASSES),
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict(X)["price"], est.predict(X)["price"])
        np.testing.assert_array_equal(copy.predict_proba(X)["colour"], est.predict_proba(X)["colour"])
        assert copy.tasks_["price"].loss == est.tasks_["price"].loss
        assert repr(copy) == repr(est)


@pytest.mark.parametrize(
    ("recipes", "parameter", "of", "name", "value"),
    [
        (TRUNKS, "trunk", Squashed, "steepness", 2.0),
        (SHARINGS, "sharing", Gated, "sharpness", 3.0),
        (BALANCERS, "balancing", Paced, "temperature", 0.5),
        (KINDS, "tasks__colour", Colour, "smoothing", 0.2),
    ],
    ids=["trunk", "sharing", "balancer", "kind"],
)
def test_a_line_in_the_registry_gives_it_a_short_name(monkeypatch, data, recipes, parameter, of, name, value):
    monkeypatch.setitem(recipes, "own", of)
    est = make(Case({}, {}))
    est.set_params(**{parameter: "own", f"{parameter}__{name}": value}).fit(*data)
    recipe = est.get_params()[parameter]
    assert type(recipe) is of
    assert getattr(recipe, name) == value
    assert est.predict(data[0])["price"].shape == (120,)


@every_case
def test_it_is_trained_on(case, data):
    X, Y = data
    parts = make(case, early_stopping=False, max_epochs=2, warm_start=True).fit(X, Y)
    parts.set_params(max_epochs=4).fit(X, Y)
    whole = make(case, early_stopping=False).fit(X, Y)
    np.testing.assert_allclose(parts.predict(X)["price"], whole.predict(X)["price"])


@every_case
def test_a_stacked_search_scores_it_as_a_plain_one(case, data):
    grid = {"task_weights__colour": [0.1, 1.0], **case.grid}
    metrics = case.scoring if isinstance(case.scoring, dict) else {"score": case.scoring}
    plain, stacked = (
        # Blended with the linear model that the labels come from, all candidates would score the same.
        search(
            make(case, linear_blend=False),
            grid,
            cv=KFold(2),
            scoring=case.scoring,
            refit=next(iter(metrics)) if search is StackedGridSearchCV else False,
        ).fit(*data)
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    assert set(stacked.stacked_["reason"]) == {case.not_stacked}
    for name in metrics:
        scores = plain.cv_results_[f"mean_test_{name}"]
        np.testing.assert_allclose(stacked.cv_results_[f"mean_test_{name}"], scores, rtol=0, atol=1e-9)
        # What is searched makes a difference, or the above would say nothing.
        assert len(set(scores.round(9))) > 2
    of_refit = plain.cv_results_[f"mean_test_{next(iter(metrics))}"]
    assert stacked.best_index_ == of_refit.argmax()
