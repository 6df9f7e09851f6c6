"""Parameters of recipes and entries of mappings are searched by their nested names."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskTarget
from sklearn_mtl.balancing import LossBalancer, StaticWeights
from sklearn_mtl.estimators.parameters import RECIPES
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.trunks import MLP, TabM

CV = KFold(2, shuffle=True, random_state=0)


class Scaled(LossBalancer):
    """A balancer that has a parameter."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, losses, weights):
        return self.factor * (losses @ weights)


class Shared(HardSharing):
    """A way of sharing that has a parameter."""

    def __init__(self, times=1):
        self.times = times


def search(est, grid, houses, make=GridSearchCV, **params):
    X, Y = houses
    return make(est, grid, cv=CV, error_score="raise", **params).fit(X, Y)


# Recipes.


@pytest.mark.parametrize("trunk", [None, "tabm", TabM(members=2, hidden_sizes=(8,))])
def test_the_trunk_is_searched_from_none_a_short_name_and_an_object(quick, houses, trunk):
    est = quick(trunk=trunk, max_epochs=1)
    found = search(est, {"trunk__dropout": [0.0, 0.5], "trunk__hidden_sizes": [(8,)]}, houses)
    assert isinstance(found.best_estimator_._fitted.blueprint.trunk, TabM)
    assert found.best_estimator_.trunk.dropout == found.best_params_["trunk__dropout"]
    assert len(set(found.cv_results_["mean_test_score"])) == 2
    assert est.trunk is trunk


def test_a_short_name_is_the_recipe_it_names(quick, houses):
    found = search(quick(trunk="mlp"), {"trunk__hidden_sizes": [(4,), (8,)]}, houses)
    assert found.best_estimator_.trunk == "mlp" or isinstance(found.best_estimator_.trunk, MLP)
    assert found.best_estimator_.trunk.hidden_sizes == found.best_params_["trunk__hidden_sizes"]


def test_the_trunk_and_its_parameters_are_set_together(quick):
    assert quick().set_params(trunk__dropout=0.3, trunk="mlp").trunk.get_params()["dropout"] == 0.3
    assert quick().set_params(trunk__dropout=0.3, trunk=TabM()).trunk.members == 4


@pytest.mark.parametrize("start", [None, "short", "object"])
@pytest.mark.parametrize(
    ("parameter", "recipe", "name", "values"),
    [("balancing", Scaled, "factor", [0.5, 2.0]), ("sharing", Shared, "times", [1, 2])],
)
def test_balancing_and_sharing_are_searched(
    quick, houses, monkeypatch, parameter, recipe, name, values, start
):
    # The defaults have no parameters of their own: these stand in for them.
    monkeypatch.setitem(RECIPES[parameter], "short", recipe)
    monkeypatch.setattr(RECIPES[parameter], "default", recipe)
    given = recipe() if start == "object" else start
    key = f"{parameter}__{name}"
    found = search(quick(**{parameter: given}), {key: values}, houses)
    best = getattr(found.best_estimator_, parameter)
    assert isinstance(best, recipe)
    assert getattr(best, name) == found.best_params_[key]
    if start == "object":
        assert getattr(given, name) == 1


@pytest.mark.parametrize(
    ("parameter", "name", "recipe"),
    [("balancing", "static", StaticWeights), ("sharing", "hard", HardSharing)],
)
def test_recipes_are_searched_as_wholes(quick, houses, parameter, name, recipe):
    found = search(quick(), {parameter: [None, name, recipe()]}, houses)
    scores = found.cv_results_["mean_test_score"]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("start", [None, "short", "object"])
@pytest.mark.parametrize(
    ("parameter", "name", "recipe"),
    [("trunk", "mlp", MLP()), ("balancing", "static", StaticWeights()), ("sharing", "hard", HardSharing())],
)
def test_a_parameter_that_a_recipe_does_not_have_is_refused_by_name(quick, parameter, name, recipe, start):
    est = quick(**{parameter: {None: None, "short": name, "object": recipe}[start]})
    with pytest.raises(ValueError, match="Invalid parameter 'depth' for estimator"):
        est.set_params(**{f"{parameter}__depth": 3})


