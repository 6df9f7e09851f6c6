"""One trunk, with small multiplicative adapters of its layers for each task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule
from sklearn_mtl.trunks.layers import BatchEnsembleLinear, Dropout, Linear

# Torch's attention layers read the weights of a subclass of theirs without calling it: no subclass is known.
LINEAR_LAYERS = (nn.Linear, Linear, BatchEnsembleLinear)
DROPOUT_LAYERS = (nn.Dropout, Dropout)


class TaskAdapters(Sharing):
    """One trunk whose linear layers each task scales in a way of its own.

    The matrix of task t is W ∘ Σᵢ sₜᵢ rₜᵢᵀ, a product by elements: all tasks share W, and a task has ``rank``
    pairs of scales, of the outputs and of the inputs. Rank 1 is BatchEnsemble (Wen, Tran & Ba 2020), with
    tasks in the place of members; with higher ranks these are the multiplicative adapters of LoMETab (Choi et
    al. 2026), which has them for members too. A task also adds to the bias of each layer. The members of
    `TabM`, which have scales of their own, all have those of the task besides.

    Choose it where tasks have much in common, but each looks at other columns, or needs other hidden units,
    than the rest: many similar tasks, or tasks of which some disagree. A rank above 1 lets a task step
    farther away. In a trunk that is frozen, adapters are what is trained.

    The parameters are nearly free: a layer has ``rank * (n_in + n_out) + n_out`` more for each task. The
    computation is not: the stages are passed ``rank`` times for each task, as in so many trunks.

    A network begins as one of hard sharing. The first pair of scales begins at 1; of further pairs, the
    scales of outputs begin at 0 and those of inputs at random, or both would stay at 0. What is trained is
    the distance from 1, and what is added to biases: weight decay draws tasks together. Normalizations are
    shared.

    Parameters
    ----------
    rank : int, default=1
        How many pairs of scales each task has in each layer.

    References
    ----------
    .. [1] Wen, Tran & Ba (2020), "BatchEnsemble: An Alternative Approach to Efficient Ensemble and Lifelong
       Learning" (ICLR).
    .. [2] Choi, Jeong, Park & Kwon (2026), "LoMETab: Beyond Rank-1 Ensembles for Tabular Deep Learning".

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.sharing import TaskAdapters
    >>> regressor = MultiTaskRegressor(sharing=TaskAdapters(rank=2))
    >>> regressor.set_params(sharing__rank=1).sharing
    TaskAdapters()
    """

    def __init__(self, rank: int = 1) -> None:
        self.rank = rank

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module.

        Raises
        ------
        ValueError
            If the rank is no positive integer, or no stage of the trunk has a linear layer.
        """
        if not is_integer(self.rank) or not 1 <= self.rank < 2**31:
            raise ValueError(
                "`rank` of TaskAdapters must be an integer of at least 1, below 2**31. "
                f"Found {shown(self.rank)}."
            )
        return TaskAdaptersModule(make_trunk().in_stages(), len(tasks), int(self.rank))


