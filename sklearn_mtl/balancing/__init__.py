"""From the losses, or the gradients, of the tasks to one update.

Losses come in scale-free, each near 1 at the start, so that weights mean what they say. A method of your
own is a subclass of `LossBalancer`, of `GradientBalancer`, or of `LossWeights` for what weighs losses by
gradients, with one method, ``forward``.

A method is given the user's task weights, and 0 for a task without a label in the batch: a task of weight 0
takes no part. Otherwise the weights multiply what the method does.

The rest are hooks of `Balancer`. ``start`` makes learned parameters, which are trained with the network,
and buffers, which hold what the balancer remembers; ``note_tasks`` is then told the tasks. ``param_groups``
gives the parameters a learning rate of their own. ``end_epoch`` is given the mean losses of each epoch,
``after_step`` the losses that a step has come to; ``effective_weights`` tells how much each loss counts, for
the columns ``weight_…`` of ``history_``.

Examples
--------
>>> import torch
>>> from sklearn_mtl.balancing import LossBalancer
>>> class WorstTask(LossBalancer):
...     def forward(self, losses, weights):
...         return (losses * weights).max()
>>> WorstTask()(torch.tensor([1.0, 0.5]), torch.ones(2))
tensor(1.)
"""

from sklearn_mtl.balancing.balancer import Balancer, LossBalancer
from sklearn_mtl.balancing.dtp import DTP
from sklearn_mtl.balancing.dwa import DWA
from sklearn_mtl.balancing.excess_mtl import ExcessMTL
from sklearn_mtl.balancing.famo import FAMO
from sklearn_mtl.balancing.gls import GLS
from sklearn_mtl.balancing.grad_norm import GradNorm
from sklearn_mtl.balancing.gradient_balancer import GradientBalancer
from sklearn_mtl.balancing.imtl_l import IMTLL
from sklearn_mtl.balancing.loss_weights import LossWeights
from sklearn_mtl.balancing.rlw import RLW
from sklearn_mtl.balancing.static_weights import StaticWeights
from sklearn_mtl.balancing.stch import STCH
from sklearn_mtl.balancing.uncertainty_weighting import UncertaintyWeighting
from sklearn_mtl.balancing.weight_schedule import WeightSchedule
from sklearn_mtl.balancing.weighted_sum import WeightedSum
from sklearn_mtl.recipes import Recipes

BALANCERS: Recipes[Balancer] = Recipes(
    Balancer,
    {
        "static": StaticWeights,
        "uncertainty": UncertaintyWeighting,
        "dwa": DWA,
        "rlw": RLW,
        "gls": GLS,
        "imtl_l": IMTLL,
        "famo": FAMO,
        "stch": STCH,
        "dtp": DTP,
        "gradnorm": GradNorm,
        "excess_mtl": ExcessMTL,
    },
    "`balancing` must be None, one of {names} or a Balancer such as StaticWeights()",
    default=StaticWeights,
)

__all__ = [
    "BALANCERS",
    "DTP",
    "DWA",
    "FAMO",
    "GLS",
    "IMTLL",
    "RLW",
    "STCH",
    "Balancer",
    "ExcessMTL",
    "GradNorm",
    "GradientBalancer",
    "LossBalancer",
    "LossWeights",
    "StaticWeights",
    "UncertaintyWeighting",
    "WeightSchedule",
    "WeightedSum",
]
