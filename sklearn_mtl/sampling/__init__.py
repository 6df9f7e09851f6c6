"""How often each row is drawn for training.

By default each row is drawn once in an epoch. A sampler has rows with rare labels drawn more often, and
others less: an epoch has as many rows as before. What a row weighs, and what is held out, stays as it is.

A sampler of your own is a subclass of `Sampler` with one method, ``rates``, from the `TrainingLabels` to a
number for each row. The hook ``without`` says what becomes of it where a task has no label in a fold.

Examples
--------
>>> from sklearn_mtl.sampling import Sampler
>>> class ByNumberOfLabels(Sampler):
...     def rates(self, labels):
...         return labels.has_label.sum(axis=1)
>>> ByNumberOfLabels()
ByNumberOfLabels()
"""

from sklearn_mtl.recipes import Recipes
from sklearn_mtl.sampling.class_balanced import ClassBalanced
from sklearn_mtl.sampling.sample_weighted import SampleWeighted
from sklearn_mtl.sampling.sampler import Sampler, TrainingLabels, checked_rates
from sklearn_mtl.sampling.task_balanced import TaskBalanced

SAMPLERS: Recipes[Sampler] = Recipes(
    Sampler,
    {
        "class_balanced": ClassBalanced,
        "sample_weighted": SampleWeighted,
        "task_balanced": TaskBalanced,
    },
    "`sampler` must be None, one of {names} or a Sampler such as TaskBalanced()",
)

__all__ = [
    "SAMPLERS",
    "ClassBalanced",
    "SampleWeighted",
    "Sampler",
    "TaskBalanced",
    "TrainingLabels",
    "checked_rates",
]
