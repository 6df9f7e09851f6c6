"""Attention between the steps of a sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.trunks.layers.linear import Linear
from sklearn_mtl.trunks.layers.step_encoder import StepEncoder
from sklearn_mtl.trunks.layers.steps import StepDropout, is_real

# Vaswani et al. (2017), section 3.5: wavelengths go from 2π to so many times as long.
LONGEST_WAVE = 10_000.0


def positional_encoding(n_steps: int, width: int, like: Tensor) -> Tensor:
    """Return sines and cosines that tell a step's place, (steps, width), for any number of steps.

    Vaswani et al. (2017), "Attention Is All You Need", section 3.5.

    Parameters
    ----------
    n_steps, width : int
        The shape.
    like : tensor
        A tensor of the dtype and device.

    Examples
    --------
    >>> positional_encoding(1, 4, torch.zeros(()))
    tensor([[0., 0., 1., 1.]])
    """
    n_waves = -(-width // 2)
    rates = torch.arange(n_waves, device=like.device, dtype=torch.float32) * (
        -math.log(LONGEST_WAVE) / n_waves
    )
    angles = torch.arange(n_steps, device=like.device, dtype=torch.float32).unsqueeze(-1) * rates.exp()
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :width].to(like.dtype)


class SelfAttentionBlock(nn.Module):
    """Attention between the steps of a sequence, then a perceptron of each step.

    The block of a transformer's encoder, normalized before rather than after: Xiong et al. (2020), "On Layer
    Normalization in the Transformer Architecture" (ICML).

    Parameters
    ----------
    width, heads, hidden : int
        Width of a step, heads of the attention, width of the perceptron's hidden layer.
    dropout : float
        Share of the channels of the outputs of attention and perceptron set to 0 while training.
    """

    def __init__(self, width: int, heads: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.mixed = Linear(width, 3 * width), Linear(width, width)
        self.first, self.second = Linear(width, hidden), Linear(hidden, width)
        self.dropout = StepDropout(dropout)

    def forward(self, steps: Tensor, real: Tensor) -> Tensor:
        """Return the steps, (rows, steps, width), which read those that are real, (rows, steps)."""
        steps = steps + self.dropout(self._attended(self.attention_norm(steps), real))
        return steps + self.dropout(self.second(F.gelu(self.first(self.norm(steps)))))

    def _attended(self, steps: Tensor, real: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.read(steps).chunk(3, dim=-1)
        )
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
        mixed: Tensor = self.mixed(attended.transpose(1, 2).flatten(2))
        return mixed


class SelfAttention(StepEncoder):
    """A linear layer to which each step's place is added, blocks of attention, and a normalization.

    Parameters
    ----------
    n_in, width : int
        Width of a step, before and after.
    blocks, heads : int
        Number of blocks, and of heads of the attention; the width is a multiple of ``heads``.
    hidden : int
        Width of the hidden layer of a block's perceptron.
    dropout : float, default=0.0
        Share of the channels of the outputs of attention and perceptron set to 0 while training.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import SelfAttention
    >>> layer = SelfAttention(3, 8, blocks=1, heads=2, hidden=16)
    >>> layer(torch.zeros(2, 5, 3), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self, n_in: int, width: int, *, blocks: int, heads: int, hidden: int, dropout: float = 0.0
    ) -> None:
        super().__init__(width)
        self.first = Linear(n_in, width)
        self.dropout = StepDropout(dropout)
        self.blocks = nn.ModuleList(
            SelfAttentionBlock(width, heads, hidden, dropout=dropout) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return a vector for each step, (rows, steps, width)."""
        hidden: Tensor = self.first(steps)
        hidden = self.dropout(hidden + positional_encoding(hidden.shape[1], self.width, hidden))
        real = is_real(lengths, hidden.shape[1])
        for block in self.blocks:
            hidden = block(hidden, real)
        normalized: Tensor = self.norm(hidden)
        return normalized
