"""Scores of one task and of several, in scikit-learn's form.

Examples
--------
>>> from sklearn_mtl.model_selection.scoring import task_scorer
>>> task_scorer("price", "r2")
TaskScorer(scoring='r2', task='price')
"""

from sklearn_mtl.model_selection.scoring.scorers import multitask_scorer, multitask_scoring, task_scorer
from sklearn_mtl.model_selection.scoring.wrapped import score_tasks, task_view

__all__ = [
    "multitask_scorer",
    "multitask_scoring",
    "score_tasks",
    "task_scorer",
    "task_view",
]
