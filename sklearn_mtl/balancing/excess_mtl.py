"""ExcessMTL."""

from __future__ import annotations

import torch
from torch import Tensor

from sklearn_mtl.balancing.loss_weights import LossWeights
from sklearn_mtl.balancing.parameters import number_of
from sklearn_mtl.balancing.weighted_sum import softmax_weights
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer

# Beside a sum of squares, and beside a risk that something is divided by.
SMALL = 1e-7
# Shares of tasks differ by no larger factor than exp of this: a task whose share is 0 would never come back.
WIDEST = 30.0


class ExcessMTL(LossWeights):
    r"""More weight for tasks that are far from how well they can be learned, noisy as they may be.

    He, Zhou, Zhang, Yun, Xu, Zeng, Chilimbi & Zhao (2024). A large loss says that a task has much to learn,
    or that its labels are noise, of which no more can be learned. The excess risk, what of the loss can still
    be taken off, tells the two apart. Near a minimum it is

    .. math:: E_t \approx \tfrac12\, g_t^\top H_t^{-1} g_t, \qquad H_t = \mathrm{diag}\sqrt{\sum g_t^2}

    with the gradients :math:`g_t` of the task's loss, over whose steps the sum goes. Relative to what it was
    while training warmed up, it moves the shares of the tasks, :math:`a_t \leftarrow a_t \exp(\eta E_t /
    E_t^0)`, which are then scaled to a sum of 1. The weights are the shares times the number of tasks, so
    that the learning rate means what it means for the plain sum.

    Choose it where labels of some tasks are noisy and it is not known of which. A step costs a backward pass
    through the trunk for each task, and in memory as many numbers for each task as the trunk has weights.

    Parameters
    ----------
    step_size : float, default=0.01
        How fast the shares move, :math:`\eta`.
    warmup_epochs : int, default=3
        Epochs in which weights are equal, and from which :math:`E_t^0`, a task's mean in them, is taken.

    Notes
    -----
    Gradients are those in the parameters that several tasks share. Where nothing is shared there is nothing
    to compare, which is a ``ValueError``. A task that takes no part in a step keeps its share. The largest
    share is at most :math:`e^{30}` times the smallest. As the state of an optimizer, sums and risks are
    neither pickled nor saved: what is loaded and trained on begins with the shares that it had, and warms up
    anew.

    References
    ----------
    .. [1] He, Zhou, Zhang, Yun, Xu, Zeng, Chilimbi & Zhao (2024), "Robust Multi-Task Learning with Excess
       Risks" (ICML).

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.balancing import ExcessMTL
    >>> from sklearn_mtl.datasets import make_multitask
    >>> X, Y = make_multitask(n_samples=100, n_regression=2, random_state=0)
    >>> balancing = ExcessMTL(step_size=0.1, warmup_epochs=1)
    >>> est = MultiTaskRegressor(balancing=balancing, n_bags=1, max_epochs=3, random_state=0).fit(X, Y)
    >>> est.history_["weight_regression0"].round(2).tolist()[0]
    1.0
    """

    log_share: Tensor
    root: Tensor
    risk: Tensor
    n_steps: Tensor
    n_epochs: Tensor

    def __init__(self, step_size: float = 0.01, warmup_epochs: int = 3) -> None:
        super().__init__()
        self.step_size = step_size
        self.warmup_epochs = warmup_epochs

    def start(self, n_tasks: int) -> None:
        """Make equal shares.

        Raises
        ------
        ValueError
            If a parameter is not what it has to be.
        """
        number_of(self, "step_size", above=True)
        if not is_integer(self.warmup_epochs) or self.warmup_epochs < 1:
            raise ValueError(
                "`warmup_epochs` of ExcessMTL must be an integer of at least 1. "
                f"Found {shown(self.warmup_epochs)}."
            )
        #: Logarithms of the shares, of which only the differences count.
        self.register_buffer("log_share", torch.zeros(n_tasks))
        #: Root of the sum of squared gradients, (tasks, parameters), once their number is known.
        self.register_buffer("root", torch.zeros(n_tasks, 0), persistent=False)
        #: Sum of the risks of a task while training warmed up, and of the steps in which it took part.
        self.register_buffer("risk", torch.zeros(n_tasks), persistent=False)
        self.register_buffer("n_steps", torch.zeros(n_tasks), persistent=False)
        self.register_buffer("n_epochs", torch.zeros(()), persistent=False)

    @torch.no_grad()
    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Move the shares, and return the weights."""
        takes_part = weights > 0
        gradients = gradients * takes_part[:, None]
        if self.root.shape != gradients.shape:
            self.root = torch.full_like(gradients, SMALL**0.5)
        # As squares, huge gradients would be infinite.
        self.root = torch.hypot(self.root, gradients)
        risk = (gradients * (gradients / self.root)).sum(1)
        warm = self.n_epochs >= int(self.warmup_epochs)
        self.risk += risk * ~warm
        self.n_steps += takes_part & ~warm
        # A task without a label while training warmed up is as far as it was then.
        before = self.risk / self.n_steps
        relative = torch.where(self.n_steps > 0, risk / (before + SMALL), 1.0)
        self._move(relative * warm, takes_part)
        return softmax_weights(self.log_share, weights)

    def end_epoch(self, losses: Tensor) -> None:
        """Count the epoch."""
        self.n_epochs += 1

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the last step times the user's."""
        return softmax_weights(self.log_share, weights)

    def _move(self, relative: Tensor, takes_part: Tensor) -> None:
        """Move the shares of the tasks that take part by their relative risks; theirs together stays."""
        before = self.log_share.masked_fill(~takes_part, -torch.inf)
        moved = before + (float(self.step_size) * relative).clamp_max(1e30)
        moved = moved - moved.logsumexp(0) + before.logsumexp(0)
        moved = torch.where(takes_part, moved, self.log_share)
        self.log_share = moved.clamp_min(moved.amax() - WIDEST)
