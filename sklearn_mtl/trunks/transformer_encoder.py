"""A transformer over the steps of a sequence."""

from __future__ import annotations

from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import SelfAttention, StepEncoder
from sklearn_mtl.trunks.parameters import check_counts, check_shares
from sklearn_mtl.trunks.resnet import hidden_size
from sklearn_mtl.trunks.sequence import SequenceTrunk


class TransformerEncoder(SequenceTrunk):
    """A small transformer over the steps of a sequence, whose places sines and cosines tell.

    Vaswani et al. (2017), "Attention Is All You Need" (NeurIPS), normalized before attention and perceptron
    (Xiong et al., 2020). The time of a step of the training grows with the square of the sequence's length.

    Parameters
    ----------
    width : int, default=64
        Width of a step, a multiple of ``heads``.
    blocks : int, default=2
        Number of blocks, each of them attention and then a perceptron, whose inputs are added to their
        outputs.
    heads : int, default=4
        Number of heads of the attention.
    hidden_factor : float, default=2.0
        The hidden layer of a perceptron is so many times as wide as a step.
    pooling : {"mean", "last", "max", "attention"}, default="mean"
        What stands for the row: the mean of all steps, the last one, the largest number of each channel, or a
        weighted mean, the weights learned (Yang et al., 2016).
    dropout : float, default=0.1
        Share of the channels of the outputs of attention and perceptrons set to 0 while training, the same at
        all steps of a row, in [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.trunks import TransformerEncoder
    >>> TransformerEncoder(width=32, blocks=1)
    TransformerEncoder(blocks=1, width=32)
    """

    def __init__(
        self,
        width: int = 64,
        *,
        blocks: int = 2,
        heads: int = 4,
        hidden_factor: float = 2.0,
        pooling: str = "mean",
        dropout: float = 0.1,
    ) -> None:
        self.width = width
        self.blocks = blocks
        self.heads = heads
        self.hidden_factor = hidden_factor
        self.pooling = pooling
        self.dropout = dropout

    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return new blocks of attention."""
        check_counts("TransformerEncoder", width=self.width, blocks=self.blocks, heads=self.heads)
        check_shares("TransformerEncoder", dropout=self.dropout)
        if self.width % self.heads:
            raise ValueError(
                f"`width` of TransformerEncoder must be a multiple of `heads`, {shown(self.heads)}. Found "
                f"{shown(self.width)}."
            )
        return SelfAttention(
            n_in,
            self.width,
            blocks=self.blocks,
            heads=self.heads,
            hidden=hidden_size("TransformerEncoder", self.width, self.hidden_factor),
            dropout=self.dropout,
        )
