"""Whatever a parameter is set to, it is refused by its name before any training, or is taken and trains."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.augmentation import FeatureDropout, Mixup
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.model_selection import StackedHalvingGridSearchCV
from sklearn_mtl.sampling import ClassBalanced, SampleWeighted, TaskBalanced
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Classification, Multilabel, Ordinal, Regression, Survival
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.trunks import MLP, TabM

X = np.random.default_rng(0).normal(size=(24, 2))
Y = {"price": X[:, 0], "type": np.repeat(["a", "b"], 12)}


class Unprintable:
    """An object that can't be written."""

    def __repr__(self):
        raise RuntimeError("no words")


HOSTILE = {
    "huge": 10**400,
    "minus huge": -(10**400),
    "2**40": 2**40,
    "2**63": 2**63,
    "minus one": -1,
    "zero": 0,
    "half": 0.5,
    "minus half": -0.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "tiny": 5e-324,
    "most": 1.7e308,
    "none": None,
    "true": True,
    "text": "x",
    "empty": "",
    "bytes": b"x",
    "list": [1],
    "list of text": ["x"],
    "list of huge": [10**400],
    "empty list": [],
    "deep": [[1]],
    "tuple": (2,),
    "set": {3},
    "dict": {"a": 1},
    "dict of tasks": {"price": 1},
    "object": Unprintable(),
    "type": int,
    "function": print,
    "complex": 1j,
    "decimal": Decimal("0.5"),
    "fraction": Fraction(1, 2),
    "huge fraction": Fraction(10**400, 3),
    "array": np.array([1.0, 2.0]),
    "0-d array": np.array(1.0),
    "np.float64": np.float64(0.25),
    "np.float16": np.float16(0.25),
    "np.int8": np.int8(1),
    "np.uint64": np.uint64(2**64 - 1),
    "np.bool": np.bool_(True),
    "np.nan": np.float32("nan"),
    "date": np.datetime64("2020-01-01"),
    "not a time": np.datetime64("NaT"),
}


def quick(**params):
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "random_state": 0, "patience": 1}
    return MultiTaskClassifierRegressor(**{**settings, **params})


class Trained(Exception):
    """The training has begun."""


