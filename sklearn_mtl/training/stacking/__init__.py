"""Nets of one structure, trained as one."""

from sklearn_mtl.training.stacking.outcome import Outcome
from sklearn_mtl.training.stacking.train import RunJobs, train_nets

__all__ = ["Outcome", "RunJobs", "train_nets"]
