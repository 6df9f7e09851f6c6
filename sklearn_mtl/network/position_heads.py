"""The heads of tasks with a label for each position of a row, beside those of tasks of one for the row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.network.heads import Heads


class PositionHeads(nn.Module):
    """The heads of all tasks, of which some have a label for each position of a row.

    Those read the representation of one position after the other, all positions through the same layers. So
    a row may have any number of them; to train, raw outputs are cut, or filled up with 0, to as many as the
    labels have.

    Parameters
    ----------
    of_rows : Heads or None
        The heads of the other tasks; None where there are none.
    of_positions : Heads
        The heads of these tasks, whose rows are positions.
    width, position_width : int
        Widths of the representation of a row, and of one of its positions.
    outputs : sequence of int
        Outputs of the head of each of these tasks.
    n_positions : int
        How many positions the labels have.
    fixed : bool, default=False
        Whether all rows have so many, as images of one size have.
    """

    def __init__(
        self,
        of_rows: Heads | None,
        of_positions: Heads,
        width: int,
        position_width: int,
        outputs: Sequence[int],
        n_positions: int,
        *,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        self.of_rows = of_rows
        self.of_positions = of_positions
        self.width = width
        self.position_width = position_width
        self.outputs = tuple(outputs)
        self.n_positions = n_positions
        self.fixed = fixed

    def begin_at(self, first: Tensor) -> None:
        """Give the last layers other biases.

        Parameters
        ----------
        first : tensor of shape (outputs of all heads,)
            As `Heads.begin_at` takes them, those of one position.
        """
        n_row = 0 if self.of_rows is None else self.of_rows.n_outputs
        if self.of_rows is not None:
            self.of_rows.begin_at(first[:n_row])
        self.of_positions.begin_at(first[n_row:])

    def forward(self, representation: Tensor) -> Tensor:
        """Return raw outputs of as many positions as labels have, shape (rows, members, raw outputs).

        Parameters
        ----------
        representation : tensor of shape (rows, members, width + positions * position_width)
            That of the row, and that of one position after the other.
        """
        row, positions = self._of_both(representation)
        missing = self.n_positions - positions.shape[2]
        if missing and self.fixed:
            raise ValueError(
                "`trunk` must give a representation for each pixel that has a label, here "
                f"{self.n_positions}. Found one that gives {positions.shape[2]}."
            )
        return self._joined(row, F.pad(positions, (0, 0, 0, missing)) if missing else positions)

    def of_every_position(self, representation: Tensor) -> Tensor:
        """Return raw outputs of as many positions as the rows have."""
        return self._joined(*self._of_both(representation))

    def scaled(self, raw: Tensor, scale: Tensor) -> Tensor:
        """Return raw outputs times numbers that are the same for all positions.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw outputs)
            Outputs of all tasks, for any number of positions.
        scale : tensor of shape (outputs of all heads,)
            A number for each output of a head.
        """
        row, *of_tasks = self._parts(raw)
        n_row = row.shape[-1]
        scales = scale[n_row:].split(self.outputs)
        every = [part * own for part, own in zip(of_tasks, scales, strict=True)]
        return torch.cat([row * scale[:n_row], *(part.flatten(-2) for part in every)], dim=-1)

    def marked(self, raw: Tensor, mask: Tensor) -> Tensor:
        """Return raw outputs that are NaN where a row has no position.

        Parameters
        ----------
        raw : tensor of shape (rows, members, raw outputs)
            Outputs of all tasks, for as many positions as the mask has.
        mask : tensor of bool, shape (rows, positions)
            Which positions are real.
        """
        row, *of_tasks = self._parts(raw)
        gone = ~mask[:, None, :, None]
        return torch.cat([row, *(part.masked_fill(gone, torch.nan).flatten(-2) for part in of_tasks)], dim=-1)

    def _of_both(self, representation: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the outputs for rows, of tasks that are there, and for positions."""
        row = [] if self.of_rows is None else [self.of_rows(representation[..., : self.width])]
        positions = representation[..., self.width :].unflatten(-1, (-1, self.position_width))
        # The layers of a head take (rows, members, width): a position is a row to them.
        flat = self.of_positions(positions.transpose(1, 2).flatten(0, 1))
        return row, flat.unflatten(0, (len(representation), -1)).transpose(1, 2)

    def _joined(self, row: list[Tensor], positions: Tensor) -> Tensor:
        """Return the outputs for rows, and then task by task those for positions, side by side."""
        return torch.cat([*row, *(part.flatten(-2) for part in positions.split(self.outputs, -1))], dim=-1)

    def _parts(self, raw: Tensor) -> list[Tensor]:
        """Return the outputs for rows, and those of each task for positions, (..., positions, outputs)."""
        n_row = 0 if self.of_rows is None else self.of_rows.n_outputs
        n_positions = (raw.shape[-1] - n_row) // sum(self.outputs)
        row, *of_tasks = raw.split([n_row, *(n_positions * width for width in self.outputs)], -1)
        shaped = zip(of_tasks, self.outputs, strict=True)
        return [row, *(part.unflatten(-1, (n_positions, width)) for part, width in shaped)]
