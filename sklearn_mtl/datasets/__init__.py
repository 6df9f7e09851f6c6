"""Real and made data with several targets.

========================  =================================================================
``fetch_ames_housing``    2,930 house sales: price (regression) and building type (5 classes)
``make_multitask``        synthetic tables: any number of regression, binary and multiclass
                          tasks, as related, alike, grouped and difficult as asked, with
                          missing labels where wanted
``make_dependent_tasks``  a task of several classes, and binary tasks that are functions of it
``make_click_purchase``   clicks, and purchases, which only follow a click
``make_house_images``     pictures of houses and a table of the same: price and type
========================  =================================================================

A ``fetch_*`` function returns a `sklearn.utils.Bunch` with ``data`` and ``target`` (both
DataFrames, one column of ``target`` per task), or the pair with ``return_X_y=True``. The data come
with packages named in an extra; nothing is downloaded when a function is called. ``make_*`` returns
an array, or a mapping from the name of an input to its array or table, and a mapping from task name
to labels.

>>> from sklearn_mtl.datasets import make_multitask
>>> X, Y = make_multitask(n_samples=4, n_regression=1, n_binary=1, random_state=0)
>>> X.shape, {name: labels.dtype.kind for name, labels in Y.items()}
((4, 20), {'regression0': 'f', 'binary0': 'i'})
"""

from ._ames import fetch_ames_housing
from ._click_purchase import make_click_purchase
from ._dependent import make_dependent_tasks
from ._house_images import make_house_images
from ._synthetic import make_multitask

__all__ = [
    "fetch_ames_housing",
    "make_click_purchase",
    "make_dependent_tasks",
    "make_house_images",
    "make_multitask",
]
