"""Pictures and a table of the same houses, whose price and type follow from them."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.datasets import make_house_images

TYPES = ["bungalow", "detached", "semi-detached", "terraced"]


def test_pictures_table_and_labels_are_of_the_same_houses():
    X, Y = make_house_images(60, size=32, random_state=0)
    assert list(X) == ["photo", "table"]
    assert X["photo"].shape == (60, 32, 32, 3)
    assert X["photo"].dtype == np.uint8
    assert list(X["table"]) == ["area", "rooms", "year", "district"]
    assert isinstance(X["table"]["district"].dtype, pd.CategoricalDtype)
    assert list(Y) == ["price", "type"]
    assert sorted(set(Y["type"])) == TYPES
    assert (Y["price"] > 0).all()


def test_same_seed_same_houses_whatever_size_and_noise():
    X, Y = make_house_images(40, random_state=3)
    again, Y_again = make_house_images(40, random_state=3)
    np.testing.assert_array_equal(X["photo"], again["photo"])
    np.testing.assert_array_equal(Y["price"], Y_again["price"])
    other, Y_other = make_house_images(40, size=16, noise=0.0, random_state=3)
    pd.testing.assert_frame_equal(X["table"], other["table"])
    np.testing.assert_array_equal(Y["type"], Y_other["type"])
    assert np.std(np.log(Y["price"] / Y_other["price"])) == pytest.approx(0.1, abs=0.03)
    # The same picture, of fewer pixels.
    smaller = X["photo"].reshape(40, 16, 4, 16, 4, 3).mean((2, 4))
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(smaller, other["photo"], strict=True)]
    assert np.median(alike) > 0.8


def test_what_a_picture_shows_is_seen_in_it():
    X, Y = make_house_images(400, size=32, random_state=0)
    # The neighbours of a terraced house reach both sides of the picture, above the ground.
    edges = X["photo"][:, 14:22, [0, -1]].astype(float)
    sky = X["photo"][:, :4].astype(float).mean((1, 2))[:, None, None]
    has_neighbour = (np.abs(edges - sky).mean((1, 3)) > 20).sum(1)
    of_type = pd.Series(has_neighbour).groupby(Y["type"]).mean()
    assert of_type["terraced"] > 1.5 > of_type["semi-detached"] > 0.7 > of_type["detached"]
    assert of_type["bungalow"] < 0.5


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_samples", 0), ("size", 15), ("size", 32.0), ("noise", -0.1)]
)
def test_bad_parameter_is_named_with_what_was_found(parameter, value):
    with pytest.raises(ValueError, match=rf"`{parameter}` must be .* Found {re.escape(repr(value))}\."):
        make_house_images(**{parameter: value})
