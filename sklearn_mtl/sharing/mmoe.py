"""Multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.gates import check_count, gates_of, mixed
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule


class MMoE(Sharing):
    r"""Experts that all tasks share, mixed for each task by a gate of its own.

    Ma et al. (2018), "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts"
    (KDD), section 4.2. Experts are trunks of one shape. Task k reads the mixture

    .. math:: f^k(x) = \sum_i g^k(x)_i f_i(x), \qquad g^k(x) = \mathrm{softmax}(W_k x + b_k)

    of the experts' representations :math:`f_i(x)`. One expert is hard sharing.

    Choose it where it is not known how much the tasks have in common: those that are alike come to weigh the
    experts alike, others differently. It costs a trunk for each expert, however many tasks there are.

    Parameters
    ----------
    experts : int, default=4
        Number of trunks.
    gate : {"per_example", "static"}, default="per_example"
        What the weights of the experts depend on: ``"per_example"`` on the encoded row, its blocks flattened
        and side by side; ``"static"`` on the task alone. Static gates have a parameter for each task and
        expert, which suits few rows, and inputs of codes or pictures, of which a gate can make no sums.

    Notes
    -----
    Gates begin near equal weights of all experts, and :math:`W_k` and :math:`b_k` are five times what is
    trained: at the learning rate of the experts, gates would settle long after them. Gates have the network's
    weight decay, which draws the weights of the experts towards equal ones. The members of a trunk that is an
    ensemble have one gate.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.sharing import MMoE
    >>> X, Y = make_multitask(n_samples=100, n_regression=2, correlation=0.5, random_state=0)
    >>> est = MultiTaskClassifierRegressor(sharing=MMoE(experts=3), n_bags=1, max_epochs=2, random_state=0)
    >>> est.fit(X, Y).transform(X).shape
    (100, 256)
    """

    def __init__(self, experts: int = 4, *, gate: str = "per_example") -> None:
        self.experts = experts
        self.gate = gate

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        n_experts = check_count("MMoE", "experts", self.experts)
        gates = gates_of("MMoE", self.gate, spec)(spec, len(tasks), n_experts)
        return MMoEModule(StackedTrunks([make_trunk() for _ in range(n_experts)]), gates)


class MMoEModule(SharingModule):
    """Experts that all tasks train, and a gate for each task.

    Parameters
    ----------
    experts : StackedTrunks
        The experts.
    gates : nn.Module
        From the encoded rows to logits of the experts, (rows or 1, tasks, experts).
    """

    def __init__(self, experts: StackedTrunks, gates: nn.Module) -> None:
        super().__init__(experts.width, experts.members, per_task=True)
        self.experts = experts
        self.gates = gates

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        # The gates first: a trunk of the user's may work on its inputs in place.
        weights = self.gates(inputs).softmax(-1)
        return mixed(weights, self.experts(inputs))

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters of the experts: a gate is trained by its task alone."""
        return self.experts.parameters()
