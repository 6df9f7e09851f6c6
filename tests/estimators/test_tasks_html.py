"""What a notebook shows of a fitted estimator."""

import pickle
from xml.etree import ElementTree

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.tasks_html import tasks_html
from sklearn_mtl.trunks import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
PRICE, TYPE = X[:, 0] + 5, np.where(X[:, 1] > 0.6, "<flat>", "house").astype(object)
PRICE[:30] = np.nan
Y = {"price": PRICE, "type & use": TYPE}


def make(**params):
    settings = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 5, "lr": 0.02, "random_state": 0}
    return MultiTaskClassifierRegressor(**settings | {"linear_blend": False} | params)


def shown_of(estimator):
    """The lines above the table, and the table by column."""
    table = estimator._repr_html_().split("</style>")[-1]
    root = ElementTree.fromstring(table[table.index('<div class="sklearn-mtl-table') :])
    names = [cell.text for cell in root.iter("th")]
    rows = [[cell.text or "" for cell in row] for row in root.find("table/tbody")]
    return [line.text for line in root.findall("p")], dict(zip(names, zip(*rows, strict=True), strict=True))


@pytest.fixture(scope="module")
def fitted():
    return make().fit(X, Y)


def test_tasks_with_their_labels_scores_and_gaps(fitted):
    lines, table = shown_of(fitted)
    assert table["task"] == ("price", "type & use")
    assert table["kind"] == ("regression", "classification")
    assert table["missing"] == ("25 %", "0 %")
    assert table["labels"][1] == "<flat>, house"
    assert table["score"] == ("r2", "accuracy")
    history = fitted.history_
    kept = history["valid_loss"].idxmin()
    expected = [history.at[kept, "valid_r2_price"], history.at[kept, "valid_accuracy_type & use"]]
    assert [float(score) for score in table["network"]] == pytest.approx(expected, abs=1e-3)
    assert float(table["constant"][0]) <= 0.001
    assert 0.5 < float(table["constant"][1]) < 1
    assert lines[0] == "1 net of MLP(hidden_sizes=(8,)), HardSharing(), StaticWeights()"
    assert lines[1].startswith(f"5 epochs, the best {kept + 1}, ")
    assert lines[1].endswith(" s")


def test_a_bag_says_how_many_epochs_each_net_had():
    lines, table = shown_of(make(n_bags=3, patience=1, max_epochs=30).fit(X, Y))
    assert lines[0].startswith("3 nets of ")
    assert " epochs, the best " in lines[1]
    assert len(table["network"]) == 2


def test_what_is_not_known_has_no_column():
    _, table = shown_of(make(early_stopping=False).fit(X, Y))
    assert list(table) == ["task", "kind", "missing", "weight", "labels", "loss"]
    lines, table = shown_of(make().partial_fit(X, Y))
    assert "network" not in table
    assert lines[1].startswith("1 epoch, ")


def test_it_goes_with_the_pickle(fitted):
    assert shown_of(pickle.loads(pickle.dumps(fitted))) == shown_of(fitted)


def test_of_what_an_earlier_version_saved_the_rest_is_shown(fitted):
    html = tasks_html(fitted._fitted.blueprint, fitted.nets_, None, stops_early=True)
    assert "network" in html
    assert "constant" not in html
    assert "missing" not in html
