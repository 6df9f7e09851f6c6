"""No figure is empty, and none stays open after an error."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.inspection import (
    SharingReportDisplay,
    TaskAffinityDisplay,
    TaskCalibrationDisplay,
    TaskImportanceDisplay,
    TaskPartialDependenceDisplay,
    TaskTradeoffDisplay,
    TrainingHistoryDisplay,
    WeightSensitivityDisplay,
    suggest_groups,
)
from sklearn_mtl.inspection.figure import pyplot

matplotlib.use("Agg")

NONE = pd.DataFrame()
INFINITE = pd.DataFrame([[1.0, np.inf], [1.0, 1.0]], ["a", "b"], ["a", "b"])
DISPLAYS = {
    "history": TrainingHistoryDisplay(history=NONE, tasks=["a"], metrics={"a": "r2"}),
    "history of nothing finite": TrainingHistoryDisplay(
        history=pd.DataFrame({"epoch": [1, 2], "train_loss_a": [np.nan, np.inf]}),
        tasks=["a"],
        metrics={"a": "r2"},
    ),
    "importance": TaskImportanceDisplay(importances_mean=NONE),
    "importance of no features": TaskImportanceDisplay(
        importances_mean=pd.DataFrame(columns=["a"], dtype=float)
    ),
    "calibration": TaskCalibrationDisplay(curves=NONE, summary=NONE),
    "dependence": TaskPartialDependenceDisplay(curves=[]),
    "dependence of no values": TaskPartialDependenceDisplay(curves=[NONE]),
    "affinity": TaskAffinityDisplay(affinity=NONE),
    "infinite affinity": TaskAffinityDisplay(affinity=INFINITE),
    "tradeoff": TaskTradeoffDisplay(scores=NONE),
    "infinite tradeoff": TaskTradeoffDisplay(scores=INFINITE[["b"]].assign(c=np.inf)),
    "weight": WeightSensitivityDisplay(task="a", means=NONE),
    "sharing": SharingReportDisplay(differences=NONE),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_nothing_to_draw_is_an_error_before_a_figure(name):
    with pytest.raises(ValueError, match=r"Found|No candidate"):
        DISPLAYS[name].plot()
    assert pyplot().get_fignums() == []


def test_an_infinite_affinity_has_no_groups():
    with pytest.raises(ValueError, match="must hold finite numbers"):
        suggest_groups(INFINITE, 2)


def test_a_candidate_with_an_infinite_score_has_none():
    scores = pd.DataFrame({"a": [1.0, 2.0, -np.inf], "b": [2.0, 1.0, 3.0]})
    display = TaskTradeoffDisplay(scores=scores).plot()
    assert display.pareto_front_.index.tolist() == [0, 1]
    assert display.text_.get_text() == "3 candidates, 1 without a score"
