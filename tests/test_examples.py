"""Every example runs, and shows what it promises."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor

MODELS = ("both tasks together", "each task alone", "HistGradientBoosting")
EXAMPLES = Path(__file__).parent.parent / "examples"
EXAMPLE = EXAMPLES / "house_price_and_type.py"


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    return run_quickly(EXAMPLE, tmp_path_factory.mktemp("demo"))


def run_quickly(example, folder):
    """Run a small part of an example, and return the folder that it ran in and what it printed."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(example), "--quick"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "agg"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder, run.stdout


def rows_of(model, printed):
    """The lines of tables that begin with the name of a model; others tell how long a fit took."""
    lines = [line for line in printed.splitlines() if line.strip().startswith(model)]
    return [line for line in lines if not line.endswith(" s")]


def test_example_prints_all_scores_of_each_model(quick_run):
    _, printed = quick_run
    for heading in ("RMSE, $", "mean error, $", "median error, $", "R²", "balanced accuracy", "log-loss"):
        assert heading in printed
    for model in MODELS:
        of_type, of_price, *without_large = rows_of(model, printed)
        assert len(of_type.split()) == len(model.split()) + 3
        assert len(of_price.split()) == len(model.split()) + 4
        assert len(without_large) == ("The price of the other" in printed)


def test_very_large_houses_are_named_and_then_left_out():
    example = SimpleNamespace(**runpy.run_path(str(EXAMPLE), run_name="example"))
    X = pd.DataFrame(
        {
            "area": [1500, 5642, 4000, 2000],
            "Neighborhood": ["NAmes", "Edwards", "NoRidge", "Gilbert"],
            "Sale.Condition": ["Normal", "Partial", "Normal", "Normal"],
        }
    )
    Y = pd.DataFrame({"price": [100e3, 160e3, 300e3, 200e3], "type": ["a", "a", "b", "b"]})
    price = SimpleNamespace(predict=lambda X: 100 * X["area"].to_numpy())
    kind = SimpleNamespace(
        predict=lambda X: ["a"] * len(X),
        predict_proba=lambda X: [[0.5, 0.5]] * len(X),
        classes_=["a", "b"],
    )
    contenders = [example.Contender("some model", price, kind)]
    types, prices, houses, others = example.comparison_tables(contenders, X, Y)
    assert cells(types) == ["some model", "0.500", "0.500", "0.693"]
    assert cells(prices) == ["some model", "209,689", "138,550", "75,000", "-7.296"]
    assert [column.header for column in houses.columns] == [
        "neighborhood\ncondition\narea",
        "Edwards\nPartial\n5,642",
    ]
    assert [list(column.cells) for column in houses.columns] == [["paid", "some model"], ["160", "564"]]
    assert "other 3 sales" in others.title
    assert cells(others) == ["some model", "64,550", "50,000", "50,000", "0.375"]
    usual = X["area"] <= example.LARGEST_AREA
    assert len(example.comparison_tables(contenders, X[usual], Y[usual])) == 2


def cells(table):
    """What the one row of a table says, without how it is set."""
    (row,) = zip(*(column.cells for column in table.columns), strict=True)
    return [cell.replace("[bold]", "").replace("[/bold]", "") for cell in row]


def test_example_prints_a_row_for_each_weight_and_marks_one(quick_run):
    _, printed = quick_run
    rows = [line.split() for line in printed.split("task_weights__type")[1].splitlines()]
    weights = [row for row in rows if row and row[0] in ("0.1", "1") and len(row) >= 4]
    assert [row[0] for row in weights] == ["0.1", "1"]
    assert sum(row[-1] == "*" for row in weights) == 1


def test_example_draws_the_figure_whose_path_it_prints(quick_run):
    folder, printed = quick_run
    (line,) = [line for line in printed.splitlines() if line.startswith("Figure: ")]
    figure = Path(line.removeprefix("Figure: "))
    assert figure.samefile(folder / "out" / "house_price_and_type.png")
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_importing_the_demo_runs_nothing(capsys):
    assert "main" in runpy.run_path(str(EXAMPLE), run_name="example")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_a_quick_run_of_an_example_warns_of_nothing(example, tmp_path):
    run_quickly(example, tmp_path)
    assert not list(tmp_path.iterdir())


