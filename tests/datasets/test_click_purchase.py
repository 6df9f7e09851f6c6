import re

import numpy as np
import pytest

from sklearn_mtl.datasets import make_click_purchase


def test_nobody_buys_without_a_click_and_the_rates_are_those_asked_for():
    X, Y = make_click_purchase(1000, 7, click_rate=0.3, purchase_rate=0.1, random_state=0)
    assert X.shape == (1000, 7)
    assert list(Y) == ["click", "purchase"]
    assert (Y["purchase"] <= Y["click"]).all()
    assert Y["click"].sum() == 300
    assert Y["purchase"].sum() == 30


def test_the_clicked_rows_are_more_likely_to_be_bought_than_all_would_be():
    # What decides on a purchase where all are clicked is the same as where few are.
    same = {"n_samples": 5_000, "noise": 0.0, "random_state": 0}
    _, all_clicked = make_click_purchase(**same, click_rate=1.0)
    for relatedness, more in ((0.8, True), (0.0, False)):
        _, all_clicked = make_click_purchase(**same, click_rate=1.0, relatedness=relatedness)
        _, few_clicked = make_click_purchase(**same, relatedness=relatedness)
        among_clicked = all_clicked["purchase"][few_clicked["click"] == 1].mean()
        assert (among_clicked > 0.3) == more
        assert more or among_clicked == pytest.approx(0.2, abs=0.04)


def test_string_labels_name_the_same_classes():
    _, codes = make_click_purchase(random_state=0)
    _, names = make_click_purchase(string_labels=True, random_state=0)
    for task in codes:
        assert names[task].tolist() == [f"class{code}" for code in codes[task]]


def test_same_seed_same_data_and_X_does_not_depend_on_the_labels():
    X, Y = make_click_purchase(random_state=3)
    X_again, Y_again = make_click_purchase(random_state=3)
    np.testing.assert_array_equal(X, X_again)
    np.testing.assert_array_equal(Y["purchase"], Y_again["purchase"])
    np.testing.assert_array_equal(X, make_click_purchase(click_rate=0.5, n_factors=1, random_state=3)[0])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_samples", 0),
        ("n_features", 2),
        ("n_factors", 0),
        ("click_rate", 1.2),
        ("purchase_rate", "0.1"),
        ("relatedness", -0.1),
        ("noise", float("inf")),
    ],
)
def test_bad_parameter_is_named_with_what_was_found(parameter, value):
    with pytest.raises(ValueError, match=rf"`{parameter}` must be .* Found {re.escape(repr(value))}\."):
        make_click_purchase(**{parameter: value})
