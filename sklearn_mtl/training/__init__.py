"""From tables of tensors to trained nets.

The only package that knows skorch. `TrainingSettings` says what the loop is told; `plan_bag` plans nets and
`train_nets` trains them, those of one structure as one stacked network.

Seeding happens in a forked generator: torch's global state is after training what it was before.

Examples
--------
>>> from sklearn_mtl.training import resolve_optimizer
>>> resolve_optimizer("adamw").__name__
'AdamW'
"""

from sklearn_mtl.training.callbacks import check_callbacks, names_of_writers
from sklearn_mtl.training.kept_weights import BestEpoch, FiniteLosses, StopTraining, has_ended
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.recording import history_frame
from sklearn_mtl.training.runs import NetPlan, plan_bag, plan_further
from sklearn_mtl.training.settings import (
    TrainingSettings,
    check_lr_schedule,
    numpy_dtype,
    resolve_autocast,
    resolve_device,
    resolve_optimizer,
    resolve_precision,
)
from sklearn_mtl.training.stacking import Outcome, RunJobs, train_nets
from sklearn_mtl.training.state import NetState, pack_module, pack_net, unpack_module, unpack_net

__all__ = [
    "BestEpoch",
    "FiniteLosses",
    "MultiTaskNet",
    "NetPlan",
    "NetState",
    "Outcome",
    "RunJobs",
    "StopTraining",
    "TrainingSettings",
    "check_callbacks",
    "check_lr_schedule",
    "has_ended",
    "history_frame",
    "names_of_writers",
    "numpy_dtype",
    "pack_module",
    "pack_net",
    "plan_bag",
    "plan_further",
    "resolve_autocast",
    "resolve_device",
    "resolve_optimizer",
    "resolve_precision",
    "train_nets",
    "unpack_module",
    "unpack_net",
]
