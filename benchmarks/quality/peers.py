"""Single-task tools: the kind of a task, its categorical columns and a seed give a model to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from benchmarks.quality.kinds import KINDS, SMALLEST_PROBABILITY, Kind

MISSING = "missing"


def linear(kind: Kind, categorical: Sequence[str], seed: int) -> Pipeline:
    """Return ridge regression, or logistic regression, its penalty chosen by rows held out."""
    penalties = GridSearchCV(
        LogisticRegression(max_iter=300),
        {"C": np.logspace(-3, 1, 5)},
        scoring=_log_likelihood,
        cv=ShuffleSplit(1, test_size=0.2, random_state=seed),
        error_score=-np.inf,
    )
    model = kind.either(RidgeCV(np.logspace(-1, 4, 11)), kind.one_by_one(penalties))
    return make_pipeline(_columns(categorical, scaled=True), model)


def forest(kind: Kind, categorical: Sequence[str], seed: int) -> Pipeline:
    """Return a hundred trees; in regression with a third of the columns at each split."""
    model = kind.either(
        RandomForestRegressor(max_features=1 / 3, random_state=seed),
        RandomForestClassifier(random_state=seed),
    )
    return make_pipeline(_columns(categorical, scaled=False), model)


def perceptron(kind: Kind, categorical: Sequence[str], seed: int) -> Pipeline:
    """Return scikit-learn's perceptron of one layer, stopped early where that is possible."""
    options: dict[str, Any] = {"early_stopping": True, "n_iter_no_change": 15, "max_iter": 300}
    if kind is KINDS["multilabel"]:  # which it can't hold rows out for
        options = {"max_iter": 100}
    model = kind.either(
        TransformedTargetRegressor(MLPRegressor(random_state=seed, **options), transformer=StandardScaler()),
        MLPClassifier(random_state=seed, **options),
    )
    return make_pipeline(_columns(categorical, scaled=True), model)


def hist_gradient_boosting(kind: Kind, _: Sequence[str], seed: int) -> Any:
    """Return scikit-learn's gradient boosting as it comes, categories told by their dtype."""
    make = kind.either(HistGradientBoostingRegressor, HistGradientBoostingClassifier)
    return kind.one_by_one(make(categorical_features="from_dtype", random_state=seed))


def lightgbm(kind: Kind, _: Sequence[str], seed: int) -> Any:
    """Return LightGBM as it comes, on one thread."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    make = kind.either(LGBMRegressor, LGBMClassifier)
    return kind.one_by_one(make(random_state=seed, n_jobs=1, verbose=-1))


def catboost(kind: Kind, categorical: Sequence[str], seed: int) -> Pipeline:
    """Return CatBoost as it comes, on one thread; it is told which columns are categories."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    model = kind.either(CatBoostRegressor, CatBoostClassifier)(
        random_seed=seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        cat_features=list(categorical),
    )
    if kind.several:
        model.set_params(loss_function=kind.either("MultiRMSE", "MultiLogloss"))
    return Pipeline(
        [("text", FunctionTransformer(_text, kw_args={"columns": categorical})), ("trees", model)]
    )


def pytabkit(name: str) -> Callable[[Kind, Sequence[str], int], BaseEstimator]:
    """Return the maker of a network of ``pytabkit``, named without the ending for its kind of task."""

    def make(kind: Kind, categorical: Sequence[str], seed: int) -> BaseEstimator:
        import pytabkit as package

        network = getattr(package, f"{name}_{kind.either('Regressor', 'Classifier')}")
        options = {"device": "cpu", "random_state": seed, "n_threads": 1, "verbosity": 0}
        model = WithoutGaps(network(**options), categorical)
        return kind.either(model, kind.one_by_one(model))  # several numbers are one network's

    return make


class WithoutGaps(BaseEstimator):
    """A model on columns that vary, numbers imputed and categories with one for missing values.

    Parameters
    ----------
    model : estimator
        What can't have missing numbers and constant columns.
    categorical : sequence of str
        Columns that are not numbers.
    """

    def __init__(self, model: Any, categorical: Sequence[str]) -> None:
        self.model = model
        self.categorical = categorical

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> WithoutGaps:
        """Fit the model."""
        self.columns_ = [column for column in X if X[column].nunique(dropna=False) > 1]
        self.medians_ = X[self.columns_].drop(columns=self.categorical, errors="ignore").median()
        self.model_ = clone(self.model).fit(self._filled(X), y)
        self.classes_ = getattr(self.model_, "classes_", None)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return what the model predicts."""
        return np.asarray(self.model_.predict(self._filled(X)))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the model's probabilities."""
        return np.asarray(self.model_.predict_proba(self._filled(X)))

    def _filled(self, X: pd.DataFrame) -> pd.DataFrame:
        categorical = [column for column in self.columns_ if column in self.categorical]
        filled = _text(X[self.columns_], categorical).fillna(self.medians_)
        return filled.astype(dict.fromkeys(categorical, "category"))


def _columns(categorical: Sequence[str], *, scaled: bool) -> Any:
    """Return a transformer of columns to numbers without gaps: medians with a mark, one column a category."""
    steps = [SimpleImputer(strategy="median", add_indicator=True), *([StandardScaler()] if scaled else [])]
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False)
    return make_column_transformer((categories, list(categorical)), remainder=make_pipeline(*steps))


def _text(X: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table, missing categories as text like the others."""
    return X.assign(
        **{name: X[name].astype(object).where(X[name].notna(), MISSING).astype(str) for name in columns}
    )


def _log_likelihood(model: LogisticRegression, X: np.ndarray, y: np.ndarray) -> float:
    """Return the mean logarithm of the probability of the true class, which training rows may lack."""
    odds = (model.predict_proba(X) * (y[:, None] == model.classes_)).sum(axis=1)
    return float(np.log(np.clip(odds, SMALLEST_PROBABILITY, 1)).mean())
