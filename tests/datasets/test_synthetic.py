import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sklearn_mtl.datasets import make_multitask


def test_tasks_are_named_by_kind_and_number():
    X, Y = make_multitask(30, 8, n_regression=2, n_binary=1, n_multiclass=2, random_state=0)
    assert X.shape == (30, 8)
    assert X.dtype == np.float64
    assert list(Y) == ["regression0", "regression1", "binary0", "multiclass0", "multiclass1"]
    assert {labels.shape for labels in Y.values()} == {(30,)}


def test_there_may_be_no_task():
    assert make_multitask(n_regression=0)[1] == {}


def test_same_seed_same_data():
    X, Y = make_multitask(n_binary=1, random_state=3)
    X_again, Y_again = make_multitask(n_binary=1, random_state=3)
    np.testing.assert_array_equal(X, X_again)
    np.testing.assert_array_equal(Y["regression0"], Y_again["regression0"])
    np.testing.assert_array_equal(Y["binary0"], Y_again["binary0"])


def test_X_does_not_depend_on_the_tasks():
    X, _ = make_multitask(n_regression=1, random_state=0)
    X_more, _ = make_multitask(n_regression=4, n_multiclass=2, relatedness=0.3, random_state=0)
    np.testing.assert_array_equal(X, X_more)