class TaskAdaptersModule(SharingModule):
    """A trunk, its linear layers replaced by adapted ones.

    Its stages are given the rows of each task below one another: a module of the user's within them sees
    the (rows, members, width) that it knows.

    Parameters
    ----------
    trunk : TrunkModule
        Changed in place.
    n_tasks, rank : int
        Number of tasks, and of the pairs of scales that each has.
    """

    def __init__(self, trunk: TrunkModule, n_tasks: int, rank: int) -> None:
        super().__init__(trunk.width, trunk.members, per_task=True)
        self.n_tasks = n_tasks
        self.trunk = trunk
        replaced: dict[nn.Module, nn.Module] = {}
        for name, part in list(trunk.stages.named_modules(remove_duplicate=False)):
            if type(part) in LINEAR_LAYERS and part not in replaced:
                replaced[part] = AdaptedLinear(part, n_tasks, rank)
            elif type(part) in DROPOUT_LAYERS and part not in replaced:
                replaced[part] = ByRows(part, n_tasks)
            if part in replaced:
                trunk.stages.set_submodule(name, replaced[part])
        if not any(isinstance(part, AdaptedLinear) for part in replaced.values()):
            raise ValueError(
                "`sharing` TaskAdapters needs a trunk with linear layers in its stages. "
                f"Found a trunk of {len(trunk.stages)} stages without any."
            )

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        entry: Tensor = self.trunk.entry(inputs)
        hidden = entry.unsqueeze(0).expand(self.n_tasks, -1, -1, -1).flatten(0, 1)
        for stage in self.trunk.stages:
            hidden = stage(hidden)
        return hidden.unflatten(0, (self.n_tasks, entry.shape[0])).permute(1, 2, 0, 3)

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters of the trunk, those of its adapted layers included."""
        own = {
            id(scale)
            for part in self.modules()
            if isinstance(part, AdaptedLinear)
            for scale in part.parameters(recurse=False)
        }
        return (weights for weights in self.parameters() if id(weights) not in own)


class ByRows(nn.Module):
    """A layer that is given rows first, then tasks: a stack of networks hands dropout its masks by rows.

    Parameters
    ----------
    layer : nn.Module
        A layer that takes any shape.
    n_tasks : int
        Number of tasks, whose rows lie below one another.
    """

    def __init__(self, layer: nn.Module, n_tasks: int) -> None:
        super().__init__()
        self.layer = layer
        self.n_tasks = n_tasks

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer makes of (rows, tasks, members, width), as (tasks · rows, members, width)."""
        rows: Tensor = self.layer(x.unflatten(0, (self.n_tasks, x.shape[0] // self.n_tasks)).transpose(0, 1))
        return rows.transpose(0, 1).flatten(0, 1)


class AdaptedLinear(nn.Module):
    """A linear layer, its inputs and outputs scaled for each task.

    It goes from (tasks · rows, members, n_in) to (tasks · rows, members, n_out), the rows of one task after
    those of another.

    Parameters
    ----------
    layer : nn.Linear or BatchEnsembleLinear
        A layer with a ``weight`` of shape (n_out, n_in), for inputs of shape (rows, members, n_in).
    n_tasks, rank : int
        Number of tasks, and of the pairs of scales that each has.
    """

    first: Tensor

    def __init__(self, layer: nn.Linear | BatchEnsembleLinear, n_tasks: int, rank: int) -> None:
        super().__init__()
        n_out, n_in = layer.weight.shape
        if isinstance(layer, BatchEnsembleLinear):
            # Its short way for columns of 0 and 1 holds for numbers that are not trained; here, scales are.
            layer.first_bit = None
        self.layer = layer
        self.n_tasks = n_tasks
        self.rank = rank
        # The first scales are 1 and a trained number, further ones are trained numbers.
        self.register_buffer("first", torch.eye(rank, 1)[:, :, None, None], persistent=False)
        inputs = torch.zeros(rank, 1, 1, n_in)
        # Were both scales of a rank 0, neither would have a gradient. They are drawn alike for all tasks,
        # which step apart because their losses do.
        inputs[1:].normal_()
        self.inputs = nn.Parameter(inputs.repeat(n_tasks, 1, 1, 1, 1))
        self.outputs = nn.Parameter(torch.zeros(n_tasks, rank, 1, 1, n_out))
        self.bias = nn.Parameter(torch.zeros(n_tasks, 1, 1, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for each task."""
        n_rows = x.shape[0] // self.n_tasks
        scaled = x.unflatten(0, (self.n_tasks, 1, n_rows)) * (self.first + self.inputs)
        products = self.layer(scaled.flatten(0, 2)).unflatten(0, (self.n_tasks, self.rank, n_rows))
        outputs = self.first + self.outputs
        total: Tensor = self.bias
        for number in range(self.rank):
            total = torch.addcmul(total, products[:, number], outputs[:, number])
        return total.flatten(0, 1)
