"""Soft parameter sharing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.func import functional_call

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.sharing.separate import SeparateTrunksModule
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.sharing.task_relations import (
    graph_without,
    laplacian_root,
    named_graph,
    read_graph,
    tied_groups,
)
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import StackedTrunks, TrunkModule
from sklearn_mtl.trunks.layers import tensors_by_place

# Singular values are smoothed at this share of the largest, where their sum would have no derivative.
SMOOTHING = 1e-3
# Weights may all begin at 0.
SMALLEST = 1e-12


class SoftSharing(Sharing):
    """A trunk for each task, tied by a penalty between their weights.

    Choose it where tasks are alike but not the same: between `HardSharing`, which it becomes as ``strength``
    grows, and `SeparateTrunks`, which it is at 0. The weights, and the work of a step, are those of as many
    trunks as there are tasks.

    - ``"l2"`` is the squared distance of the trunks from each other, summed over their weights (Duong et al.
      2015, eq. 1; over a graph, Evgeniou, Micchelli & Pontil 2005). Trunks that are tied start alike.
    - ``"trace_norm"`` is the sum of the singular values of each layer's matrices, one task a row, which makes
      them combinations of few patterns (Yang & Hospedales 2017: the tensor trace norm by flattening the last
      axis). Of tasks that are tied in several groups, each group has a matrix. Trunks that are tied start
      alike. A large strength draws the weights to 0.
    - ``"orthogonal"`` is the sum of the squared inner products of the units of different tasks in each layer,
      which makes tasks look at different things (Bousmalis et al. 2016, eq. 5, there between representations;
      between matrices Ruder et al. 2019, eq. 3). Trunks start apart.

    Parameters
    ----------
    penalty : {"l2", "trace_norm", "orthogonal"}, default="l2"
        What is penalized.
    strength : float, default=0.01
        Weight of the penalty, beside the losses of the tasks, each of which starts near 1. It is made to mean
        the same whatever the number of tasks and the widths of the trunks.
    graph : optional
        Which tasks are tied; all, by default. An array or DataFrame of shape (tasks, tasks) has weights,
        symmetric and not negative, of which only the ratios count; an array is in the order of the tasks in
        y. A mapping from a name to names, or a sequence of pairs of names, ties tasks with equal weights. A
        task that is tied to none is on its own.

    References
    ----------
    .. [1] Duong, Cohn, Bird & Cook (2015), "Low Resource Dependency Parsing: Cross-lingual Parameter Sharing
       in a Neural Network Parser" (ACL).
    .. [2] Yang & Hospedales (2017), "Trace Norm Regularised Deep Multi-Task Learning" (ICLR workshop).
    .. [3] Evgeniou, Micchelli & Pontil (2005), "Learning Multiple Tasks with Kernel Methods" (JMLR).
    .. [4] Bousmalis, Trigeorgis, Silberman, Krishnan & Erhan (2016), "Domain Separation Networks" (NeurIPS).
    .. [5] Ruder, Bingel, Augenstein & Søgaard (2019), "Latent Multi-Task Architecture Learning" (AAAI).

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.sharing import SoftSharing
    >>> X, Y = make_multitask(n_regression=3, random_state=0)
    >>> sharing = SoftSharing(strength=0.1, graph={"regression0": ["regression1"]})
    >>> quick = MultiTaskRegressor(sharing=sharing, trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    >>> list(quick.fit(X, Y).predict(X))
    ['regression0', 'regression1', 'regression2']
    """

    def __init__(self, penalty: str = "l2", strength: float = 0.01, graph: Any = None) -> None:
        self.penalty = penalty
        self.strength = strength
        self.graph = graph

    def of_tasks(self, names: Sequence[str]) -> Sharing:
        """Return a copy whose graph names the tasks."""
        copy: Sharing = clone(self).set_params(graph=named_graph(self.graph, names))
        return copy

    def without(self, names: Sequence[str]) -> Sharing:
        """Return a copy that ties the other tasks."""
        graph = graph_without(self.graph, names)
        copy: Sharing = clone(self).set_params(graph=graph)
        # Where all ties were with tasks that are left out, nothing is tied.
        return copy if graph is None or len(graph) else copy.set_params(graph=None, strength=0)

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module.

        Raises
        ------
        ValueError
            If a parameter is not what it has to be, or the graph not one of these tasks.
        """
        if not isinstance(self.penalty, str) or self.penalty not in PENALTIES:
            raise ValueError(
                f"`penalty` of SoftSharing must be one of {sorted(PENALTIES)}. Found {shown(self.penalty)}."
            )
        if not is_number(self.strength) or self.strength < 0:
            raise ValueError(
                f"`strength` of SoftSharing must be a number of at least 0. Found {shown(self.strength)}."
            )
        graph = read_graph(self.graph, [task.name for task in tasks])
        trunks = [make_trunk() for _ in tasks]
        if self.strength == 0 or not graph.any():
            return SeparateTrunksModule(StackedTrunks(trunks))
        return PENALTIES[self.penalty](trunks, graph, float(self.strength))


class PenalizedModule(SeparateTrunksModule):
    """A trunk for each task, and a penalty on their weights.

    Parameters
    ----------
    trunks : sequence of TrunkModule
        As many as there are tasks.
    graph : array of shape (tasks, tasks)
        How much each pair is tied; not all 0.
    strength : float
        Weight of the penalty.
    """

    strength: Tensor
    graph: Tensor

    def __init__(self, trunks: Sequence[TrunkModule], graph: np.ndarray, strength: float) -> None:
        super().__init__(StackedTrunks(trunks))
        # Buffers, so that networks of several strengths are trained as one stack.
        self.register_buffer("strength", torch.tensor(strength))
        self.register_buffer("graph", _small(graph / graph.sum(1).mean()))
        # An average of the weights, say, is a copy without gradient.
        self.penalized = [
            name for name, part in self.trunks.named_parameters() if self._is_penalized(name, part)
        ]

    def penalty(self, inputs: Mapping[str, Tensor], weight: Tensor) -> Tensor:
        """Return the penalty, a scalar."""
        # In half precision, differences of weights would be rounded away.
        with torch.autocast(self.strength.device.type, enabled=False):
            weights = dict(self.trunks.named_parameters())
            return self.strength * sum(self._of_weights(weights[name]) for name in self.penalized)

    def _is_penalized(self, name: str, weights: Tensor) -> bool:
        """Whether some weights are penalized: by default the trained matrices, (tasks, n_out, ...)."""
        return weights.requires_grad and weights.ndim > 2 and name.endswith("weight")

    @abstractmethod
    def _of_weights(self, weights: Tensor) -> Tensor:
        """Return the penalty of one layer's weights, tasks first."""


class DistanceModule(PenalizedModule):
    """Trunks tied by the distances between their weights.

    Each weight is the sum of one that all tied tasks train and one of each task, 0 at the start (Evgeniou &
    Pontil 2004). Alone, the weights of each would hardly move under a strong penalty: an optimizer that
    divides by the size of past gradients, as Adam does, divides by that of the penalty.
    """

    root: Tensor | None
    groups: Tensor

    def __init__(self, trunks: Sequence[TrunkModule], graph: np.ndarray, strength: float) -> None:
        groups = _start_alike(trunks, graph)
        super().__init__(trunks, graph, strength)
        firsts = sorted({*groups})
        names: dict[Tensor, str] = {self.trunks.get_parameter(name): name for name in self.penalized}
        #: Every place of a penalized weight, and the name that it goes by.
        self.places = {
            place: names[tensor] for place, tensor in tensors_by_place(self.trunks).items() if tensor in names
        }
        own = [self.trunks.get_parameter(name) for name in self.penalized]
        self.common = nn.ParameterList(parameter.detach()[firsts].clone() for parameter in own)
        for parameter in own:
            parameter.data.zero_()
        self.register_buffer("groups", torch.tensor([firsts.index(group) for group in groups]))
        ties = graph[~np.eye(len(graph), dtype=bool)]
        # Between all alike it takes the mean off, which needs no product.
        self.register_buffer("root", None if np.ptp(ties) == 0 else _small(laplacian_root(graph)))

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        weights = self.weights()
        by_place = {place: weights[name] for place, name in self.places.items()}
        representation: Tensor = functional_call(self.trunks, by_place, (dict(inputs),), tie_weights=False)
        return representation

    def weights(self) -> dict[str, Tensor]:
        """Return the weights of the trunks, by name: the sums of the common and the own ones."""
        own = dict(self.trunks.named_parameters())
        common = (part if len(part) == 1 else part[self.groups] for part in self.common)
        return {name: shared + own[name] for name, shared in zip(self.penalized, common, strict=True)}

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the common weights."""
        return iter(self.common)

    def last_shared_layer(self) -> Sequence[nn.Parameter]:
        """Return the common weights of the last layer of the trunks."""
        own = [self.trunks.get_parameter(name) for name in self.penalized]
        common = {id(weights): shared for weights, shared in zip(own, self.common, strict=True)}
        return [common[id(weights)] for weights in last_layer(self.trunks, own)]

    def _is_penalized(self, name: str, weights: Tensor) -> bool:
        return weights.requires_grad

    def _of_weights(self, weights: Tensor) -> Tensor:
        if self.root is None:
            return (weights - weights.mean(0)).square().sum()
        return (self.root @ weights.flatten(1)).square().sum()


class TraceNormModule(PenalizedModule):
    """Trunks tied by the sums of the singular values of their matrices."""

    same_group: Tensor

    def __init__(self, trunks: Sequence[TrunkModule], graph: np.ndarray, strength: float) -> None:
        groups = _start_alike(trunks, graph)
        super().__init__(trunks, graph, strength)
        self.register_buffer("same_group", _small(np.equal.outer(groups, groups)))

    def _of_weights(self, weights: Tensor) -> Tensor:
        by_task = weights.flatten(1)
        # Of the products of rows, groups are blocks: their eigenvalues are squares of all singular values.
        squares = torch.linalg.eigvalsh(self.same_group * (by_task @ by_task.T))
        smallest = SMOOTHING**2 * squares[-1].detach() + SMALLEST
        singular = (squares.clamp_min(0) + smallest).sqrt()
        # At the start the weights of a matrix have about this length, whatever the width.
        return weights.shape[1] ** 0.5 * singular.sum()


class OrthogonalModule(PenalizedModule):
    """Trunks kept apart by the inner products of their units."""

    def _of_weights(self, weights: Tensor) -> Tensor:
        units = weights.flatten(2)
        # The squares of the products of all pairs of units are the product of two squares of matrices.
        squares = torch.bmm(units.transpose(1, 2), units).flatten(1)
        return (squares * (self.graph @ squares)).sum()


PENALTIES: dict[str, type[PenalizedModule]] = {
    "l2": DistanceModule,
    "trace_norm": TraceNormModule,
    "orthogonal": OrthogonalModule,
}


def _start_alike(trunks: Sequence[TrunkModule], graph: np.ndarray) -> list[int]:
    """Give trunks that are tied the same weights; return their groups."""
    groups = tied_groups(graph)
    for trunk, first in zip(trunks, groups, strict=True):
        trunk.load_state_dict(trunks[first].state_dict())
    return groups


def _small(numbers: np.ndarray) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32)
