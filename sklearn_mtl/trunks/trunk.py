"""The base of all trunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, is_number, sizes_of
from sklearn_mtl.trunks.layers import CodeEmbedding, WithCodes, share_tensors

# Numbers that stand for a code, however many levels there are: in all folds of a search it is the same.
SIZE_OF_CODES = 16
# Below, a network more costs little, and is worth much.
FEW_ROWS = 1_000


class TrunkModule(nn.Module):
    """A trunk's network: an entry, then stages, each of which takes what the one before it gave.

    The stages are attributes because some ways of sharing mix several trunks after each stage.

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
    """

    def __init__(
        self, entry: nn.Module, stages: Iterable[nn.Module], widths: Sequence[int], *, members: int = 1
    ) -> None:
        super().__init__()
        self.entry = entry
        self.stages = nn.ModuleList(stages)
        self.widths = tuple(widths)
        self.members = members

    @property
    def width(self) -> int:
        """Width of the representation."""
        return self.widths[-1]

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

    def suited_to(self, spec: FeatureSpec) -> Trunk:
        """Return the trunk to build for an input: this one, unless it stands for several.

        What is fitted keeps that trunk, and so stays what it is when a default changes.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        """
        return self

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 8 below 1,000 rows, and 2 from there on.

        The fewer the rows, the more nets differ by chance, and the less each of them costs.

        Parameters
        ----------
        n_rows : int
            Number of labelled rows.
        """
        return 8 if n_rows < FEW_ROWS else 2

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


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def check_hidden_layers(
    owner: str, hidden_sizes: Sequence[int], activation: str, dropout: float | str, dropout_or: str = ""
) -> tuple[int, ...]:
    """Return the hidden sizes as a tuple; raise a ``ValueError`` if any of the three can't be used.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the messages.
    hidden_sizes, activation, dropout
        The values of its parameters.
    dropout_or : str, optional
        What ``dropout`` may be besides a share; nothing by default.
    """
    sizes = sizes_of(hidden_sizes)
    if sizes is None:
        raise ValueError(
            f"`hidden_sizes` of {owner} must hold positive integers, below 2**31. "
            f"Found {shown(hidden_sizes)}."
        )
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` of {owner} must be one of {sorted(ACTIVATIONS)}. Found {shown(activation)}."
        )
    if not (dropout_or and isinstance(dropout, str) and dropout == dropout_or) and not (
        is_number(dropout) and 0 <= float(dropout) < 1
    ):
        other = f"{dropout_or!r} or a number " if dropout_or else ""
        raise ValueError(f"`dropout` of {owner} must be {other}in [0, 1). Found {shown(dropout)}.")
    return sizes


def check_counts(owner: str, **counts: object) -> None:
    """Raise a ``ValueError`` if a parameter is no positive integer.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    **counts : object
        The parameters' values by their names.
    """
    for name, value in counts.items():
        if not is_integer(value) or not 0 < value < 2**31:  # type: ignore[operator]
            raise ValueError(
                f"`{name}` of {owner} must be a positive integer, below 2**31. Found {shown(value)}."
            )


def check_shares(owner: str, **shares: object) -> None:
    """Raise a ``ValueError`` if a parameter is no share of units to drop.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    **shares : object
        The parameters' values by their names.
    """
    for name, value in shares.items():
        if not is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
            raise ValueError(f"`{name}` of {owner} must be a number in [0, 1). Found {shown(value)}.")
