"""The epochs of nets as one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training.recording import RecordedNet, columns_by_task


def history_frame(nets: Sequence[RecordedNet], tasks: TaskSet) -> pd.DataFrame:
    """Return a row for each epoch of each net.

    The columns are ``bag`` (where there are several nets), ``epoch``, the watched ``train_loss`` and
    ``valid_loss``, then ``train_loss_price``, ``valid_loss_price``, ``valid_r2_price`` and ``weight_price``
    for every task.
    """
    frames = []
    for bag, net in enumerate(nets):
        rows = net.history
        general = {
            key: [row.get(key, np.nan) for row in rows] for key in ("epoch", "train_loss", "valid_loss")
        }
        if np.isnan(general["valid_loss"]).all():
            del general["valid_loss"]
        if len(nets) > 1:
            general = {"bag": [bag] * len(rows), **general}
        blocks, epochs = [pd.DataFrame(general)], [net.epoch_of(row) for row in rows]
        for key, names in columns_by_task(tasks).items():
            # An epoch without held-out rows, as in `partial_fit`, has no validation loss.
            found = [epoch.get(key) for epoch in epochs]
            if any(values is not None for values in found):
                none = np.full(len(tasks), np.nan)
                values = np.stack([none if values is None else values for values in found])
                blocks.append(pd.DataFrame(values, columns=names))
        frames.append(pd.concat(blocks, axis=1))
    return pd.concat(frames, ignore_index=True)
