"""Convolutions over the steps of a sequence."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.trunks.layers.linear import Linear
from sklearn_mtl.trunks.layers.step_encoder import StepEncoder
from sklearn_mtl.trunks.layers.steps import StepDropout, only_real


class TemporalConvolution(nn.Conv1d):
    """A convolution over the steps of a sequence that gives as many steps as it takes.

    Parameters
    ----------
    n_in, n_out : int
        Width of a step, before and after.
    kernel_size : int
        How many steps are read for one.
    dilation : int, default=1
        How far apart these are.
    causal : bool, default=True
        Whether a step reads itself and those before it alone; otherwise as many on both sides.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel_size: int, *, dilation: int = 1, causal: bool = True
    ) -> None:
        super().__init__(n_in, n_out, kernel_size, dilation=dilation)
        reach = (kernel_size - 1) * dilation
        before = reach if causal else reach // 2
        self.missing = (before, reach - before)

    def forward(self, steps: Tensor) -> Tensor:
        """Return the steps, (rows, steps, n_out)."""
        return super().forward(F.pad(steps.transpose(1, 2), self.missing)).transpose(1, 2)


class TemporalBlock(nn.Module):
    """Two convolutions over the steps of a sequence, whose input is added to their output.

    Bai, Kolter & Koltun (2018), "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
    Sequence Modeling", section 3.3, with layer normalization of each step in place of that of the weights.

    Parameters
    ----------
    width : int
        Width of a step.
    kernel_size, dilation : int
        How many steps both convolutions read, and how far apart these are.
    causal : bool
        Whether a step reads those before it alone.
    dropout : float
        Share of the channels set to 0 while training, after each convolution.
    """

    def __init__(self, width: int, kernel_size: int, dilation: int, *, causal: bool, dropout: float) -> None:
        super().__init__()
        self.causal = causal
        self.first, self.second = (
            TemporalConvolution(width, width, kernel_size, dilation=dilation, causal=causal) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = StepDropout(dropout)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the steps, (rows, steps, width)."""
        hidden = steps
        for norm, convolution in zip(self.norms, (self.first, self.second), strict=True):
            hidden = norm(hidden)
            # What was filled up lies behind what is real, where a causal convolution does not look.
            given = hidden if self.causal else only_real(hidden, lengths)
            hidden = self.dropout(F.relu(convolution(given)))
        return steps + hidden


class TemporalBlocks(StepEncoder):
    """A linear layer, blocks of convolutions whose dilation doubles from each to the next, a normalization.

    Parameters
    ----------
    n_in, width : int
        Width of a step, before and after.
    blocks : int
        Number of blocks.
    kernel_size : int
        How many steps a convolution reads.
    causal : bool
        Whether a step reads those before it alone.
    dropout : float, default=0.0
        Share of the channels set to 0 while training, after each convolution.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import TemporalBlocks
    >>> layer = TemporalBlocks(3, 8, blocks=2, kernel_size=3, causal=True)
    >>> layer(torch.zeros(2, 5, 3), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self, n_in: int, width: int, *, blocks: int, kernel_size: int, causal: bool, dropout: float = 0.0
    ) -> None:
        super().__init__(width)
        self.first = Linear(n_in, width)
        self.blocks = nn.ModuleList(
            TemporalBlock(width, kernel_size, 2**place, causal=causal, dropout=dropout)
            for place in range(blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return a vector for each step, (rows, steps, width)."""
        hidden: Tensor = self.first(steps)
        for block in self.blocks:
            hidden = block(hidden, lengths)
        normalized: Tensor = self.norm(hidden)
        return F.relu(normalized)
