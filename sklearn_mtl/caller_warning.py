"""Warnings that point at the line of the user's by which the package was called.

Examples
--------
>>> import warnings
>>> from sklearn_mtl.caller_warning import warn_caller
>>> with warnings.catch_warnings(record=True) as caught:
...     warnings.simplefilter("always")
...     warn_caller("Nothing is predicted, only copied.")
>>> caught[0].filename.endswith("caller_warning.py")
False
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

__all__ = ["warn_caller"]

# What may lie between the line of the user's and what warns: pipelines, searches, scorers, training loops.
BETWEEN = {"sklearn_mtl", "sklearn", "skorch", "joblib", "mlflow"}


def warn_caller(message: str) -> None:
    """Warn at the innermost line that is neither of this package nor of those that it is called through.

    ``skip_file_prefixes`` of `warnings.warn` does the same from Python 3.12 on. A number of frames that is
    written down points elsewhere as soon as a function is put between.

    Parameters
    ----------
    message : str
        Text of the warning.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _package(frame.f_globals) in BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def _package(module: Mapping[str, Any]) -> str:
    return str(module.get("__name__")).partition(".")[0]
