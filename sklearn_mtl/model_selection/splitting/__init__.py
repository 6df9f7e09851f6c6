"""Splitters that spread the labels of one task or several evenly.

`TaskStratifiedKFold` and `TaskStratifiedGroupKFold` make folds, `TaskStratifiedShuffleSplit` makes random
splits. All stratify by the classes of a task, by bins of a regression, and by whether a row has a label,
so that a small task has labels in every part. They take y as the estimators do, and go wherever scikit-learn
takes a ``cv``.

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl.model_selection.splitting import TaskStratifiedKFold
>>> Y = {"type": ["flat", "house", None, "flat", "house", None], "price": np.arange(6) + 0.5}
>>> for train, test in TaskStratifiedKFold(2, task="type").split(np.zeros((6, 1)), Y):
...     print([Y["type"][row] for row in test])
['flat', 'house', None]
['flat', 'house', None]
"""

from sklearn_mtl.model_selection.splitting.group_k_fold import TaskStratifiedGroupKFold
from sklearn_mtl.model_selection.splitting.k_fold import TaskStratifiedKFold
from sklearn_mtl.model_selection.splitting.shuffle_split import TaskStratifiedShuffleSplit

__all__ = [
    "TaskStratifiedGroupKFold",
    "TaskStratifiedKFold",
    "TaskStratifiedShuffleSplit",
]
