"""Rows on their way to the network.

A `Table` holds rows as tensors on one device: inputs by block, encoded targets, and a weight for each cell, 0
where a label is missing. `WholeBatches` hands them out a slice at a time, never row by row. Inputs that are
not on the device, or not in memory, are `ReadRows`: a `Reader` encodes them batch by batch, ahead of the
training; those that lie in row groups of files are `GroupedRows`, read group by group. A `Drawing` says how
often rows are drawn for training, and what is done to a batch of them. A `RowSplit` says which rows are
trained on and which are held out for validation; `split_table` makes two tables of them, which copies no
rows.

Examples
--------
>>> import numpy as np
>>> import torch
>>> from sklearn_mtl.data import RowSplit, Table, WholeBatches, split_table
>>> y = np.arange(7.0)[:, None]
>>> table = Table.from_arrays(
...     {"x": np.zeros((7, 2))}, y, np.ones((7, 1)), device=torch.device("cpu"), dtype=torch.float32
... )
>>> train, valid = split_table(table, RowSplit.from_validation(np.array([2, 4]), n_rows=7))
>>> [batch.y.ravel().tolist() for batch in WholeBatches(train, batch_size=2)]
[[0.0, 1.0], [3.0, 5.0, 6.0]]
>>> valid.y.ravel().tolist()
[2.0, 4.0]
"""

from sklearn_mtl.data.batch import Batch, PendingBatch
from sklearn_mtl.data.drawing import Augmenting, Drawing
from sklearn_mtl.data.grouped import rows_when_read
from sklearn_mtl.data.rows import DeviceRows, InputRows, Reader, ReadRows
from sklearn_mtl.data.table import (
    RowSplit,
    Table,
    WholeBatches,
    rows_for_training,
    split_table,
)

__all__ = [
    "Augmenting",
    "Batch",
    "DeviceRows",
    "Drawing",
    "InputRows",
    "PendingBatch",
    "ReadRows",
    "Reader",
    "RowSplit",
    "Table",
    "WholeBatches",
    "rows_for_training",
    "rows_when_read",
    "split_table",
]
