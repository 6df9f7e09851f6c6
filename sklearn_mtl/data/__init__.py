"""Rows on their way to the network.

A `Table` holds rows as tensors on one device: inputs by block, encoded targets and cell weights.
`WholeBatches` hands them out a slice at a time. Inputs that are not on the device, or not in memory, are
brought there when they are needed. A `RowSplit` says which rows are learned from and which are held out.

Examples
--------
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.data import Table, WholeBatches
>>> y, weight = np.arange(5.0)[:, None], np.ones((5, 1))
>>> table = Table.from_arrays(
...     {"x": np.zeros((5, 2))}, y, weight, device=torch.device("cpu"), dtype=torch.float32
... )
>>> [batch.y.ravel().tolist() for batch in WholeBatches(table, batch_size=2)]
[[0.0, 1.0], [2.0, 3.0, 4.0]]
"""

from sklearn_mtl.data.rows import DeviceRows, InputRows, rows_for_training
from sklearn_mtl.data.splits import RowSplit, held_out_groups, held_out_rows
from sklearn_mtl.data.table import Batch, Table, WholeBatches, split_table

__all__ = [
    "Batch",
    "DeviceRows",
    "InputRows",
    "RowSplit",
    "Table",
    "WholeBatches",
    "held_out_groups",
    "held_out_rows",
    "rows_for_training",
    "split_table",
]
