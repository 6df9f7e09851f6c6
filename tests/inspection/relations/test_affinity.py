"""How much tasks have to do with each other: the groups that were made are found."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.ensemble import PerTask
from sklearn_mtl.inspection import suggest_groups, task_affinity
from sklearn_mtl.inspection.relations import MEASURES
from sklearn_mtl.inspection.relations.cka import linear_cka
from sklearn_mtl.sharing import Hierarchical

IN_TRAINING = ("affinity", "gradient_cosine")


@pytest.fixture(scope="module")
def data():
    """Two groups of tasks, each of both kinds."""
    return make_multitask(
        700,
        12,
        n_regression=3,
        n_binary=3,
        n_groups=2,
        n_factors=2,
        noise=0.1,
        missing_labels=0.1,
        random_state=0,
    )


@pytest.fixture(scope="module")
def est():
    return MultiTaskClassifierRegressor(trunk="mlp", max_epochs=6, lr=0.01, random_state=0)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_groups_that_were_made_are_found(data, est, measure):
    affinity = task_affinity(est, *data, measure=measure)
    assert affinity.attrs["measure"] == measure
    assert list(affinity.index) == list(affinity.columns) == list(data[1])
    assert np.isfinite(affinity).all(axis=None)
    groups = suggest_groups(affinity, 2)
    assert groups == [["regression0", "regression2", "binary1"], ["regression1", "binary0", "binary2"]]
    assert not hasattr(est, "tasks_")


def test_groups_are_what_hierarchical_takes(data, est):
    groups = suggest_groups(task_affinity(est, *data, measure="target_correlation"), 2)
    grouped = MultiTaskClassifierRegressor(
        sharing=Hierarchical(groups), trunk="mlp", n_bags=1, max_epochs=1, random_state=0
    )
    assert list(grouped.fit(*data).tasks_) == list(data[1])


@pytest.mark.parametrize("measure", ["gradient_cosine", "target_correlation", "cka"])
def test_symmetric_measures_have_1_on_the_diagonal(data, est, measure):
    X, Y = data
    few = {name: Y[name] for name in ("regression0", "binary1")}
    affinity = task_affinity(est, X, few, measure=measure).to_numpy()
    np.testing.assert_allclose(affinity, affinity.T)
    np.testing.assert_allclose(np.diag(affinity), 1, rtol=1e-5)


def test_opposite_tasks_pull_the_network_apart():
    X = np.random.default_rng(0).normal(size=(200, 1))
    # What helps one, a slope up, harms the other in all that they share: they have the same head.
    Y = {"up": np.abs(X[:, 0]), "down": X[:, 0]}
    est = MultiTaskRegressor(trunk="mlp", max_epochs=3, random_state=0)
    gradients = task_affinity(est, X, Y, measure="gradient_cosine")
    assert gradients.loc["up", "down"] < 0.9
    assert task_affinity(est, X, Y).loc["up", "up"] > 0


@pytest.mark.parametrize("measure", [*IN_TRAINING, "cka"])
def test_pipelines_and_searches_are_taken(data, measure):
    X, Y = data
    few = {name: Y[name] for name in ("regression0", "regression1")}
    within = MultiTaskClassifierRegressor(trunk="mlp", max_epochs=1, n_bags=1, random_state=0)
    alone = task_affinity(within, StandardScaler().fit_transform(X), few, measure=measure)
    pipeline = make_pipeline(StandardScaler(), within)
    pd.testing.assert_frame_equal(task_affinity(pipeline, X, few, measure=measure), alone)
    frame = pd.DataFrame(few).fillna(0.0)
    search = GridSearchCV(pipeline, {"multitaskclassifierregressor__lr": [0.004]}, cv=2).fit(X, frame)
    expected = task_affinity(pipeline, X, frame, measure=measure)
    pd.testing.assert_frame_equal(task_affinity(search, X, frame, measure=measure), expected)


@pytest.mark.parametrize("container", ["array", "frame"])
@pytest.mark.parametrize("measure", MEASURES)
def test_any_container_of_y(measure, container):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.stack([X[:, 0], X[:, 1], X[:, 0] - X[:, 1]], axis=1)
    given = y if container == "array" else pd.DataFrame(y, columns=["y0", "y1", "y2"])
    found = task_affinity(MultiTaskRegressor(trunk="mlp", max_epochs=1), X, given, measure=measure)
    assert list(found.columns) == ["y0", "y1", "y2"]


def test_one_kept_epoch_of_two_is_looked_at(data):
    """Without early stopping all steps count; users' callbacks and settings are kept."""
    X, Y = data
    few = {name: Y[name] for name in ("regression0", "regression1")}
    est = MultiTaskClassifierRegressor(trunk="mlp", max_epochs=2, early_stopping=False, random_state=0)
    assert np.isfinite(task_affinity(est, X, few)).all(axis=None)
    assert est.callbacks is None


@pytest.mark.parametrize("measure", IN_TRAINING)
def test_nothing_shared_is_said(data, measure):
    est = MultiTaskClassifierRegressor(trunk="mlp", sharing="separate", max_epochs=1)
    with pytest.raises(ValueError, match="must have parameters that several tasks train"):
        task_affinity(est, *data, measure=measure)


def test_frozen_estimators_are_fitted_anew_where_they_can_be(data):
    X, Y = data
    few = {name: Y[name] for name in ("regression0", "regression1")}
    fitted = MultiTaskClassifierRegressor(trunk="mlp", max_epochs=1, n_bags=1, random_state=0).fit(X, few)
    before = fitted.predict(X)
    expected = task_affinity(clone(fitted), X, few)
    pd.testing.assert_frame_equal(task_affinity(FrozenEstimator(fitted), X, few), expected)
    assert fitted.predict(X) == before
    with pytest.raises(TypeError, match="must be one that can be fitted again"):
        task_affinity(make_pipeline(StandardScaler(), FrozenEstimator(fitted)), X, few)


def test_bad_input_is_named(data, est):
    X, Y = data
    with pytest.raises(ValueError, match=r"`measure` must be one of \['affinity',.*Found 'cosine'"):
        task_affinity(est, X, Y, measure="cosine")
    with pytest.raises(ValueError, match=r"at least two tasks.*Found \['regression0'\]"):
        task_affinity(est, X, {"regression0": Y["regression0"]})
    with pytest.raises(TypeError, match=r"a search around one\. Found PerTask"):
        task_affinity(PerTask(), X, Y)
    with pytest.raises(TypeError, match="`estimator` must be a multi-task estimator"):
        task_affinity(StandardScaler(), X, Y)


def test_linear_cka_ignores_rotations_and_scale():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(50, 4))
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    assert linear_cka(one, 3 * one @ turn + 2) == pytest.approx(1)
    # The formula of the paper by the kernels, HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)).
    other = np.hstack([one[:, :1], rng.normal(size=(50, 2))])
    centre = np.eye(50) - 1 / 50
    kernels = [centre @ of @ of.T @ centre for of in (one, other)]
    expected = np.sum(kernels[0] * kernels[1]) / np.prod([np.linalg.norm(of) for of in kernels])
    assert linear_cka(one, other) == pytest.approx(expected)
    assert linear_cka(one, np.ones((50, 2))) == 0
