"""From tables of tensors to trained nets.

The only package that knows skorch. A `Blueprint` says what a network is built from, `TrainingSettings`
what the loop is told; `plan_bag` plans nets, `train_nets` trains them, those of one structure as one
stacked network, and `bag_responses` predicts. Rows travel as a `Table`: input
tensors by block, encoded targets and cell weights, resident on the device, sliced by whole batches.

Seeding happens in a forked generator: torch's global state is after training what it was before.

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl.training import held_out_rows
>>> held_out_rows(40, 0.1, n_splits=1, strata=None, rng=np.random.RandomState(0))[0]
array([13, 22, 27, 31])
"""

from sklearn_mtl.tasks.fingerprint import fingerprint
from sklearn_mtl.training.bag import (
    bag_predictions,
    bag_representation,
    bag_responses,
    parted,
    plan_bag,
    plan_further,
)
from sklearn_mtl.training.batches import Batch, Table, WholeBatches
from sklearn_mtl.training.blocks import InputRows
from sklearn_mtl.training.calibration import calibrate
from sklearn_mtl.training.callbacks import check_callbacks, writers
from sklearn_mtl.training.devices import numpy_dtype, resolve_autocast, resolve_device, resolve_precision
from sklearn_mtl.training.ending import StopTraining
from sklearn_mtl.training.fit import NetPlan
from sklearn_mtl.training.history import history_frame
from sklearn_mtl.training.modes import in_default_modes
from sklearn_mtl.training.module import BalancedLoss, Blueprint, MultiTaskModule
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.settings import (
    TrainingSettings,
    check_lr_schedule,
    resolve_optimizer,
)
from sklearn_mtl.training.splits import RowSplit, held_out_groups, held_out_rows
from sklearn_mtl.training.stacking import Outcome, RunJobs, train_nets
from sklearn_mtl.training.state import NetState, pack_module, pack_net, unpack_module, unpack_net
from sklearn_mtl.training.stopping import BestEpoch, FiniteLosses, has_ended
from sklearn_mtl.training.streaming import rows_for_training

__all__ = [
    "BalancedLoss",
    "Batch",
    "BestEpoch",
    "Blueprint",
    "FiniteLosses",
    "InputRows",
    "MultiTaskModule",
    "MultiTaskNet",
    "NetPlan",
    "NetState",
    "Outcome",
    "RowSplit",
    "RunJobs",
    "StopTraining",
    "Table",
    "TrainingSettings",
    "WholeBatches",
    "bag_predictions",
    "bag_representation",
    "bag_responses",
    "calibrate",
    "check_callbacks",
    "check_lr_schedule",
    "fingerprint",
    "has_ended",
    "held_out_groups",
    "held_out_rows",
    "history_frame",
    "in_default_modes",
    "numpy_dtype",
    "pack_module",
    "pack_net",
    "parted",
    "plan_bag",
    "plan_further",
    "resolve_autocast",
    "resolve_device",
    "resolve_optimizer",
    "resolve_precision",
    "rows_for_training",
    "train_nets",
    "unpack_module",
    "unpack_net",
    "writers",
]
