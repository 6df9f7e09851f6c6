import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logsumexp, softmax

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import MLP, TabM

DEVIATION = 0.5


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=300,
        n_features=6,
        n_regression=1,
        n_binary=1,
        n_multiclass=1,
        n_factors=2,
        noise=1.0,
        random_state=0,
    )
    Y["sets"] = (
        np.column_stack([X[:, 0], X[:, 1] - 1]) + np.random.RandomState(0).normal(size=(300, 2)) > 0
    ) * 1
    halves = [slice(0, 100), slice(100, 300)]
    return [(X[rows], {name: y[rows] for name, y in Y.items()}) for rows in halves]


def fitted(data, **params):
    """Certain of itself: trained on and on, on a hundred rows of noise."""
    (X, Y), (X_val, Y_val) = data
    settings = {"trunk": MLP((32,)), "lr": 0.03, "max_epochs": 40, "patience": 40, "ema_decay": None}
    est = MultiTaskClassifierRegressor(
        n_bags=1, random_state=0, precision="float64", linear_blend=False, **{**settings, **params}
    )
    return est.fit(X, Y, X_val=X_val, y_val=Y_val)


@pytest.fixture(scope="module")
def pair(data):
    return fitted(data), fitted(data, calibrate=False)


def log_loss(proba, y):
    return -np.log(np.clip(proba[np.arange(len(y)), y], 1e-30, None)).mean()


def test_calibration_lowers_the_log_loss_of_the_validation_rows(data, pair):
    X, Y = data[1]
    with_, without = (est.predict_proba(X) for est in pair)
    for name in ("binary0", "multiclass0"):
        before, after = (log_loss(proba[name], Y[name]) for proba in (without, with_))
        assert after < before
    pairs = [np.where(Y["sets"] == 1, proba["sets"], 1 - proba["sets"]) for proba in (without, with_)]
    assert -np.log(pairs[1]).mean() <= -np.log(pairs[0]).mean()


def test_calibration_keeps_labels_and_regressions(data, pair):
    X, _ = data[1]
    with_, without = (est.predict(X) for est in pair)
    for name in ("binary0", "multiclass0", "sets"):
        np.testing.assert_array_equal(with_[name], without[name])
    low, high = data[0][1]["regression0"].min(), data[0][1]["regression0"].max()
    np.testing.assert_array_equal(with_["regression0"], np.clip(without["regression0"], low, high))


def least(negative_log_likelihood):
    """The log-scale that scipy finds best under the normal prior."""
    found = minimize_scalar(
        lambda s: negative_log_likelihood(np.exp(s)) + s**2 / (2 * DEVIATION**2),
        bounds=(-5, 5),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return np.exp(found.x)


def test_temperatures_are_those_that_scipy_finds(data, pair):
    X, Y = data[1]
    with_, without = pair
    proba = without.predict_proba(X)
    # Logits up to a constant, which a softmax does not see.
    binary = np.log(proba["binary0"][:, 1] / proba["binary0"][:, 0])
    multi = np.log(proba["multiclass0"])
    sets = np.log(proba["sets"] / (1 - proba["sets"]))

    def sigmoid_loss(logits, y):
        return lambda scale: -np.log(expit(np.where(y == 1, 1, -1) * scale * logits)).sum()

    expected = {
        "binary0": least(sigmoid_loss(binary, Y["binary0"])),
        "multiclass0": least(
            lambda scale: -log_softmax(scale * multi, axis=1)[np.arange(len(X)), Y["multiclass0"]].sum()
        ),
        "sets": least(sigmoid_loss(sets, Y["sets"])),
    }
    assert max(abs(scale - 1) for scale in expected.values()) > 0.1
    got = with_.predict_proba(X)
    np.testing.assert_allclose(got["binary0"][:, 1], expit(expected["binary0"] * binary), rtol=1e-4)
    np.testing.assert_allclose(
        got["multiclass0"], softmax(expected["multiclass0"] * multi, axis=1), rtol=1e-4
    )
    np.testing.assert_allclose(got["sets"], expit(expected["sets"] * sets), rtol=1e-4)


def test_members_are_averaged_before_the_log_loss(data):
    X, Y = data[1]
    trunk = TabM((16,), members=3, dropout=0.0)
    with_, without = fitted(data, trunk=trunk), fitted(data, trunk=trunk, calibrate=False)
    inputs = {"x": torch.as_tensor(without._encoded(X)[0].read(slice(None))["x"])}
    with torch.no_grad():
        raw = without.net_.module_.eval()(inputs).numpy()
    group = next(g for g in without._fitted.tasks.groups if g.loss.width == 3)
    logits = raw[..., group.raw]

    def loss(scale):
        log_proba = log_softmax(scale * logits, axis=-1)[np.arange(len(X)), :, Y["multiclass0"]]
        return -(logsumexp(log_proba, axis=1) - np.log(3)).sum()

    expected = softmax(least(loss) * logits, axis=-1).mean(axis=1)
    np.testing.assert_allclose(with_.predict_proba(X)["multiclass0"], expected, rtol=1e-4)


def test_a_handful_of_rows_all_right_does_not_make_a_task_certain():
    X = np.linspace(-1, 1, 60)[:, None]
    est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=60, lr=0.01, random_state=0)
    est.fit(X, {"y": (X[:, 0] > 0).astype(int)})
    scale = float(est.net_.module_.raw_scale[0])
    assert 1 <= scale < np.exp(2 * DEVIATION)


def test_without_validation_rows_or_classes_there_is_no_temperature(data):
    X, Y = data[0]
    quick = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3}
    for settings, y in (({"early_stopping": False}, Y), ({}, {"regression0": Y["regression0"]})):
        est = MultiTaskClassifierRegressor(**quick, **settings).fit(X, y)
        assert (est.net_.module_.raw_scale == 1).all()


def test_regressions_are_held_to_the_range_of_the_labels_only_where_calibrated():
    X = np.linspace(-1, 1, 80)[:, None]
    y = 5 + 3 * X[:, 0]
    far = np.array([[-3.0], [3.0]])
    settings = {
        "trunk": MLP((16,), activation="identity"),
        "preprocessing": None,
        "lr": 0.02,
        "max_epochs": 60,
    }
    held, free = (
        MultiTaskClassifierRegressor(n_bags=1, calibrate=calibrate, random_state=0, **settings).fit(
            X, {"y": y}
        )
        for calibrate in (True, False)
    )
    assert held.predict(far)["y"][0] >= y.min()
    assert held.predict(far)["y"][1] <= y.max()
    assert free.predict(far)["y"][0] < y.min() - 1
    assert free.predict(far)["y"][1] > y.max() + 1
