"""A transformer over the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import CodeEmbedding, Dropout, Linear, stacked
from sklearn_mtl.trunks.parameters import check_counts, check_shares
from sklearn_mtl.trunks.resnet import hidden_size
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule


class FTTransformer(Trunk):
    """A transformer over the columns of a table, each of which is a token.

    Gorishniy, Rubachev, Khrulkov & Babenko (2021), "Revisiting Deep Learning Models for Tabular Data"
    (NeurIPS), section 3.3. A column x becomes the vector x w + b, a code its learned vector plus b; one token
    more, which attends to all of them, becomes the representation. Unlike there, each level of a column of
    few is a token, and the widths are smaller by default. The time of a step grows with the square of the
    number of encoded columns: a few dozen are quick, hundreds are slow.

    Parameters
    ----------
    width : int, default=64
        Width of a token, a multiple of ``heads``.
    blocks : int, default=2
        Number of blocks, each of them attention and then a perceptron, whose inputs are added to their
        outputs.
    heads : int, default=4
        Number of heads of the attention.
    hidden_factor : float, default=4/3
        The hidden layer of a perceptron is so many times as wide as a token.
    attention_dropout : float, default=0.2
        Share of the attention's weights set to 0 while training, in [0, 1).
    dropout : float, default=0.1
        Share of a perceptron's hidden units set to 0 while training, in [0, 1).
    residual_dropout : float, default=0.0
        Share of the outputs of attention and perceptrons set to 0 while training, in [0, 1).
    task_tokens : bool, default=False
        Whether each task has a token of its own that attends to the columns, and thus a representation of its
        own: the multi-token mechanism of Sinodinos, Wei & Armanfard (2025), "MultiTab: A Scalable Foundation
        for Multitask Learning on Tabular Data" (arXiv:2511.09970), with their mask by which no task's token
        reads another's. It is for one trunk of all tasks, `HardSharing`.
        `sklearn_mtl.inspection.task_attention` tells what the tasks look at.

    Examples
    --------
    >>> from sklearn_mtl.trunks import FTTransformer
    >>> FTTransformer(blocks=3)
    FTTransformer(blocks=3)
    """

    def __init__(
        self,
        width: int = 64,
        *,
        blocks: int = 2,
        heads: int = 4,
        hidden_factor: float = 4 / 3,
        attention_dropout: float = 0.2,
        dropout: float = 0.1,
        residual_dropout: float = 0.0,
        task_tokens: bool = False,
    ) -> None:
        self.width = width
        self.blocks = blocks
        self.heads = heads
        self.hidden_factor = hidden_factor
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.residual_dropout = residual_dropout
        self.task_tokens = task_tokens

    # Tokens that read the others, in their order the first.
    _n_readers = 1

    def for_tasks(self, n_tasks: int) -> FTTransformer:
        """Return the trunk to build for so many tasks: with ``task_tokens``, a token for each."""
        found = copy(self)
        if self.task_tokens:
            found._n_readers = n_tasks
        return found

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk: a stage for each block, all tokens side by side between them."""
        block = spec.single
        if block.kind != "float" or len(block.shape) != 1:
            raise ValueError(
                f"FTTransformer takes a table. Found rows of shape {block.shape}; another trunk, such as "
                "MLP, can."
            )
        check_counts("FTTransformer", width=self.width, blocks=self.blocks, heads=self.heads)
        check_shares(
            "FTTransformer",
            attention_dropout=self.attention_dropout,
            dropout=self.dropout,
            residual_dropout=self.residual_dropout,
        )
        if self.width % self.heads:
            raise ValueError(
                f"`width` of FTTransformer must be a multiple of `heads`, {shown(self.heads)}. Found "
                f"{shown(self.width)}."
            )
        if not isinstance(self.task_tokens, bool | np.bool_):
            raise ValueError(
                f"`task_tokens` of FTTransformer must be True or False. Found {shown(self.task_tokens)}."
            )
        entry = ColumnTokens(spec, self.width, self._n_readers)
        stages = [self._block(entry.n_tokens, place) for place in range(self.blocks)]
        of_tasks = [nn.Unflatten(-1, (-1, self.width))] if self.task_tokens else []
        ends = nn.Sequential(*of_tasks, nn.LayerNorm(self.width), nn.ReLU())
        widths = (*[entry.n_tokens * self.width] * self.blocks, self._n_readers * self.width, self.width)
        return TrunkModule(entry, [*stages, ends], widths, per_task=bool(self.task_tokens))

    def _block(self, n_tokens: int, place: int) -> nn.Module:
        return TransformerBlock(
            n_tokens,
            self.width,
            self.heads,
            hidden_size("FTTransformer", self.width, self.hidden_factor),
            attention_dropout=self.attention_dropout,
            dropout=self.dropout,
            residual_dropout=self.residual_dropout,
            is_first=place == 0,
            is_last=place == self.blocks - 1,
            n_readers=self._n_readers,
        )


