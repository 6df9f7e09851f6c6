"""Many nets of one structure, trained as one network.

`train_nets` takes plans and yields what became of each. A stack is made and run in this order:

1. ``train``: plans that are too few for a stack to pay are trained alone at once. So is what
   `grouping.why_alone` names: another optimizer than AdamW, callbacks, a balancer of gradients.
2. ``grouping``: the nets are built, and those alike in all but weights, widths and rates of dropout are one
   group; what memory allows of a group is one stack.
3. ``trainer``: `StackedTrainer` puts the weights of its nets behind each other (``weights``), takes one of
   their modules as the pattern over which `torch.vmap` maps them (``module``), and likewise one of their
   balancers (``losses``); ``batches`` knows which nets share rows, their order and dropout masks.
4. ``comparison``: one step is taken by each net alone (``own_step``) and by the stack, for nothing is run on
   trust. Nets of which they differ are trained alone.
5. ``trainer``: epoch by epoch all nets are trained and validated. One that is done takes its weights and the
   state of its optimizer along; the stack goes on without it.

A net in a stack sees the rows, their order and the random numbers that it would see alone, and ends with the
same weights, to rounding.

Examples
--------
Four nets that differ in the weight of one task and in their seed:

>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.balancing import StaticWeights
>>> from sklearn_mtl.data import Table
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.network import Blueprint
>>> from sklearn_mtl.sharing import HardSharing
>>> from sklearn_mtl.targets import read_targets
>>> from sklearn_mtl.tasks import Regression, TaskSet
>>> from sklearn_mtl.training import NetPlan, TrainingSettings, train_nets
>>> from sklearn_mtl.trunks import MLP
>>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
>>> columns = read_targets({"level": x[:, 0], "square": x[:, 0] ** 2}).columns
>>> tasks = TaskSet(tuple(Regression().bind(column, np.ones(64)) for column in columns.values()))
>>> spec = FeatureSpec((Block("x", (1,), n_continuous=1),))
>>> cpu = torch.device("cpu")
>>> y, weight = tasks.encode(columns, np.ones((64, 2)))
>>> table = Table.from_arrays({"x": x}, y, weight, device=cpu, dtype=torch.float32)
>>> settings = TrainingSettings(lr=0.01, batch_size=16, max_epochs=3)
>>> plans = [
...     NetPlan(
...         Blueprint(spec, tasks, MLP((8,)), HardSharing(), StaticWeights(), ((), ()), (1.0, weight)),
...         table,
...         None,
...         settings,
...         seed,
...     )
...     for weight in (0.1, 10.0)
...     for seed in (0, 1)
... ]
>>> for position, outcome in sorted(train_nets(plans)):
...     print(position, len(outcome.net.history), outcome.not_stacked_because)
0 3 None
1 3 None
2 3 None
3 3 None

Fewer are trained alone, and say so:

>>> [outcome.not_stacked_because for _, outcome in train_nets(plans[:1])]
['a stack of fewer than 4 nets is no faster']
"""

from sklearn_mtl.training.stacking.train import Outcome, RunJobs, train_bag, train_nets

__all__ = ["Outcome", "RunJobs", "train_bag", "train_nets"]
