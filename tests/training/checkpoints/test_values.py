"""Plain values and tensors come back from JSON and arrays as they were, and nothing else is taken."""

import json
from collections import Counter, OrderedDict
from typing import NamedTuple

import numpy as np
import pytest
import torch

from sklearn_mtl.training.checkpoints.values import CannotHold, Packer, unpacked

CPU = torch.device("cpu")


class Pair(NamedTuple):
    x: int
    y: int


def again(value):
    packer = Packer()
    packed = json.loads(json.dumps(packer.pack(value, "value"), allow_nan=False))
    return unpacked(packed, packer.arrays, CPU)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**70,
        "text",
        0.1,
        float("-inf"),
        [1, [2.5]],
        (1, ("a",)),
        {"a": 1, "b": {}},
        {0: "x", (1, 2): None},
        OrderedDict(b=1, a=2),
        Counter({3: 2}),
        np.float32(0.1),
        np.int64(7),
        np.bool_(True),
        np.str_("s"),
    ],
    ids=repr,
)
def test_plain_values_come_back_with_their_types(value):
    found = again(value)
    assert found == value
    assert type(found) is type(value)


def test_nan_comes_back():
    assert np.isnan(again(float("nan")))
    assert np.isnan(again(np.float32("nan")))


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex64, torch.int64, torch.bool]
)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_tensors_come_back_to_the_bit(dtype, shape):
    tensor = torch.arange(6.0)[: int(np.prod(shape))].reshape(shape).to(dtype)
    (found,) = again([tensor])
    assert found.dtype == dtype
    assert torch.equal(found, tensor)
    found.fill_(0)  # It can be written to.


def test_arrays_and_tensors_that_do_not_lie_together_come_back():
    array, tensor = np.arange(6.0).reshape(2, 3).T, torch.arange(6.0).reshape(2, 3).T
    found = again({"array": array, "tensor": tensor})
    np.testing.assert_array_equal(found["array"], array)
    assert torch.equal(found["tensor"], tensor)


def test_one_tensor_in_two_places_is_one_again():
    tensor = torch.ones(2)
    packer = Packer()
    packed = packer.pack({"a": tensor, "b": [tensor]}, "value")
    assert list(packer.arrays) == ["value.a"]
    found = unpacked(packed, packer.arrays, CPU)
    assert found["a"] is found["b"][0]


@pytest.mark.parametrize(
    "value",
    [{1}, object(), Pair(1, 2), print, np.array(["a"]), np.array([None]), torch.optim.AdamW, 1j],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_refused_with_their_place(value):
    with pytest.raises(CannotHold, match=rf"value\.state\[1\] of type {type(value).__name__}"):
        again({"state": [0, value]})
