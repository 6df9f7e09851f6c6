"""From the losses, or the gradients, of the tasks to one update.

Losses come in scale-free, each near 1 at the start, so that weights mean what they say. A method of your
own is a subclass of `LossBalancer` or `GradientBalancer` with one method, ``forward``.

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
from sklearn_mtl.balancing.gradient_balancer import GradientBalancer
from sklearn_mtl.balancing.static_weights import StaticWeights
from sklearn_mtl.recipes import Recipes

BALANCERS: Recipes[Balancer] = Recipes(
    Balancer,
    {"static": StaticWeights},
    "`balancing` must be None, one of {names} or a Balancer such as StaticWeights()",
    default=StaticWeights,
)

__all__ = ["BALANCERS", "Balancer", "GradientBalancer", "LossBalancer", "StaticWeights"]
