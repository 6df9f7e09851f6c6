"""A whole bag as one module: from encoded rows to what each task predicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.inference.bag import TrainedNet
from sklearn_mtl.inference.compression import refuse_int8
from sklearn_mtl.inference.exported.decoding import decoder_of
from sklearn_mtl.inference.exported.table import TableEncoding
from sklearn_mtl.inference.exported.tracing import ROWS
from sklearn_mtl.inference.exported.trees import FixedTrees
from sklearn_mtl.network import MultiTaskModule
from sklearn_mtl.tasks import Task, TaskSet


class Predictor(nn.Module):
    """A copy of a bag, with the decoding of its tasks, on the CPU.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag.
    tasks : iterable of Task
        The tasks in the user's order.
    blocks : sequence of str
        The names of the blocks, in the order in which `forward` takes them.
    for_onnx : bool, default=False
        Whether trees are traced as the operator that ONNX has for them; see `FixedTrees`.

    Attributes
    ----------
    names : list of str
        The names of what `forward` returns: that of the task, two underscores, and what it is.

    Raises
    ------
    CannotBeHeld
        If a task has a label for each position of a row.
    TypeError
        If the networks are quantized.
    """

    def __init__(
        self,
        nets: Sequence[TrainedNet],
        tasks: Iterable[Task],
        blocks: Sequence[str],
        *,
        for_onnx: bool = False,
    ) -> None:
        super().__init__()
        self.tasks = TaskSet(tuple(tasks))
        self.blocks = tuple(blocks)
        self.decoders = nn.ModuleList(decoder_of(task) for task in self.tasks)
        self.networks = nn.ModuleList(
            _copy(net.evaluated, number if for_onnx else None) for number, net in enumerate(nets)
        )
        self.losses = nn.ModuleList(deepcopy(net.criterion_.losses).cpu().double() for net in nets)
        self.names = [
            f"{task.name}__{name}"
            for task, decoder in zip(self.tasks, self._decoders, strict=True)
            for name in decoder.names
        ]
        self.eval()
        self.requires_grad_(False)

    def forward(self, *blocks: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of all tasks, in the order of `names`.

        Parameters
        ----------
        *blocks : tensor of shape (rows, ...)
            Encoded rows, one tensor for each block.
        """
        of_nets = [self._responses(*both, blocks) for both in zip(self.networks, self.losses, strict=True)]
        means = [sum(parts) / len(parts) for parts in zip(*of_nets, strict=True)]
        found: list[Tensor] = []
        for task, decoder in zip(self.tasks, self._decoders, strict=True):
            group, columns = self.tasks.places[task.name]
            found += decoder(means[group][:, columns])
        return tuple(found)

    @property
    def _decoders(self) -> Iterable[Any]:
        return self.decoders

    def _responses(self, network: Any, losses: Any, blocks: Sequence[Tensor]) -> list[Tensor]:
        # A copy for each: a network may work in place.
        inputs = {name: block.clone() for name, block in zip(self.blocks, blocks, strict=True)}
        found: list[Tensor] = losses.responses(network.calibrated(inputs).double())
        return found


class TablePredictor(nn.Module):
    """A preprocessing of a table, and the bag behind it.

    Parameters
    ----------
    encoding : TableEncoding
        From numbers and codes of texts to blocks.
    predictor : Predictor
        From blocks to the outputs of all tasks.
    n_numbers : int
        Number of columns that are numbers.
    """

    def __init__(self, encoding: TableEncoding, predictor: Predictor, n_numbers: int) -> None:
        super().__init__()
        self.encoding = encoding
        self.predictor = predictor
        self.n_numbers = n_numbers

    def example_rows(self) -> list[Tensor]:
        """Return rows of zeros, as `forward` takes them."""
        numbers = torch.zeros((ROWS, self.n_numbers), dtype=torch.float64)
        n_texts = len(self.encoding.texts)
        return [numbers, *([torch.zeros((ROWS, n_texts), dtype=torch.int64)] if n_texts else [])]

    def forward(self, *columns: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of all tasks.

        Parameters
        ----------
        *columns : tensor of shape (rows, n_columns)
            Numbers, and codes of texts if there are any.
        """
        found: tuple[Tensor, ...] = self.predictor(*self.encoding(*columns))
        return found


def _copy(module: MultiTaskModule, number: int | None) -> MultiTaskModule:
    refuse_int8(module)
    copied = deepcopy(module).cpu().eval()
    if copied.trees is not None:
        copied.trees = FixedTrees(copied.trees, number)  # type: ignore[assignment]
    return copied
