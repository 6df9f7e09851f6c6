"""Sparse mixture of experts: each task selects at most k."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, is_number
from sklearn_mtl.sharing.gates import InputGates, StaticGates, check_count, gates_of, mixed
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule

# What selectors are settled by begins within gamma over this, where the smooth step is steepest.
START = 10.0


class DSelectK(Sharing):
    r"""Experts that all tasks share, of which each task selects at most k.

    Hazimeh et al. (2021), "DSelect-k: Differentiable Selection in the Mixture of Experts with Applications to
    Multi-Task Learning" (NeurIPS), section 3. Experts are trunks of one shape, mixed as in `MMoE`, but the
    weights of the experts are those of k selectors, each of which settles on one expert:

    .. math:: q(\alpha, Z) = \sum_{i=1}^k \mathrm{softmax}(\alpha)_i \, r(z^{(i)})

    The vector :math:`r(z)` has, for each binary number of as many digits as :math:`z` has entries, the
    product over its digits of :math:`S(z_j)` where the digit is 1, and :math:`1 - S(z_j)` where it is 0. The
    smooth step :math:`S` is 0 below :math:`-\gamma/2`, 1 above :math:`\gamma/2`, and
    :math:`-2 t^3 / \gamma^3 + 3 t / (2 \gamma) + 1/2` between them. Once all entries are outside of
    :math:`\pm\gamma/2`, a selector weighs one expert by 1 and all others by exactly 0.

    Choose it where groups of tasks, or of rows, have little to do with each other: experts that a task does
    not select are not trained by it. It costs a trunk for each expert, as all of them are computed.

    Parameters
    ----------
    experts : int, default=4
        Number of trunks.
    k : int, default=2
        Most experts of a task, or, with gates per example, of a task in a row; at most ``experts``.
    gate : {"per_example", "static"}, default="per_example"
        What :math:`\alpha` and :math:`Z` depend on: ``"per_example"`` linearly on the encoded row, its blocks
        flattened and side by side; ``"static"`` on the task alone.
    gamma : float, default=1.0
        Width of the smooth step: the larger, the later selectors settle.
    entropy : float, default=0.01
        Strength of a penalty on the entropy of the selectors, the mean over rows of their sum over tasks. It
        makes selectors settle, on one expert for each; 0 leaves that to the losses.

    Notes
    -----
    Where the number of experts is no power of 2, some binary numbers stand for no expert. They go round to
    the first experts again, so that the weights of the experts add up to 1 for any row. The paper penalises
    such numbers instead, which is no bound for rows that were not seen in training.

    The entries of :math:`Z` begin small enough for any number of columns that :math:`S` is steep. Gates are
    five times what is trained, and have the network's weight decay, as those of `MMoE`. Members of a trunk
    that is an ensemble have one gate.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.sharing import DSelectK
    >>> X, Y = make_multitask(n_samples=100, n_regression=4, n_groups=2, random_state=0)
    >>> sharing = DSelectK(experts=4, k=1)
    >>> est = MultiTaskClassifierRegressor(sharing=sharing, n_bags=1, max_epochs=2, random_state=0)
    >>> est.fit(X, Y).transform(X).shape
    (100, 512)
    """

    def __init__(
        self,
        experts: int = 4,
        k: int = 2,
        *,
        gate: str = "per_example",
        gamma: float = 1.0,
        entropy: float = 0.01,
    ) -> None:
        self.experts = experts
        self.k = k
        self.gate = gate
        self.gamma = gamma
        self.entropy = entropy

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        n_experts = self._check()
        gates = gates_of("DSelectK", self.gate, spec)
        selection = Selection(gates, spec, len(tasks), n_experts, int(self.k), float(self.gamma))
        experts = StackedTrunks([make_trunk() for _ in range(n_experts)])
        return DSelectKModule(experts, selection, float(self.entropy))

    def _check(self) -> int:
        n_experts = check_count("DSelectK", "experts", self.experts)
        if not is_integer(self.k) or not 1 <= self.k <= n_experts:
            raise ValueError(
                f"`k` of DSelectK must be an integer from 1 to the number of experts, {n_experts}. "
                f"Found {shown(self.k)}."
            )
        if not is_number(self.gamma) or self.gamma <= 0:
            raise ValueError(f"`gamma` of DSelectK must be a positive number. Found {shown(self.gamma)}.")
        if not is_number(self.entropy) or self.entropy < 0:
            raise ValueError(
                f"`entropy` of DSelectK must be a number of 0 or more. Found {shown(self.entropy)}."
            )
        return n_experts


class Selection(nn.Module):
    """The weights of the experts for each task: a mixture of k selectors, which settle on one expert each.

    Parameters
    ----------
    gates : callable
        From the blocks of the input, a number of gates and of their outputs to a module of gates.
    spec : FeatureSpec
        Blocks of the input.
    n_tasks, n_experts, k : int
        Number of tasks, of experts, and of selectors of each task.
    gamma : float
        Width of the smooth step.
    """

    def __init__(
        self,
        gates: Callable[[FeatureSpec, int, int], StaticGates | InputGates],
        spec: FeatureSpec,
        n_tasks: int,
        n_experts: int,
        k: int,
        gamma: float,
    ) -> None:
        super().__init__()
        self.n_experts = n_experts
        self.k = k
        self.gamma = gamma
        # One expert has a bit too, so that there is something to select it by.
        n_bits = max((n_experts - 1).bit_length(), 1)
        self.gates = gates(spec, n_tasks, k * (1 + n_bits))
        # Beyond half of gamma the smooth step is flat: a selector that begins there would never be trained.
        self.gates.draw_within(gamma / START)

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the weights of the selectors and the shares of 1 of their bits.

        Returns
        -------
        weights : tensor of shape (rows or 1, 1, tasks, k)
            They add up to 1.
        bits : tensor of shape (rows or 1, 1, tasks, k, bits)
            Numbers in [0, 1].
        """
        outputs = self.gates(inputs)
        alpha, z = outputs[..., : self.k], outputs[..., self.k :]
        return alpha.softmax(-1), smooth_step(z.unflatten(-1, (self.k, -1)), self.gamma)

    def experts(self, weights: Tensor, bits: Tensor) -> Tensor:
        """Return the weights of the experts, shape (rows or 1, 1, tasks, experts); they add up to 1."""
        codes = (weights.unsqueeze(-1) * code_weights(bits)).sum(-2)
        first, others = codes[..., : self.n_experts], codes[..., self.n_experts :]
        return first + F.pad(others, (0, self.n_experts - others.shape[-1]))


