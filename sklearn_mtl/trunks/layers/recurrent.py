"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sklearn_mtl.trunks.layers.step_encoder import StepEncoder
from sklearn_mtl.trunks.layers.steps import StepDropout, backwards

CELLS: Mapping[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(StepEncoder):
    """Layers of torch's LSTM or GRU, which may read sequences backwards too.

    What reads backwards begins at the last real step of each row, so that nothing is read that was filled up.

    Parameters
    ----------
    cell : {"lstm", "gru"}
        Hochreiter & Schmidhuber (1997), or Cho et al. (2014).
    n_in : int
        Width of a step.
    hidden_size : int
        Width of what each layer gives for a step, in each direction.
    layers : int, default=1
        Number of layers.
    bidirectional : bool, default=False
        Whether each layer reads in both directions, and gives both side by side.
    dropout : float, default=0.0
        Share of the channels between layers, and of the last, set to 0 while training.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import Recurrent
    >>> layer = Recurrent("gru", 3, 8, bidirectional=True)
    >>> layer(torch.zeros(2, 5, 3), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        cell: str,
        n_in: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        n_backwards = hidden_size if bidirectional else 0
        super().__init__(hidden_size + n_backwards, n_backwards)

        def made() -> nn.ModuleList:
            widths = [n_in, *[self.width] * (layers - 1)]
            return nn.ModuleList(CELLS[cell](width, hidden_size, batch_first=True) for width in widths)

        # Each direction apart: torch's own layer of both would begin at what was filled up.
        self.forwards, self.backwards = made(), made() if bidirectional else None
        self.dropout = StepDropout(dropout)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return a vector for each step, (rows, steps, width)."""
        for place, layer in enumerate(self.forwards):
            found, _ = layer(steps)
            if self.backwards is not None:
                of_reversed, _ = self.backwards[place](backwards(steps, lengths))
                found = torch.cat([found, backwards(of_reversed, lengths)], dim=-1)
            steps = self.dropout(found)
        return steps
