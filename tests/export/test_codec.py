"""What goes through JSON and arrays comes back as it was; what does not is refused by name."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_mtl.balancing import LossBalancer, StaticWeights
from sklearn_mtl.export.classes import EXTENSIBLE, KNOWN, by_name
from sklearn_mtl.export.decoder import Decoder
from sklearn_mtl.export.encoder import Encoder
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Classification, Multilabel, Regression
from sklearn_mtl.tasks.losses.regression import Pinball, SquaredError
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM

LONG_DOUBLE = pytest.mark.skipif(
    np.dtype(np.longdouble).itemsize == 8, reason="a long double is a double on this machine"
)


def round_trip(value, **given):
    encoder = Encoder()
    node = json.loads(json.dumps(encoder.encode(value, "x"), allow_nan=False))
    own = json.loads(json.dumps(encoder.own(), allow_nan=False))
    return Decoder(encoder.arrays, encoder.transformers, own, given).decode(node)


def decode(node, arrays=None):
    return Decoder(arrays or {}, [], {"classes": {}, "modules": {}}, {}).decode(node)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(10**30),
        0.1,
        5e-324,
        float("inf"),
        -float("inf"),
        "",
        "naïve ünïcode \u2028 \x00",
        b"\x00\xff",
        [],
        (),
        {},
        [1, [2.0, (None,)], {"a": (1,)}],
        {"map": {"tuple": [1]}},
        {1: "one", (2, 3): True, None: b"x", "s": 1.5, False: 0},
    ],
    ids=repr,
)
def test_plain_values_come_back_equal_and_of_the_same_type(value):
    found = round_trip(value)
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_nan_comes_back_as_nan():
    assert np.isnan(round_trip(float("nan")))
    assert np.isnan(round_trip([np.float32("nan")])[0])


@pytest.mark.parametrize(
    "value",
    [np.float32(0.1), np.float64(-np.inf), np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.str_("ab")],
    ids=repr,
)
def test_scalars_of_numpy_keep_their_dtype(value):
    found = round_trip(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12)[::2],
        np.array(3.5, dtype=np.float32),
        np.empty((0, 3)),
        np.array([True, False]),
        np.array([1, 2], dtype=np.uint8),
        np.array([0.1, np.nan], dtype=np.float16),
        np.array(["a", "böse"]),
        np.array([b"a", b"bc"]),
        np.array([["a", 1], [None, 2.5]], dtype=object),
        np.array([True, "x", b"y"], dtype=object),
        np.array([], dtype=object),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
        np.array([1, 2], dtype="timedelta64[ms]"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_keep_shape_and_dtype(array):
    found = round_trip({"a": array})["a"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert [type(item) for item in found.ravel().tolist()] == [type(item) for item in array.ravel().tolist()]
    if found.size:
        found[...] = found[...]


def test_an_array_of_the_other_byte_order_keeps_its_values():
    np.testing.assert_array_equal(round_trip(np.arange(3, dtype=">i4")), np.arange(3))


def test_arrays_of_numbers_go_aside_under_names_of_their_own():
    encoder = Encoder()
    encoder.encode({"a.b": np.zeros(1), "a": {"b": np.ones(1)}, "c": [np.zeros(2)]}, "x")
    assert list(encoder.arrays) == ["x.a.b", "x.a.b_2", "x.c[0]"]
    assert all(array.flags.c_contiguous for array in encoder.arrays.values())


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype("int8"),
        np.dtype("<U7"),
        np.dtype(object),
        np.dtype("datetime64[ns]"),
        pd.Int64Dtype(),
        pd.BooleanDtype(),
        pd.StringDtype(),
        pd.CategoricalDtype(["b", "a"], ordered=True),
        pd.CategoricalDtype([3, 1]),
        pd.CategoricalDtype([0.5, 1.5]),
        pd.CategoricalDtype([True, False]),
        pl.Int16(),
        pl.String(),
        pl.Categorical(),
        pl.Enum(["lo", "hi"]),
        pl.Int64,
    ],
    ids=repr,
)
def test_dtypes_come_back_equal(dtype):
    assert round_trip(dtype) == dtype


@pytest.mark.parametrize("name", ["Config", "read_csv", "scan_csv", "DataFrame", "no such thing"])
def test_only_a_dtype_of_polars_is_one(name):
    with pytest.raises(ValueError, match="polars dtype must be one that polars has"):
        decode({"dtype": {"map": {"polars": name, "categories": ["x"]}}})


@pytest.mark.parametrize("value", [np.float32, np.float64, torch.optim.AdamW, torch.optim.SGD])
def test_named_types_come_back_themselves(value):
    assert round_trip(value) is value


def test_a_random_state_goes_on_where_it_was():
    state = np.random.RandomState(3)
    state.normal(size=3)
    np.testing.assert_array_equal(round_trip(state).normal(size=5), state.normal(size=5))


def test_a_device_comes_back_as_a_string():
    assert round_trip(torch.device("cuda:1")) == "cuda:1"


@pytest.mark.parametrize(
    "recipe",
    [
        MLP((8, 4), dropout=0.1),
        TabM(members=2, embedding=None),
        HardSharing(),
        StaticWeights(),
        Regression("quantile", quantiles=np.array([0.1, 0.5])),
        Classification("focal", class_weight={"a": 2.0, 3: 1.0}),
        Multilabel(pos_weight=[1.0, 2.0]),
    ],
    ids=lambda recipe: type(recipe).__name__,
)
def test_recipes_come_back_with_their_parameters(recipe):
    found = round_trip({"recipe": recipe})["recipe"]
    assert type(found) is type(recipe)
    assert repr(found) == repr(recipe)


@pytest.mark.parametrize("value", [SquaredError(), Pinball((0.2, 0.8)), FeatureSpec((Block("x", (3, 4)),))])
def test_values_come_back_equal(value):
    assert round_trip(value) == value


def test_names_of_classes_are_those_of_the_package():
    assert {"MLP", "TabM", "HardSharing", "StaticWeights", "RegressionTask", "Pinball", "Blueprint"} <= set(
        KNOWN
    )
    for name, known in KNOWN.items():
        assert known.__module__.startswith("sklearn_mtl.")
        assert known.__name__ == name
    assert not set(EXTENSIBLE) & set(KNOWN.values())


class WorstTask(LossBalancer):
    def __init__(self, power=1.0):
        super().__init__()
        self.power = power

    def forward(self, losses, weights):
        return (losses * weights).max() ** self.power


class Tiny(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.linear = nn.Linear(2, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x):
        return self.norm(self.linear(x))


def test_a_class_of_ones_own_is_handed_over():
    found = round_trip(WorstTask(power=2.0), WorstTask=WorstTask)
    assert type(found) is WorstTask
    assert found.power == 2.0


def test_two_classes_of_one_name_get_names_of_their_own():
    other = type("WorstTask", (WorstTask,), {})
    encoder = Encoder()
    encoder.encode([WorstTask(), other(), WorstTask()], "x")
    assert encoder.classes == {"WorstTask": WorstTask, "WorstTask_2": other}


@pytest.mark.parametrize("given", [Tiny, Tiny()], ids=["class", "module"])
def test_a_module_of_ones_own_is_handed_over_and_gets_its_weights(given):
    module = Tiny()
    module.norm.running_mean += 1
    module.norm(torch.ones(4, 3))
    first, second = round_trip([module, ModuleTrunk(module, frozen=True)], Tiny=given)
    assert second.module is first
    assert second.frozen
    assert first is not given
    for name, tensor in module.state_dict().items():
        assert torch.equal(first.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("value", "given", "message"),
    [
        (WorstTask(), {}, r"lacks 'WorstTask' \(.*test_codec.WorstTask\). Found \[\]"),
        (WorstTask(), {"Other": 1}, r"lacks 'WorstTask'.*Found \['Other'\]"),
        (
            WorstTask(),
            {"WorstTask": Tiny},
            r"`modules\['WorstTask'\]` must be a class derived from one of Trunk",
        ),
        (WorstTask(), {"WorstTask": WorstTask()}, "must be a class derived"),
        (Tiny(), {}, r"lacks 'Tiny' \(.*test_codec.Tiny\)"),
        (Tiny(), {"Tiny": nn.Linear}, "must be a module, or a class that is made without arguments"),
        (Tiny(), {"Tiny": dict}, "must be an nn.Module or a class of one"),
        (Tiny(), {"Tiny": Tiny(width=4)}, "must have the weights that were saved"),
    ],
)
def test_what_is_handed_over_is_checked(value, given, message):
    with pytest.raises(ValueError, match=message):
        round_trip(value, **given)


class Stranger:
    pass


class Recipe(BaseEstimator):
    pass


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([{"a": Stranger()}], r"x\[0\]\.a"),
        (MLP(activation=Stranger()), r"x\.activation"),
        ({"a": {3: len}}, r"x\.a\[3\]"),
        (lambda: 0, "x"),
        (Recipe(), "x"),
        (torch.optim.Adagrad, "x"),
        (Tiny, "x"),
        (Stranger, "x"),
        ({1, 2}, "x"),
        (1j, "x"),
        (np.array([1j]), "x"),
        pytest.param(np.zeros(1, dtype=np.longdouble), "x", marks=LONG_DOUBLE),
        pytest.param(np.longdouble(1), "x", marks=LONG_DOUBLE),
        (np.zeros(1, dtype=[("a", "i4")]), "x"),
        (np.array([Stranger()], dtype=object), r"x\[0\]"),
        (np.datetime64("2020-01-01"), "x"),
        (np.random.default_rng(0), "x"),
        (torch.zeros(1), "x"),
        (pd.Series([1.0]), "x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_file_can_not_hold_is_refused_by_name(value, where):
    with pytest.raises(TypeError, match=rf"^`{where}` must be what a file can hold: .*Found "):
        Encoder().encode(value, "x")


def test_a_module_whose_state_is_no_array_is_refused():
    encoder = Encoder()
    encoder.encode(nn.Linear(2, 2).bfloat16(), "trunk")
    with pytest.raises(TypeError, match="The state of Linear must be tensors that numpy can hold"):
        encoder.own()


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"object": {"class": "os.system", "fields": {}}},
            "a class that sklearn_mtl does not have: 'os.system'",
        ),
        ({"object": {"class": "MultiTaskRegressor", "fields": {}}}, "does not have"),
        ({"eval": "1"}, r"does not know: \['eval'\]"),
        ({"_init__": 1}, "does not know"),
        ({"float": 1, "map": 2}, r"does not know: \['float', 'map'\]"),
        ({}, r"does not know: \[\]"),
        ({"array": "other"}, "lacks the array 'other'"),
        ({"float": "x"}, "could not convert"),
    ],
)
def test_nothing_else_is_decoded(node, message):
    with pytest.raises(ValueError, match=message):
        decode([node])


@pytest.mark.parametrize(
    "node", [{"object": {}}, {"own": {"class": "X", "fields": {}}}, {"optimizer": "eval"}]
)
def test_what_is_not_there_is_not_found(node):
    with pytest.raises(KeyError):
        decode(node)


def test_two_classes_of_one_name_are_refused():
    own = type("Pinball", (SquaredError,), {"__module__": "elsewhere"})
    assert by_name([MLP, TabM, MLP]) == {"MLP": MLP, "TabM": TabM}
    with pytest.raises(
        ValueError, match=r"their own names\. Found .*regression\.Pinball and elsewhere\.Pinball\."
    ):
        by_name([Pinball, own])
