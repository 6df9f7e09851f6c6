"""Splitters that spread the labels of one task or several evenly.

Examples
--------
>>> from sklearn_mtl.model_selection.splitting import TaskStratifiedKFold
>>> TaskStratifiedKFold(3, task="type").get_n_splits()
3
"""

from sklearn_mtl.model_selection.splitting.group_splitter import TaskStratifiedGroupKFold
from sklearn_mtl.model_selection.splitting.splitters import TaskStratifiedKFold, TaskStratifiedShuffleSplit

__all__ = [
    "TaskStratifiedGroupKFold",
    "TaskStratifiedKFold",
    "TaskStratifiedShuffleSplit",
]