def smooth_step(t: Tensor, gamma: float) -> Tensor:
    """Return 0 below -gamma / 2, 1 above gamma / 2, and a cubic between them, whose slope ends in 0.

    Parameters
    ----------
    t : tensor
        Any numbers.
    gamma : float
        Width of the cubic part.
    """
    t = (t / gamma).clamp(-0.5, 0.5)
    return 0.5 + t * (1.5 - 2 * t.square())


def code_weights(bits: Tensor) -> Tensor:
    """Return the products that weigh all codes of some bits, the first bit counting most.

    Parameters
    ----------
    bits : tensor of shape (..., n_bits)
        The share of 1 of each bit.

    Returns
    -------
    tensor of shape (..., 2 ** n_bits)
        The weight of a code is the product, over its bits, of the share of 1 or of 0.
    """
    weights = torch.ones_like(bits[..., :1])
    # Not by one product over bits, whose gradient looks at the values where some are 0.
    for bit in bits.split(1, dim=-1):
        weights = torch.stack([weights * (1 - bit), weights * bit], dim=-1).flatten(-2)
    return weights


def entropy(bits: Tensor) -> Tensor:
    """Return the entropies of bits, given their shares of 1, in nats."""
    # At 0 and 1 the slope of the logarithm is infinite.
    smallest = torch.finfo(bits.dtype).eps
    bits = bits.clamp(smallest, 1 - smallest)
    return -(bits * bits.log() + (1 - bits) * (-bits).log1p())


class DSelectKModule(SharingModule):
    """Experts that all tasks train, of which each task selects a few.

    Parameters
    ----------
    experts : StackedTrunks
        The experts.
    selection : Selection
        From the encoded rows to the weights of the experts.
    strength : float
        Strength of the penalty on the entropy of the selectors.
    """

    def __init__(self, experts: StackedTrunks, selection: Selection, strength: float) -> None:
        super().__init__(experts.width, experts.members, per_task=True)
        self.experts = experts
        self.selection = selection
        self.strength = strength

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        # The gates first: a trunk of the user's may work on its inputs in place.
        weights = self.selection.experts(*self.selection(inputs))
        return mixed(weights, self.experts(inputs))

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters of the experts: a gate is trained by its task alone."""
        return self.experts.parameters()

    def penalty(self, inputs: Mapping[str, Tensor], weight: Tensor) -> Tensor | None:
        """Return the entropy of the selectors, summed over tasks, its mean over rows, times the strength."""
        if self.strength == 0:
            return None
        _, bits = self.selection(inputs)
        of_rows = entropy(bits).flatten(1).sum(1)
        row_weight = weight.amax(1)
        return self.strength * (of_rows * row_weight).sum() / row_weight.sum().clamp_min(1e-30)
