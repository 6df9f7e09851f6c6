import re

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.datasets import make_dependent_tasks


def test_labels_are_functions_of_the_class_but_for_those_flipped():
    X, Y = make_dependent_tasks(1000, 6, n_dependent=3, n_classes=5, flipped=0.1, random_state=0)
    assert X.shape == (1000, 6)
    assert list(Y) == ["origin", "dependent0", "dependent1", "dependent2"]
    for name in list(Y)[1:]:
        of_class = pd.Series(Y[name]).groupby(Y["origin"]).mean().round()
        assert of_class.sum() == 2
        assert (of_class[Y["origin"]].to_numpy() != Y[name]).sum() == 100


@pytest.mark.parametrize("n_classes", [2, 6])
def test_classes_are_of_roughly_equal_frequency(n_classes):
    _, Y = make_dependent_tasks(5_000, n_classes=n_classes, random_state=0)
    counts = np.bincount(Y["origin"])
    assert len(counts) == n_classes
    assert counts.min() > 0.4 * 5_000 / n_classes


@pytest.mark.parametrize("string_labels", [False, True])
def test_missing_labels_are_an_exact_share_of_the_dependent_tasks(string_labels):
    options = {"n_dependent": 2, "string_labels": string_labels, "random_state": 0}
    X, Y = make_dependent_tasks(**options)
    X_gaps, Y_gaps = make_dependent_tasks(missing_labels=0.25, **options)
    np.testing.assert_array_equal(X, X_gaps)
    np.testing.assert_array_equal(Y["origin"], Y_gaps["origin"])
    for name in ("dependent0", "dependent1"):
        missing = pd.isna(Y_gaps[name])
        assert missing.sum() == 50
        assert (Y_gaps[name][~missing] == Y[name][~missing]).all()


def test_string_labels_name_the_same_classes():
    _, codes = make_dependent_tasks(random_state=0)
    _, names = make_dependent_tasks(string_labels=True, random_state=0)
    for task in codes:
        assert names[task].tolist() == [f"class{code}" for code in codes[task]]


def test_same_seed_same_data_and_X_does_not_depend_on_the_labels():
    X, Y = make_dependent_tasks(random_state=3)
    X_again, Y_again = make_dependent_tasks(random_state=3)
    np.testing.assert_array_equal(X, X_again)
    np.testing.assert_array_equal(Y["dependent0"], Y_again["dependent0"])
    np.testing.assert_array_equal(X, make_dependent_tasks(n_dependent=4, n_classes=3, random_state=3)[0])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_samples", 0),
        ("n_features", 1),
        ("n_dependent", -1),
        ("n_classes", 1),
        ("n_factors", 0.5),
        ("noise", -0.1),
        ("flipped", 1.5),
        ("missing_labels", 1.0),
    ],
)
def test_bad_parameter_is_named_with_what_was_found(parameter, value):
    with pytest.raises(ValueError, match=rf"`{parameter}` must be .* Found {re.escape(repr(value))}\."):
        make_dependent_tasks(**{parameter: value})
