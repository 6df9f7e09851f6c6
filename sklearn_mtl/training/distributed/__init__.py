"""One fit by several processes, each of which computes a part of every batch.

`data_parallel` is what a script needs. Inside it a net is a `DataParallelNet`: `batches` has the parts of the
batches, `processes` what processes tell each other, `refused` which fits they can't make together, and
`sharded` trunks whose weights are divided.
"""

from sklearn_mtl.training.distributed.net import DataParallelNet, data_parallel_class
from sklearn_mtl.training.distributed.processes import ACTIVE, Processes, data_parallel
from sklearn_mtl.training.distributed.sharded import sharded

__all__ = ["ACTIVE", "DataParallelNet", "Processes", "data_parallel", "data_parallel_class", "sharded"]