def refuses(fit, names, value):
    """Whether a fit refuses a parameter in words of ours, before any training; any other error is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit()
        except Trained:
            return False
        except (ValueError, TypeError) as error:
            message = str(error)
    assert any(f"`{name}" in message or f"{name}=[" in message for name in names) or (
        # An order of numbers says that the labels are.
        names == ["order"] and "Labels of task 'type' must be numbers" in message
    ), message
    assert " must " in message or "names unknown" in message or " need an order" in message, message
    return True


@pytest.fixture
def stop_at_training(monkeypatch):
    def train(self, *args, **kwargs):
        raise Trained

    monkeypatch.setattr(MultiTaskNet, "open_training", train)


# Values that say something for the parameter, though they look odd; all others are refused.
SMALL = {"np.int8"}
NUMBERS = {"half", "fraction", "np.float64", "np.float16", "np.int8", "tiny"}
BIG = {*NUMBERS, "2**40", "2**63", "most", "np.uint64"}
TAKEN = {
    "tasks": {"none", "empty dict"},
    "task_weights": {"none", "dict of tasks"},
    "trunk": {"none"},
    "sharing": {"none"},
    "balancing": {"none"},
    "sampler": {"none"},
    "augmentation": {"none"},
    "head_hidden_sizes": {"np.int8", "list", "tuple", "empty list", "dict of tasks"},
    "preprocessing": {"none"},
    "optimizer": set(),
    "lr": BIG,
    "weight_decay": {*BIG, "zero"},
    "gradient_clip": {*BIG, "none"},
    "batch_size": SMALL,
    "max_epochs": SMALL,
    "patience": SMALL,
    "n_bags": SMALL,
    "lr_schedule": {"none"},
    "validation_fraction": {"half", "fraction", "np.float64", "np.float16", "tiny"},
    "ema_decay": {"none", "half", "fraction", "np.float64", "np.float16", "tiny", "zero"},
    "early_stopping": {"true", "np.bool"},
    "calibrate": {"true", "np.bool"},
    "linear_blend": {"true", "np.bool"},
    "tree_blend": {"true", "np.bool"},
    "compile": {"true", "np.bool"},
    "gradient_conflict": {*SMALL, "none"},
    "warm_start": {"true", "np.bool"},
    "checkpoint": {"none", "text"},
    # The numbers of cards.
    "device": {name for name, n in {"zero": 0, "np.int8": 1}.items() if n < torch.cuda.device_count()},
    "precision": set(),
    "callbacks": {"none", "empty list"},
    "verbose": {"true", "np.bool", "zero", "np.int8"},
    "random_state": {"none", "zero", "np.int8"},
}


def test_every_parameter_of_the_constructor_is_in_the_table():
    assert set(TAKEN) == set(MultiTaskClassifierRegressor().get_params(deep=False))


@pytest.mark.parametrize("parameter", TAKEN)
@pytest.mark.usefixtures("stop_at_training")
def test_a_parameter_is_refused_by_name_or_taken(parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = {
        name
        for name, value in HOSTILE.items()
        if refuses(lambda value=value: quick(**{parameter: value}).fit(X, Y), [parameter], value)
    }
    assert set(HOSTILE) - refused == TAKEN[parameter] & set(HOSTILE)


BLOCK = {"tags": np.eye(2, dtype=int)[[0, 1] * 12]}
SURVIVAL = {"life": np.c_[np.arange(1.0, 25), np.ones(24)]}
RECIPES = {
    "hidden_sizes": (lambda v: {"trunk": MLP(v)}, Y, {"np.int8", "list", "tuple", "empty list"}),
    "activation": (lambda v: {"trunk": MLP(activation=v)}, Y, set()),
    "dropout": (lambda v: {"trunk": MLP(dropout=v)}, Y, {*NUMBERS, "zero"} - {"np.int8"}),
    "normalization": (lambda v: {"trunk": MLP(normalization=v)}, Y, {"none"}),
    "hidden_sizes of TabM": (lambda v: {"trunk": TabM(v)}, Y, {"np.int8", "list", "tuple"}),
    "members": (lambda v: {"trunk": TabM(members=v)}, Y, SMALL),
    "n_bins": (lambda v: {"trunk": TabM(n_bins=v)}, Y, set()),
    "embedding": (lambda v: {"trunk": TabM(embedding=v)}, Y, {"none"}),
    "embedding_size": (lambda v: {"trunk": TabM(embedding_size=v)}, Y, SMALL),
    "loss": (lambda v: {"tasks": {"price": Regression(loss=v)}}, Y, set()),
    "delta": (
        lambda v: {"tasks": {"price": Regression(loss="huber", delta=v)}},
        Y,
        BIG,
    ),
    "quantiles": (
        lambda v: {"tasks": {"price": Regression(loss="quantile", quantiles=v)}},
        Y,
        {"half", "fraction", "np.float64", "np.float16", "tiny"},
    ),
    "transform": (lambda v: {"tasks": {"price": Regression(transform=v)}}, Y, {"none"}),
    "loss of classes": (lambda v: {"tasks": {"type": Classification(loss=v)}}, Y, set()),
    "class_weight": (lambda v: {"tasks": {"type": Classification(class_weight=v)}}, Y, {"none", "dict"}),
    "label_smoothing": (
        lambda v: {"tasks": {"type": Classification(label_smoothing=v)}},
        Y,
        {*NUMBERS, "zero"} - {"np.int8"},
    ),
    "pos_weight": (
        lambda v: {"tasks": {"tags": Multilabel(pos_weight=v)}},
        BLOCK,
        {*BIG, "none", "list", "tuple", "array", "0-d array"},
    ),
    "order": (lambda v: {"tasks": {"type": Ordinal(order=v)}}, Y, set()),
    "n_intervals": (lambda v: {"tasks": {"life": Survival(n_intervals=v)}}, SURVIVAL, SMALL),
    "ends": (
        lambda v: {"tasks": {"life": Survival(ends=v)}},
        SURVIVAL,
        {"none", "list", "tuple", "array"},
    ),
    "task_weights": (lambda v: {"task_weights": {"price": v}}, Y, {*BIG, "zero"}),
    "head_hidden_sizes": (
        lambda v: {"head_hidden_sizes": {"price": v}},
        Y,
        {"np.int8", "list", "tuple", "empty list"},
    ),
    "tasks": (lambda v: {"tasks": {"price": v}}, Y, set()),
    "exponent": (lambda v: {"sampler": TaskBalanced(v)}, Y, {*NUMBERS, "zero"}),
    "task": (lambda v: {"sampler": ClassBalanced(v)}, Y, {"none"}),
    "alpha": (lambda v: {"augmentation": Mixup(v)}, Y, BIG),
    "rate": (lambda v: {"augmentation": FeatureDropout(v)}, Y, {*NUMBERS, "zero"} - {"np.int8"}),
    "replacement": (lambda v: {"augmentation": FeatureDropout(replacement=v)}, Y, set()),
}


def test_every_parameter_of_the_recipes_is_in_the_table():
    classes = [
        MLP,
        TabM,
        Regression,
        Classification,
        Multilabel,
        Ordinal,
        Survival,
        HardSharing,
        StaticWeights,
        TaskBalanced,
        ClassBalanced,
        SampleWeighted,
        Mixup,
        FeatureDropout,
    ]
    of_recipes = {name for recipe in classes for name in recipe().get_params()}
    assert of_recipes <= {name.partition(" ")[0] for name in RECIPES}


@pytest.mark.parametrize("case", RECIPES)
@pytest.mark.usefixtures("stop_at_training")
def test_a_parameter_of_a_recipe_is_refused_by_name_or_taken(case):
    params, y, taken = RECIPES[case]
    parameter = case.partition(" ")[0]
    refused = {
        name
        for name, value in HOSTILE.items()
        if refuses(lambda value=value: quick(**params(value)).fit(X, y), [parameter], value)
    }
    assert set(HOSTILE) - refused == taken


@pytest.mark.parametrize("value", [np.float32(0.01), np.float64(0.01), Fraction(1, 100)], ids=repr)
@pytest.mark.parametrize("parameter", ["lr", "weight_decay", "ema_decay", "gradient_clip"])
def test_a_number_of_numpy_is_the_number(parameter, value):
    found, expected = quick(**{parameter: value}).fit(X, Y), quick(**{parameter: float(value)}).fit(X, Y)
    np.testing.assert_array_equal(found.predict(X)["price"], expected.predict(X)["price"])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("batch_size", 8), ("max_epochs", 2), ("patience", 1), ("n_bags", 2), ("random_state", 3)],
)
@pytest.mark.parametrize("dtype", [np.int8, np.uint64], ids=["int8", "uint64"])
def test_an_integer_of_numpy_is_the_integer(parameter, value, dtype):
    found, expected = quick(**{parameter: dtype(value)}).fit(X, Y), quick(**{parameter: value}).fit(X, Y)
    np.testing.assert_array_equal(found.predict(X)["price"], expected.predict(X)["price"])


@pytest.mark.parametrize("parameter", ["factor", "min_epochs", "max_members"])
def test_a_parameter_of_a_search_is_refused_by_name_or_taken(parameter):
    y = {"price": X[:, 0]}
    for name in ("zero", "minus one", "text", "nan", "none", "list"):
        if (parameter, name) == ("max_members", "none"):
            continue
        search = StackedHalvingGridSearchCV(quick(), {"lr": [0.1]}, cv=2, **{parameter: HOSTILE[name]})
        with pytest.raises((ValueError, TypeError), match=parameter):
            search.fit(X, y)
