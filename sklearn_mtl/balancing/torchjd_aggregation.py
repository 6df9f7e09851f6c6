"""TorchJD, where it is installed."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def torchjd() -> ModuleType:
    """Return TorchJD's aggregators.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        from torchjd import aggregation
    except ImportError as error:
        raise ImportError(
            'Balancing by gradients needs TorchJD: pip install "sklearn-mtl[gradient]"'
        ) from error
    return aggregation


def projector() -> Any:
    """Return TorchJD's projector onto the dual cone of gradients, with little added to their Gramian.

    What it adds by default would let a short gradient be in conflict with the step.

    Raises
    ------
    ImportError
        If TorchJD, or the solver, is not installed; the message says how to install it.
    """
    torchjd()
    from torchjd.linalg import QuadprogProjector

    return QuadprogProjector(reg_eps=1e-9)
