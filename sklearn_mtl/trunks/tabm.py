"""TabM: an ensemble of perceptrons that share nearly all of their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.trunks.layers import BatchEnsembleLinear, Dropout, PiecewiseLinearEmbedding, SameForAll
from sklearn_mtl.trunks.parameters import ACTIVATIONS, check_hidden_layers
from sklearn_mtl.trunks.trunk import FEW_ROWS, Trunk, TrunkModule, with_codes

# With fewer rows for each continuous feature, embeddings overfit (411 features and 236 rows: R² -0.014).
ROWS_PER_EMBEDDED_FEATURE = 4
# Fewer rows are learned by heart: dropout 0.1 is worth +.002 there; above, it costs time, and smooth targets
# much (R² .960 against .979 on polynomials).
DROPOUT_OF_FEW_ROWS = 0.1
# From here on, two nets and their members agree well enough, and time matters more.
MANY_ROWS = 20_000
# The quantiles of fewer rows make no bins.
FEWEST_ROWS = 3

# Quantiles of this many rows place a few dozen bin edges well enough, and torch.quantile sorts them all.
ROWS_FOR_BINS = 100_000


class TabM(Trunk):
    """An ensemble of perceptrons that share nearly all of their weights, for tables.

    Gorishniy, Kotelnikov & Babenko (2025), "TabM: Advancing Tabular Deep Learning with
    Parameter-Efficient Ensembling" (ICLR); continuous features go through the piecewise-linear embeddings
    (version B) of Gorishniy, Rubachev & Babenko (2022). Each member has its own loss, and predictions are
    averaged over members.

    Parameters
    ----------
    hidden_sizes : sequence of int, default=(128, 128)
        Width of each layer.
    members : int, default=4
        Number of perceptrons.
    activation : str, default="relu"
        ``"relu"``, ``"gelu"``, ``"silu"``, ``"selu"``, ``"tanh"`` or ``"identity"``.
    dropout : float or "auto", default="auto"
        Share of activations set to 0 while training, in [0, 1). ``"auto"`` is 0.1 below 1,000 training rows,
        and 0 from there on.
    embedding : {"auto", "piecewise_linear"} or None, default="auto"
        How continuous features enter. ``"auto"`` embeds them when there are at least four rows for
        each, and lets them in as they are otherwise.
    n_bins : int, default=32
        Most bins of a feature's embedding: one between each two neighbouring values where there are no more,
        half as many at quantiles of the training rows where there are.
    embedding_size : int, default=8
        Width of each embedded feature.

    Examples
    --------
    >>> from sklearn_mtl.trunks import TabM
    >>> TabM(members=8)
    TabM(members=8)
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int] = (128, 128),
        *,
        members: int = 4,
        activation: str = "relu",
        dropout: float | str = "auto",
        embedding: str | None = "auto",
        n_bins: int = 32,
        embedding_size: int = 8,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.members = members
        self.activation = activation
        self.dropout = dropout
        self.embedding = embedding
        self.n_bins = n_bins
        self.embedding_size = embedding_size

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 8, 5 from 1,000 rows, 2 from 20,000 on.

        Five nets of the default size take about half the time of two of eight members and 256 units, and
        predict as well.

        Parameters
        ----------
        n_rows : int
            Number of labelled rows.
        """
        return 5 if FEW_ROWS <= n_rows < MANY_ROWS else super().n_nets(n_rows)

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether the input is a table; of a wide sparse one, each member would write out a matrix."""
        return spec.is_table and not spec.single.wide_sparse

    def fit_statistics(self, spec: FeatureSpec, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the bin edges of the continuous features, and the number of rows where they are few.

        The edges have a row for each feature, filled up with nan.
        """
        self._check()
        table = sample[spec.single.name]
        statistics = self._bins(spec, table)
        if isinstance(self.dropout, str) and len(table) < FEW_ROWS:
            statistics["few_rows"] = torch.tensor(len(table))
        return statistics

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk."""
        sizes = self._check()
        block = spec.single
        if block.kind != "float" or len(block.shape) != 1:
            raise ValueError(
                f"TabM takes a table. Found rows of shape {block.shape}; another trunk, such as MLP, can."
            )
        dropout = self.dropout
        if isinstance(dropout, str):
            dropout = DROPOUT_OF_FEW_ROWS if "few_rows" in statistics else 0.0
        edges = statistics.get("edges")
        embedding = None if edges is None else PiecewiseLinearEmbedding(edges, self.embedding_size)
        entry, of_codes = with_codes(
            TableEntry(block.name, block.n_continuous, embedding, self.members), spec
        )
        # One scale for all numbers that stand for one feature, as the paper initialises.
        per_feature = 1 if embedding is None else self.embedding_size
        n_bits = block.shape[0] - block.n_continuous
        features = [*of_codes, *[per_feature] * block.n_continuous, *[1] * n_bits]
        widths = (sum(features), *sizes)
        # The paper draws random signs where nothing is embedded; normal scales did better on both sets
        # of that kind (ROC-AUC 0.804 against 0.798 over twelve assays, R² 0.823 against 0.818).
        shared = embedding is None and not of_codes
        linears = [
            BatchEnsembleLinear(
                widths[0], widths[1], self.members, features, shared_input=shared, n_bits=n_bits
            ),
            *(BatchEnsembleLinear(n_in, n_out, self.members) for n_in, n_out in pairwise(sizes)),
        ]
        stages = [self._stage(linear, dropout) for linear in linears]
        return TrunkModule(entry, stages, widths, members=self.members)

    def _bins(self, spec: FeatureSpec, table: Tensor) -> dict[str, Tensor]:
        n_continuous, n_rows = spec.single.n_continuous, len(table)
        if n_continuous == 0 or self.embedding is None:
            return {}
        if self.embedding == "auto" and n_rows < max(ROWS_PER_EMBEDDED_FEATURE * n_continuous, FEWEST_ROWS):
            return {}
        if n_rows < FEWEST_ROWS:
            raise ValueError(
                f"`embedding` of TabM, 'piecewise_linear', needs at least {FEWEST_ROWS} training rows. "
                f"Found {n_rows}."
            )
        return {"edges": bin_edges(table[:, :n_continuous], self.n_bins)}

    def _check(self) -> tuple[int, ...]:
        sizes = check_hidden_layers("TabM", self.hidden_sizes, self.activation, self.dropout, "auto")
        if not sizes:
            raise ValueError("`hidden_sizes` of TabM must hold at least one size. Found none.")
        known = isinstance(self.embedding, str) and self.embedding in ("auto", "piecewise_linear")
        if self.embedding is not None and not known:
            raise ValueError(
                "`embedding` of TabM must be None, 'auto' or 'piecewise_linear'. Found "
                f"{shown(self.embedding)}."
            )
        for name, least in (("members", 1), ("n_bins", 2), ("embedding_size", 1)):
            value = getattr(self, name)
            if not is_integer(value) or not least <= value < 2**31:
                raise ValueError(
                    f"`{name}` of TabM must be an integer of at least {least}, below 2**31. "
                    f"Found {shown(value)}."
                )
        return sizes

    def _stage(self, linear: nn.Module, dropout: float) -> nn.Module:
        layers = [linear, ACTIVATIONS[self.activation]()]
        if dropout > 0:
            layers.append(Dropout(dropout))
        return nn.Sequential(*layers)


class TableEntry(nn.Module):
    """A table as (rows, members, width): continuous columns embedded, the others as they are."""

    def __init__(
        self, name: str, n_continuous: int, embedding: PiecewiseLinearEmbedding | None, members: int
    ) -> None:
        super().__init__()
        self.name = name
        self.n_continuous = n_continuous
        self.embedding = embedding
        self.members = members

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the table, shape (rows, members, width)."""
        table = inputs[self.name]
        if self.embedding is not None:
            numbers, others = table[:, : self.n_continuous], table[:, self.n_continuous :]
            table = torch.cat([self.embedding(numbers), others], dim=1)
        return table.unsqueeze(1).expand(-1, self.members, -1)

    @classmethod
    def stacked(cls, entries: Sequence[TableEntry]) -> nn.Module:
        """Return the entry of trunks side by side."""
        first, n = entries[0], len(entries)
        return SameForAll(first, n) if first.embedding is None else StackedTableEntry(entries)


class StackedTableEntry(nn.Module):
    """A table as (rows, members, n, width), with embeddings of each trunk.

    Parameters
    ----------
    entries : sequence of TableEntry
        The entries of the n trunks, all with an embedding.
    """

    def __init__(self, entries: Sequence[TableEntry]) -> None:
        super().__init__()
        first = entries[0]
        self.name, self.n_continuous, self.members = first.name, first.n_continuous, first.members
        embeddings = [entry.embedding for entry in entries if entry.embedding is not None]
        self.embedding = PiecewiseLinearEmbedding.stacked(embeddings)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the table, shape (rows, members, n, width)."""
        table = inputs[self.name]
        vectors = self.embedding(table[:, : self.n_continuous])
        others = table[:, None, self.n_continuous :].expand(-1, vectors.shape[1], -1)
        return torch.cat([vectors, others], dim=2).unsqueeze(1).expand(-1, self.members, -1, -1)


def bin_edges(table: Tensor, n_bins: int) -> Tensor:
    """Return the bin edges of each column: its values where they are few, else quantiles of its rows.

    Each value of a scale of few, such as an hour, may have a meaning of its own. What is continuous is
    smoother than that: half as many bins do as well, and follow the noise less.

    Parameters
    ----------
    table : tensor of shape (n_rows, n_columns)
        At least three rows.
    n_bins : int
        Most bins of a column, at least 2.

    Returns
    -------
    tensor of shape (n_columns, n_bins + 1)
        Increasing, filled up with nan; at least two for each column. A column of one value, whose
        embedding can carry nothing, gets a bin that begins at that value.
    """
    rows = table[:: max(1, len(table) // ROWS_FOR_BINS)]
    levels = torch.linspace(0, 1, min(n_bins // 2, len(rows) - 1) + 1).to(rows)
    edges = rows.new_full((rows.shape[1], n_bins + 1), torch.nan)
    for column, numbers in zip(edges, rows.T, strict=True):
        found = numbers.unique()
        if len(found) > n_bins + 1:
            found = numbers.quantile(levels).unique()
        if len(found) == 1:
            # At 1e10, adding 1 would change nothing in single precision.
            found = torch.stack([found[0], found[0] + found[0].abs() + 1])
        column[: len(found)] = found
    return edges
