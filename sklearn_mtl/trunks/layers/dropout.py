"""Dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_mtl.trunks.layers.generators import own_generator, rows_to_draw_for

# One random word of 64 bits makes four numbers of 16.
NUMBERS_PER_WORD = 4
LEVELS = 2**16


class Dropout(nn.Module):
    """Sets a share of the numbers to 0 while training, and scales the others so that the mean stays.

    Srivastava et al. (2014). A number costs 16 random bits: on one core, a mask is drawn in about an
    eighth of the time that ``torch.nn.Dropout`` takes.

    Parameters
    ----------
    p : float
        Share set to 0, in [0, 1); rounded to a multiple of 2⁻¹⁶ below 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import Dropout
    >>> mask = Dropout(0.5).draw((3, 4), torch.Generator().manual_seed(0))
    >>> mask.unique()
    tensor([0., 2.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        # A half-precision number of numpy would overflow below.
        self.p = float(p)
        self.dropped_levels = min(round(self.p * LEVELS), LEVELS - 1)

    def draw(
        self,
        shape: Sequence[int],
        generator: torch.Generator | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return a mask: 0 where a number is dropped, elsewhere 1 over the share that is kept.

        Parameters
        ----------
        shape : sequence of int
            Shape of the mask.
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default.
        dtype, device
            Number format and device of the mask.
        """
        count = math.prod(shape)
        words = torch.empty(-(-count // NUMBERS_PER_WORD), dtype=torch.int64, device=device)
        levels = words.random_(-(2**63), None, generator=generator).view(torch.int16)[:count]
        # In place on floats, as booleans take torch several times longer; those of 16 bits round levels.
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        kept = levels.to(exact).ge_(self.dropped_levels - LEVELS // 2)
        return kept.mul_(LEVELS / (LEVELS - self.dropped_levels)).to(dtype).view(tuple(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers, multiplied by a new mask in training."""
        if not self.training:
            return x
        # Of a batch that several processes share, the mask is that of a single one.
        n_rows, own = rows_to_draw_for(len(x))
        shape = (n_rows, *x.shape[1:])
        mask = self.draw(shape, own_generator(x.device), dtype=x.dtype, device=x.device)
        return x * (mask if own is None else mask[own])

    @classmethod
    def stacked(cls, layers: Sequence[Dropout]) -> nn.Module:
        """Return what these layers do side by side: one of them, which draws one mask for all numbers."""
        return layers[0]

    def extra_repr(self) -> str:
        """Show the share."""
        return f"p={self.p}"