def test_film_ratings_are_scored_for_each_model(tmp_path):
    _, printed = run_quickly(EXAMPLES / "film_ratings.py", tmp_path)
    assert "15,000 ratings of" in printed
    for heading in ("RMSE", "MAE", "accuracy", "log-loss", "seconds"):
        assert heading in printed
    models = ("mean of all", "means of user and film", "boosting, ids", "one network for both")
    scores = [line.split()[-5:] for line in printed.splitlines() if line.strip().startswith(models)]
    assert len(scores) == 5
    assert all(0 < float(score) < 10 for row in scores for score in row[:4])


def test_museum_titles_are_scored_for_each_model(tmp_path):
    _, printed = run_quickly(EXAMPLES / "museum_titles.py", tmp_path)
    assert "1,000 works by" in printed
    for heading in ("accuracy", "macro F1", "R²", "RMSE, years", "seconds"):
        assert heading in printed
    models = ("most frequent", "TF-IDF", "one network, a table", "one network, texts")
    scores = [line.split()[-5:] for line in printed.splitlines() if line.strip().startswith(models)]
    assert len(scores) == 4
    assert all(0 <= float(score) <= 1 for row in scores for score in row[:2])


@pytest.mark.parametrize(
    ("example", "models", "n_scores"),
    [
        ("two_digits", ("linear", "random forests", "perceptron", "CNN"), 5),
        ("house_photos", ("boosting, table", "network,"), 5),
    ],
)
def test_pictures_are_scored_for_each_model(example, models, n_scores, tmp_path):
    _, printed = run_quickly(EXAMPLES / f"{example}.py", tmp_path)
    lines = [line for line in printed.splitlines() if line.strip().startswith(models)]
    assert len(lines) == n_scores
    for line in lines:
        assert np.isfinite([float(score.rstrip("%")) for score in line.split()[-4:]]).all()


def test_eight_clients_are_compared(tmp_path):
    _, printed = run_quickly(EXAMPLES / "federated_clients.py", tmp_path)
    for column in ("each alone", "together", "in one place", "8 clients"):
        assert column in printed


# No JSON, no rows, and values that no column can have.
BODIES = ["{", "", "null", "NaN", "[NaN]", "[]", "[[]]", '"\\ud800"', '{"\\ud800": 1}', '{"sex": [1]}']
BODIES += [f'{{"age": {value}}}' for value in ("1" + "0" * 400, "1e999", "{}", "[1]", '"\\ud800"')]


def test_the_service_answers_rows_with_all_tasks():
    for package in ("fastapi", "uvicorn", "httpx"):
        pytest.importorskip(package)
    import httpx

    example = SimpleNamespace(**runpy.run_path(str(EXAMPLES / "serve.py"), run_name="example"))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 4)), columns=example.COLUMNS).assign(sex=["woman", "man"] * 30)
    Y = {"progress": np.sin(X["bmi"].to_numpy()), "far": np.where(X["age"] > 0, "yes", "no")}
    model = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=2, random_state=0).fit(X, Y)
    served = example.Served(example.service(model))
    with served as address, httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        rows = [*X[:3].to_dict("records"), {"sex": "man"}]
        found = client.post("/predict", json=rows).raise_for_status().json()
        one = client.post("/predict", json=rows[0]).raise_for_status().json()
        with ThreadPoolExecutor(8) as threads:
            at_once = list(threads.map(lambda row: client.post("/predict", json=row).json(), rows * 4))
        wrong = client.post("/predict", json={"weight": 80})
        text = client.post("/predict", json={"age": "old"})
        broken = [client.post("/predict", content=body) for body in BODIES]
    table = pd.DataFrame(rows, columns=example.COLUMNS)
    assert [row["progress"]["prediction"] for row in found] == model.predict(table)["progress"].tolist()
    assert [row["far"]["prediction"] for row in found] == model.predict(table)["far"].tolist()
    yes = [row["far"]["probabilities"]["yes"] for row in found]
    assert yes == model.predict_proba(table)["far"][:, 1].tolist()
    assert one == found[0]
    assert at_once == found * 4
    assert wrong.status_code == text.status_code == 422
    assert "weight" in wrong.json()["detail"]
    assert "text in place of numbers" in text.json()["detail"]
    assert [answer.status_code for answer in broken] == [422] * len(BODIES)
    assert all(isinstance(answer.json()["detail"], str) for answer in broken)
    assert not served.thread.is_alive()
