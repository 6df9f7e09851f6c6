"""What the fits of a search share is made once, and only where it is the same."""

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.estimators.cached_stages import CachedStages
from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput
from sklearn_mtl.tasks import Regression

READ = {"owner": "Estimator", "accepted": AcceptedInput.by(None)}


def read(stages, n_rows=40):
    X, y = np.arange(2.0 * n_rows).reshape(n_rows, 2), np.arange(float(n_rows))
    return stages.read(X, y, None, **READ).rows


def fitted(stages, rows, preprocessing):
    return stages.fit_encoder(rows, None, preprocessing=preprocessing, dtype=np.float32)


def test_sources_are_told_apart_by_identity_and_parameters_by_value():
    stages = CachedStages()
    rows, others = read(stages), read(stages)
    first = fitted(stages, rows, StandardScaler(with_mean=False))
    assert fitted(stages, rows, StandardScaler(with_mean=False)) is first
    assert fitted(stages, others, StandardScaler(with_mean=False)) is not first
    assert fitted(stages, rows, StandardScaler()) is not first
    assert fitted(Stages(), rows, StandardScaler()) is not fitted(Stages(), rows, StandardScaler())


def test_what_can_not_be_compared_is_made_anew():
    stages, step = CachedStages(), FunctionTransformer(lambda values: values)
    rows = read(stages)
    assert fitted(stages, rows, step) is not fitted(stages, rows, step)


def test_sources_live_as_long_as_what_was_made_of_them():
    stages = CachedStages()
    found = [read(stages, n_rows) for n_rows in range(20, 40)]
    assert [len(rows) for rows in found] == list(range(20, 40))


def test_an_error_is_raised_each_time():
    stages, X = CachedStages(), np.zeros((3, 2))
    for _ in range(2):
        with pytest.raises(ValueError, match="X has 3 rows"):
            stages.read(X, np.zeros(1), None, **READ)


@pytest.mark.parametrize("stages", [Stages(), CachedStages()], ids=lambda stages: type(stages).__name__)
def test_from_rows_to_what_nets_learn_from(stages):
    rows, kinds = read(stages), {"y": Regression()}
    data = FitData(rows.X, rows.columns["y"].values)
    splits = stages.split(rows, kinds, data, validation_fraction=0.25, n_nets=2, seed=0)
    training = stages.training_rows(rows, splits)
    assert len(training) == 40
    tasks = stages.bind(training, kinds=kinds, classes={}, calibrate=True)
    assert list(tasks.names) == ["y"]
    parameters = FitParameters.of(MultiTaskRegressor(device="cpu"), MultiTaskRegressor._kind_rule)
    table = stages.encode(rows, fitted(stages, training, None), tasks, parameters.training_settings(30))
    assert table.y.shape == (40, 1)


def test_a_fold_leaves_out_tasks_without_a_label():
    stages, X = Stages(), np.zeros((4, 2))
    y = {"price": np.arange(4.0), "gone": np.full(4, np.nan)}
    rows = stages.read(X, y, None, **READ).rows
    assert stages.left_out(rows, fold=None) == []
    with pytest.warns(UserWarning, match="training rows of fold 1 have no label of the tasks"):
        assert stages.left_out(rows, fold="fold 1") == ["gone"]
    assert list(stages.without(rows, names=["gone"]).columns) == ["price"]
