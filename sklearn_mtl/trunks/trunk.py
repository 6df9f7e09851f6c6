"""The base of all trunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import CodeEmbedding, WithCodes, share_tensors

# Numbers that stand for a code, however many levels there are: in all folds of a search it is the same.
SIZE_OF_CODES = 16
# Below, a network more costs little, and is worth much.
FEW_ROWS = 1_000


class PositionEntry(nn.Module, ABC):
    """An entry that has a representation for each position of a row too: a step, a token or a pixel.

    Tasks with a label for each position read these; all other tasks read what the trunk makes of the row.
    A trunk whose entry is one needs nothing else for such tasks.

    Parameters
    ----------
    position_width : int
        Width of the representation of a position.
    """

    def __init__(self, position_width: int) -> None:
        super().__init__()
        self.position_width = position_width

    @abstractmethod
    def with_positions(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of each row, and that of each position.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Input blocks.

        Returns
        -------
        rows : tensor of shape (rows, members, width)
            As `forward` returns it.
        positions : tensor of shape (rows, members, positions …, position_width)
            One axis for the steps of a sequence or the tokens of a text, two for the pixels of an image. What
            stands at a position that is not real means nothing, but is finite.
        """

    def mask(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return which positions are real, and no padding; a hook, by default None, for all of them.

        Parameters
        ----------
        inputs : mapping of str to tensor
            Input blocks.

        Returns
        -------
        tensor of bool, shape (rows, positions …), or None
        """
        return None

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation of each row; to be overridden where that costs less."""
        return self.with_positions(inputs)[0]


class TrunkModule(nn.Module):
    """A trunk's network: an entry, then stages, each of which takes what the one before it gave.

    The stages are attributes because some ways of sharing mix several trunks after each stage. They act on
    the representation of a row; that of its positions, where there is one, is the entry's.

    Parameters
    ----------
    entry : nn.Module
        Layer that turns the mapping of input tensors into (rows, members, ``widths[0]``).
    stages : iterable of nn.Module
        Stage i goes from (rows, members, ``widths[i]``) to (rows, members, ``widths[i + 1]``).
    widths : sequence of int
        Widths of the entry and of each stage: one more than there are stages.
    members : int, default=1
        Length of the ensemble axis.
    per_task : bool, default=False
        Whether each task has a representation of its own: the last stage then gives
        (rows, members, tasks, width).
    """

    def __init__(
        self,
        entry: nn.Module,
        stages: Iterable[nn.Module],
        widths: Sequence[int],
        *,
        members: int = 1,
        per_task: bool = False,
    ) -> None:
        super().__init__()
        self.entry = entry
        self.stages = nn.ModuleList(stages)
        self.widths = tuple(widths)
        self.members = members
        self.per_task = per_task

    @property
    def width(self) -> int:
        """Width of the representation."""
        return self.widths[-1]

    @property
    def position_width(self) -> int | None:
        """Width of the representation of each position of a row; None where the entry has none."""
        entry = self.entry
        return entry.position_width if isinstance(entry, PositionEntry | TrunkModule) else None

    def with_positions(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of each row and of each position, as `PositionEntry` does."""
        hidden, positions = self._position_entry.with_positions(inputs)
        for stage in self.stages:
            hidden = stage(hidden)
        return hidden, positions

    def mask(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return which positions are real, as `PositionEntry` does."""
        return self._position_entry.mask(inputs)

    @property
    def _position_entry(self) -> PositionEntry | TrunkModule:
        assert isinstance(self.entry, PositionEntry | TrunkModule)
        return self.entry

    def in_stages(self) -> TrunkModule:
        """Return the trunk; as an entry without stages, if it computes otherwise than stage after stage.

        Ways of sharing that call the stages themselves would leave out what a subclass does beside them.
        """
        if type(self).forward is TrunkModule.forward and not vars(self).get("forward"):
            return self
        return self._as_entry()

    def in_own_stages(self) -> TrunkModule:
        """Return the trunk in stages that can be copied apart; as an entry, if they share weights."""
        trunk = self.in_stages()
        return self._as_entry() if share_tensors([trunk.entry, *trunk.stages]) else trunk

    def _as_entry(self) -> TrunkModule:
        return TrunkModule(self, [], [self.width], members=self.members)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation, shape (rows, members, width)."""
        hidden: Tensor = self.entry(inputs)
        for stage in self.stages:
            hidden = stage(hidden)
        return hidden


class Trunk(BaseEstimator, ABC):
    """A recipe for a trunk; the network is built in ``fit``, when the widths are known."""

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether the trunk is the default for an input; the first of the package's that does is taken.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        """
        return False

    def suited_to(self, spec: FeatureSpec) -> Trunk:
        """Return the trunk to build for an input: this one, unless it stands for several.

        What is fitted keeps that trunk, and so stays what it is when a default changes.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        """
        return self

    @property
    def inner_trunks(self) -> tuple[Trunk, ...]:
        """The trunks that this one is made of: none, by default."""
        return ()

    @property
    def frozen_epochs(self) -> int:
        """For how many epochs parts of it are frozen, at most, that are trained later."""
        return max((trunk.frozen_epochs for trunk in self.inner_trunks), default=0)

    def for_tasks(self, n_tasks: int) -> Trunk:
        """Return the trunk to build for so many tasks: this one.

        A hook, for a trunk that gives each task a representation of its own, in the order of the tasks'
        columns; its `TrunkModule` says ``per_task=True``.

        Parameters
        ----------
        n_tasks : int
            Number of tasks.
        """
        return self

    @property
    def fitted(self) -> Any:
        """The trunk of a fitted estimator that is trained on, with its preprocessing; by default none."""
        return None

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 8 below 1,000 rows, and 2 from there on.

        The fewer the rows, the more nets differ by chance, and the less each of them costs.

        Parameters
        ----------
        n_rows : int
            Number of labelled rows.
        """
        return 8 if n_rows < FEW_ROWS else 2

    def n_nets_for(self, n_rows: int, *, is_flat: bool) -> int:
        """Return `n_nets`; a trunk that stands for several goes by the kind of the input too.

        Parameters
        ----------
        n_rows : int
            Number of labelled rows.
        is_flat : bool
            Whether they are rows of a table, or texts, of which a network takes little time; not images,
            sequences or several inputs.
        """
        return self.n_nets(n_rows)

    def fit_statistics(self, spec: FeatureSpec, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the network must know of the training rows, as small tensors: nothing.

        A hook for a trunk that needs bin edges, means or the like. The statistics are kept with the fitted
        network, so that it can be built again without the rows.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        sample : mapping of str to tensor
            Encoded training rows; about 100 000 of a large table.
        """
        return {}

    @abstractmethod
    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk, its parameters drawn from torch's global generator.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        statistics : mapping of str to tensor
            The tensors that `fit_statistics` returned.

        Returns
        -------
        TrunkModule

        Raises
        ------
        ValueError
            If a parameter, or the kind of input, is not what the trunk can take.
        """

    def build_with_positions(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk for tasks with a label for each position: what `build` returns, by default.

        A hook, for a trunk that needs further layers for its positions, which no other task would train.

        Parameters
        ----------
        spec, statistics
            As in `build`.

        Raises
        ------
        ValueError
            If the trunk has no representation for each position.
        """
        module = self.build(spec, statistics)
        if module.position_width is None:
            raise ValueError(
                "A task with a label for each position needs a trunk with a representation for each, whose "
                f"entry is a PositionEntry. Found `trunk` {shown(self)}."
            )
        return module


def with_codes(entry: nn.Module, spec: FeatureSpec) -> tuple[nn.Module, list[int]]:
    """Return the entry of a table with the vectors of its codes, and their widths: none where it has none.

    Parameters
    ----------
    entry : nn.Module
        Gives the block of numbers, (rows, members, width), the same to all members.
    spec : FeatureSpec
        Blocks of the input and their shapes.
    """
    if spec.codes is None:
        return entry, []
    cardinalities = spec.codes.cardinalities
    embedding = CodeEmbedding(cardinalities, SIZE_OF_CODES)
    return WithCodes(entry, spec.codes.name, embedding), [SIZE_OF_CODES] * len(cardinalities)
