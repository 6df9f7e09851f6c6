"""Outliers are squashed where a column has them, and other columns keep their shape."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_mtl.features.clipping import FARTHEST, LIMIT, OutlierClip, smooth_clip

RNG = np.random.default_rng(0)


def test_normal_columns_stay_as_they_are():
    # In interquartile ranges, as they come in.
    X = RNG.normal(size=(100_000, 3)) / 1.349
    assert (OutlierClip().fit(X).transform(X) == X).all()


def test_columns_with_outliers_are_squashed_and_keep_their_order():
    X = np.sort(RNG.standard_t(2, size=(500, 1)), axis=0)
    clipped = OutlierClip().fit(X).transform(X)
    assert np.abs(X).max() > FARTHEST
    np.testing.assert_array_equal(clipped, smooth_clip(X))
    assert np.abs(clipped).max() < LIMIT
    assert (np.diff(clipped[:, 0]) > 0).all()


@pytest.mark.parametrize("value", [1e300, -1e300, 5.0])
def test_later_outliers_are_held_to_the_range(value):
    X = RNG.uniform(-1, 1, size=(50, 2))
    assert OutlierClip().fit(X).transform(np.array([[value, 0.5]])).tolist() == [
        [np.copysign(FARTHEST, value), 0.5]
    ]


def test_a_row_is_clipped_by_itself():
    X = RNG.standard_t(2, size=(64, 5))
    clip = OutlierClip().fit(X)
    together = clip.transform(X)
    assert (np.vstack([clip.transform(row[None]) for row in X]) == together).all()


def test_it_is_a_transformer_of_scikit_learn():
    clip = clone(OutlierClip()).fit(np.zeros((3, 2)))
    assert clip.get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]
    assert clip.transform(np.empty((0, 2))).shape == (0, 2)
    assert OutlierClip().fit(np.empty((0, 2))).has_outliers_.tolist() == [False, False]


def test_what_was_given_is_not_changed():
    X = np.array([[9.0, 1.0]])
    OutlierClip().fit(X).transform(X)
    assert X.tolist() == [[9.0, 1.0]]
