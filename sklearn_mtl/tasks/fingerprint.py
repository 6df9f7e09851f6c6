"""What tells values apart."""

from __future__ import annotations

from pickle import PicklingError
from typing import Any

import torch
from joblib.hashing import NumpyHasher
from torch import Tensor


def fingerprint(value: Any) -> Any:
    """Return what is equal for equal values, and for those that can't be pickled like nothing else."""
    try:
        return _Hasher("md5").hash(value)
    # What a user's object raises when it is pickled, or a tensor within a transform of torch when it is read.
    except (PicklingError, TypeError, AttributeError, NotImplementedError, RuntimeError):
        return object()


class _Hasher(NumpyHasher):
    """joblib's, for which equal tensors are equal: their own pickles name where they are in memory."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, Tensor):
            held = obj.detach().cpu().reshape(-1).view(torch.uint8).numpy()
            obj = (str(obj.dtype), tuple(obj.shape), obj.requires_grad, held)
        super().save(obj)
