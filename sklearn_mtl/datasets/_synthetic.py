from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# The standard deviation of sin(u) for u normal with mean 0 and variance 1.
_SINE_SCALE = math.sqrt((1 - math.exp(-2)) / 2)


def make_multitask(
    n_samples: int = 200,
    n_features: int = 20,
    *,
    n_regression: int = 1,
    n_binary: int = 0,
    n_multiclass: int = 0,
    n_classes: int = 3,
    n_factors: int = 5,
    relatedness: float = 1.0,
    noise: float = 0.1,
    missing_labels: float = 0.0,
    string_labels: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    r"""Make a table and several tasks that share some of what determines them.

    Parameters
    ----------
    n_samples : int, default=200
        Number of rows.
    n_features : int, default=20
        Number of columns of X, at least 2, independent and standard normal.
    n_regression, n_binary, n_multiclass : int, default=1, 0, 0
        Number of tasks of each kind.
    n_classes : int, default=3
        Number of classes of each multiclass task, of roughly equal frequency.
    n_factors : int, default=5
        Number of latent factors shared by all tasks, and of those that each task has of its own; no
        more than half of ``n_features`` are made.
    relatedness : float in [0, 1], default=1.0
        Share of a task's signal (its variance) that comes from the shared factors. With 1, all
        tasks are read from one representation; with 0, they have nothing in common but X.
    noise : float >= 0, default=0.1
        Standard deviation of the noise, where that of the signal is 1. In classification it is
        added before the class is chosen.
    missing_labels : float in [0, 1), default=0.0
        Share of each task's labels that are missing, drawn task by task: NaN in regression, None
        in classification (whose arrays then have dtype ``object``).
    string_labels : bool, default=False
        Name the classes ``"class0"``, ``"class1"``, … instead of 0, 1, ….
    random_state : int, RandomState or None, default=None
        As in scikit-learn. With an int, X is the same whatever the tasks.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The table.
    Y : dict of str to ndarray of shape (n_samples,)
        The labels: ``regression0``, …, ``binary0``, …, ``multiclass0``, ….

    Notes
    -----
    A factor is :math:`\sin(x \cdot w) / c` with :math:`w` a random direction of length 1 and
    :math:`c` such that its variance is 1; a linear model reaches 85 % of it. The directions of the
    shared factors and of one task's own are orthogonal, so these factors are independent. A score is

    .. math:: \sqrt{r}\, f \cdot a + \sqrt{1-r}\, g \cdot b + \sigma\varepsilon

    with :math:`r` the relatedness, :math:`f` the shared factors, :math:`g` the task's own, loadings
    :math:`a, b` of length 1, and :math:`\sigma` the noise. Regression labels are one score, binary
    labels its sign, multiclass labels the greatest of one score per class.

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_multitask
    >>> X, Y = make_multitask(
    ...     n_samples=5, n_regression=1, n_binary=1, string_labels=True, missing_labels=0.2, random_state=0
    ... )
    >>> X.shape
    (5, 20)
    >>> Y["regression0"].round(2)
    array([ 0.92,  0.58, -0.16,   nan,  0.26])
    >>> Y["binary0"]
    array(['class0', 'class1', 'class1', None, 'class1'], dtype=object)
    """
    _check_counts(
        n_samples=(n_samples, 1),
        n_features=(n_features, 2),
        n_regression=(n_regression, 0),
        n_binary=(n_binary, 0),
        n_multiclass=(n_multiclass, 0),
        n_classes=(n_classes, 2),
        n_factors=(n_factors, 1),
    )
    _check_shares(relatedness, noise, missing_labels)
    random = check_random_state(random_state)
    X = random.standard_normal((n_samples, n_features))
    n_factors = min(n_factors, n_features // 2)
    shared = _directions(np.empty((n_features, 0)), n_factors, random)

    Y = {}
    for name, n_scores in _tasks(n_regression, n_binary, n_multiclass, n_classes):
        own = _directions(shared, n_factors, random)
        scores = math.sqrt(relatedness) * _read_out(_factors(X, shared), n_scores, random)
        scores += math.sqrt(1 - relatedness) * _read_out(_factors(X, own), n_scores, random)
        scores += noise * random.standard_normal(scores.shape)
        labels = scores[:, 0] if name.startswith("regression") else _classes(scores, string_labels)
        missing = random.permutation(n_samples)[: round(missing_labels * n_samples)]
        Y[name] = _without(labels, missing)
    return X, Y


def _tasks(n_regression: int, n_binary: int, n_multiclass: int, n_classes: int) -> Iterator[tuple[str, int]]:
    """Yield each task's name and its number of scores."""
    kinds = [
        ("regression", n_regression, 1),
        ("binary", n_binary, 1),
        ("multiclass", n_multiclass, n_classes),
    ]
    for kind, n_tasks, n_scores in kinds:
        for index in range(n_tasks):
            yield f"{kind}{index}", n_scores


def _directions(apart_from: np.ndarray, n_directions: int, random: np.random.RandomState) -> np.ndarray:
    """Return random orthonormal columns, orthogonal to the orthonormal columns given."""
    n_features, n_given = apart_from.shape
    drawn = random.standard_normal((n_features, n_directions))
    basis, _ = np.linalg.qr(np.hstack([apart_from, drawn]))
    return basis[:, n_given:]


def _factors(X: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return one factor per direction, independent of each other, of mean 0 and variance 1."""
    return np.sin(X @ directions) / _SINE_SCALE


def _read_out(factors: np.ndarray, n_scores: int, random: np.random.RandomState) -> np.ndarray:
    """Return random mixtures of the factors, each of variance 1."""
    loadings = random.standard_normal((factors.shape[1], n_scores))
    return factors @ (loadings / np.linalg.norm(loadings, axis=0))


def _classes(scores: np.ndarray, string_labels: bool) -> np.ndarray:
    """Return the greatest of several scores, or the sign of a single one."""
    codes = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(int)
    if not string_labels:
        return codes
    return np.array([f"class{code}" for code in codes], dtype=object)


def _without(labels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    if len(missing) == 0:
        return labels
    if labels.dtype.kind == "f":
        labels[missing] = np.nan
        return labels
    labels = labels.astype(object)
    labels[missing] = None
    return labels


def _check_counts(**counts: tuple[Any, int]) -> None:
    for name, (value, least) in counts.items():
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}. Found {value!r}.")


def _check_shares(relatedness: float, noise: float, missing_labels: float) -> None:
    if not (isinstance(relatedness, Real) and 0 <= relatedness <= 1):
        raise ValueError(f"`relatedness` must be a number from 0 to 1. Found {relatedness!r}.")
    if not (isinstance(noise, Real) and 0 <= noise < math.inf):
        raise ValueError(f"`noise` must be a finite number of at least 0. Found {noise!r}.")
    if not (isinstance(missing_labels, Real) and 0 <= missing_labels < 1):
        raise ValueError(f"`missing_labels` must be at least 0 and below 1. Found {missing_labels!r}.")