@pytest.mark.parametrize("parameter", ["trunk", "balancing", "sharing"])
def test_an_unknown_short_name_is_refused_before_its_parameters_are_set(quick, parameter):
    est = quick(**{parameter: "resnet9000"})
    with pytest.raises(ValueError, match=rf"`{parameter}` must be None, one of .* Found 'resnet9000'"):
        est.set_params(**{f"{parameter}__depth": 3})


def test_an_unknown_parameter_is_refused_as_by_any_estimator(quick, houses):
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate' for estimator"):
        quick().set_params(learning_rate=0.1)
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate' for estimator"):
        search(quick(), {"learning_rate": [0.1]}, houses)


# Tasks.


@pytest.mark.parametrize("tasks", [None, {"type": "classification"}, {"type": Classification()}])
def test_a_task_is_searched_from_none_a_short_name_and_an_object(quick, houses, tasks):
    grid = {"tasks__type__class_weight": [None, {"flat": 50.0}]}
    found = search(quick(tasks=tasks, max_epochs=8), grid, houses)
    task = found.best_estimator_.tasks["type"]
    assert isinstance(task, Classification)
    assert task.class_weight == found.best_params_["tasks__type__class_weight"]
    assert len(set(found.cv_results_["mean_test_score"])) == 2
    if tasks is not None:
        assert tasks["type"] == "classification" or tasks["type"].class_weight is None


def test_a_task_and_its_parameters_are_set_together(quick):
    est = quick().set_params(tasks__price="regression", tasks__price__loss="huber")
    assert est.tasks["price"].loss == "huber"
    est.set_params(tasks__price=Regression(), tasks__price__loss="absolute", tasks={"type": "classification"})
    assert est.tasks["price"].loss == "absolute"
    assert est.tasks["type"] == "classification"


def test_a_parameter_that_two_kinds_have_asks_for_the_kind(quick):
    with pytest.raises(ValueError, match="needs to know the kind of task 'price'"):
        quick().set_params(tasks__price__loss="huber")


def test_get_params_lists_what_set_params_takes(quick):
    est = quick(
        tasks={"type": Classification(), "price": "regression"},
        task_weights={"price": 2.0},
        head_hidden_sizes={"type": (4,)},
        balancing=Scaled(),
        sharing=Shared(),
    )
    params = est.get_params()
    names = {
        "trunk__dropout",
        "balancing__factor",
        "sharing__times",
        "tasks__type",
        "tasks__type__class_weight",
        "tasks__price",
        "task_weights__price",
        "head_hidden_sizes__type",
    }
    assert names <= params.keys()
    again = clone(est).set_params(**params)
    assert {name: str(again.get_params()[name]) for name in names} == {n: str(params[n]) for n in names}


# Task weights.

WEIGHTS = {"task_weights__price": [0.1, 10.0]}


@pytest.mark.parametrize("before", [None, {"type": 0.5}, {"price": 3.0}])
def test_one_weight_is_searched_from_none_and_from_a_mapping(quick, houses, before):
    given = None if before is None else dict(before)
    est = quick(task_weights=given, max_epochs=4)
    found = search(est, WEIGHTS, houses)
    assert est.task_weights is given
    assert given == before
    expected = {**(before or {}), "price": found.best_params_["task_weights__price"]}
    assert found.best_estimator_.task_weights == expected
    assert found.cv_results_["param_task_weights__price"].dtype == float
    assert len(set(found.cv_results_["mean_test_score"])) == 2


def test_whole_mappings_are_searched(quick, houses):
    grid = {"task_weights": [{"price": 0.1}, {"price": 10.0, "type": 0.5}, None]}
    found = search(quick(max_epochs=4), grid, houses)
    assert found.best_estimator_.task_weights == found.best_params_["task_weights"]
    assert len(set(found.cv_results_["mean_test_score"])) == 3


def test_a_whole_mapping_and_one_weight_are_searched_together(quick, houses):
    whole = [{"type": 0.5}, {"type": 2.0}]
    found = search(quick(), {"task_weights": whole, **WEIGHTS}, houses)
    best = found.best_params_
    assert found.best_estimator_.task_weights == {
        **best["task_weights"],
        "price": best["task_weights__price"],
    }
    assert whole == [{"type": 0.5}, {"type": 2.0}]


