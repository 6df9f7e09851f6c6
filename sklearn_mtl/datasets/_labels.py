"""From scores to labels, and labels with gaps."""

from __future__ import annotations

import numpy as np


def classes_of(scores: np.ndarray, string_labels: bool) -> np.ndarray:
    """Return the greatest of several scores, or the sign of a single one."""
    return named(scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] > 0, string_labels)


def named(codes: np.ndarray, string_labels: bool) -> np.ndarray:
    """Return codes as integers, or as names."""
    codes = codes.astype(int)
    return np.array([f"class{code}" for code in codes], dtype=object) if string_labels else codes


def with_gaps(labels: np.ndarray, share: float, random: np.random.RandomState) -> np.ndarray:
    """Return labels of which a share, drawn at random, is NaN, or None in place of a class."""
    missing = random.permutation(len(labels))[: round(share * len(labels))]
    if len(missing) == 0:
        return labels
    labels = labels.astype(float if labels.dtype.kind == "f" else object)
    labels[missing] = np.nan if labels.dtype.kind == "f" else None
    return labels
