"""Progressive layered extraction: experts of each task beside shared ones, mixed level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.sharing.gates import InputGates, RepresentationGates, check_count, check_numbers, mixed
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule


class PLE(Sharing):
    r"""Experts of each task beside experts of all, mixed level by level: progressive layered extraction.

    Tang et al. (2020), "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model for
    Personalized Recommendations" (RecSys), section 4. Experts are trunks of one shape, cut into levels at the
    boundaries of their stages. At level j, task k reads the mixture

    .. math:: g^{k,j}(x) = \sum_i \mathrm{softmax}(W^{k,j} g^{k,j-1}(x) + b^{k,j})_i \, E_i^{k,j}

    of its own experts, which were given :math:`g^{k,j-1}`, and of the shared ones, which were given what a
    shared gate made of all experts of the level before. The first level is given the encoded row. One level
    is the paper's customized gate control (CGC).

    Choose it where tasks share a part of what decides them and have a part of their own, or where `MMoE` is
    good for some tasks and bad for others. It costs a trunk for each task and own expert, and one for each
    shared expert.

    Parameters
    ----------
    levels : int, default=1
        Number of levels, at most as many as the trunk has stages. The first has the entry and the first
        stages, the last the last ones, the longer the later.
    shared_experts : int, default=1
        Number of experts of all tasks.
    task_experts : int, default=1
        Number of experts of each task's own.

    Notes
    -----
    At the last level no task trains another's own experts. Before it all do, through the shared gate, as in
    the paper. Gates are five times what is trained, and have the network's weight decay, as those of `MMoE`.
    Members of a trunk that is an ensemble have the same gates, which from the second level on read each
    member's representation.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.sharing import PLE
    >>> X, Y = make_multitask(n_samples=100, n_regression=2, relatedness=0.5, random_state=0)
    >>> est = MultiTaskClassifierRegressor(sharing=PLE(levels=2), n_bags=1, max_epochs=2, random_state=0)
    >>> est.fit(X, Y).transform(X).shape
    (100, 256)
    """

    def __init__(self, levels: int = 1, shared_experts: int = 1, task_experts: int = 1) -> None:
        self.levels = levels
        self.shared_experts = shared_experts
        self.task_experts = task_experts

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        names = ("levels", "shared_experts", "task_experts")
        levels, n_shared, n_own = (check_count("PLE", name, getattr(self, name)) for name in names)
        check_numbers("PLE", spec)
        shared = StackedTrunks([make_trunk() for _ in range(n_shared)])
        n_stages = len(shared.stages)
        if levels > max(n_stages, 1):
            raise ValueError(
                f"`levels` of PLE must be an integer from 1 to {max(n_stages, 1)}, as the trunk has "
                f"{n_stages} stage{'s' * (n_stages != 1)}. Found {shown(self.levels)}."
            )
        own = StackedTrunks([make_trunk() for _ in range(len(tasks) * n_own)])
        return PLEModule(own, shared, len(tasks), levels, spec)


class PLEModule(SharingModule):
    """Experts of each task, shared experts, and the gates of each level.

    Parameters
    ----------
    own : StackedTrunks
        Experts of the tasks, those of one task next to each other.
    shared : StackedTrunks
        Experts of all tasks.
    n_tasks, n_levels : int
        Number of tasks, and of levels.
    spec : FeatureSpec
        Blocks of the input, which the gates of the first level read.
    """

    def __init__(
        self, own: StackedTrunks, shared: StackedTrunks, n_tasks: int, n_levels: int, spec: FeatureSpec
    ) -> None:
        super().__init__(own.width, own.members, per_task=True)
        self.own = own
        self.shared = shared
        self.n_tasks = n_tasks
        self.n_own = own.n // n_tasks
        n_stages = len(own.stages)
        #: Level i has the stages from ``bounds[i]`` to ``bounds[i + 1]``.
        self.bounds = [level * n_stages // n_levels for level in range(n_levels + 1)]
        read = [own.widths[bound] for bound in self.bounds[1:-1]]
        n_seen, n_all = self.n_own + shared.n, own.n + shared.n
        self.task_gates = nn.ModuleList(
            [InputGates(spec, n_tasks, n_seen), *(RepresentationGates(n_tasks, n, n_seen) for n in read)]
        )
        # Nothing reads what all experts of the last level would come to.
        shared_gates = [InputGates(spec, 1, n_all), *(RepresentationGates(1, n, n_all) for n in read)]
        self.shared_gates = nn.ModuleList(shared_gates[: n_levels - 1])

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        # The gates first: a trunk of the user's may work on its inputs in place.
        weights = [gates[0](inputs) for gates in (self.task_gates, self.shared_gates) if len(gates)]
        by_task, for_all = self._level(0, weights, self.own.entry(inputs), self.shared.entry(inputs))
        for level in range(1, len(self.task_gates)):
            weights = [self.task_gates[level](by_task)]
            if level < len(self.shared_gates):
                weights.append(self.shared_gates[level](for_all))
            own = by_task.unsqueeze(3).expand(-1, -1, -1, self.n_own, -1).flatten(2, 3)
            shared = for_all.expand(-1, -1, self.shared.n, -1)
            by_task, for_all = self._level(level, weights, own, shared)
        return by_task

    def _level(
        self, level: int, logits: Sequence[Tensor], own: Tensor, shared: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what a level gives for each task, and for all, which is read by a next level alone.

        Parameters
        ----------
        level : int
            Number of the level.
        logits : sequence of tensor
            What gates give: the tasks', (rows, members or 1, tasks, experts they see), and the shared one.
        own, shared : tensor of shape (rows, members, experts, width)
            What the experts read.
        """
        for number in range(self.bounds[level], self.bounds[level + 1]):
            own, shared = self.own.stages[number](own), self.shared.stages[number](shared)
        of_own, of_shared = logits[0].softmax(-1).split([self.n_own, self.shared.n], dim=-1)
        apart = own.unflatten(2, (self.n_tasks, self.n_own))
        by_task = (of_own.unsqueeze(-1) * apart).sum(3) + mixed(of_shared, shared)
        if len(logits) == 1:
            return by_task, shared
        return by_task, mixed(logits[1].softmax(-1), torch.cat([own, shared], dim=2))

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over what several tasks train: all but the tasks' own experts of the last level, and gates.

        What a task's own experts and gate give at a level reaches the other tasks by the next shared gate.
        """
        last = self.own.stages[self.bounds[-2] :] if len(self.shared_gates) else self.own
        private = {id(parameter) for part in (last, *self.task_gates[-2:]) for parameter in part.parameters()}
        return (parameter for parameter in self.parameters() if id(parameter) not in private)

    def last_shared_layer(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the last layer of the shared experts."""
        return last_layer(self.shared, self.shared.parameters())
