"""The base of all ways of sharing trunks between tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule

#: From a representation to the raw outputs of all tasks, shape (rows, members, raw outputs).
Heads = Callable[[Tensor], Tensor]


class SharingModule(nn.Module, ABC):
    """The part of the network between the inputs and the heads: the trunks, and how tasks share them.

    Parameters
    ----------
    width : int
        Width of the representation.
    members : int
        Length of the ensemble axis.
    per_task : bool
        Whether every task has a representation of its own.
    """

    def __init__(self, width: int, members: int, *, per_task: bool) -> None:
        super().__init__()
        self.width = width
        self.members = members
        self.per_task = per_task

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation that the heads read.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Encoded rows.
        heads : callable
            From a representation to the raw outputs of all tasks, for sharing in which one task reads what
            another predicts. The outputs of tasks for which the representation is not filled in yet mean
            nothing.

        Returns
        -------
        tensor of shape (rows, members, width) or, per task, (rows, members, tasks, width)
        """

    @property
    def position_width(self) -> int | None:
        """Width of the representation of each position of a row; a hook, by default None, for none.

        `forward` then gives (rows, members, width + positions * position_width): the representation of the
        row, and behind it that of one position after the other.
        """
        return None

    def mask(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return which positions of each row are real, (rows, positions); a hook, by default None, for all.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Encoded rows.
        """
        return None

    @abstractmethod
    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters that several tasks train, on which gradients are balanced."""

    def last_shared_layer(self) -> Sequence[nn.Parameter]:
        """Return the trained parameters of the last layer that several tasks train; none, where none do.

        A hook, for balancing that looks at one layer, as GradNorm does. By default it is the last, in the
        order in which the parts of the module were made, of those with a matrix in `shared_parameters`.
        """
        return last_layer(self, self.shared_parameters())

    @property
    def shared_trunk(self) -> TrunkModule | None:
        """The one trunk whose representation all tasks read; a hook, by default None, for no such trunk."""
        return None

    @property
    def column_scale(self) -> Tensor | None:
        """What each task's head multiplies the columns of a shared representation by, (tasks, width).

        A hook, by default None for 1 everywhere. It is 0 where a task is not to read a column.
        """
        return None

    @property
    def joined_outputs(self) -> Sequence[int]:
        """Positions of the raw outputs that `joined` replaces; a hook, by default none.

        By itself such an output of the heads is no task's prediction.
        """
        return ()

    def joined(self, raw: Tensor) -> Tensor:
        """Return the raw outputs of the tasks, given those of the heads; a hook, by default the same.

        Temperatures, and the share of a linear model, apply to the outputs of the heads.

        Parameters
        ----------
        raw : tensor of shape (..., raw outputs)
            The outputs of the heads, tasks in the order of their columns.

        Returns
        -------
        tensor of shape (..., raw outputs)
        """
        return raw

    def penalty(self, inputs: Mapping[str, Tensor], weight: Tensor) -> Tensor | None:
        """Return a scalar that is added to the loss of a batch; a hook, by default None, for no penalty.

        Parameters
        ----------
        inputs : mapping of str to tensor
            The encoded rows of the batch, for a penalty on what is made of them.
        weight : tensor of shape (rows, target columns)
            Cell weights, 0 where a label is missing. A row without any weight fills up the batch of a stack,
            and must not count.
        """
        return None


class Sharing(BaseEstimator, ABC):
    """A recipe for sharing trunks between tasks.

    Attributes
    ----------
    takes_positions : bool
        Whether tasks may have a label for each position of a row. Trunks then have a representation for each,
        and the module has a `SharingModule.position_width`.
    takes_per_task : bool
        Whether trunks may give each task a representation of its own.
    """

    takes_positions: ClassVar[bool] = False
    takes_per_task: ClassVar[bool] = False

    def of_tasks(self, names: Sequence[str]) -> Sharing:
        """Return the recipe to build for tasks of these names: this one.

        A hook, for parameters that speak of tasks by place: `build` gets them in another order, and a fold
        may have fewer. What it returns speaks of them by name, and is given the tasks that are left again.

        Parameters
        ----------
        names : sequence of str
            In the user's order; for a fit that leaves tasks out, those too at first.
        """
        return self

    @abstractmethod
    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module, its parameters drawn from torch's global generator.

        Parameters
        ----------
        make_trunk : callable
            Each call returns a new trunk.
        tasks : sequence of Task
            In the order of their columns, which per-task representations have as well.
        spec : FeatureSpec
            Blocks of the input and their shapes, for what reads the input beside the trunks, such as gates.

        Returns
        -------
        SharingModule
        """

    def without(self, names: Sequence[str]) -> Sharing:
        """Return the recipe for a fit that leaves tasks out; a hook, by default the recipe itself.

        Parameters
        ----------
        names : sequence of str
            Tasks that have no label in the rows of a fold, and which parameters may name.
        """
        return self

    def trained_as(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return the tasks as this way of sharing trains them; a hook, by default as they are.

        Parameters
        ----------
        tasks : sequence of Task
            In the user's order.

        Raises
        ------
        ValueError
            If the parameters are not for these tasks.
        """
        return tasks

    def conditions(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Return by task the one without whose event its own can't be; a hook, by default none.

        Of such a pair no network predicts a second class that is more probable than that of the condition,
        and a vote of networks has the same weights for both, so that its mean doesn't either.

        Parameters
        ----------
        tasks : sequence of Task
            In any order.
        """
        return {}

    def label_warning(self, tasks: Sequence[Task], labels: Mapping[str, Tensor]) -> str:
        """Return a warning of labels that this way of sharing is not for; a hook, by default none, empty.

        Parameters
        ----------
        tasks : sequence of Task
            In the order of their columns.
        labels : mapping of str to tensor of shape (n_rows, n_columns)
            As in `fit_statistics`, of all rows that ``fit`` was given.
        """
        return ""

    def fit_statistics(self, tasks: Sequence[Task], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what must be known of the labels before the module is built; a hook, by default nothing.

        Parameters
        ----------
        tasks : sequence of Task
            In the order of their columns.
        labels : mapping of str to tensor of shape (n_rows, n_columns)
            The encoded targets ``"y"`` and the cell weights ``"weight"`` of training rows, 0 where a label is
            missing. They are read when asked for.

        Returns
        -------
        dict of str to tensor
            A few small tensors, which are kept with the network, so that it can be built again.
        """
        return {}

    def with_statistics(self, tasks: Sequence[Task], statistics: Mapping[str, Tensor]) -> Sharing:
        """Return the recipe to build, given what `fit_statistics` found; a hook, by default the same recipe.

        Parameters
        ----------
        tasks : sequence of Task
            In the order of their columns.
        statistics : mapping of str to tensor
            The result of `fit_statistics`.
        """
        return self
