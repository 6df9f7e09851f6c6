"""What the trunks for sequences have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import POOLINGS, MappedParts, StepEncoder, is_real, lengths_of
from sklearn_mtl.trunks.trunk import PositionEntry, Trunk, TrunkModule


class StepsEntry(PositionEntry):
    """An entry that makes a vector of each step of a sequence, and one of all steps for the row.

    Parameters
    ----------
    name : str
        Name of the block of sequences, (rows, steps, …), which are filled up at the end.
    name_of_lengths : str
        Name of the block that tells how many steps of each row are real; all are where it is not there.
    first : nn.Module
        Makes vectors of the block, (rows, steps, n_in): an embedding, where it holds codes.
    encoder : StepEncoder
        Makes vectors of these, in which a step may read others.
    pooling : str
        How the vectors of the steps become one: a name in `POOLINGS`.
    """

    def __init__(
        self, name: str, name_of_lengths: str, first: nn.Module, encoder: StepEncoder, pooling: str
    ) -> None:
        super().__init__(encoder.width)
        self.name, self.name_of_lengths = name, name_of_lengths
        self.first, self.encoder = first, encoder
        self.pooling = POOLINGS[pooling](encoder.width, encoder.n_backwards)

    def with_positions(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of each row and of each step, of the same width."""
        lengths = self._lengths(inputs)
        steps: Tensor = self.encoder(self.first(inputs[self.name]), lengths)
        pooled: Tensor = self.pooling(steps, lengths)
        return pooled.unsqueeze(1), steps.unsqueeze(1)

    def mask(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return which steps are real, shape (rows, steps)."""
        return is_real(self._lengths(inputs), inputs[self.name].shape[1])

    def _lengths(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return lengths_of(inputs[self.name], inputs.get(self.name_of_lengths))

    @classmethod
    def stacked(cls, entries: Sequence[StepsEntry]) -> nn.Module:
        """Return the entry of trunks side by side: one after the other, since each is much to compute."""
        return MappedParts(entries, of_inputs=True, can_be_batched=False)


class SequenceTrunk(Trunk):
    """A trunk for sequences: one of a user's own needs a method that makes its `StepEncoder`.

    It has a representation for each step, for tasks with a label for each, and one for the row, which the
    parameter ``pooling`` makes of these. Rows are filled up to the longest, and what was filled up changes
    nothing: a row alone and in a longer batch are the same.
    """

    pooling: str

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 2, since each takes long."""
        return 2

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk, which is an entry without stages."""
        name, block = type(self).__name__, spec.single
        if block.kind != "float" or len(block.shape) != 2:
            raise ValueError(
                f"{name} takes sequences, rows of shape (steps, channels). Found {block.shape}; "
                "another trunk, such as MLP, can."
            )
        entry = self.entry(block, nn.Identity(), block.shape[1])
        return TrunkModule(entry, [], [entry.position_width])

    def entry(self, block: Block, first: nn.Module, n_in: int) -> StepsEntry:
        """Return a new entry for a block of steps, once these are vectors.

        Parameters
        ----------
        block : Block
            The sequences, or texts.
        first : nn.Module
            Makes vectors of the block, (rows, steps, n_in).
        n_in : int
            Width of these.

        Raises
        ------
        ValueError
            If a parameter can't be used.
        """
        if not isinstance(self.pooling, str) or self.pooling not in POOLINGS:
            raise ValueError(
                f"`pooling` of {type(self).__name__} must be one of {sorted(POOLINGS)}. Found "
                f"{shown(self.pooling)}."
            )
        encoder = self.step_encoder(n_in, block.shape[0])
        return StepsEntry(block.name, f"{block.name}_lengths", first, encoder, self.pooling)

    @abstractmethod
    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return a new network that makes a vector of each step.

        Parameters
        ----------
        n_in : int
            Numbers in each step.
        n_steps : int
            Steps of the longest row in training; others may be longer.

        Raises
        ------
        ValueError
            If a parameter can't be used.
        """
