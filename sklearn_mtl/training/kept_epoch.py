"""The epoch that a net has kept: the best one, on its held-out rows."""

from __future__ import annotations

from math import isfinite
from typing import Any


def kept_epoch(net: Any, *, stops_early: bool) -> int | None:
    """Return the best epoch of a net so far; its weights, averaged with those after it, are the net's.

    Parameters
    ----------
    net : MultiTaskNet
        The net, trained or in training.
    stops_early : bool
        Whether it is trained with early stopping. A net that was loaded from a file does not know that.

    Returns
    -------
    int or None
        Its number, from 1; None where the net has the weights of its last epoch.
    """
    kept = net.run_.kept
    if kept is None and net.resume_ is not None:
        kept = net.resume_.kept
    if kept is not None:
        # Weights that are kept since the losses of the next epoch were not finite have no number.
        return kept.epoch or None
    return lowest_epoch(net) if stops_early and net.resume_ is None else None


def lowest_epoch(net: Any) -> int | None:
    """Return the epoch with the lowest watched loss on held-out rows; None where there is none.

    Parameters
    ----------
    net : MultiTaskNet
        The net, trained or in training.
    """
    rows = net.history[net.epochs_to_wait :]
    losses = {
        row["epoch"]: row["valid_loss"] for row in rows if isfinite(row.get("valid_loss", float("nan")))
    }
    return min(losses, key=losses.__getitem__) if losses else None
