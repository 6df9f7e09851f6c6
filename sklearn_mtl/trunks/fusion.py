"""A trunk for each of several inputs, and what makes one representation of theirs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import resolve
from sklearn_mtl.trunks.default import OF_AN_INPUT
from sklearn_mtl.trunks.ft_transformer import TransformerBlock
from sklearn_mtl.trunks.layers import Dropout, Linear, MappedParts
from sklearn_mtl.trunks.parameters import check_counts, check_hidden_layers
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule

HEADS_OF_ATTENTION = 4


class Fusion(Trunk):
    """A trunk for each of several inputs, fused to one representation.

    The representation of each input is normalized. Where a row lacks an input, a learned vector stands for
    it.

    Parameters
    ----------
    trunks : mapping of str to Trunk, short name or nn.Module, optional
        The trunk of each input, by its name, such as ``{"photo": "cnn"}``; inputs that are not named have the
        default trunk of their kind.
        Parameters of it are set and searched by that name: ``trunk__photo__dropout``.
    fusion : {"concat", "gated", "attention"}, default="concat"
        ``"concat"`` puts the representations side by side. ``"gated"`` is the gated multimodal unit of
        Arevalo et al. (2017): of each input a vector of `width` numbers, weighed number by number by gates
        that see all inputs. ``"attention"`` is a transformer of two blocks whose tokens are such vectors.
    hidden_sizes : sequence of int, default=(128,)
        Width of each hidden layer after the fusion; empty for none.
    width : int, default=128
        Width of an input's vector under ``"gated"`` and ``"attention"``, there a multiple of 4.
    dropout : float, default=0.0
        Share of activations of the hidden layers set to 0 while training, in [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.trunks import MLP, Fusion
    >>> spec = FeatureSpec((Block("photo", (3, 8, 8)), Block("table", (4,))))
    >>> trunk = Fusion({"photo": MLP((16,)), "table": MLP((8,))}, hidden_sizes=(32,)).build(spec, {})
    >>> trunk({"photo": torch.zeros(5, 3, 8, 8), "table": torch.zeros(5, 4)}).shape
    torch.Size([5, 1, 32])
    """

    def __init__(
        self,
        trunks: Mapping[str, Any] | None = None,
        *,
        fusion: str = "concat",
        hidden_sizes: Sequence[int] = (128,),
        width: int = 128,
        dropout: float = 0.0,
    ) -> None:
        self.trunks = trunks
        self.fusion = fusion
        self.hidden_sizes = hidden_sizes
        self.width = width
        self.dropout = dropout

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether there are several inputs."""
        return len(spec.inputs) > 1

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, the trunks by the names of inputs, and theirs, as well."""
        found: dict[str, Any] = super().get_params(deep=False)
        if not deep or not isinstance(self.trunks, Mapping):
            return found
        of_trunks: dict[str, Any] = {}
        for name, trunk in self.trunks.items():
            of_trunks[name] = trunk
            if isinstance(trunk, Trunk):
                of_trunks |= {f"{name}__{key}": value for key, value in trunk.get_params().items()}
        return {**of_trunks, **found}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the trunk of an input by its name; the trunks given are not changed."""
        own = super().get_params(deep=False)
        super().set_params(**{name: value for name, value in params.items() if name in own})
        trunks: dict[str, Any] = dict(self.trunks or {})
        nested: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if key in own:
                continue
            if rest:
                nested[name][rest] = value
            elif name in trunks or _is_a_trunk(value):
                trunks[name] = value
            else:
                raise ValueError(
                    f"Invalid parameter {shown(key)} for estimator {self}. Valid parameters are: "
                    f"{sorted(own)}, and the names of inputs, for trunks."
                )
        for name, values in nested.items():
            trunks[name] = clone(_trunk_of(name, trunks)).set_params(**values)
        if trunks != dict(self.trunks or {}):
            self.trunks = trunks
        return self

    @property
    def inner_trunks(self) -> tuple[Trunk, ...]:
        """The trunks of the inputs that are named."""
        return tuple(_trunk_of(name, self.trunks) for name in self.trunks or ())

    def suited_to(self, spec: FeatureSpec) -> Trunk:
        """Return this fusion with a trunk for each input.

        Raises
        ------
        ValueError
            If `trunks` names an input that there is not.
        """
        found = Fusion(**self.get_params(deep=False))
        found.trunks = self._of_inputs(spec)
        return found

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 2, since each takes long."""
        return 2

    def fit_statistics(self, spec: FeatureSpec, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the fit statistics of the trunk of each input, their names after its own."""
        return {
            f"{name}.{key}": value
            for name, trunk in self._of_inputs(spec).items()
            for key, value in trunk.fit_statistics(spec.of(name), sample).items()
        }

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk: those of the inputs are its entry, hidden layers its stages."""
        sizes = check_hidden_layers("Fusion", self.hidden_sizes, "relu", self.dropout)
        check_counts("Fusion", width=self.width)
        if not isinstance(self.fusion, str) or self.fusion not in FUSIONS:
            raise ValueError(
                f"`fusion` of Fusion must be one of {sorted(FUSIONS)}. Found {shown(self.fusion)}."
            )
        if self.fusion == "attention" and self.width % HEADS_OF_ATTENTION:
            raise ValueError(
                f"`width` of Fusion must be a multiple of {HEADS_OF_ATTENTION} under 'attention'. Found "
                f"{shown(self.width)}."
            )
        modules = {
            name: trunk.build(spec.of(name), _of(name, statistics))
            for name, trunk in self._of_inputs(spec).items()
        }
        of_tasks = [name for name, module in modules.items() if module.per_task]
        if of_tasks:
            raise ValueError(
                "`trunks` of Fusion must each give one representation for all tasks. Found one for each "
                f"task, as of FTTransformer(task_tokens=True), for the inputs {shown(of_tasks)}."
            )
        present = [None if (of := spec.of(name).presence) is None else of.name for name in modules]
        joint = FUSIONS[self.fusion]([module.width for module in modules.values()], self.width)
        entry = FusedEntry(list(modules.values()), present, joint)
        widths = (joint.out_width, *sizes)
        stages = [self._stage(n_in, n_out) for n_in, n_out in pairwise(widths)]
        return TrunkModule(entry, stages, widths, members=entry.members)

    def _stage(self, n_in: int, n_out: int) -> nn.Module:
        layers: list[nn.Module] = [Linear(n_in, n_out), nn.ReLU()]
        return nn.Sequential(*layers, *([Dropout(self.dropout)] if self.dropout > 0 else []))

    def _of_inputs(self, spec: FeatureSpec) -> dict[str, Trunk]:
        """Return the trunk of each input, in the order of the inputs."""
        given = self.trunks
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"`trunks` of Fusion must be None or a mapping from input to trunk. Found {shown(given)}."
            )
        unknown = [name for name in given or {} if name not in spec.inputs]
        if unknown:
            raise ValueError(
                f"`trunks` of Fusion names unknown inputs {shown(unknown)}; the inputs are "
                f"{shown(list(spec.inputs))}."
            )
        return {name: _trunk_of(name, given).suited_to(spec.of(name)) for name in spec.inputs}


class FusedEntry(nn.Module):
    """The trunks of several inputs as an entry: (rows, members, width).

    A trunk of one member gives all members the same; of a trunk of fewer members than others, the mean.

    Parameters
    ----------
    trunks : sequence of TrunkModule
        The trunk of each input.
    present : sequence of str or None
        The block that says which rows have each input; None where all do.
    joint : Joint
        Makes one representation of those of the inputs.
    """

    def __init__(self, trunks: Sequence[TrunkModule], present: Sequence[str | None], joint: Joint) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(trunks)
        self.norms = nn.ModuleList(nn.LayerNorm(trunk.width) for trunk in trunks)
        # What stands for an input that a row lacks, where one may.
        self.lacking = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(trunk.width))
                for name, trunk in zip(present, trunks, strict=True)
                if name is not None
            }
        )
        self.present = tuple(present)
        self.members = max(trunk.members for trunk in trunks)
        self.joint = joint

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation, shape (rows, members, width)."""
        found = []
        for trunk, norm, present in zip(self.trunks, self.norms, self.present, strict=True):
            hidden = norm(trunk(inputs))
            if hidden.shape[1] not in (1, self.members):
                hidden = hidden.mean(1, keepdim=True)
            if present is not None:
                there = inputs[present][:, None, None]
                hidden = there * hidden + (1 - there) * self.lacking[present]
            found.append(hidden.expand(-1, self.members, -1))
        joined: Tensor = self.joint(found)
        return joined

    @classmethod
    def stacked(cls, entries: Sequence[FusedEntry]) -> nn.Module:
        """Return the entry of trunks side by side: one after the other, since each is much to compute."""
        return MappedParts(entries, of_inputs=True, can_be_batched=False)


class Joint(nn.Module, ABC):
    """One representation of several, (rows, members, ``out_width``).

    Parameters
    ----------
    widths : sequence of int
        Widths of the representations.
    width : int
        Width of what is made of each.
    """

    out_width: int

    @abstractmethod
    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, representations: Sequence[Tensor]) -> Tensor:
        """Return the representations, (rows, members, width) each, as one."""


