"""Harrell's concordance index, in O(n log² n)."""

from __future__ import annotations

import numpy as np


def concordance_index(
    time: np.ndarray, event: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Return Harrell's concordance index: the share of comparable pairs that are in the right order.

    A pair is comparable if the earlier time is that of an event; at equal times, if one is an event and the
    other is censored. It is in the right order if the earlier one was predicted to be earlier, and counts
    one half if both were predicted alike (Harrell et al. 1996, section 5.5).

    Parameters
    ----------
    time : ndarray of float64, shape (n_rows,)
        When the event was seen, or how long the row was followed without one.
    event : ndarray of bool, shape (n_rows,)
        Whether the event was seen.
    predicted : ndarray of float64, shape (n_rows,)
        Predicted times, or anything that is higher for a longer time; minus a risk.
    weight : ndarray of float64, shape (n_rows,), optional
        Weights of the rows; a pair weighs their product.

    Returns
    -------
    float
        0.5 is as good as chance; nan where no pair is comparable.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks import concordance_index
    >>> time, event = np.array([2.0, 3.0, 5.0]), np.array([True, False, True])
    >>> concordance_index(time, event, predicted=np.array([1.0, 9.0, 4.0]))
    1.0
    """
    event = np.asarray(event, dtype=bool)
    weight = np.ones(len(time)) if weight is None else np.asarray(weight, dtype=np.float64)
    # At equal times events come first, and are not compared with one another.
    key = 2 * np.unique(time, return_inverse=True)[1] + ~event
    place = np.unique(predicted, return_inverse=True)[1]
    by_place = np.argsort(place, kind="stable")
    sums = np.zeros(3)
    # Which of two keys is larger is decided by the first bit in which they differ: each bit decides the
    # pairs that have all bits before it in common.
    for bit in range(int(key.max(initial=0)).bit_length()):
        order = by_place[np.argsort(key[by_place] >> (bit + 1), kind="stable")]
        sums += _settled(key[order], place[order], event[order], weight[order], bit)
    later, alike, every = sums
    return float((later + alike / 2) / every) if every > 0 else float("nan")


def _settled(
    key: np.ndarray, place: np.ndarray, event: np.ndarray, weight: np.ndarray, bit: int
) -> np.ndarray:
    """Return weights of pairs that a bit decides: predicted in the right order, predicted alike, and all."""
    group = key >> (bit + 1)
    upper = (key >> bit) & 1 == 1
    mass = np.concatenate([[0.0], np.cumsum(np.where(upper, weight, 0.0))])
    first = event & ~upper
    own, sorted_by = group[first], group * (len(key) + 1) + place
    start, end = (np.searchsorted(group, own, side) for side in ("left", "right"))
    low, high = (np.searchsorted(sorted_by, sorted_by[first], side) for side in ("left", "right"))
    pairs = np.array([mass[end] - mass[high], mass[high] - mass[low], mass[end] - mass[start]])
    found: np.ndarray = pairs @ weight[first]
    return found
