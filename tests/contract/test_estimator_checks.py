"""scikit-learn's own checks of estimators, on the three classes; and that they are really run."""

import os
import subprocess
import sys
from collections import Counter
from unittest import SkipTest

import pytest
import sklearn
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP

IS_1_9 = sklearn.__version__.startswith("1.9.")
CLASSES = [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor]

# How many checks there are of each class in scikit-learn 1.9, which the tests run with; one less, that
# NaN is refused, where `preprocessing="auto"` takes it.
N_CHECKS = {MultiTaskClassifierRegressor: 55, MultiTaskClassifier: 73, MultiTaskRegressor: 66}
# Other releases have other checks, but never few.
FEWEST_CHECKS = 40

# Skipped by scikit-learn itself, for what the estimator or the environment does not have.
SKIPPED = {
    MultiTaskClassifierRegressor: {"check_array_api_input"},
    MultiTaskClassifier: {
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    },
    MultiTaskRegressor: {"check_array_api_input"},
}

# The only check that can't be met by how networks are usually trained.
IMPOSSIBLE = {
    f"check_sample_weight_equivalence_on_{kind}_data": (
        "Asks that a row of weight 2 is the same as two rows to 1e-7: with mini-batches they fall into "
        "different steps, and with float32 the sums differ in the last digits."
    )
    for kind in ("dense", "sparse")
}


# The toy data of some checks has a single class, or floats of 0 and 1: our warnings are in place.
toy_targets = pytest.mark.filterwarnings("ignore:Task 'y' has:UserWarning")


def default(cls):
    """Return an instance with the default settings but for the bag and the epochs, which only take time."""
    return cls(n_bags=1, max_epochs=5)


def exact(cls):
    """Return an instance for which weighing a row is exactly repeating it."""
    return cls(
        trunk=MLP((16,)),
        preprocessing=StandardScaler(with_mean=False),
        precision="float64",
        batch_size=10_000,
        max_epochs=15,
        lr=0.05,
        early_stopping=False,
        n_bags=1,
    )


def expected_failed_checks(estimator):
    return {} if estimator.precision == "float64" else IMPOSSIBLE


# Every check is met with the default settings and, those of weights among them, with exact training. The
# default preprocessing of a plain network is that of all three classes.
VARIANTS = [
    *(variant(cls) for variant in (default, exact) for cls in CLASSES),
    MultiTaskClassifierRegressor(trunk=MLP((16,)), n_bags=1, max_epochs=2, linear_blend=False),
]


@toy_targets
@parametrize_with_checks(VARIANTS, expected_failed_checks=expected_failed_checks)
def test_checks_of_scikit_learn(estimator, check):
    try:
        check(estimator)
    except SkipTest:
        assert check.func.__name__ in SKIPPED[type(estimator)]
        raise


def assert_count(found, estimator):
    if IS_1_9:
        assert found == N_CHECKS[type(estimator)] - (estimator.preprocessing == "auto")
    else:
        assert found >= FEWEST_CHECKS


@pytest.mark.skipif(not IS_1_9, reason="earlier ones hand pytest a generator, read only once")
@pytest.mark.parametrize("cls", CLASSES)
def test_every_check_of_every_variant_is_collected(cls):
    (mark,) = (m for m in test_checks_of_scikit_learn.pytestmark if m.name == "parametrize")
    collected = Counter(str(getattr(case, "values", case)[0]) for case in mark.args[1])
    assert len(collected) == len(VARIANTS)
    for variant in VARIANTS:
        if type(variant) is cls:
            assert_count(collected[str(variant)], variant)


@pytest.mark.skipif(not IS_1_9, reason="earlier ones have this check only for array API estimators")
def test_the_check_that_is_skipped_for_want_of_a_variable_passes_as_well():
    # SCIPY_ARRAY_API is read when scipy is imported, hence an interpreter of its own.
    code = """
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP

for cls in (MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor):
    made = cls(trunk=MLP((8,)), n_bags=1, max_epochs=2, early_stopping=False)
    for estimator, check in estimator_checks_generator(made):
        if check.func.__name__ == "check_array_api_input":
            check(estimator)
            print(cls.__name__)
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [cls.__name__ for cls in CLASSES], done.stderr
