import numpy as np
import pytest
from scipy.special import expit, log_softmax

from sklearn_mtl.tasks.log_odds import log_odds, log_of, normalized


def test_two_classes_have_the_log_odds_of_the_second():
    logits = np.array([-800.0, -2.0, 0.0, 40.0, 800.0])
    logs = np.column_stack([np.log(expit(-1.0)) * np.ones(5), np.log(expit(-1.0)) + logits])
    np.testing.assert_allclose(log_odds(logs), logits)


def test_several_classes_are_ranked_as_by_probability_where_that_has_no_digits_left():
    logits = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 50.0], [0.0, 0.0, 60.0], [900.0, 0.0, -900.0]])
    found = log_odds(log_softmax(logits, axis=1))
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == [2, 2, 2, 0]).all()
    probability = np.exp(log_softmax(logits[0]))
    np.testing.assert_allclose(found[0], np.log(probability / (1 - probability)))
    # Both probabilities are 1 in float64.
    assert found[1, 2] < found[2, 2] < found[3, 0]


def test_equal_classes_have_equal_odds():
    for n_classes in range(3, 12):
        found = log_odds(np.full((1, n_classes), -np.log(n_classes)))
        assert np.ptp(found) == 0


def test_a_single_class_is_never_taken_for_the_second_of_two():
    found = log_odds(np.zeros((3, 1)))
    assert found.shape == (3,)
    assert (found < 0).all()
    assert np.isfinite(found).all()


def test_logarithms_are_finite_and_normalized():
    assert log_of(np.array([0.0, 1.0])) == pytest.approx([-708.396, 0.0])
    np.testing.assert_allclose(np.exp(normalized(np.log([[2.0, 6.0]]))), [[0.25, 0.75]])
