"""Parameters by name: unknown ones are refused, nested ones reach recipes and mappings."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_mtl import (
    MultiTaskClassifier,
    MultiTaskClassifierRegressor,
    MultiTaskRegressor,
    MultiTaskTarget,
)
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.estimators.parameters import SYNONYMS
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Classification, Multilabel, Regression
from sklearn_mtl.trunks import MLP, DefaultTrunk, TabM


@pytest.mark.parametrize(
    ("trunk", "expected"),
    [
        (None, DefaultTrunk(dropout=0.3)),
        ("tabm", TabM(dropout=0.3)),
        ("mlp", MLP(dropout=0.3)),
        (MLP((7,), activation="gelu"), MLP((7,), activation="gelu", dropout=0.3)),
    ],
)
def test_a_parameter_of_the_trunk_is_set_whatever_stood_there(trunk, expected):
    before = copy.deepcopy(trunk)
    est = MultiTaskClassifierRegressor(trunk=trunk).set_params(trunk__dropout=0.3)
    assert repr(est.trunk) == repr(expected)
    assert repr(trunk) == repr(before)
    assert est.get_params()["trunk__dropout"] == 0.3


def test_a_trunk_and_its_parameter_are_set_together():
    trunk = MLP((3,))
    est = MultiTaskClassifierRegressor().set_params(trunk__dropout=0.3, trunk=trunk)
    assert est.trunk.get_params() == {**trunk.get_params(), "dropout": 0.3}
    assert trunk.dropout == 0.0


@pytest.mark.parametrize("before", [None, {}, {"price": 1.0}, {"type": 2.0}])
def test_the_weight_of_a_task_is_set_whatever_stood_there(before):
    given = copy.deepcopy(before)
    est = MultiTaskClassifierRegressor(task_weights=given).set_params(task_weights__price=3.0)
    assert est.task_weights == {**(before or {}), "price": 3.0}
    assert given == before
    assert est.get_params()["task_weights__price"] == 3.0


@pytest.mark.parametrize(
    ("kind", "parameter", "value", "expected"),
    [
        (None, "class_weight", "balanced", Classification(class_weight="balanced")),
        (None, "quantiles", (0.1, 0.9), Regression(quantiles=(0.1, 0.9))),
        (None, "pos_weight", 2.0, Multilabel(pos_weight=2.0)),
        ("classification", "loss", "focal", Classification("focal")),
        ("regression", "loss", "huber", Regression("huber")),
        (Classification(label_smoothing=0.1), "loss", "focal", Classification("focal", label_smoothing=0.1)),
    ],
)
def test_a_parameter_of_a_task_is_set_whatever_stood_there(kind, parameter, value, expected):
    given = None if kind is None else {"type": kind, "price": "regression"}
    before = repr(given)
    est = MultiTaskClassifierRegressor(tasks=given).set_params(**{f"tasks__type__{parameter}": value})
    assert repr(est.tasks["type"]) == repr(expected)
    assert repr(given) == before
    assert est.get_params()[f"tasks__type__{parameter}"] == value


def test_a_task_and_its_parameter_are_set_together_in_any_order():
    for params in (
        {"tasks__type__loss": "focal", "tasks__type": "classification"},
        {"tasks__type": "classification", "tasks__type__loss": "focal"},
    ):
        est = MultiTaskClassifierRegressor().set_params(**params)
        assert repr(est.tasks["type"]) == repr(Classification("focal"))


def test_the_hidden_sizes_of_a_task_are_set():
    est = MultiTaskClassifierRegressor(head_hidden_sizes={"price": (3,)})
    assert est.set_params(head_hidden_sizes__type=(5,)).head_hidden_sizes == {"price": (3,), "type": (5,)}


@pytest.mark.parametrize("empty", [(), [], {}])
def test_the_hidden_sizes_of_a_task_are_set_where_there_were_none(empty):
    est = MultiTaskClassifierRegressor(head_hidden_sizes=empty)
    assert est.set_params(head_hidden_sizes__type=(5,)).head_hidden_sizes == {"type": (5,)}


@pytest.mark.parametrize(
    ("start", "params", "words"),
    [
        ({}, {"tasks__type__loss": "focal"}, r"needs to know the kind of task 'type'"),
        ({}, {"tasks__type__label_smothing": 0.1}, r"of no kind of task; the nearest is 'label_smoothing'"),
        ({}, {"tasks__type__xyz": 0.1}, r"type__xyz` is a parameter of no kind of task. They have \["),
        ({}, {"task_weights__price__scale": 1}, r"`task_weights__price` has no parameters"),
        ({"task_weights": [1, 2]}, {"task_weights__price": 1}, r"`task_weights` must be a mapping by task"),
        (
            {"head_hidden_sizes": (3,)},
            {"head_hidden_sizes__type": (5,)},
            r"`head_hidden_sizes` must be a mapping",
        ),
        ({"trunk": "resnext"}, {"trunk__dropout": 0.1}, r"`trunk` must be None, one of"),
        ({}, {"trunk__depth": 3}, r"Invalid parameter 'depth'"),
        ({}, {"depth": 3}, r"Invalid parameter 'depth'"),
    ],
)
def test_what_can_not_be_set_is_refused(start, params, words):
    with pytest.raises(ValueError, match=words):
        MultiTaskClassifierRegressor(**start).set_params(**params)


def test_nested_parameters_come_out_and_go_back_in():
    est = MultiTaskClassifierRegressor(
        tasks={"type": Classification("focal"), "price": "regression"},
        task_weights={"price": 0.2},
        trunk=MLP((4,)),
        sharing=HardSharing(),
        balancing=StaticWeights(),
        head_hidden_sizes={"type": (2,)},
    )
    params = est.get_params()
    nested = {"tasks__type__loss": "focal", "tasks__price": "regression", "task_weights__price": 0.2}
    nested |= {"trunk__hidden_sizes": (4,), "head_hidden_sizes__type": (2,)}
    assert {name: params[name] for name in nested} == nested
    assert repr(clone(est).set_params(**params).get_params()) == repr(params)
    assert not [name for name in est.get_params(deep=False) if "__" in name]


def test_a_clone_shares_nothing_that_can_change():
    est = MultiTaskClassifierRegressor(
        trunk=MLP([4]), tasks={"a": Regression()}, task_weights={"a": 1.0}, sharing=HardSharing()
    )
    copied = clone(est)
    for name in ("trunk", "tasks", "task_weights", "sharing"):
        assert getattr(copied, name) is not getattr(est, name)
        assert repr(getattr(copied, name)) == repr(getattr(est, name))
    module = nn.Linear(2, 2)
    assert clone(MultiTaskClassifierRegressor(trunk=module)).trunk is not module


def test_a_search_over_a_task_weight_in_a_pipeline(quick):
    X, Y = make_multitask(n_samples=60, n_features=4, n_binary=1, n_factors=2, random_state=0)
    weights = {"regression0": 0.5}
    pipeline = make_pipeline(StandardScaler(), quick(task_weights=weights, max_epochs=2))
    name = "multitaskclassifierregressor"
    grid = {f"{name}__task_weights__binary0": [0.0, 3.0], f"{name}__trunk__hidden_sizes": [(4,), (8,)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, MultiTaskTarget(Y))
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_[-1]
    assert best.task_weights == {
        "regression0": 0.5,
        "binary0": search.best_params_[f"{name}__task_weights__binary0"],
    }
    assert weights == {"regression0": 0.5}
    assert best.tasks_["binary0"].kind == "classification"
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) > 1


@pytest.mark.parametrize("name", ["sharing", "balancing", "trunk"])
def test_a_recipe_of_the_users_is_as_good_as_ours(quick, name):
    X, Y = make_multitask(n_samples=40, n_features=4, n_factors=2, random_state=0)
    built = []

    class MySharing(HardSharing):
        def build(self, *args):
            built.append("sharing")
            return super().build(*args)

    class MyBalancer(StaticWeights):
        def forward(self, losses, weights):
            built.append("balancing")
            return super().forward(losses, weights)

    class MyTrunk(MLP):
        def build(self, *args):
            built.append("trunk")
            return super().build(*args)

    quick(**{name: {"sharing": MySharing, "balancing": MyBalancer, "trunk": MyTrunk}[name]()}).fit(X, Y)
    assert set(built) == {name}


# --------------------------------------------------------------------------- the constructor


@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor])
@pytest.mark.parametrize(
    ("unknown", "nearest"), [("task_weigths", "task_weights"), ("Trunk", "trunk"), ("learning_rate", "lr")]
)
def test_an_unknown_parameter_names_the_class_and_the_nearest(cls, unknown, nearest):
    with pytest.raises(TypeError) as raised:
        cls(**{unknown: None})
    assert str(raised.value).startswith(
        f"{cls.__name__} has no parameter {unknown!r}; the nearest is {nearest!r}. It has ['tasks', "
    )


@pytest.mark.parametrize(
    ("params", "way_out"),
    [
        ({"sharing": "mmoe", "sharing__experts": 2}, "what holds it, such as MMoE(experts=2), or"),
        ({"sharing__experts": 2}, "what holds it, or"),
        ({"task_weights__price": 2.0}, "what holds it, or"),
    ],
)
def test_a_parameter_of_a_parameter_leads_to_set_params(params, way_out):
    *_, name = params
    message = (
        f"MultiTaskRegressor takes no parameter of a parameter, such as {name!r}, when it is made. Give "
        f"`{name.partition('__')[0]}` {way_out} call `set_params` afterwards."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        MultiTaskRegressor(**params)


def test_a_parameter_like_no_other_gets_the_list():
    with pytest.raises(TypeError, match=r"^MultiTaskRegressor has no parameter 'xyzzy'\. It has \['tasks', "):
        MultiTaskRegressor(xyzzy=1)


def test_a_parameter_without_a_name_is_refused():
    with pytest.raises(TypeError, match="MultiTaskClassifier takes its parameters by name, such as tasks=…"):
        MultiTaskClassifier({"type": "classification"})


def test_what_parameters_are_called_elsewhere_leads_to_parameters_there_are():
    assert set(SYNONYMS.values()) <= set(MultiTaskRegressor().get_params())
    assert not set(SYNONYMS) & set(MultiTaskRegressor().get_params())


def test_a_subclass_has_a_constructor_of_its_own():
    class Named(MultiTaskRegressor):
        def __init__(self, title, *, lr=0.1, **others):
            super().__init__(lr=lr, **others)
            self.title = title

    assert (Named("first").title, Named("first").lr) == ("first", 0.1)
    with pytest.raises(TypeError, match="Named has no parameter 'patients'; the nearest is 'patience'"):
        Named("first", patients=1)


def test_the_constructor_keeps_its_signature():
    assert "random_state" in inspect.signature(MultiTaskRegressor).parameters
    assert MultiTaskRegressor._get_param_names() == sorted(MultiTaskRegressor().get_params(deep=False))


def test_an_estimator_is_copied_and_pickled_as_before():
    est = MultiTaskRegressor(lr=0.5)
    for again in (clone(est), copy.copy(est), copy.deepcopy(est), pickle.loads(pickle.dumps(est))):
        assert again.lr == 0.5
