"""Tasks: what is to be predicted from labels, and by which loss.

A user asks for a kind of task, by a word or an object: `Regression`, `Classification`, `Multilabel`,
`Ordinal`, `Survival`, `BoxRegression`, `TokenClassification`, `Segmentation`, or a `TaskKind` of one's own.
`TaskKind.bind` looks at the labels and returns a `Task`, which encodes labels as numbers, says how many raw
outputs it needs from the network, and decodes averaged outputs as predictions. A `TaskSet` lays all tasks out
as columns of one tensor, and `TaskLosses` computes their losses, tasks of one loss as one tensor expression.
Losses are in `sklearn_mtl.tasks.losses`.

Shapes: targets are (rows, columns) with a weight for each cell, 0 where there is no label; raw outputs of
the network are (rows, members, raw outputs of all tasks), where a trunk may be an ensemble of members.

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl.targets import read_targets
>>> from sklearn_mtl.tasks import Regression, TaskSet
>>> column = read_targets({"price": [100.0, 200.0, np.nan, 300.0]}).columns["price"]
>>> task = Regression().bind(column, np.ones(4))
>>> y, weight = TaskSet((task,)).encode({"price": column}, np.ones((4, 1)))
>>> y.ravel().round(2), weight.ravel()
(array([-1.22,  0.  ,  0.  ,  1.22]), array([1., 1., 0., 1.]))
>>> task.predict(np.array([[[0.0]], [[1.0]]])).round(1)  # of two rows, in the units of the labels
array([200. , 281.6])
"""

from sklearn_mtl.recipes import Recipes
from sklearn_mtl.tasks.box_regression import BoxRegression, BoxTask
from sklearn_mtl.tasks.class_task import ClassTask, strata_of_classes
from sklearn_mtl.tasks.classification import Classification, ClassificationTask
from sklearn_mtl.tasks.concordance import concordance_index
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.classification import ClassLoss
from sklearn_mtl.tasks.losses.regression import LogLinkLoss, PointLoss, RegressionLoss
from sklearn_mtl.tasks.losses.row_loss import RowLoss
from sklearn_mtl.tasks.multilabel import Multilabel, MultilabelTask
from sklearn_mtl.tasks.ordinal import Ordinal, OrdinalTask
from sklearn_mtl.tasks.position_task import PositionKind, PositionTask
from sklearn_mtl.tasks.regression import Regression, RegressionTask
from sklearn_mtl.tasks.segmentation import Segmentation, SegmentationTask
from sklearn_mtl.tasks.survival import Survival, SurvivalTask
from sklearn_mtl.tasks.task import Task, TaskKind
from sklearn_mtl.tasks.task_losses import StepLosses, TaskLosses
from sklearn_mtl.tasks.task_set import Responses, TaskGroup, TaskSet
from sklearn_mtl.tasks.token_classification import TokenClassification, TokenTask, span_f1

KINDS: Recipes[TaskKind] = Recipes(
    TaskKind,
    {
        "regression": Regression,
        "classification": Classification,
        "multilabel": Multilabel,
        "ordinal": Ordinal,
        "survival": Survival,
        "boxes": BoxRegression,
        "tokens": TokenClassification,
        "segmentation": Segmentation,
    },
    "`tasks` must map to one of {names} or a task object such as Regression()",
)

__all__ = [
    "KINDS",
    "BoxRegression",
    "BoxTask",
    "ClassLoss",
    "ClassTask",
    "Classification",
    "ClassificationTask",
    "LogLinkLoss",
    "Multilabel",
    "MultilabelTask",
    "Ordinal",
    "OrdinalTask",
    "PointLoss",
    "PositionKind",
    "PositionTask",
    "Regression",
    "RegressionLoss",
    "RegressionTask",
    "Responses",
    "RowLoss",
    "Segmentation",
    "SegmentationTask",
    "StepLosses",
    "Survival",
    "SurvivalTask",
    "Task",
    "TaskGroup",
    "TaskKind",
    "TaskLosses",
    "TaskSet",
    "TokenClassification",
    "TokenTask",
    "check_labelled",
    "concordance_index",
    "span_f1",
    "strata_of_classes",
]
