"""Whether probabilities come true, and the figure of it."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.inspection import TaskCalibrationDisplay, calibration_report
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")

PARAMS = {
    "trunk": "mlp",
    "n_bags": 1,
    "max_epochs": 10,
    "lr": 0.01,
    "linear_blend": False,
    "tree_blend": False,
    "random_state": 0,
}
FIT, TEST = slice(0, 300), slice(300, 700)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 3))
    noise = rng.normal(size=(700, 3))
    kind = np.select([X[:, 1] + noise[:, 1] > 0.6, X[:, 1] + noise[:, 1] > -0.6], ["flat", "house"], "hut")
    Y = {
        "price": X[:, 0],
        "sold": X[:, 0] > noise[:, 0],
        "type": kind,
        "has": np.column_stack([X[:, 0] > noise[:, 2], X[:, 2] > noise[:, 1]]).astype(float),
    }
    return X, MultiTaskTarget(Y)


@pytest.fixture(scope="module")
def est(data):
    X, Y = data
    return MultiTaskClassifierRegressor(**PARAMS, tasks={"has": "multilabel"}).fit(X[FIT], Y[FIT])


def test_the_numbers_are_those_of_scikit_learn(est, data):
    X, Y = data[0][TEST], data[1][TEST]
    report = calibration_report(est, X, Y, n_bins=5)
    assert list(report.summary.index) == ["sold", "type", "has"]
    assert report.summary["n_labels"].tolist() == [400, 400, 800]
    assert report.tasks == ["price", "sold", "type", "has"]
    proba = est.predict_proba(X)
    observed, predicted = calibration_curve(Y["sold"], proba["sold"][:, 1], n_bins=5)
    curve = report.curves.loc["sold"]
    np.testing.assert_allclose(curve["observed"], observed)
    np.testing.assert_allclose(curve["predicted"], predicted)
    assert curve["n_labels"].sum() == 400
    weights = curve["n_labels"] / 400
    assert report.summary.loc["sold", "ece"] == pytest.approx(
        (weights * (observed - predicted).__abs__()).sum()
    )
    brier = report.summary["brier"]
    assert brier["sold"] == pytest.approx(brier_score_loss(Y["sold"], proba["sold"][:, 1]))
    assert brier["type"] == pytest.approx(
        brier_score_loss(Y["type"], proba["type"], labels=est.classes_["type"])
    )
    assert brier["has"] == pytest.approx(np.mean((Y["has"] - proba["has"]) ** 2))


def test_of_more_classes_it_is_the_confidence(est, data):
    X, Y = data[0][TEST], data[1][TEST]
    curve = calibration_report(est, X, Y).curves.loc["type"]
    assert curve["predicted"].min() >= 1 / 3
    right = est.predict(X)["type"] == Y["type"]
    assert (curve["observed"] * curve["n_labels"]).sum() == pytest.approx(right.sum())


def test_bins_of_equally_many_labels(est, data):
    report = calibration_report(est, data[0][TEST], data[1][TEST], n_bins=4, strategy="quantile")
    assert report.curves.loc["sold", "n_labels"].tolist() == [100] * 4


def test_probabilities_that_are_too_sure_have_a_larger_error(est, data, monkeypatch):
    X, Y = data[0][TEST], {"sold": data[1]["sold"][TEST]}
    before = calibration_report(est, X, Y).summary.loc["sold", "ece"]
    task = type(est.tasks_["sold"])
    original = task.predict_proba
    monkeypatch.setattr(task, "predict_proba", lambda self, response: original(self, (response > 0.5) * 1.0))
    after = calibration_report(est, X, Y).summary.loc["sold", "ece"]
    assert after > 2 * before


def test_missing_labels_are_left_out(est, data):
    X, Y = data[0][TEST], data[1][TEST]
    sold, has = Y["sold"].astype(object), Y["has"].copy()
    sold[100:] = None
    has[50:, 1] = np.nan
    report = calibration_report(est, X, {"sold": sold, "has": has})
    assert report.summary["n_labels"].tolist() == [100, 450]
    of_first = calibration_report(est, X[:100], {"sold": Y["sold"][:100]})
    assert report.summary.loc["sold", "ece"] == of_first.summary.loc["sold", "ece"]
    sold[:] = None
    with pytest.warns(UserWarning, match=r"no label of the tasks \['sold'\]"):
        report = calibration_report(est, X, {"sold": sold, "type": Y["type"]})
    assert report.summary.loc["sold", ["ece", "brier"]].isna().all()
    display = TaskCalibrationDisplay(curves=report.curves, summary=report.summary, tasks=report.tasks).plot()
    texts = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert texts[1] == "sold: no labels"
    assert len(display.lines_) == 1


@pytest.mark.filterwarnings("ignore:.*only class")
def test_labels_of_positions_are_compared_one_by_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5, 2))
    tags = np.where(X[..., 0] > 0, "up", "down")
    labels = np.empty(60, dtype=object)
    labels[:] = [list(row) for row in tags]
    params = {**PARAMS, "trunk": None, "max_epochs": 2, "tasks": {"tag": "tokens"}}
    est = MultiTaskClassifierRegressor(**params).fit(X, {"tag": labels})
    assert calibration_report(est, X, {"tag": labels}).summary.loc["tag", "n_labels"] == 300


def test_bad_input_is_refused(est, data):
    X, Y = data
    with pytest.raises(ValueError, match=r"a task with classes\. Found \['price'\]"):
        calibration_report(est, X, {"price": Y["price"]})
    with pytest.raises(ValueError, match=r"y must hold tasks of the estimator, .*Found \['kind'\]"):
        calibration_report(est, X, {"kind": Y["type"]})
    with pytest.raises(ValueError, match="`n_bins` must be a positive whole number"):
        calibration_report(est, X, Y, n_bins=0)
    with pytest.raises(ValueError, match="`strategy` must be one of"):
        calibration_report(est, X, Y, strategy="even")
    with pytest.raises(ValueError, match="not fitted"):
        TaskCalibrationDisplay.from_estimator(MultiTaskClassifierRegressor(), X, Y)


def test_the_display_draws_a_curve_for_each_task(data):
    X, Y = data[0], {name: data[1][name] for name in ("price", "sold", "type")}
    params = {**PARAMS, "max_epochs": 2}
    pipe = make_pipeline(StandardScaler(), MultiTaskClassifierRegressor(**params)).fit(X, Y)
    figure, (left, _) = pyplot().subplots(1, 2)
    display = TaskCalibrationDisplay.from_estimator(pipe, X, Y, n_bins=4, ax=left)
    assert display.figure_ is figure
    assert display.axes_[0] is left
    report = calibration_report(pipe, X, Y, n_bins=4)
    assert len(display.lines_) == 2
    for line, task in zip(display.lines_, ["sold", "type"], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), report.curves.loc[task, "predicted"])
        np.testing.assert_array_equal(line.get_ydata(), report.curves.loc[task, "observed"])
        assert line.get_label() == f"{task} (ECE {report.summary.loc[task, 'ece']:.3f})"
    # The colours are those of the tasks of the estimator, of which the price is the first.
    assert [line.get_color() for line in display.lines_] == [to_hex("C1"), to_hex("C2")]
    assert display.axes_[0].get_ylabel() == "share that came true"
    pd.testing.assert_frame_equal(display.curves, report.curves)


def test_of_many_tasks_the_legend_counts_the_rest():
    names = [f"t{i}" for i in range(12)]
    curves = pd.DataFrame({"predicted": [0.2], "observed": [0.1], "n_labels": [10]})
    summary = pd.DataFrame({"ece": 0.1, "brier": 0.2, "n_labels": 10}, index=names)
    display = TaskCalibrationDisplay(curves=pd.concat(dict.fromkeys(names, curves)), summary=summary).plot()
    texts = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert texts == ["at best", *(f"{name} (ECE 0.100)" for name in names[:7]), "… 5 more"]
    assert len(display.lines_) == 12
