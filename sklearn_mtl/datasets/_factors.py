"""Latent factors: sines along directions in the space of the columns."""

from __future__ import annotations

import math

import numpy as np


def directions(apart_from: np.ndarray, n_directions: int, random: np.random.RandomState) -> np.ndarray:
    """Return random orthonormal columns, orthogonal to the orthonormal columns given."""
    n_features, n_given = apart_from.shape
    drawn = random.standard_normal((n_features, n_directions))
    basis, _ = np.linalg.qr(np.hstack([apart_from, drawn]))
    return basis[:, n_given:]


def turned(
    given: np.ndarray, apart_from: np.ndarray, correlation: float, random: np.random.RandomState
) -> np.ndarray:
    """Return directions turned away from those given; of two that are, the correlation is about so much.

    Parameters
    ----------
    given : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    apart_from : ndarray of shape (n_features, n_others)
        Orthonormal columns, those given among them, to none of which they are turned.
    correlation : float
        Between 0 and 1.
    random : RandomState
        What the turn is drawn from.
    """
    aside = directions(apart_from, given.shape[1], random)
    return math.sqrt(correlation) * given + math.sqrt(1 - correlation) * aside


def factors(X: np.ndarray, along: np.ndarray, frequency: float = 1.0) -> np.ndarray:
    """Return one factor per direction, independent of each other, of mean 0 and variance 1."""
    # The standard deviation of sin(f u) for u normal with mean 0 and variance 1.
    scale = math.sqrt((1 - math.exp(-2 * frequency**2)) / 2)
    return np.sin(frequency * (X @ along)) / scale


def read_out(of_rows: np.ndarray, n_scores: int, random: np.random.RandomState) -> np.ndarray:
    """Return random mixtures of factors, each of variance 1."""
    loadings = random.standard_normal((of_rows.shape[1], n_scores))
    return of_rows @ (loadings / np.linalg.norm(loadings, axis=0))
