"""The base of all trunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec


class TrunkModule(nn.Module):
    """A trunk's network: an entry, then stages, each of which takes what the one before it gave.

    The stages are in the open because some ways of sharing mix trunks between them.

    Parameters
    ----------
    entry : nn.Module
        From the mapping of input tensors to (rows, members, ``widths[0]``).
    stages : iterable of nn.Module
        Stage i goes from (rows, members, ``widths[i]``) to (rows, members, ``widths[i + 1]``).
    widths : sequence of int
        One more than there are stages.
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

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation, shape (rows, members, width)."""
        hidden: Tensor = self.entry(inputs)
        for stage in self.stages:
            hidden = stage(hidden)
        return hidden


class Trunk(BaseEstimator, ABC):
    """A recipe for a trunk; the network is built in ``fit``, when the widths are known."""

    @abstractmethod
    def build(self, spec: FeatureSpec, sample: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk, its parameters drawn from torch's global generator.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the input and their shapes.
        sample : mapping of str to tensor
            Encoded training rows, for what depends on the data (bin edges, normalisation).

        Returns
        -------
        TrunkModule

        Raises
        ------
        ValueError
            If a parameter, or the kind of input, is not what the trunk can take.
        """


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def check_hidden_layers(
    owner: str, hidden_sizes: Sequence[int], activation: str, dropout: float
) -> tuple[int, ...]:
    """Return the hidden sizes as a tuple; a ``ValueError`` if any of the three can't be used."""
    sizes = tuple(hidden_sizes) if isinstance(hidden_sizes, Iterable) else (hidden_sizes,)
    if not all(isinstance(size, int) and size > 0 for size in map(_plain_int, sizes)):
        raise ValueError(f"`hidden_sizes` of {owner} must hold positive integers. Found {hidden_sizes!r}.")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` of {owner} must be one of {sorted(ACTIVATIONS)}. Found {activation!r}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` of {owner} must be in [0, 1). Found {dropout!r}.")
    return tuple(int(size) for size in sizes)


def _plain_int(size: object) -> object:
    """Turn numpy's integers, which grids are full of, into Python's; leave the rest."""
    return size.__index__() if hasattr(size, "__index__") and not isinstance(size, bool) else size
