"""Training on a GPU without asking Python for every kernel: steps recorded as a CUDA graph, and replayed.

`graph` records any work and replays it, `replayed` decides which steps of a training are recorded and keeps
the tensors that they read, `of_net` has the steps of one net, and when they cannot be recorded;
`stacking/replayed.py` has those of a stack.
"""

from __future__ import annotations

from sklearn_mtl.training.capture.graph import RECORDED_ON, CudaGraph, Recording, recording_on
from sklearn_mtl.training.capture.of_net import StepsOfNet, replaying, say_not_recorded, why_not_recorded
from sklearn_mtl.training.capture.replayed import ReplayedSteps

__all__ = [
    "RECORDED_ON",
    "CudaGraph",
    "Recording",
    "ReplayedSteps",
    "StepsOfNet",
    "recording_on",
    "replaying",
    "say_not_recorded",
    "why_not_recorded",
]
