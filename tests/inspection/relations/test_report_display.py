"""Whether sharing pays as a figure, read from its artists."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.inspection import SharingReportDisplay, sharing_report
from sklearn_mtl.inspection.figure import pyplot
from sklearn_mtl.inspection.relations.report import SharingReport, differences_of

matplotlib.use("Agg")


@pytest.fixture
def report():
    rng = np.random.default_rng(0)
    rows = pd.MultiIndex.from_product([range(4), ["price", "type", "age"]], names=["fold", "task"])
    scores = pd.DataFrame(rng.random((12, 3)), index=rows, columns=["joint", "alone", "boosting"])
    scores.loc[pd.IndexSlice[:, "age"], "alone"] = np.nan
    return SharingReport(
        scores, differences_of(scores, {"price": "r2", "type": "accuracy", "age": "r2"}, 0.25)
    )


def ends(bar):
    (lines,) = bar.lines[2]
    return lines.get_segments()[0][:, 0]


def test_means_intervals_and_folds_are_those_of_the_report(report):
    display = SharingReportDisplay.from_report(report)
    panel = display.axes_[0]
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["price\nr2", "type\naccuracy", "age\nr2"]
    for key, bar in display.bars_.items():
        row = report.differences.loc[key]
        assert bar.lines[0].get_xdata() == pytest.approx([row["difference"]])
        np.testing.assert_allclose(ends(bar), [row["low"], row["high"]])
        by_fold = report.scores.xs(key[0], level="task")
        np.testing.assert_allclose(display.folds_[key].get_xdata(), by_fold["joint"] - by_fold[key[1]])
    heights = [display.bars_[key].lines[0].get_ydata()[0] for key in (("price", "alone"), ("type", "alone"))]
    assert heights[1] - heights[0] == pytest.approx(1)
    colours = {key: bar.lines[0].get_color() for key, bar in display.bars_.items()}
    assert colours["price", "alone"] == colours["price", "boosting"] == to_hex("C0")
    assert colours["type", "alone"] == to_hex("C1")
    legend = [text.get_text() for text in panel.get_legend().get_texts()]
    assert legend == ["other: the task alone", "other: gradient boosting"]
    assert panel.get_ylim()[0] > panel.get_ylim()[1]


def test_what_can_not_be_said_is_a_gap_in_words(report):
    display = SharingReportDisplay.from_report(report)
    assert ("age", "alone") not in display.bars_
    assert display.text_["age", "alone"].get_text() == "too few labels"


def test_one_comparison_needs_no_legend_and_one_fold_has_no_interval():
    index = pd.MultiIndex.from_tuples([("price", "alone")])
    numbers = pd.DataFrame({"difference": [0.1], "low": np.nan, "high": np.nan}, index=index)
    figure = pyplot().figure()
    ax = figure.subfigures(1, 2)[0].subplots()
    display = SharingReportDisplay(differences=numbers).plot(ax)
    assert display.axes_[0] is ax
    assert ax.get_legend() is None
    assert ax.get_xlabel().endswith("minus the other (one fold: no interval)")
    assert display.folds_ == {}
    assert display.bars_["price", "alone"].lines[2] == ()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["price"]


def test_of_an_estimator_it_draws_the_report():
    X, Y = make_multitask(60, 4, n_regression=2, random_state=0)
    est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1, random_state=0)
    display = SharingReportDisplay.from_estimator(est, X, Y, cv=2)
    expected = sharing_report(est, X, Y, cv=2)
    pd.testing.assert_frame_equal(display.differences, expected.differences)
    assert list(display.bars_) == [("regression0", "alone"), ("regression1", "alone")]


def test_bad_input_is_named(report):
    for differences in (
        report.differences.drop(columns="low"),
        report.differences.iloc[:0],
        report.scores.iloc[:2],
    ):
        with pytest.raises(ValueError, match="`differences` must have a row for each task and model"):
            SharingReportDisplay(differences=differences).plot()
