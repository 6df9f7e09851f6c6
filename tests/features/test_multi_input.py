"""Tests of several inputs as one X."""

import numpy as np
import pytest

from sklearn_mtl import MultiInput


@pytest.mark.parametrize("name", ["", "a.b", "a__b", "a_codes", "a_lengths", "a_present"])
def test_names_that_the_network_cannot_have_are_refused(name):
    with pytest.raises(ValueError, match="The name of an input must not be empty, end in one of"):
        MultiInput({name: np.eye(3)})


def test_rows_of_a_list_stay_rows_of_a_list():
    X = MultiInput({"a": [[1.0, 2.0], [3.0, 4.0]]})
    assert type(X[[1]]["a"]) is type(X["a"]) is not np.ndarray
