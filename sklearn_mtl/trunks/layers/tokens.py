"""Vectors of the tokens of texts, and layers over these."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.trunks.layers.step_encoder import StepEncoder
from sklearn_mtl.trunks.layers.steps import StepDropout, only_real
from sklearn_mtl.trunks.layers.temporal import TemporalConvolution

# How far from 0 the vectors of tokens begin.
SPREAD_OF_TOKENS = 0.1


class TokenEmbedding(nn.Module):
    """A learned vector for each token of a text.

    Parameters
    ----------
    n_codes : int
        Number of codes of tokens.
    size : int
        Width of a token's vector.
    dropout : float, default=0.0
        Share of the channels set to 0 while training, the same for all tokens of a text.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import TokenEmbedding
    >>> TokenEmbedding(1000, size=8)(torch.tensor([[999, 7, 0], [2, 1, 5]])).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, n_codes: int, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        # In a stack, the vectors of a network with fewer tokens are filled up at the end.
        self.table = nn.Parameter(torch.empty(n_codes, size).normal_(0, SPREAD_OF_TOKENS))
        self.dropout = StepDropout(dropout)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors, shape (rows, tokens, size).

        Parameters
        ----------
        codes : tensor of int of shape (rows, tokens)
        """
        vectors: Tensor = self.dropout(F.embedding(codes, self.table))
        return vectors


class TokensAsTheyAre(StepEncoder):
    """The vectors of the tokens, none of which reads another.

    Parameters
    ----------
    width : int
        Width of a vector.
    """

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors."""
        return steps


class ParallelConvolutions(StepEncoder):
    """Convolutions of several sizes over the same steps, their outputs side by side.

    Kim (2014), "Convolutional Neural Networks for Sentence Classification" (EMNLP), section 2.

    Parameters
    ----------
    n_in : int
        Width of a step.
    channels : int
        Channels of each convolution.
    kernel_sizes : sequence of int
        How many steps the convolutions read.
    dropout : float, default=0.0
        Share of the channels set to 0 while training.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import ParallelConvolutions
    >>> layer = ParallelConvolutions(3, channels=4, kernel_sizes=(2, 3))
    >>> layer(torch.zeros(2, 5, 3), torch.tensor([5, 1])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self, n_in: int, channels: int, kernel_sizes: Sequence[int], *, dropout: float = 0.0
    ) -> None:
        super().__init__(channels * len(kernel_sizes))
        self.convolutions = nn.ModuleList(
            TemporalConvolution(n_in, channels, size, causal=False) for size in kernel_sizes
        )
        self.dropout = StepDropout(dropout)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return a vector for each step, (rows, steps, width)."""
        steps = only_real(steps, lengths)
        found = [convolution(steps) for convolution in self.convolutions]
        vectors: Tensor = self.dropout(F.relu(torch.cat(found, dim=-1)))
        return vectors
