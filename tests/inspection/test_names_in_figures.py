"""Names of the user's in figures: letter by letter, and with room, whatever they are."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from sklearn_mtl.inspection import (
    SharingReportDisplay,
    TaskAffinityDisplay,
    TaskCalibrationDisplay,
    TaskImportanceDisplay,
    TaskPartialDependenceDisplay,
    TaskTradeoffDisplay,
    TrainingHistoryDisplay,
    WeightSensitivityDisplay,
)
from sklearn_mtl.inspection.figure import MOST_LETTERS, in_figure

matplotlib.use("Agg")

TASKS = [
    "US$ per $m$^2",
    "_hidden",
    "100 % {of} it",
    "a name that somebody took from a spreadsheet " * 3,
    r"$\frac$",
]
NUMBERS = np.linspace(0.2, 0.9, len(TASKS))


def history():
    parts = {f"{part}_{task}": [1.0, 0.5] for task in TASKS for part in ("train_loss", "valid_r2", "weight")}
    frame = pd.DataFrame({"epoch": [1, 2], **parts})
    return TrainingHistoryDisplay(history=frame, tasks=TASKS, metrics=dict.fromkeys(TASKS, "r2"))


def calibration():
    curves = pd.DataFrame({"predicted": [0.2, 0.7], "observed": [0.1, 0.8], "n_labels": [10, 20]})
    summary = pd.DataFrame({"ece": 0.1, "brier": 0.2, "n_labels": 30}, index=TASKS)
    return TaskCalibrationDisplay(curves=pd.concat(dict.fromkeys(TASKS, curves)), summary=summary)


def dependence():
    grid = pd.Index([f"{name} here" for name in TASKS], name=TASKS[0])
    columns = pd.MultiIndex.from_tuples([(TASKS[1], ""), *((TASKS[0], name) for name in TASKS)])
    curve = pd.DataFrame(np.outer(NUMBERS, np.arange(len(columns))), index=grid, columns=columns)
    numbers = curve.set_axis(pd.Index(NUMBERS, name=TASKS[3]))
    return TaskPartialDependenceDisplay(curves=[curve, numbers])


def tradeoff():
    params = pd.DataFrame({f"task_weights__{TASKS[3]}": [0.1, 10.0]})
    scores = pd.DataFrame([NUMBERS, NUMBERS[::-1]], columns=TASKS)
    return TaskTradeoffDisplay(scores=scores, chosen=1, params=params, metrics=dict.fromkeys(TASKS, "r2"))


def sharing():
    index = pd.MultiIndex.from_product([TASKS, ["alone", "boosting"]])
    values = np.repeat(NUMBERS, 2)
    frame = pd.DataFrame({"metric": "r2", "difference": values, "low": values, "high": values}, index=index)
    return SharingReportDisplay(differences=frame)


DISPLAYS = {
    "history": history,
    "importance": lambda: TaskImportanceDisplay(
        importances_mean=pd.DataFrame(np.outer(NUMBERS, NUMBERS), TASKS, TASKS)
    ),
    "calibration": calibration,
    "dependence": dependence,
    "affinity": lambda: TaskAffinityDisplay(affinity=pd.DataFrame(np.outer(NUMBERS, NUMBERS), TASKS, TASKS)),
    "sharing": sharing,
    "tradeoff": tradeoff,
    "weight": lambda: WeightSensitivityDisplay(
        task=TASKS[3], means=pd.DataFrame([NUMBERS, NUMBERS], [0.1, 1.0], TASKS), metrics={TASKS[3]: "r2"}
    ),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_names_are_written_letter_by_letter_and_have_room(name):
    display = DISPLAYS[name]().plot()
    figure = display.figure_
    figure.canvas.draw()
    written = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert not [text.get_text() for text in written if is_math_text(text.get_text())]
    all_of_it = "\n".join(text.get_text() for text in written)
    assert any(part in all_of_it for part in (r"US\$ per \$m\$^2", "_hidden"))
    # Numbers at ticks may be beyond the ends of an axis, where they are not drawn.
    for text in (text for text in written if any(map(str.isalpha, text.get_text()))):
        box = text.get_window_extent().transformed(figure.transFigure.inverted())
        assert min(box.x0, box.y0) > -0.01, text.get_text()
        assert max(box.x1, box.y1) < 1.01, text.get_text()
    legends = [legend for panel in display.axes_ if (legend := panel.get_legend()) is not None]
    if name in ("history", "calibration", "dependence"):
        assert " _hidden" in "\n".join(text.get_text() for legend in legends for text in legend.get_texts())


def test_long_names_keep_both_ends():
    assert in_figure(f"begin {'x' * 90} end") == "begin xxxxxxxxx…xxxxxxxxxxx end"
    assert in_figure("x" * (MOST_LETTERS + 1)) == "x" * (MOST_LETTERS + 1)
    assert in_figure("two\nlines") == "two lines"
    assert in_figure(3) == "3"
