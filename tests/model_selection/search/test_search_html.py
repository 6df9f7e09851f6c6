"""What a notebook shows of a search that is done."""

from xml.etree import ElementTree

import pytest
from sklearn.dummy import DummyRegressor

from sklearn_mtl.model_selection import (
    ManifoldSearchCV,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    multitask_scoring,
)

GRID = {"task_weights__price": [0.1, 1.0, 10.0], "lr": [0.003, 0.01]}


@pytest.fixture(scope="module")
def two(drawn):
    X, Y = drawn
    return X, {"price": Y["price"], "sold": Y["sold"]}


def shown_of(search):
    """The lines above the table, and the table by column."""
    table = search._repr_html_().split("</style>")[-1]
    root = ElementTree.fromstring(table[table.index('<div class="sklearn-mtl-table') :])
    names = [cell.text for cell in root.iter("th")]
    rows = list(root.find("table/tbody"))
    cells = [[cell.text or "" for cell in row] for row in rows]
    best = [row.get("class") == "best" for row in rows]
    return (
        [line.text for line in root.findall("p")],
        dict(zip(names, zip(*cells, strict=True), strict=True)),
        best,
    )


def test_the_chosen_candidate_comes_first(cheap, two):
    search = StackedGridSearchCV(cheap(linear_blend=False), GRID, cv=2)
    assert "sklearn-mtl-table" not in search._repr_html_()
    search.fit(*two)
    lines, table, best = shown_of(search)
    lr, weight = search.best_params_["lr"], search.best_params_["task_weights__price"]
    assert lines[0] == f"Chosen: lr={lr:g}, task_weights__price={weight:g}"
    assert lines[1].startswith("6 candidates × 2 folds, ")
    assert lines[1].endswith("all trained together")
    assert lines[2] == "The first 5 are shown; cv_results_ has all."
    assert list(table) == ["lr", "task_weights__price", "score", "price (r2)", "sold (accuracy)"]
    assert best == [True, False, False, False, False]
    scores = [float(score.split()[0]) for score in table["score"]]
    assert scores == sorted(scores, reverse=True)
    row = search.task_results_.loc[search.best_index_]
    assert table["sold (accuracy)"][0] == f"{row['mean_test_sold']:.3f} ± {row['std_test_sold']:.3f}"


def test_without_refit_nothing_is_chosen(cheap, two):
    scoring = multitask_scoring(["price", "sold"])
    search = StackedGridSearchCV(
        cheap(linear_blend=False), {"lr": [0.01]}, cv=2, scoring=scoring, refit=False
    )
    lines, table, best = shown_of(search.fit(*two))
    assert lines[0] == "No candidate chosen"
    assert best == [False]
    assert list(table) == ["lr", "price (r2)", "sold (accuracy)"]


def test_of_a_search_by_halving_those_that_trained_on_come_first(cheap, two):
    grid = {"lr": [0.001, 0.003, 0.01, 0.03]}
    search = StackedHalvingGridSearchCV(cheap(linear_blend=False), grid, cv=2, min_epochs=1).fit(*two)
    _, table, best = shown_of(search)
    assert table["epochs"][:2] == ("4", "4")
    assert set(table["epochs"][2:]) == {"1"}
    assert best[0]


def test_weights_of_one_fit(cheap, two):
    lines, table, _ = shown_of(ManifoldSearchCV(cheap(linear_blend=False), 3, cv=2).fit(*two))
    assert lines[0].startswith("Chosen: task_weights__price=")
    assert list(table)[:3] == ["task_weights__price", "task_weights__sold", "score"]


@pytest.mark.filterwarnings("ignore")
def test_other_estimators_and_text_in_parameters(two):
    X, _ = two
    search = StackedGridSearchCV(DummyRegressor(), {"strategy": ["mean", "median"]}, cv=2)
    lines, table, _ = shown_of(search.fit(X, X[:, 0]))
    assert lines[0] == "Chosen: strategy='mean'"
    assert list(table) == ["strategy", "score"]
