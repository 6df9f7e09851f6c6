"""Prediction: rows through trained networks, in chunks of bounded memory.

A bag is a list of trained nets. `bag_responses` averages what its networks respond; `bag_predictions` turns
the averages into predictions in the units and dtypes of the labels; `bag_representation` is what the trunk
makes of the rows; `member_responses` has what each member of each net responds by itself. Few rows are
padded, so that a row's prediction does not depend on the rows beside it.
Once a bag is trained, `blend` puts `LinearModels` or `TreeModels` beside each of its nets, `calibrate` fits a
temperature for each task of probabilities, and tasks are `adjusted`.

Examples
--------
>>> from types import SimpleNamespace
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.balancing import StaticWeights
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.inference import bag_predictions, bag_responses
>>> from sklearn_mtl.network import Blueprint
>>> from sklearn_mtl.sharing import HardSharing
>>> from sklearn_mtl.targets import read_targets
>>> from sklearn_mtl.tasks import Classification, TaskSet
>>> from sklearn_mtl.trunks import MLP
>>> column = read_targets({"type": ["flat", "house", "flat"]}).columns["type"]
>>> tasks = TaskSet((Classification().bind(column, np.ones(3)),))
>>> spec = FeatureSpec((Block("x", (2,), n_continuous=2),))
>>> blueprint = Blueprint(spec, tasks, MLP((4,)), HardSharing(), StaticWeights(), ((),), (1.0,))
>>> loss = blueprint.build_loss(*map(torch.tensor, tasks.encode({"type": column}, np.ones((3, 1)))))
>>> net = SimpleNamespace(evaluated=blueprint.build({}), criterion_=loss)
>>> rows = {"x": np.ones((5, 2), dtype=np.float32)}
>>> bag_responses([net], tasks, rows)["type"].shape
(5, 1, 1)
>>> len(set(bag_predictions([net], tasks, rows)["type"]))
1
"""

from sklearn_mtl.inference.bag import bag_log_responses, bag_predictions, bag_representation, bag_responses
from sklearn_mtl.inference.beside import FoundOnce, Kind
from sklearn_mtl.inference.blend import blend, can_stand_beside
from sklearn_mtl.inference.boosted_trees import FEWEST_LABELS, MOST_OUTPUTS, MOST_WIDTHS, TreeModels
from sklearn_mtl.inference.calibration import adjusted, calibrate
from sklearn_mtl.inference.linear_path import LinearModels
from sklearn_mtl.inference.members import member_responses
from sklearn_mtl.inference.prediction import raw_outputs, rows_at_once

__all__ = [
    "FEWEST_LABELS",
    "MOST_OUTPUTS",
    "MOST_WIDTHS",
    "FoundOnce",
    "Kind",
    "LinearModels",
    "TreeModels",
    "adjusted",
    "bag_log_responses",
    "bag_predictions",
    "bag_representation",
    "bag_responses",
    "blend",
    "calibrate",
    "can_stand_beside",
    "member_responses",
    "raw_outputs",
    "rows_at_once",
]
