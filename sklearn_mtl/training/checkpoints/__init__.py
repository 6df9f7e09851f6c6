"""Trainings that are written down as they go, and go on after their process has ended.

`Checkpoint` is what the ``checkpoint`` of an estimator takes. What is written is all that further training
depends on, in files of safetensors and JSON::

    checkpoint.json             what the fit is of, by `FitIdentity`; whether it is finished
    net-0-12.safetensors        a net that is trained by itself, after 12 epochs
    stack-4f….-12.safetensors   the nets of a stack that are in training, after 12 epochs
    net-0.safetensors           a net whose training has ended

A `CheckpointFolder` writes and reads the files, each to a temporary name first. A `NetCheckpoint` is in the
plan of each net: it trains one that is alone, and a `StackCheckpoint` looks after those of a stack. What they
write of a net, and how it is put back, is in ``net_state``; of callbacks and parts of the user's in
``own_state``; ``values`` has plain values and tensors as JSON and arrays.

A net is made anew from its plan, its training is begun, and then all that training changes is put back:
weights, optimizer, averages, generators, records, callbacks. So nothing that can be had from the data and the
parameters is in a file.
"""

from sklearn_mtl.training.checkpoints.checkpoint import Checkpoint
from sklearn_mtl.training.checkpoints.folder import CheckpointFolder
from sklearn_mtl.training.checkpoints.identity import FitIdentity
from sklearn_mtl.training.checkpoints.net_checkpoint import NetCheckpoint

__all__ = ["Checkpoint", "CheckpointFolder", "FitIdentity", "NetCheckpoint"]
