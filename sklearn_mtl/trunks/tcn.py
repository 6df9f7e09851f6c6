"""A temporal convolutional network for sequences."""

from __future__ import annotations

import math

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import StepEncoder, TemporalBlocks
from sklearn_mtl.trunks.parameters import check_counts, check_flags, check_shares
from sklearn_mtl.trunks.sequence import SequenceTrunk

# Beyond so many blocks a step of most reaches further than any sequence that fits in memory.
MOST_BLOCKS = 12


class TCN(SequenceTrunk):
    """A temporal convolutional network: blocks of convolutions whose dilation doubles from each to the next.

    Bai, Kolter & Koltun (2018), "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
    Sequence Modeling", with layer normalization of each step before a convolution in place of weight
    normalization. All steps are computed at once, so that long sequences take less time than with `RNN`.

    Parameters
    ----------
    width : int, default=64
        Number of channels.
    blocks : "auto" or int, default="auto"
        Number of blocks. ``"auto"`` is as many as it takes for the middle step, with ``causal`` the last, to
        read all of the longest sequence of the training rows.
    kernel_size : int, default=3
        How many steps a convolution reads, those of block i 2ⁱ apart.
    causal : bool, default=False
        Whether a step reads itself and those before it alone, as for labels of steps that must not depend on
        what comes later.
    pooling : {"mean", "last", "max", "attention"}, default="mean"
        What stands for the row: the mean of all steps, the last one, the largest number of each channel, or a
        weighted mean, the weights learned (Yang et al., 2016).
    dropout : float, default=0.0
        Share of the channels set to 0 after each convolution while training, the same at all steps of a row,
        in [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.trunks import TCN
    >>> TCN(width=32, causal=True)
    TCN(causal=True, width=32)
    """

    def __init__(
        self,
        width: int = 64,
        *,
        blocks: int | str = "auto",
        kernel_size: int = 3,
        causal: bool = False,
        pooling: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        self.width = width
        self.blocks = blocks
        self.kernel_size = kernel_size
        self.causal = causal
        self.pooling = pooling
        self.dropout = dropout

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether a row is one sequence."""
        return spec.is_sequence

    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return new blocks of convolutions."""
        check_counts("TCN", width=self.width, kernel_size=self.kernel_size)
        check_shares("TCN", dropout=self.dropout)
        check_flags("TCN", causal=self.causal)
        return TemporalBlocks(
            n_in,
            self.width,
            blocks=self._n_blocks(n_steps),
            kernel_size=self.kernel_size,
            causal=bool(self.causal),
            dropout=self.dropout,
        )

    def _n_blocks(self, n_steps: int) -> int:
        if isinstance(self.blocks, str):
            if self.blocks != "auto":
                raise ValueError(
                    f"`blocks` of TCN must be 'auto' or a positive integer. Found {shown(self.blocks)}."
                )
            # Each of the two convolutions of block i reaches (kernel_size - 1) 2ⁱ steps further.
            reach = 2 * max(self.kernel_size - 1, 1)
            return min(max(math.ceil(math.log2((n_steps - 1) / reach + 1)), 1), MOST_BLOCKS)
        check_counts("TCN", blocks=self.blocks)
        return self.blocks
