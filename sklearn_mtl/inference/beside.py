"""Kinds of models that can be put beside the nets of a bag."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.network import ModelBeside, numbers_in
from sklearn_mtl.tasks import TaskSet

# For each net its training rows, and the rows that it holds out or None.
Parts = Sequence[tuple[Table, Table | None]]


class Path(ABC):
    """Models of all tasks, of rows that one net learns from: from plain ones to flexible ones."""

    @abstractmethod
    def raw(self, x: Tensor) -> Tensor:
        """Return the raw outputs of all models, shape (n_models, rows, raw_width).

        Parameters
        ----------
        x : tensor of shape (rows, n_columns)
            Encoded rows, in double precision on the CPU.
        """

    @abstractmethod
    def part(self, choice: Tensor, share: Tensor) -> ModelBeside:
        """Return what is put beside the net.

        Parameters
        ----------
        choice : tensor of int, shape (raw_width,)
            The model of each raw output.
        share : tensor of shape (raw_width,)
            Its share.
        """


class Kind(ABC):
    """A kind of model, and how its models are found."""

    #: What a network calls it.
    name: ClassVar[str]

    @abstractmethod
    def takes_part(self, tasks: TaskSet, parts: Parts) -> Tensor:
        """Return which tasks have models of this kind, a tensor of bool of shape (n_tasks,).

        Parameters
        ----------
        tasks : TaskSet
            The tasks.
        parts : sequence of tuple
            For each net of the bag its training rows, and the rows that it holds out or None.
        """

    def is_worth(self, before: Tensor, after: Tensor) -> Tensor:
        """Return which tasks keep their models, given their losses without and with them: all, by default.

        Parameters
        ----------
        before, after : tensor of shape (n_tasks,)
            Losses over the held-out rows, those of all tasks counted in as for the choice of the share.
        """
        return torch.ones_like(before, dtype=torch.bool)

    @abstractmethod
    def path(self, tasks: TaskSet, train: Table, held_out: Table | None, takes_part: Tensor) -> Path:
        """Return the models beside one net.

        Parameters
        ----------
        tasks : TaskSet
            The tasks.
        train : Table
            The rows that the net learns from.
        held_out : Table or None
            The rows that it holds out.
        takes_part : tensor of bool, shape (n_tasks,)
            Tasks that need models; what those of others say does not matter.
        """


class FoundOnce(Kind):
    """A kind of models, found once for all nets that learn from the same rows.

    Parameters
    ----------
    kind : Kind
        The kind.
    """

    def __init__(self, kind: Kind) -> None:
        self.name = kind.name  # type: ignore[misc]
        self._kind = kind
        self._paths: dict[Hashable, tuple[Table, Path]] = {}

    def takes_part(self, tasks: TaskSet, parts: Parts) -> Tensor:
        """Return which tasks have models of this kind."""
        return self._kind.takes_part(tasks, parts)

    def is_worth(self, before: Tensor, after: Tensor) -> Tensor:
        """Return which tasks keep their models, given their losses without and with them."""
        return self._kind.is_worth(before, after)

    def path(self, tasks: TaskSet, train: Table, held_out: Table | None, takes_part: Tensor) -> Path:
        """Return the models beside one net, those of before where there are any."""
        key = (id(train), tuple(takes_part.tolist()))
        if key not in self._paths:
            # An id is that of one object only as long as the object lives, so it is kept.
            self._paths[key] = train, self._kind.path(tasks, train, held_out, takes_part)
        return self._paths[key][1]


def in_double(table: Table) -> tuple[Tensor, Tensor, Tensor]:
    """Return the columns, the encoded targets and the cell weights of a table's rows, on the CPU."""
    return numbers_in(table.inputs).cpu().double(), table.y.cpu().double(), table.weight.cpu().double()
