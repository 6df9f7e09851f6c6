"""From tables of tensors to trained nets; the only package that knows skorch.

The life of a fit, told by the types that it goes through::

    FitParameters   what the user asked for, checked and resolved     estimators
      │  read, split, bind tasks
    Rows            rows of X and y with a label                      estimators
      │  encode
    Table           the same as tensors on the device                 data
      │  plan_bag
    NetPlan         what one net is built from, its rows, settings    training
      │  make_ready
    ReadyNet        the net, its initial weights drawn                training
      │  train alone, or in a stack; finish
    Outcome         the trained net, or why there is none             training
      │  keep
    Fitted          the nets, and what it takes to predict with them  estimators

`plan_bag` makes the plans of a new bag, `plan_further` those by which the nets of a bag train on.
`train_nets` trains the nets of any number of fits: those of one structure as one stacked network, where that
pays, the others one after the other. Seeding happens in a forked generator: torch's global state is after
training what it was before.

Within a training, in this order::

    MultiTaskNet.open_training     a TrainingRun begins: moving average, weights to go on from
      each epoch                   steps of the optimizer, validation, then the callbacks:
        BestEpoch, FiniteLosses    average or keep the weights that the net is to end with, and stop it
    MultiTaskNet.close_training    kept weights are put in place; Resume is what it takes to train on
    finish                         temperatures are fitted on the held-out rows

The modules: `runs` has the life of a net from plan to end, `net` a training with its epochs, `steps` the
arithmetic of a step, which single and stacked nets share. `kept_weights` decides whose weights a net ends
with, `recording` keeps losses and scores, `settings` and `schedules` hold the settings of the loop,
`callbacks` deals with those of the user and `callback_copies` copies them, `state` packs nets for files,
`stacking` trains many nets as one, `capture` records the steps of both on a GPU, and `checkpoints` writes
down how far they are, to go on from there.

Examples
--------
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.balancing import StaticWeights
>>> from sklearn_mtl.data import Table
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.inference import bag_predictions
>>> from sklearn_mtl.network import Blueprint
>>> from sklearn_mtl.sharing import HardSharing
>>> from sklearn_mtl.targets import read_targets
>>> from sklearn_mtl.tasks import Regression, TaskSet
>>> from sklearn_mtl.training import TrainingSettings, plan_bag, train_nets
>>> from sklearn_mtl.trunks import MLP
>>> x = np.linspace(-1, 1, 80, dtype=np.float32)[:, None]
>>> columns = read_targets({"price": 3 * x[:, 0] + 10}).columns
>>> tasks = TaskSet((Regression().bind(columns["price"], np.ones(80)),))
>>> spec = FeatureSpec((Block("x", (1,), n_continuous=1),))
>>> blueprint = Blueprint(spec, tasks, MLP((16,)), HardSharing(), StaticWeights(), ((),), (1.0,))
>>> y, weight = tasks.encode(columns, np.ones((80, 1)))
>>> table = Table.from_arrays({"x": x}, y, weight, device=torch.device("cpu"), dtype=torch.float32)
>>> settings = TrainingSettings(lr=0.01, max_epochs=40)
>>> plans = plan_bag(blueprint, [(table, None)], settings, seeds=[0])
>>> nets = [outcome.trained() for _, outcome in train_nets(plans)]
>>> bag_predictions(nets, tasks, {"x": np.array([[0.5]], dtype=np.float32)})["price"].round()
array([12.])
"""

from sklearn_mtl.training.callback_copies import copied
from sklearn_mtl.training.callbacks import StopTraining, check_callbacks, enabled, names_of_writers
from sklearn_mtl.training.fit_summary import FitSummary
from sklearn_mtl.training.further import plan_further
from sklearn_mtl.training.history_frame import history_frame
from sklearn_mtl.training.inter_task_affinity import InterTaskAffinity
from sklearn_mtl.training.kept_epoch import kept_epoch
from sklearn_mtl.training.kept_weights import BestEpoch, FiniteLosses
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.observer import FitObserver, NetObserver
from sklearn_mtl.training.pareto_manifold import ManifoldPlan
from sklearn_mtl.training.progress_view import progress_view
from sklearn_mtl.training.recording import conflict_frame
from sklearn_mtl.training.runs import NetPlan, plan_bag
from sklearn_mtl.training.settings import (
    OPTIMIZERS,
    TrainingSettings,
    check_lr_schedule,
    resolve_optimizer,
)
from sklearn_mtl.training.stacking import Outcome, RunJobs, train_bag, train_nets
from sklearn_mtl.training.state import (
    NetState,
    as_of_now,
    head_tasks,
    pack_module,
    pack_net,
    put_random_numbers,
    random_numbers,
    unpack_module,
    unpack_net,
    untrained_net,
    with_weights,
)

__all__ = [
    "OPTIMIZERS",
    "BestEpoch",
    "FiniteLosses",
    "FitObserver",
    "FitSummary",
    "InterTaskAffinity",
    "ManifoldPlan",
    "MultiTaskNet",
    "NetObserver",
    "NetPlan",
    "NetState",
    "Outcome",
    "RunJobs",
    "StopTraining",
    "TrainingSettings",
    "as_of_now",
    "check_callbacks",
    "check_lr_schedule",
    "conflict_frame",
    "copied",
    "enabled",
    "head_tasks",
    "history_frame",
    "kept_epoch",
    "names_of_writers",
    "pack_module",
    "pack_net",
    "plan_bag",
    "plan_further",
    "progress_view",
    "put_random_numbers",
    "random_numbers",
    "resolve_optimizer",
    "train_bag",
    "train_nets",
    "unpack_module",
    "unpack_net",
    "untrained_net",
    "with_weights",
]
