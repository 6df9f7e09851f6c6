import copy

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl.tasks.fingerprint import fingerprint
from sklearn_mtl.trunks import MLP, ModuleTrunk

VALUES = [
    1.0,
    {"a": (1, "b"), "c": [None]},
    np.arange(3),
    MLP((3,)),
    torch.arange(3.0),
    torch.tensor(2.0),
    [torch.ones(2, 3, dtype=torch.bfloat16).T],
    nn.Linear(2, 2),
    ModuleTrunk(nn.BatchNorm1d(3)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_copies_are_alike_and_others_are_not(value):
    assert fingerprint(copy.deepcopy(value)) == fingerprint(value)
    assert [fingerprint(other) == fingerprint(value) for other in VALUES].count(True) == 1


def test_tensors_of_other_values_shapes_and_dtypes_differ():
    ones = [torch.ones(2), torch.ones(2, 1), torch.ones(2).double(), torch.zeros(2), torch.ones(2).int()]
    assert len({fingerprint(tensor) for tensor in ones}) == len(ones)


def test_what_cannot_be_pickled_is_like_nothing_else():
    def function():
        """Of a test."""

    assert fingerprint(function) != fingerprint(function)
    assert fingerprint({"f": lambda: 0}) != fingerprint({"f": lambda: 0})
