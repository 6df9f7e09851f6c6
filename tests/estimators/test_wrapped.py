"""The estimator is found in what passes its predictions on, and in nothing else."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifier
from sklearn_mtl.estimators.wrapped import held_by, innermost


def test_what_has_not_been_fitted_holds_what_it_will_fit(quick):
    est = quick()
    search = GridSearchCV(make_pipeline(StandardScaler(), est), {})
    assert innermost(search)[0] is est
    assert innermost(FrozenEstimator(est))[0] is est
    assert held_by(Ridge()) is None


def test_the_steps_before_it_transform_x(quick, houses):
    X, Y = houses
    pipe = make_pipeline(StandardScaler(), quick()).fit(X, Y)
    found, seen = innermost(pipe, X)
    assert found is pipe[-1]
    np.testing.assert_array_equal(seen, StandardScaler().fit_transform(X))


@pytest.mark.parametrize(
    ("make", "within"),
    [(lambda est: Ridge(), ""), (lambda est: make_pipeline(FixedThresholdClassifier(est)), " with Fixed")],
)
def test_what_may_predict_otherwise_is_refused(quick, make, within):
    with pytest.raises(TypeError, match=rf"must be a multi-task estimator .*Found \w+{within}"):
        innermost(make(quick(MultiTaskClassifier)))