class ColumnTokens(nn.Module):
    """A table as tokens side by side, (rows, one member, n_tokens * width).

    The first are those that read the others: one, or one for each task. Columns are the last: in a stack,
    those of a narrower table are filled up at the end.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks of a table.
    width : int
        Width of a token.
    n_readers : int, default=1
        Number of tokens that read the others.
    """

    def __init__(self, spec: FeatureSpec, width: int, n_readers: int = 1) -> None:
        super().__init__()
        self.name = spec.single.name
        self.name_of_codes = None if spec.codes is None else spec.codes.name
        (n_columns,), cardinalities = (
            spec.single.shape,
            () if spec.codes is None else spec.codes.cardinalities,
        )
        self.n_tokens = n_readers + len(cardinalities) + n_columns
        bound = width**-0.5
        self.reading = nn.Parameter(torch.empty(n_readers * width).uniform_(-bound, bound))
        self.weight = nn.Parameter(torch.empty(n_columns, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_columns, width).uniform_(-bound, bound))
        self.codes = CodeEmbedding(cardinalities, width) if cardinalities else None
        bias_of_codes = torch.empty(len(cardinalities) * width).uniform_(-bound, bound)
        self.bias_of_codes = nn.Parameter(bias_of_codes) if cardinalities else None

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the tokens, shape (rows, 1, n_tokens * width)."""
        columns = torch.addcmul(self.bias, self.weight, inputs[self.name].unsqueeze(-1))
        parts = [self.reading.expand(columns.shape[0], -1), columns.flatten(1)]
        if self.codes is not None and self.name_of_codes is not None:
            parts.insert(1, self.codes(inputs[self.name_of_codes]) + self.bias_of_codes)
        return torch.cat(parts, dim=1).unsqueeze(1)


class TransformerBlock(nn.Module):
    """Attention between tokens and then a perceptron of each, (rows, members, n_tokens * width) to the same.

    Both take normalized tokens, the attention of the first block apart; the perceptron's activation is ReGLU.
    Of the last block only the tokens that read come out, (rows, members, n_readers * width).

    Parameters
    ----------
    n_tokens, width, heads, hidden : int
        Number and width of the tokens, heads of the attention, width of the perceptron's hidden layer.
    attention_dropout, dropout, residual_dropout : float
        Shares set to 0 while training.
    is_first, is_last : bool
        Whether the block is the first, or the last.
    n_readers : int, default=1
        How many tokens, the first, read the others; none of them reads another.
    """

    present: Tensor
    apart: Tensor

    def __init__(
        self,
        n_tokens: int,
        width: int,
        heads: int,
        hidden: int,
        *,
        attention_dropout: float,
        dropout: float,
        residual_dropout: float,
        is_first: bool,
        is_last: bool,
        n_readers: int = 1,
    ) -> None:
        super().__init__()
        self.width, self.heads, self.is_last, self.n_readers = width, heads, is_last, n_readers
        self.attention_norm = nn.Identity() if is_first else nn.LayerNorm(width)
        self.query, self.key, self.value, self.mixed = (Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width)
        self.first, self.second = Linear(width, 2 * hidden), Linear(hidden, width)
        # torch's attention would draw its dropout from the one generator of all networks.
        self.attention_dropout, self.dropout, self.attention_residual, self.residual = (
            Dropout(share) if share > 0 else nn.Identity()
            for share in (attention_dropout, dropout, residual_dropout, residual_dropout)
        )
        # In a stack, a network of fewer tokens is filled up with 0, and nothing attends to what was added.
        self.register_buffer("present", torch.ones(n_tokens))
        if n_readers > 1:
            # What is added to the likeness of a token, of any but the readers the last row, with each reader.
            apart = torch.zeros(n_readers + 1, n_readers)
            apart[:n_readers].fill_(-torch.inf).fill_diagonal_(0.0)
            self.register_buffer("apart", apart)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, or the first of them."""
        tokens = x.unflatten(-1, (-1, self.width))
        normalized = of_each(self.attention_norm, tokens)
        if self.is_last:
            tokens = tokens[..., : self.n_readers, :]
        attended = self._attended(normalized[..., : tokens.shape[-2], :], normalized)
        tokens = tokens + self.attention_residual(attended)
        hidden, gate = of_each(self.first, of_each(self.norm, tokens)).chunk(2, dim=-1)
        tokens = tokens + self.residual(of_each(self.second, self.dropout(hidden * F.relu(gate))))
        return tokens.flatten(-2)

    def attention(self, x: Tensor) -> Tensor:
        """Return how much each of the readers looks at each token, (rows, members, n_readers, n_tokens).

        Parameters
        ----------
        x : tensor of shape (rows, members, n_tokens * width)
            Tokens. The weights are the mean over the heads, and of each reader they sum to 1.
        """
        normalized = of_each(self.attention_norm, x.unflatten(-1, (-1, self.width)))
        return self._weights(normalized[..., : self.n_readers, :], normalized).mean(-3)

    def _attended(self, reading: Tensor, read: Tensor) -> Tensor:
        weights = self.attention_dropout(self._weights(reading, read))
        value = self._in_heads(self.value, read)
        return of_each(self.mixed, (weights @ value).transpose(-2, -3).flatten(-2))

    def _weights(self, reading: Tensor, read: Tensor) -> Tensor:
        query, key = self._in_heads(self.query, reading), self._in_heads(self.key, read)
        likeness = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return (likeness + self._masked(reading.shape[-2])).softmax(-1)

    def _masked(self, n_reading: int) -> Tensor:
        """Return what is added to likenesses: minus infinity where a token does not read another."""
        present = self.present.log()
        if self.n_readers == 1:
            return present
        rows = torch.arange(n_reading, device=present.device).clamp_max(self.n_readers)
        others = present[self.n_readers :].expand(n_reading, -1)
        return torch.cat([self.apart[rows], others], dim=1)

    def _in_heads(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        return of_each(layer, tokens).unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    @classmethod
    def stacked(cls, blocks: Sequence[TransformerBlock]) -> nn.Module:
        """Return what these blocks do side by side, as one."""
        return StackedTransformerBlock(blocks)


class StackedTransformerBlock(TransformerBlock):
    """Blocks of trunks side by side: (rows, members, n, n_tokens * width) to the same.

    Parameters
    ----------
    blocks : sequence of TransformerBlock
        The blocks of the n trunks.
    """

    def __init__(self, blocks: Sequence[TransformerBlock]) -> None:
        nn.Module.__init__(self)
        first = blocks[0]
        self.width, self.heads = first.width, first.heads
        self.is_last, self.n_readers = first.is_last, first.n_readers
        for name, _ in first.named_children():
            setattr(self, name, stacked([block.get_submodule(name) for block in blocks]))
        for name, buffer in first.named_buffers(recurse=False):
            self.register_buffer(name, buffer)


def mean_attention(trunk: TrunkModule, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return how much each reader of a trunk looks at each column and code, the mean over blocks and heads.

    Section 5.3 of the paper of `FTTransformer` takes it for the importance of the columns.

    Parameters
    ----------
    trunk : TrunkModule
        Made by an `FTTransformer`.
    inputs : mapping of str to tensor
        Input blocks.

    Returns
    -------
    tensor of shape (rows, n_readers, n_codes + n_columns)
        Each reader's weights sum to 1.
    """
    hidden, found = trunk.entry(inputs), []
    for stage in trunk.stages:
        if isinstance(stage, TransformerBlock):
            found.append(stage.attention(hidden)[:, 0, :, stage.n_readers :])
        hidden = stage(hidden)
    mean = torch.stack(found).mean(0)
    return mean / mean.sum(-1, keepdim=True)


def of_each(layer: nn.Module, tokens: Tensor) -> Tensor:
    """Return what a layer makes of each token: to the layer, tokens are more members.

    Parameters
    ----------
    layer : nn.Module
        Goes from (rows, members, …, n_in) to (rows, members, …, n_out).
    tokens : tensor of shape (rows, members, …, n_tokens, n_in)
    """
    found: Tensor = layer(tokens.movedim(-2, 2).flatten(1, 2))
    return found.unflatten(1, (tokens.shape[1], -1)).movedim(2, -2)
