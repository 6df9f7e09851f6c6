"""How much tasks look at the columns of rows, by trunks with a token for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from sklearn_mtl.inference.bag import Inputs, TrainedNet, rows_for_network
from sklearn_mtl.trunks.ft_transformer import mean_attention

ROWS_AT_ONCE = 1024


@torch.no_grad()
def mean_task_attention(nets: Sequence[TrainedNet], inputs: Inputs) -> np.ndarray | None:
    """Return the mean over rows and nets, float64 of shape (n_tasks, n_codes + n_columns).

    None where tasks have no tokens.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag.
    inputs : mapping of str to ndarray, or Reader
        Encoded rows, or what encodes them when they are asked for.
    """
    total: Any = 0.0
    n_rows = 0
    for net in nets:
        module = net.evaluated
        trunk = getattr(module.sharing, "trunk", None)
        if trunk is None or not trunk.per_task:
            return None
        rows = rows_for_network(module, inputs)
        places = (slice(start, start + ROWS_AT_ONCE) for start in range(0, len(rows), ROWS_AT_ONCE))
        for blocks in rows.iterate(places):
            weights = mean_attention(trunk, blocks)
            total = total + weights.double().sum(0).cpu().numpy()
            n_rows += len(weights)
    found: np.ndarray = np.asarray(total) / n_rows
    return found
