"""From the losses, or the gradients, of the tasks to one update.

Losses come in scale-free, each near 1 at the start, so that weights mean what they say. A method of your
own is a subclass of `LossBalancer`, of `GradientBalancer`, or of `LossWeights` for what weighs losses by
gradients, with one method, ``forward``. An aggregator of TorchJD may be given as it is.

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

from functools import partial

from sklearn_mtl.balancing.aligned_mtl import AlignedMTL
from sklearn_mtl.balancing.balancer import Balancer, LossBalancer
from sklearn_mtl.balancing.cagrad import CAGrad
from sklearn_mtl.balancing.config import ConFIG
from sklearn_mtl.balancing.dtp import DTP
from sklearn_mtl.balancing.dualproj import DualProj
from sklearn_mtl.balancing.dwa import DWA
from sklearn_mtl.balancing.excess_mtl import ExcessMTL
from sklearn_mtl.balancing.fairgrad import FairGrad
from sklearn_mtl.balancing.famo import FAMO
from sklearn_mtl.balancing.gls import GLS
from sklearn_mtl.balancing.grad_norm import GradNorm
from sklearn_mtl.balancing.graddrop import GradDrop
from sklearn_mtl.balancing.gradient_balancer import GradientBalancer
from sklearn_mtl.balancing.gradient_method import GradientMethod
from sklearn_mtl.balancing.gradvac import GradVac
from sklearn_mtl.balancing.gramian_balancer import GramianBalancer
from sklearn_mtl.balancing.imtl_g import IMTLG
from sklearn_mtl.balancing.imtl_l import IMTLL
from sklearn_mtl.balancing.jacobian_descent import JacobianDescent, of_aggregator
from sklearn_mtl.balancing.loss_weights import LossWeights
from sklearn_mtl.balancing.mgda import MGDA
from sklearn_mtl.balancing.nash_mtl import NashMTL
from sklearn_mtl.balancing.pcd import PCD
from sklearn_mtl.balancing.pcgrad import PCGrad
from sklearn_mtl.balancing.rlw import RLW
from sklearn_mtl.balancing.static_weights import StaticWeights
from sklearn_mtl.balancing.stch import STCH
from sklearn_mtl.balancing.uncertainty_weighting import UncertaintyWeighting
from sklearn_mtl.balancing.upgrad import UPGrad
from sklearn_mtl.balancing.weight_schedule import WeightSchedule
from sklearn_mtl.balancing.weighted_sum import WeightedSum
from sklearn_mtl.recipes import Recipes

#: Methods on gradients by their short names.
_OF_GRADIENTS: dict[str, type[Balancer]] = {
    "aligned_mtl": AlignedMTL,
    "cagrad": CAGrad,
    "config": ConFIG,
    "dualproj": DualProj,
    "fairgrad": FairGrad,
    "graddrop": GradDrop,
    "gradvac": GradVac,
    "imtl_g": IMTLG,
    "mgda": MGDA,
    "nash_mtl": NashMTL,
    "pcd": PCD,
    "pcgrad": PCGrad,
    "upgrad": UPGrad,
}

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
        **_OF_GRADIENTS,
    },
    "`balancing` must be None, one of {names}, a Balancer such as StaticWeights() or a TorchJD aggregator",
    default=StaticWeights,
    adopts=partial(of_aggregator, methods={method.__name__: method for method in _OF_GRADIENTS.values()}),
)

__all__ = [
    "BALANCERS",
    "DTP",
    "DWA",
    "FAMO",
    "GLS",
    "IMTLG",
    "IMTLL",
    "MGDA",
    "PCD",
    "RLW",
    "STCH",
    "AlignedMTL",
    "Balancer",
    "CAGrad",
    "ConFIG",
    "DualProj",
    "ExcessMTL",
    "FairGrad",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "GradientBalancer",
    "GradientMethod",
    "GramianBalancer",
    "JacobianDescent",
    "LossBalancer",
    "LossWeights",
    "NashMTL",
    "PCGrad",
    "StaticWeights",
    "UPGrad",
    "UncertaintyWeighting",
    "WeightSchedule",
    "WeightedSum",
]