@pytest.mark.parametrize("before", [None, {"type": 0.5}])
def test_weights_are_searched_in_a_pipeline(quick, houses, before):
    # Only numbers go through the scaler of the pipeline.
    pipeline = make_pipeline(StandardScaler(), quick(task_weights=before))
    step = "multitaskclassifierregressor__"
    grid = {f"{step}task_weights__price": [0.1, 10.0], f"{step}trunk__dropout": [0.0, 0.5]}
    found = search(pipeline, grid, houses)
    assert found.best_estimator_[-1].task_weights["price"] in (0.1, 10.0)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_weights_and_rates_are_drawn_from_distributions(quick, houses):
    drawn = {"task_weights__price": loguniform(0.01, 100), "lr": loguniform(1e-3, 1e-1)}
    found = search(quick(), drawn, houses, RandomizedSearchCV, n_iter=3, random_state=0)
    assert len({params["task_weights__price"] for params in found.cv_results_["params"]}) == 3
    assert 0.01 <= found.best_estimator_.task_weights["price"] <= 100


def test_weights_are_searched_by_halving(quick, houses):
    found = search(quick(), WEIGHTS, houses, HalvingGridSearchCV, factor=2, min_resources=40, random_state=0)
    assert found.best_estimator_.task_weights["price"] in (0.1, 10.0)
    drawn = {"task_weights__price": loguniform(0.01, 100)}
    halving = {"n_candidates": 2, "factor": 2, "min_resources": 40, "random_state": 0}
    found = search(quick(), drawn, houses, HalvingRandomSearchCV, **halving)
    assert 0.01 <= found.best_estimator_.task_weights["price"] <= 100


def test_epochs_are_a_resource_of_halving(quick, houses):
    halving = {"resource": "max_epochs", "max_resources": 4, "min_resources": 2, "factor": 2}
    found = search(quick(), WEIGHTS, houses, HalvingGridSearchCV, **halving)
    assert found.n_resources_ == [2, 4]
    assert found.best_estimator_.n_iter_ == 4


def test_weights_are_searched_in_two_processes(quick, houses):
    # Ours is the container that is made anew there.
    houses = houses[0], MultiTaskTarget(houses[1])
    alone, together = (search(quick(), WEIGHTS, houses, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")  # as it has been since 2018
@pytest.mark.filterwarnings("ignore:`optuna.terminator` module has been deprecated")  # which the search uses
def test_optuna_searches_weights_rates_and_recipes(quick, houses):
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, Y = houses
    est = quick(task_weights={"type": 0.5})
    space = {
        "task_weights__price": optuna.distributions.FloatDistribution(0.01, 100, log=True),
        "lr": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
        "trunk__dropout": optuna.distributions.FloatDistribution(0.0, 0.5),
    }
    found = integration.OptunaSearchCV(
        est, space, cv=CV, n_trials=3, random_state=0, error_score="raise"
    ).fit(X, Y)
    weights = found.best_estimator_.task_weights
    assert weights == {"type": 0.5, "price": found.best_params_["task_weights__price"]}
    assert found.best_estimator_.trunk.dropout == found.best_params_["trunk__dropout"]
    assert len(found.trials_) == 3
    assert est.task_weights == {"type": 0.5}


# Bad input.


def test_an_unknown_task_is_named(quick, houses):
    with pytest.raises(ValueError, match=r"names unknown tasks \['prise'\]; the tasks are \['price'"):
        search(quick(), {"task_weights__prise": [1.0]}, houses)
    with pytest.raises(ValueError, match=r"`tasks` names unknown tasks \['prise'\]"):
        search(quick(), {"tasks__prise": ["regression"]}, houses)


@pytest.mark.parametrize("weight", [-1.0, np.nan, "much", True])
def test_a_weight_that_is_no_weight_is_refused_with_its_task(quick, houses, weight):
    with pytest.raises(ValueError, match=r"`task_weights` must hold .* for task 'price'"):
        search(quick(), {"task_weights__price": [weight]}, houses)


def test_weights_have_no_parameters_of_their_own(quick):
    with pytest.raises(ValueError, match="`task_weights__price` has no parameters"):
        quick().set_params(task_weights__price__high=1)


@pytest.mark.parametrize("parameter", ["task_weights", "tasks"])
def test_entries_are_only_set_in_a_mapping(quick, parameter):
    est = quick(**{parameter: [1.0, 2.0]})
    with pytest.raises(ValueError, match=rf"`{parameter}` must be a mapping by task"):
        est.set_params(**{f"{parameter}__price": 1.0})
