"""Fits planned, trained together and in parts: each is the fit that it stands for."""

from copy import copy

import numpy as np
import pytest

from sklearn_mtl.balancing import WeightSchedule
from sklearn_mtl.estimators.cached_stages import CachedStages
from sklearn_mtl.estimators.fitting import train_together
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages


def rows_of(plans):
    return {id(plan.train) for plan in plans}


def together(fits, **settings):
    done = dict(train_together(fits, **settings))
    return [done[i] for i in range(len(fits))]


def test_each_is_the_fit_by_itself(quick, houses):
    X, Y = houses
    stages = CachedStages()
    estimators = [quick(lr=lr, n_bags=2, precision="float64") for lr in (0.001, 0.01)]
    fits = [est._plan(FitData(X, Y), stages) for est in estimators]
    assert rows_of(fits[0].plans) == rows_of(fits[1].plans)
    for est, fit in zip(estimators, together(fits), strict=True):
        found = copy(est)._keep(fit.fitted(), fit.reader)
        assert not hasattr(est, "tasks_")
        expected = est.fit(X, Y)
        assert found.feature_names_in_.tolist() == X.columns.tolist()
        assert found.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(found.predict(X)["price"], expected.predict(X)["price"], rtol=1e-9)


LATE = {"balancing": WeightSchedule({"price": [0.0] * 12 + [1.0]}), "patience": 1, "lr": 0.1}


@pytest.mark.parametrize(
    "params",
    [{}, {"patience": 1, "lr": 0.1}, {"early_stopping": False}, LATE],
    ids=["patient", "impatient", "to_the_end", "waiting"],
)
def test_training_in_parts_is_training_in_one(quick, houses, params):
    X, Y = houses
    est = quick(**{"max_epochs": 20, "precision": "float64", **params})
    fits = [est._plan(FitData(X, Y), Stages())]
    for epochs in (2, 5, 11, None, None):
        fits = together(fits, epochs=epochs)
    found, expected = copy(est)._keep(fits[0].fitted(), fits[0].reader), est.fit(X, Y)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.history_["train_loss"], expected.history_["train_loss"], rtol=1e-9)
    np.testing.assert_allclose(found.predict(X)["price"], expected.predict(X)["price"], rtol=1e-9)


def test_what_has_ended_is_done_at_once(quick, houses):
    X, Y = houses
    fits = together([quick()._plan(FitData(X, Y), Stages())])
    assert fits[0].plans_up_to(None) == {}
    seconds = fits[0].outcomes[0].seconds
    (again,) = together(fits)
    assert again.outcomes == fits[0].outcomes
    assert again.outcomes[0].seconds == seconds > 0


def test_plans_go_on_up_to_a_number_of_epochs(quick, houses):
    X, Y = houses
    (fit,) = together([quick(max_epochs=5, patience=50)._plan(FitData(X, Y), Stages())], epochs=2)
    (plan,) = fit.plans_up_to(4).values()
    assert plan.epochs == 2
    assert plan.before is fit.outcomes[0].net
    assert fit.plans_up_to(2) == {}
    assert (fit.n_nets, fit.max_epochs, fit.error) == (1, 5, None)


def test_the_fit_of_one_is_what_its_plan_trains(quick, houses):
    X, Y = houses
    est = quick()
    planned = est._plan(FitData(X, Y), Stages())
    assert planned.untrained.nets == []
    assert planned.reader.feature_names_in_.tolist() == X.columns.tolist()
    fitted = planned.train()
    expected = est.fit(X, Y)
    np.testing.assert_array_equal(copy(est)._keep(fitted).predict(X)["price"], expected.predict(X)["price"])