class Concatenated(Joint):
    """The representations side by side."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__(widths, width)
        self.out_width = sum(widths)

    def forward(self, representations: Sequence[Tensor]) -> Tensor:
        """Return the representations side by side."""
        return torch.cat(list(representations), dim=-1)


class Gated(Joint):
    """The gated multimodal unit of Arevalo et al. (2017), for any number of inputs."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__(widths, width)
        self.out_width = width
        self.vectors = nn.ModuleList(Linear(n_in, width) for n_in in widths)
        self.gates = nn.ModuleList(Linear(sum(widths), width) for _ in widths)

    def forward(self, representations: Sequence[Tensor]) -> Tensor:
        """Return the sum of a vector of each, weighed by a gate for each of its numbers."""
        every = torch.cat(list(representations), dim=-1)
        weighed = [
            torch.sigmoid(gate(every)) * torch.tanh(vector(own))
            for gate, vector, own in zip(self.gates, self.vectors, representations, strict=True)
        ]
        return torch.stack(weighed).sum(0)


class Attended(Joint):
    """What the first token reads in a transformer of two blocks, whose other tokens are the inputs."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__(widths, width)
        self.out_width = width
        self.reading = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))
        self.vectors = nn.ModuleList(Linear(n_in, width) for n_in in widths)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(
                    len(widths) + 1,
                    width,
                    HEADS_OF_ATTENTION,
                    2 * width,
                    attention_dropout=0.0,
                    dropout=0.0,
                    residual_dropout=0.0,
                    is_first=is_first,
                    is_last=not is_first,
                )
                for is_first in (True, False)
            )
        )

    def forward(self, representations: Sequence[Tensor]) -> Tensor:
        """Return the first token."""
        tokens = [vector(own) for vector, own in zip(self.vectors, representations, strict=True)]
        read: Tensor = self.blocks(torch.cat([self.reading.expand_as(tokens[0]), *tokens], dim=-1))
        return read


FUSIONS: dict[str, type[Joint]] = {"attention": Attended, "concat": Concatenated, "gated": Gated}


def _of(name: str, statistics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in statistics.items() if key.startswith(prefix)}


def _trunk_of(name: str, trunks: Mapping[str, Any] | None) -> Trunk:
    return resolve(OF_AN_INPUT, (trunks or {}).get(name), f" for input {shown(name)}")


def _is_a_trunk(value: Any) -> bool:
    is_short_name = isinstance(value, str) and value in OF_AN_INPUT
    return value is None or is_short_name or isinstance(value, Trunk | nn.Module)
