"""What a notebook shows of an estimator."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import MLP

X = np.random.RandomState(0).normal(size=(30, 2))
Y = {
    "price": 1000 * X[:, 0],
    "type": np.where(X[:, 1] > 0, "<flat>", "house"),
    "sets": (X > 0).astype(int),
    "ends": X,
}


def fitted(**params):
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "task_weights": {"type": 2.5}}
    return MultiTaskClassifierRegressor(**settings | params)


def test_a_fitted_estimator_shows_tasks_kinds_weights_and_trunk():
    html = fitted().fit(X, Y)._repr_html_()
    for shown in ("price", "regression", "type", "classification", "2.5", "sets", "2 labels", "2 outputs"):
        assert f"{shown}" in html
    assert "1 net of MLP(hidden_sizes=(4,)), HardSharing(), StaticWeights()" in html


def test_labels_are_text_not_markup():
    html = fitted().fit(X, Y)._repr_html_()
    assert "&lt;flat&gt;" in html
    assert "<flat>" not in html


def test_many_tasks_are_counted():
    html = fitted(task_weights=None, n_bags=2).fit(X, {f"t{i}": X[:, 0] for i in range(25)})._repr_html_()
    assert "… 5 more" in html
    assert "2 nets of" in html


def test_an_unfitted_one_shows_what_scikit_learn_shows():
    assert "HardSharing" not in fitted()._repr_html_()


def test_a_pipeline_still_has_its_picture():
    pipeline = make_pipeline(StandardScaler(), fitted()).fit(X, Y)
    assert "MultiTaskClassifierRegressor" in pipeline._repr_html_()


def test_the_text_stays_short():
    assert repr(fitted().fit(X, Y)).count("\n") <= 1
    assert repr(MultiTaskClassifierRegressor()) == "MultiTaskClassifierRegressor()"
