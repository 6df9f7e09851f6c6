"""Embeddings of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.trunks.layers.linear import aligned, joined


class PiecewiseLinearEmbedding(nn.Module):
    """A vector for each number, a function that is linear within each of the feature's bins.

    Version B of the embeddings of Gorishniy, Rubachev & Babenko (2022), "On Embeddings for Numerical
    Features in Tabular Deep Learning", as TabM has them: w x + b, plus a product with the encoding of x,
    a number for each bin that rises from 0 to 1 across it and begins at a product of 0. The first bin is
    open below, the last above.

    Parameters and buffers have one shape whatever the data.

    Parameters
    ----------
    edges : tensor of shape (n_features, n_bins + 1)
        Increasing bin edges of each feature, at least two, filled up with nan.
    size : int
        Width of a number's vector.
    """

    slope: Tensor
    offset: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, edges: Tensor, size: int) -> None:
        super().__init__()
        n_features, n_bins = len(edges), edges.shape[1] - 1
        bound = size**-0.5
        self.scale = nn.Parameter(torch.empty(n_features, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_features, size).uniform_(-bound, bound))
        self.weight = nn.Parameter(torch.zeros(n_features, n_bins, size))
        width = edges.diff()
        is_bin = ~width.isnan()
        self.register_buffer("slope", torch.where(is_bin, 1 / width, 0.0))
        self.register_buffer("offset", torch.where(is_bin, -edges[:, :-1] / width, 0.0))
        number = torch.arange(n_bins)
        is_last = number == is_bin.sum(1, keepdim=True) - 1
        zeros = torch.zeros_like(self.slope)
        self.register_buffer("lowest", zeros.masked_fill(number == 0, -torch.inf))
        self.register_buffer("highest", is_bin.to(zeros).masked_fill(is_last, torch.inf))

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors, side by side.

        Parameters
        ----------
        x : tensor of shape (rows, n_features)
            The numeric features.

        Returns
        -------
        tensor of shape (rows, n_features * size)
        """
        x = x.unsqueeze(-1)
        encoding = _encoding(self, x)
        # In training, the weights are laid out for the product as they are.
        by_size = self.weight.transpose(1, 2)
        encoding, by_size = (encoding, by_size) if self.training else aligned(encoding, by_size)
        curved = torch.bmm(encoding.transpose(0, 1), by_size.transpose(1, 2)).transpose(0, 1)
        return (torch.addcmul(self.bias, self.scale, x) + curved).flatten(1)

    @classmethod
    def stacked(cls, embeddings: Sequence[PiecewiseLinearEmbedding]) -> nn.Module:
        """Return what these embeddings make of the same numbers, as one."""
        return StackedPiecewiseLinearEmbedding(embeddings)


class StackedPiecewiseLinearEmbedding(nn.Module):
    """Embeddings of trunks side by side, with the bins of the first: (rows, n_features) to (rows, n, width).

    Parameters
    ----------
    embeddings : sequence of PiecewiseLinearEmbedding
        The embeddings of the n trunks.
    """

    slope: Tensor
    offset: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, embeddings: Sequence[PiecewiseLinearEmbedding]) -> None:
        super().__init__()
        self.scale = joined([embedding.scale for embedding in embeddings])
        self.bias = joined([embedding.bias for embedding in embeddings])
        self.weight = joined([embedding.weight for embedding in embeddings])
        for name, buffer in embeddings[0].named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors of all embeddings, shape (rows, n, n_features * size)."""
        encoding = _encoding(self, x.unsqueeze(-1))
        # By feature: the matrices of all trunks, one below the other.
        by_size = self.weight.permute(1, 0, 3, 2).flatten(1, 2)
        encoding, by_size = (encoding, by_size) if self.training else aligned(encoding, by_size)
        curved = torch.bmm(encoding.transpose(0, 1), by_size.transpose(1, 2))
        curved = curved.unflatten(2, (len(self.weight), -1)).permute(1, 2, 0, 3)
        return (torch.addcmul(self.bias, self.scale, x[:, None, :, None]) + curved).flatten(2)


def _encoding(bins: PiecewiseLinearEmbedding | StackedPiecewiseLinearEmbedding, x: Tensor) -> Tensor:
    """Return how far each number, (rows, n_features, 1), is in each bin of its feature."""
    return torch.addcmul(bins.offset, bins.slope, x).clamp(bins.lowest, bins.highest)
