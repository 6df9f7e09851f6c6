import inspect

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.tasks import Regression


@pytest.fixture
def rows():
    X = np.random.default_rng(0).normal(size=(60, 2))
    return X, {"price": X[:, 0], "type": X[:, 1] > 0}


def test_a_missing_predict_proba_names_what_it_needs_and_what_there_is(quick, rows):
    X, Y = rows
    est = quick().fit(X, {"price": Y["price"]})
    assert not hasattr(est, "predict_proba")
    with pytest.raises(AttributeError) as raised:
        est.predict_proba(X)
    assert str(raised.value) == (
        "`predict_proba` of MultiTaskClassifierRegressor needs a task with classes, such as a "
        "classification. Found 'price' (regression, SquaredError)."
    )


def test_a_missing_predict_interval_names_the_losses_that_have_one(quick, rows):
    X, Y = rows
    est = quick().fit(X, Y)
    assert not hasattr(est, "predict_interval")
    with pytest.raises(AttributeError, match=r"loss='quantile' or loss='gaussian_nll'\. Found 'price' "):
        est.predict_interval(X)
    quantiles = quick(tasks={"price": Regression("quantile")}).fit(X, Y)
    assert quantiles.predict_interval(X)["price"].shape == (60, 2)


@pytest.mark.parametrize(
    ("cls", "method"), [(MultiTaskRegressor, "predict_proba"), (MultiTaskClassifier, "predict_interval")]
)
def test_an_estimator_of_one_kind_lacks_the_methods_of_the_other_before_any_fit(cls, method):
    with pytest.raises(AttributeError, match=rf"`{method}` of {cls.__name__} needs a "):
        getattr(cls(), method)


def test_of_many_tasks_the_first_are_named(quick, rows):
    X, _ = rows
    est = quick(MultiTaskRegressor, max_epochs=1).fit(X, {f"t{i}": X[:, 0] for i in range(12)})
    with pytest.raises(AttributeError, match=r"'t9' \(regression, SquaredError\), \.\.\.\.$"):
        est.predict_interval(X)


def test_methods_keep_their_documentation_and_parameters():
    method = MultiTaskClassifierRegressor.predict_interval
    assert "central intervals" in method.__doc__
    assert list(inspect.signature(method).parameters) == ["self", "X", "coverage"]
    assert list(inspect.signature(MultiTaskClassifierRegressor().predict_interval).parameters) == [
        "X",
        "coverage",
    ]
