"""From the words of the constructor to torch's devices and dtypes."""

from __future__ import annotations

from multiprocessing import current_process, parent_process

import numpy as np
import torch

PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    # Weights and data stay float32; products in training are autocast.
    "bf16": torch.float32,
}


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device, ``"auto"`` being CUDA where there is one.

    Raises
    ------
    ValueError
        If there is no such device here.
    RuntimeError
        If it is CUDA, and this process was forked from one that had started it.
    """
    if device == "auto":
        found = _own_card() if torch.cuda.is_available() else torch.device("cpu")
    else:
        try:
            found = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"`device` must be 'auto' or a torch device. Found {device!r}.") from error
    if found.type == "cuda":
        _check_cuda(device)
    return found


def _own_card() -> torch.device:
    """Return a card: in the n-th worker of a parallel search the n-th, so that they do not all share one."""
    n_cards = torch.cuda.device_count()
    if n_cards < 2 or parent_process() is None:
        return torch.device("cuda")
    number = current_process()._identity[-1:] or (1,)
    return torch.device("cuda", (number[0] - 1) % n_cards)


def _check_cuda(device: str | torch.device) -> None:
    if not torch.cuda.is_available():
        raise ValueError(
            f"`device` must be a device of this machine. Found {device!r}, and torch sees no CUDA here; "
            "'auto' falls back to the CPU."
        )
    if torch.cuda._is_in_bad_fork():
        raise RuntimeError(
            f"`device` must not be CUDA in a process that was forked after CUDA had started. Found "
            f"{device!r} in such a process, which would hang: start workers anew (joblib's default backend "
            'does, or multiprocessing with "spawn"), or set device="cpu".'
        )


def resolve_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and data; a ``ValueError`` for an unknown word."""
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {sorted(PRECISIONS)}. Found {precision!r}.")
    return PRECISIONS[precision]


def resolve_autocast(precision: str) -> torch.dtype | None:
    """Return what products are computed in while training; None where it is the weights' own dtype."""
    return torch.bfloat16 if precision == "bf16" else None


def numpy_dtype(dtype: torch.dtype) -> type[np.floating]:
    """Return numpy's name for the dtype of data."""
    return np.float64 if dtype == torch.float64 else np.float32
