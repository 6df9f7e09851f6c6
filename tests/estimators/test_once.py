"""What fits share is made once, and only where it is the same."""

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mtl.estimators.once import MadeOnce, each
from sklearn_mtl.recipes import fingerprint


def made_from(*sources, **settings):
    return [sources, settings]


def test_sources_are_told_apart_by_identity_and_settings_by_value():
    once, a, b = MadeOnce(), np.zeros(2), np.zeros(2)
    first = once(made_from, a, how=StandardScaler(with_mean=False))
    assert once(made_from, a, how=StandardScaler(with_mean=False)) is first
    assert once(made_from, b, how=StandardScaler(with_mean=False)) is not first
    assert once(made_from, a, how=StandardScaler()) is not first
    assert once(made_from, a) is not first
    assert each(made_from, a) is not each(made_from, a)


def test_what_can_not_be_compared_is_made_anew():
    once, a = MadeOnce(), np.zeros(2)
    step = FunctionTransformer(lambda values: values)
    assert once(made_from, a, how=step) is not once(made_from, a, how=step)
    assert fingerprint(step) != fingerprint(step)


def test_sources_live_as_long_as_what_was_made_of_them():
    once = MadeOnce()
    made = [once(lambda array: array.sum(), np.full(3, value)) for value in range(50)]
    assert made == [3 * value for value in range(50)]


def test_an_error_is_raised_each_time():
    def fails(_):
        raise ValueError("no")

    once, a = MadeOnce(), np.zeros(2)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once(fails, a)
