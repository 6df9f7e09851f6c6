"""What was written down of the epochs, as one frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.recording import columns_by_task


def history_frame(nets: Sequence[MultiTaskNet], tasks: TaskSet) -> pd.DataFrame:
    """Return a row for each epoch of each net.

    Columns are ``bag`` (where there are several nets), ``epoch``, ``train_loss`` and ``valid_loss`` as
    watched, then ``train_loss_price``, ``valid_loss_price``, ``valid_r2_price`` and ``weight_price`` for
    every task.
    """
    frames = []
    for bag, net in enumerate(nets):
        general = {key: net.history[:, key] for key in ("epoch", "train_loss")}
        watched = [epoch.get("valid_loss", np.nan) for epoch in net.history]
        if not np.isnan(watched).all():
            general["valid_loss"] = watched
        if len(nets) > 1:
            general = {"bag": [bag] * len(net.history), **general}
        blocks = [pd.DataFrame(general)]
        for key, names in columns_by_task(tasks).items():
            # An epoch without held-out rows, as in `partial_fit`, has no validation loss.
            found = [epoch.get(key) for epoch in net.epochs_]
            if any(values is not None for values in found):
                none = np.full(len(tasks), np.nan)
                values = np.stack([none if values is None else values for values in found])
                blocks.append(pd.DataFrame(values, columns=names))
        frames.append(pd.concat(blocks, axis=1))
    return pd.concat(frames, ignore_index=True)
