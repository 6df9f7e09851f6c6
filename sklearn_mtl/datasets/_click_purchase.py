from __future__ import annotations

import math

import numpy as np
from sklearn.utils import check_random_state

from ._checks import check_counts, check_number, check_share
from ._factors import directions, factors, read_out
from ._labels import named


def make_click_purchase(
    n_samples: int = 1000,
    n_features: int = 20,
    *,
    click_rate: float = 0.2,
    purchase_rate: float = 0.2,
    n_factors: int = 3,
    relatedness: float = 0.5,
    noise: float = 0.3,
    string_labels: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Make a table of offers shown, of which some are clicked, and some of those bought.

    Nobody buys without a click, so that P(purchase) = P(click) · P(purchase given click). Both labels are
    known of every row, the entire space on which [1]_ trains.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=20
        Number of columns of X, at least 3, independent and standard normal.
    click_rate : float in [0, 1], default=0.2
        Share of the rows that are clicked.
    purchase_rate : float in [0, 1], default=0.2
        Share of the clicked rows that are bought.
    n_factors : int, default=3
        Number of latent factors that both decisions share, and of those that each has of its own; no more
        than a third of ``n_features`` are made.
    relatedness : float in [0, 1], default=0.5
        Share of the signal (its variance) of a decision that comes from the shared factors. Above 0, the
        clicked rows are not as the others are.
    noise : float >= 0, default=0.3
        Standard deviation of what decides beside X, where that of the signal is 1.
    string_labels : bool, default=False
        Name the classes ``"class0"`` and ``"class1"`` instead of 0 and 1.
    random_state : int, RandomState or None, default=None
        As in scikit-learn. With an int, X is the same whatever the other parameters.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The table.
    Y : dict of str to ndarray of shape (n_samples,)
        ``click`` and ``purchase``, which is 0 wherever ``click`` is.

    Raises
    ------
    ValueError
        If a parameter is not what it must be.

    Notes
    -----
    Each decision has a score as a task of `make_multitask` has, with the same shared factors and the same
    loadings :math:`a` on them. The rows of the greatest scores of the one are clicked, and of these the rows
    of the greatest scores of the other are bought.

    References
    ----------
    .. [1] X. Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click
       Conversion Rate", SIGIR 2018.

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_click_purchase
    >>> X, Y = make_click_purchase(500, random_state=0)
    >>> X.shape, int(Y["click"].sum()), int(Y["purchase"].sum())
    ((500, 20), 100, 20)
    >>> bool((Y["purchase"] <= Y["click"]).all())
    True
    """
    check_counts(n_samples=(n_samples, 1), n_features=(n_features, 3), n_factors=(n_factors, 1))
    check_share("click_rate", click_rate)
    check_share("purchase_rate", purchase_rate)
    check_share("relatedness", relatedness)
    check_number("noise", noise)
    random = check_random_state(random_state)
    X = random.standard_normal((n_samples, n_features))
    n_factors = min(n_factors, n_features // 3)
    along = np.split(directions(np.empty((n_features, 0)), 3 * n_factors, random), 3, axis=1)
    common = math.sqrt(relatedness) * read_out(factors(X, along[0]), 1, random)
    chosen = np.ones(n_samples, dtype=bool)
    Y = {}
    for name, own, rate in (("click", along[1], click_rate), ("purchase", along[2], purchase_rate)):
        score = common + math.sqrt(1 - relatedness) * read_out(factors(X, own), 1, random)
        score += noise * random.standard_normal(score.shape)
        chosen = _greatest(score[:, 0], chosen, rate)
        Y[name] = named(chosen, string_labels)
    return X, Y


def _greatest(score: np.ndarray, among: np.ndarray, share: float) -> np.ndarray:
    """Mark the share of the marked rows whose scores are the greatest."""
    rows = np.flatnonzero(among)
    marked = np.zeros(len(score), dtype=bool)
    marked[rows[np.argsort(-score[rows], kind="stable")[: round(share * len(rows))]]] = True
    return marked
