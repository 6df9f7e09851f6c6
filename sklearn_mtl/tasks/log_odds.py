"""Log-odds of classes, which rank rows also where their probabilities are 0 or 1 to all digits."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

LOG_HALF = float(np.log(0.5))
SMALLEST_LOG = float(np.log(np.finfo(np.float64).tiny))


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities, finite also where one is 0."""
    logs: np.ndarray = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return logs


def normalized(log_probabilities: np.ndarray) -> np.ndarray:
    """Return log-probabilities such that the probabilities of each row have a sum of 1."""
    found: np.ndarray = log_probabilities - logsumexp(log_probabilities, axis=1, keepdims=True)
    return found


def log_odds(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the log-odds of each class, as ``decision_function`` of a classifier has them.

    They rank rows, and the classes of a row, as the probabilities do.

    Parameters
    ----------
    log_probabilities : ndarray of float64, shape (n_rows, n_classes)
        The logarithms of the probabilities of all classes.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_classes)
        ``log(p / (1 - p))`` of each class. Of two classes that of the second alone, of shape (n_rows,); of
        one class the least number, of the same shape, as a positive one would mean a second class.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.tasks.log_odds import log_odds
    >>> log_odds(np.log([[0.2, 0.8], [0.5, 0.5]])).round(2)
    array([1.39, 0.  ])
    >>> log_odds(np.log([[0.2, 0.2, 0.6]])).round(2)
    array([[-1.39, -1.39,  0.41]])
    """
    n_rows, n_classes = log_probabilities.shape
    if n_classes == 1:
        return np.full(n_rows, SMALLEST_LOG)
    if n_classes == 2:
        found: np.ndarray = log_probabilities[:, 1] - log_probabilities[:, 0]
        return found
    # 1 - p has no digits left where p is near 1: there the other classes are added up.
    found = log_probabilities - np.log1p(-np.exp(np.minimum(log_probabilities, LOG_HALF)))
    rows, classes = np.nonzero(log_probabilities > LOG_HALF)
    others = log_probabilities[rows]
    others[np.arange(len(rows)), classes] = -np.inf
    found[rows, classes] = log_probabilities[rows, classes] - logsumexp(others, axis=1)
    return found
