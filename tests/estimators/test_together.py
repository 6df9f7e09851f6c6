"""Fits planned, trained together and in parts: each is the fit that it stands for."""

import numpy as np
import pytest

from sklearn_mtl.estimators.once import MadeOnce
from sklearn_mtl.estimators.together import PlannedFit, train_together


def rows_of(plans):
    return {id(plan.train) for plan in plans}


def together(fits, **settings):
    done = dict(train_together(fits, **settings))
    return [done[i] for i in range(len(fits))]


def test_each_is_the_fit_by_itself(quick, houses):
    X, Y = houses
    once = MadeOnce()
    estimators = [quick(lr=lr, n_bags=2, precision="float64") for lr in (0.001, 0.01)]
    fits = [PlannedFit.of(est, once, X, Y) for est in estimators]
    assert rows_of(fits[0].prepared.plans) == rows_of(fits[1].prepared.plans)
    for est, fit in zip(estimators, together(fits), strict=True):
        found = fit.fitted()
        assert not hasattr(est, "tasks_")
        expected = est.fit(X, Y)
        assert found.feature_names_in_.tolist() == X.columns.tolist()
        assert found.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(found.predict(X)["price"], expected.predict(X)["price"], rtol=1e-9)


@pytest.mark.parametrize("params", [{}, {"patience": 1, "lr": 0.1}, {"early_stopping": False}], ids=str)
def test_training_in_parts_is_training_in_one(quick, houses, params):
    X, Y = houses
    est = quick(**{"max_epochs": 20, "precision": "float64", **params})
    fits = [PlannedFit.of(est, MadeOnce(), X, Y)]
    for epochs in (2, 5, 11, None, None):
        fits = together(fits, epochs=epochs)
    found, expected = fits[0].fitted(), est.fit(X, Y)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.history_["train_loss"], expected.history_["train_loss"], rtol=1e-9)
    np.testing.assert_allclose(found.predict(X)["price"], expected.predict(X)["price"], rtol=1e-9)


def test_what_has_ended_is_done_at_once(quick, houses):
    X, Y = houses
    fits = together([PlannedFit.of(quick(), MadeOnce(), X, Y)])
    assert fits[0].plans(None) == {}
    seconds = fits[0].outcomes[0].seconds
    (again,) = together(fits)
    assert again.outcomes == fits[0].outcomes
    assert again.outcomes[0].seconds == seconds > 0


def test_validation_rows_must_come_in_pairs(quick, houses):
    X, Y = houses
    with pytest.raises(ValueError, match="must be given together"):
        PlannedFit.of(quick(), MadeOnce(), X, Y, X_val=X)
