"""Recurrent networks for sequences."""

from __future__ import annotations

from sklearn_mtl.messages import shown
from sklearn_mtl.trunks.layers import CELLS, Recurrent, StepEncoder
from sklearn_mtl.trunks.parameters import check_counts, check_flags, check_shares
from sklearn_mtl.trunks.sequence import SequenceTrunk


class RNN(SequenceTrunk):
    """A recurrent network for sequences: LSTM or GRU, in one direction or both.

    Hochreiter & Schmidhuber (1997), "Long Short-Term Memory"; Cho et al. (2014), "Learning Phrase
    Representations using RNN Encoder-Decoder for Statistical Machine Translation" (EMNLP). Nets of it are
    trained one after the other, also in a search, since torch's recurrent layers can't be stacked.

    Parameters
    ----------
    cell : {"lstm", "gru"}, default="lstm"
        The recurrent layer. On a CPU, torch computes a GRU in two to three times the time of an LSTM.
    hidden_size : int, default=128
        Width of a layer, in each direction.
    layers : int, default=1
        Number of layers.
    bidirectional : bool, default=True
        Whether sequences are read backwards too; the representation is then twice as wide. A label of a step
        may depend on the steps after it only so.
    pooling : {"mean", "last", "max", "attention"}, default="mean"
        What stands for the row: the mean of all steps, the last one (of what reads backwards the first), the
        largest number of each channel, or a weighted mean, the weights learned (Yang et al., 2016).
    dropout : float, default=0.0
        Share of a layer's channels set to 0 while training, the same at all steps of a row (Gal & Ghahramani,
        2016), in [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.trunks import RNN
    >>> RNN(cell="gru", hidden_size=64, pooling="attention")
    RNN(cell='gru', hidden_size=64, pooling='attention')
    """

    def __init__(
        self,
        cell: str = "lstm",
        *,
        hidden_size: int = 128,
        layers: int = 1,
        bidirectional: bool = True,
        pooling: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.layers = layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout

    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return new recurrent layers."""
        if not isinstance(self.cell, str) or self.cell not in CELLS:
            raise ValueError(f"`cell` of RNN must be one of {sorted(CELLS)}. Found {shown(self.cell)}.")
        check_counts("RNN", hidden_size=self.hidden_size, layers=self.layers)
        check_shares("RNN", dropout=self.dropout)
        check_flags("RNN", bidirectional=self.bidirectional)
        return Recurrent(
            self.cell,
            n_in,
            self.hidden_size,
            layers=self.layers,
            bidirectional=bool(self.bidirectional),
            dropout=self.dropout,
        )
