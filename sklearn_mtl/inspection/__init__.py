"""What a fitted estimator has learned.

==============================  ===============================================================
`task_attention`                how much each task looks at each feature
`task_permutation_importance`   what the score of each task loses when a feature is shuffled
`task_uncertainty`              how far members and nets disagree about each row, by task
`TaskImportanceDisplay`         the importance of features by task, as bars
`TaskTradeoffDisplay`           the candidates of a search by the scores of their tasks
`TrainingHistoryDisplay`        the losses, the score and the weight of each task by epoch
`LiveHistory`                   the same while the training runs, in a notebook or a file
`WeightSensitivityDisplay`      the scores of all tasks against the weight of one, in a search
`task_affinity`                 how much each two tasks have to do with each other
`suggest_groups`                groups of tasks that gain from each other, for ``Hierarchical``
`TaskAffinityDisplay`           the affinity of tasks as a figure, in groups
`ConformalTasks`                intervals and sets that hold a promised share of labels
`calibration_report`            reliability curve, calibration error and Brier score by task
`TaskCalibrationDisplay`        the reliability curves of all tasks
`task_partial_dependence`       what each task predicts on average as a feature changes
`TaskPartialDependenceDisplay`  the same as lines
`TaskOutputs`                   all tasks as one function, for tools that explain functions
`sharing_report`                whether it pays to learn each task with the others
`SharingReport`                 what it returns: the scores, the differences and a summary in words
`SharingReportDisplay`          the same as a figure
==============================  ===============================================================

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.inspection import task_attention
>>> from sklearn_mtl.trunks import FTTransformer
>>> X, disease = load_diabetes(return_X_y=True, as_frame=True)
>>> est = MultiTaskClassifierRegressor(trunk=FTTransformer(16, task_tokens=True), n_bags=1, max_epochs=2)
>>> est = est.fit(X, {"disease": disease, "severe": disease > 150})
>>> task_attention(est, X).shape
(2, 10)
"""

from sklearn_mtl.inspection.attention import task_attention
from sklearn_mtl.inspection.calibration import calibration_report
from sklearn_mtl.inspection.calibration_display import TaskCalibrationDisplay
from sklearn_mtl.inspection.conformal import ConformalTasks
from sklearn_mtl.inspection.importance_display import TaskImportanceDisplay
from sklearn_mtl.inspection.live_history import LiveHistory
from sklearn_mtl.inspection.partial_dependence import task_partial_dependence
from sklearn_mtl.inspection.partial_dependence_display import TaskPartialDependenceDisplay
from sklearn_mtl.inspection.permutation_importance import task_permutation_importance
from sklearn_mtl.inspection.relations import (
    SharingReport,
    SharingReportDisplay,
    TaskAffinityDisplay,
    sharing_report,
    suggest_groups,
    task_affinity,
)
from sklearn_mtl.inspection.task_outputs import TaskOutputs
from sklearn_mtl.inspection.task_tradeoff import TaskTradeoffDisplay
from sklearn_mtl.inspection.training_history import TrainingHistoryDisplay
from sklearn_mtl.inspection.uncertainty import task_uncertainty
from sklearn_mtl.inspection.weight_sensitivity import WeightSensitivityDisplay

__all__ = [
    "ConformalTasks",
    "LiveHistory",
    "SharingReport",
    "SharingReportDisplay",
    "TaskAffinityDisplay",
    "TaskCalibrationDisplay",
    "TaskImportanceDisplay",
    "TaskOutputs",
    "TaskPartialDependenceDisplay",
    "TaskTradeoffDisplay",
    "TrainingHistoryDisplay",
    "WeightSensitivityDisplay",
    "calibration_report",
    "sharing_report",
    "suggest_groups",
    "task_affinity",
    "task_attention",
    "task_partial_dependence",
    "task_permutation_importance",
    "task_uncertainty",
]