def test_global_random_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is tested
    make_multitask(random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("relatedness", [0.0, 0.5, 1.0])
def test_signal_has_mean_0_and_variance_1(relatedness):
    _, Y = make_multitask(20_000, noise=0, relatedness=relatedness, random_state=0)
    assert abs(Y["regression0"].mean()) < 0.05
    assert Y["regression0"].std() == pytest.approx(1, abs=0.05)


def test_noise_is_in_units_of_the_signal():
    _, clean = make_multitask(20_000, noise=0, random_state=0)
    _, noisy = make_multitask(20_000, noise=0.5, random_state=0)
    assert (noisy["regression0"] - clean["regression0"]).std() == pytest.approx(0.5, abs=0.02)


def test_linear_model_reaches_the_share_that_the_docstring_gives():
    X, Y = make_multitask(20_000, noise=0, random_state=0)
    assert LinearRegression().fit(X, Y["regression0"]).score(X, Y["regression0"]) == pytest.approx(
        0.85, abs=0.02
    )


def _mean_abs_alignment(relatedness):
    """How much of one task's direction in X lies in the space of the other tasks' directions."""
    X, Y = make_multitask(
        5_000, 40, n_regression=8, n_factors=3, relatedness=relatedness, noise=0, random_state=0
    )
    directions = np.array([LinearRegression().fit(X, labels).coef_ for labels in Y.values()])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    basis, _ = np.linalg.qr(directions[1:4].T)
    return np.linalg.norm(basis.T @ directions[0])


def test_related_tasks_share_their_directions():
    assert _mean_abs_alignment(1.0) > 0.95
    assert _mean_abs_alignment(0.0) < 0.6


def _linear(**parameters):
    """Return the coefficients of a linear model of each task, of length 1."""
    settings = {"n_factors": 1, "noise": 0.0, "random_state": 0, **parameters}
    X, Y = make_multitask(10_000, 12, **settings)
    coefficients = np.array([LinearRegression().fit(X, labels).coef_ for labels in Y.values()])
    return coefficients / np.linalg.norm(coefficients, axis=1, keepdims=True)


def test_only_tasks_of_a_group_share_factors():
    directions = _linear(n_regression=6, n_groups=2)
    found = np.abs(directions @ directions.T)
    same_group = np.arange(6)[:, None] % 2 == np.arange(6) % 2
    np.testing.assert_allclose(found, same_group, atol=0.08)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
def test_correlation_is_that_between_what_tasks_see_of_a_factor(correlation):
    directions = _linear(n_regression=12, correlation=correlation)
    found = np.abs(directions @ directions.T)[np.triu_indices(12, 1)]
    assert found.mean() == pytest.approx(correlation, abs=0.25 * (1 - correlation) + 0.02)


@pytest.mark.parametrize("difficulty", [0.5, 1.5, 2.0])
def test_difficulty_is_the_frequency_of_the_factors(difficulty):
    X, Y = make_multitask(20_000, noise=0, difficulty=difficulty, random_state=0)
    y = Y["regression0"]
    assert y.std() == pytest.approx(1, abs=0.05)
    reached = {0.5: 0.99, 1.5: 0.48, 2.0: 0.15}[difficulty]
    assert LinearRegression().fit(X, y).score(X, y) == pytest.approx(reached, abs=0.02)


def test_each_task_may_have_a_difficulty_and_noise_of_its_own():
    same = {"n_samples": 5_000, "n_regression": 2, "random_state": 0}
    _, clean = make_multitask(**same, noise=0)
    _, Y = make_multitask(**same, noise=(0.5, 2.0))
    assert [(Y[name] - clean[name]).std() for name in Y] == pytest.approx([0.5, 2.0], rel=0.05)
    _, easy_and_hard = make_multitask(**same, noise=0, difficulty=np.array([1.0, 2.0]))
    np.testing.assert_array_equal(easy_and_hard["regression0"], clean["regression0"])
    assert (easy_and_hard["regression1"] != clean["regression1"]).any()


def test_signal_of_groups_that_are_alike_has_mean_0_and_variance_1():
    _, Y = make_multitask(
        20_000, n_regression=4, n_groups=2, correlation=0.5, relatedness=0.5, noise=0, random_state=0
    )
    for labels in Y.values():
        assert abs(labels.mean()) < 0.05
        assert labels.std() == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_classes_are_codes_of_roughly_equal_frequency(n_classes):
    _, Y = make_multitask(5_000, n_multiclass=1, n_classes=n_classes, n_binary=1, random_state=0)
    assert np.bincount(Y["binary0"], minlength=2).min() > 0.4 * 5_000
    counts = np.bincount(Y["multiclass0"])
    assert len(counts) == n_classes
    assert counts.min() > 0.4 * 5_000 / n_classes


def test_string_labels_name_the_same_classes():
    _, codes = make_multitask(n_binary=1, n_multiclass=1, random_state=0)
    _, names = make_multitask(n_binary=1, n_multiclass=1, string_labels=True, random_state=0)
    for task in ("binary0", "multiclass0"):
        assert names[task].tolist() == [f"class{code}" for code in codes[task]]


@pytest.mark.parametrize("string_labels", [False, True])
def test_missing_labels_are_an_exact_share_and_change_no_other(string_labels):
    options = {"n_binary": 1, "n_multiclass": 1, "string_labels": string_labels, "random_state": 0}
    X, Y = make_multitask(**options)
    X_gaps, Y_gaps = make_multitask(missing_labels=0.25, **options)
    np.testing.assert_array_equal(X, X_gaps)
    for task, labels in Y_gaps.items():
        missing = pd.isna(labels)
        assert missing.sum() == 50
        assert (labels[~missing] == Y[task][~missing]).all()
    assert Y_gaps["regression0"].dtype == np.float64
    assert set(Y_gaps["binary0"][pd.isna(Y_gaps["binary0"])]) == {None}


def test_few_features_limit_the_factors():
    _, Y = make_multitask(20_000, 2, n_factors=5, relatedness=0.5, noise=0, random_state=0)
    assert Y["regression0"].std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_samples", 0),
        ("n_features", 1),
        ("n_regression", -1),
        ("n_binary", 1.5),
        ("n_multiclass", "3"),
        ("n_classes", 1),
        ("n_factors", 0),
        ("relatedness", 1.1),
        ("n_groups", 0),
        ("correlation", -0.5),
        ("difficulty", 0.0),
        ("difficulty", [1.0, 2.0]),
        ("difficulty", "hard"),
        ("noise", -0.1),
        ("noise", (0.1, 0.2)),
        ("missing_labels", 1.0),
        ("missing_labels", float("nan")),
    ],
)
def test_bad_parameter_is_named_with_what_was_found(parameter, value):
    with pytest.raises(ValueError, match=rf"`{parameter}` must be .* Found {re.escape(repr(value))}\."):
        make_multitask(**{parameter: value})


def test_one_bad_value_of_several_is_named():
    with pytest.raises(ValueError, match=r"`noise` must be a finite number of at least 0\. Found -1\."):
        make_multitask(n_regression=2, noise=[0.1, -1])


def test_groups_need_columns():
    with pytest.raises(ValueError, match=r"`n_features` must be at least 6 for 4 groups.* Found 5\."):
        make_multitask(n_features=5, n_groups=4, correlation=0.5)
