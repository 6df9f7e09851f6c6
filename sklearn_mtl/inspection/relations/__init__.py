"""What tasks have to do with each other, and whether they should share a network.

==============================  ===============================================================
`affinity`                      `task_affinity`, by one of the measures below
`inter_task_affinity`           what a step for one task does to the loss of another
`gradient_cosine`               cosines between the gradients of tasks in what they share
`target_correlation`            association of the labels of tasks of any kinds
`cka`                           similarity of what networks for single tasks have learned
`task_groups`                   `suggest_groups`, which makes groups by affinity
`affinity_display`              `TaskAffinityDisplay`, affinity and groups as a figure
`report`                        `sharing_report`, each task with the others against alone
`compared_models`               what the report fits and scores
`report_display`                `SharingReportDisplay`, the differences as a figure
`resampled_t`                   a paired test for folds that share training rows
`fits_anew`                     clones to be fitted to all tasks, or to one of them
==============================  ===============================================================

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl import MultiTaskRegressor
>>> from sklearn_mtl.inspection.relations import task_affinity
>>> area = np.arange(30.0)
>>> Y = {"area": area, "price": area**2, "rooms": area // 10}
>>> task_affinity(MultiTaskRegressor(), area[:, None], Y, measure="target_correlation").round(2).loc["area"]
area     1.00
price    1.00
rooms    0.94
Name: area, dtype: float64
"""

from sklearn_mtl.inspection.relations.affinity import MEASURES, task_affinity
from sklearn_mtl.inspection.relations.affinity_display import TaskAffinityDisplay
from sklearn_mtl.inspection.relations.report import SharingReport, sharing_report
from sklearn_mtl.inspection.relations.report_display import SharingReportDisplay
from sklearn_mtl.inspection.relations.task_groups import suggest_groups

__all__ = [
    "MEASURES",
    "SharingReport",
    "SharingReportDisplay",
    "TaskAffinityDisplay",
    "sharing_report",
    "suggest_groups",
    "task_affinity",
]
