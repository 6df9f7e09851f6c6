from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from ._checks import check_counts, check_number, check_share
from ._factors import directions, factors, read_out
from ._labels import named, with_gaps


def make_dependent_tasks(
    n_samples: int = 200,
    n_features: int = 20,
    *,
    n_dependent: int = 1,
    n_classes: int = 6,
    n_factors: int = 5,
    noise: float = 0.1,
    flipped: float = 0.05,
    missing_labels: float = 0.0,
    string_labels: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Make a table, a task of several classes, and binary tasks that are functions of its class.

    Who knows the class of a row knows the other labels nearly. They are sums of the probabilities of some of
    the classes, which is simple, and no simple function of X.

    Parameters
    ----------
    n_samples : int, default=200
        Number of rows.
    n_features : int, default=20
        Number of columns of X, at least 2, independent and standard normal.
    n_dependent : int, default=1
        Number of binary tasks.
    n_classes : int, default=6
        Number of classes of the first task, at least 2, of roughly equal frequency.
    n_factors : int, default=5
        Number of latent factors that the classes are read from; no more than ``n_features`` are made.
    noise : float >= 0, default=0.1
        Standard deviation of the noise of the classes' scores, where that of their signal is 1.
    flipped : float in [0, 1], default=0.05
        Share of each binary task's labels that are the other one.
    missing_labels : float in [0, 1), default=0.0
        Share of each binary task's labels that are missing (None); the class is known of every row.
    string_labels : bool, default=False
        Name the classes ``"class0"``, ``"class1"``, … instead of 0, 1, ….
    random_state : int, RandomState or None, default=None
        As in scikit-learn. With an int, X is the same whatever the other parameters.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The table.
    Y : dict of str to ndarray of shape (n_samples,)
        The labels: ``origin``, the task of several classes, and ``dependent0``, ….

    Raises
    ------
    ValueError
        If a parameter is not what it must be.

    Notes
    -----
    The class is the greatest of one score for each, as in `make_multitask`. A binary label is 1 in half of
    the classes, rounded down, which are drawn for each task.

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_dependent_tasks
    >>> X, Y = make_dependent_tasks(n_classes=4, flipped=0.0, random_state=0)
    >>> sorted(set(zip(Y["origin"].tolist(), Y["dependent0"].tolist())))
    [(0, 1), (1, 1), (2, 0), (3, 0)]
    """
    check_counts(
        n_samples=(n_samples, 1),
        n_features=(n_features, 2),
        n_dependent=(n_dependent, 0),
        n_classes=(n_classes, 2),
        n_factors=(n_factors, 1),
    )
    check_number("noise", noise)
    check_share("flipped", flipped)
    check_share("missing_labels", missing_labels, below_1=True)
    random = check_random_state(random_state)
    X = random.standard_normal((n_samples, n_features))
    along = directions(np.empty((n_features, 0)), min(n_factors, n_features), random)
    scores = read_out(factors(X, along), n_classes, random)
    codes = (scores + noise * random.standard_normal(scores.shape)).argmax(axis=1)
    Y = {"origin": named(codes, string_labels)}
    for number in range(n_dependent):
        in_half = random.permutation(n_classes) < n_classes // 2
        labels = in_half[codes]
        labels[random.permutation(n_samples)[: round(flipped * n_samples)]] ^= True
        Y[f"dependent{number}"] = with_gaps(named(labels, string_labels), missing_labels, random)
    return X, Y
