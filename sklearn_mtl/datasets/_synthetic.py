from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.utils import check_random_state

from ._checks import check_above_0, check_counts, check_number, check_share, of_each_task
from ._factors import directions, factors, read_out, turned
from ._labels import classes_of, with_gaps


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
    n_groups: int = 1,
    correlation: float = 1.0,
    difficulty: float | Sequence[float] = 1.0,
    noise: float | Sequence[float] = 0.1,
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
        Number of latent factors shared by the tasks of a group, and of those that each task has of its own.
        No more are made than have room in ``n_features`` columns: half as many as there are columns, unless
        there are several groups or the correlation is below 1.
    relatedness : float in [0, 1], default=1.0
        Share of a task's signal (its variance) that comes from the shared factors. With 1, all
        tasks are read from one representation; with 0, they have nothing in common but X.
    n_groups : int, default=1
        Number of groups of tasks; only tasks of one group share factors. In the order of Y, task i
        is in group i modulo ``n_groups``.
    correlation : float in [0, 1], default=1.0
        Correlation between what two tasks of a group see of the same factor. Below 1, each task sees
        every shared factor from a direction of its own.
    difficulty : float > 0, or one for each task in the order of Y, default=1.0
        Frequency of the sines that the factors are: of the variance of a factor, a linear model reaches 99 %
        at 0.5, 85 % at 1, 48 % at 1.5 and 15 % at 2.
    noise : float >= 0, or one for each task in the order of Y, default=0.1
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

    Raises
    ------
    ValueError
        If a parameter is not what it must be, or there are too few columns for a factor of each group.

    Notes
    -----
    A factor is :math:`\sin(d\, x \cdot w) / c` with :math:`d` the difficulty, :math:`w` a random direction of
    length 1 and :math:`c` such that its variance is 1. The directions of the shared factors, those of other
    groups and those of one task's own are orthogonal, so these factors are independent. A score is

    .. math:: \sqrt{r}\, f \cdot a + \sqrt{1-r}\, g \cdot b + \sigma\varepsilon

    with :math:`r` the relatedness, :math:`f` the shared factors, :math:`g` the task's own, loadings
    :math:`a, b` of length 1, and :math:`\sigma` the noise. Regression labels are one score, binary
    labels its sign, multiclass labels the greatest of one score per class.

    With a correlation :math:`p`, a task has the direction :math:`\sqrt{p}\, w + \sqrt{1-p}\, v` in place of
    :math:`w`, where :math:`v` is drawn for each task, as for the two tasks of [1]_. A number of tasks, their
    correlation and their difficulty are what decides how much there is to gain by sharing:

    ============================================  ===========================================================
    parameters                                    tasks
    ============================================  ===========================================================
    the defaults                                  read from one representation
    ``n_groups=3``                                related within groups only
    ``relatedness=0.5``                           with factors shared, and as many of their own
    ``correlation=0.5``                           alike, each with a version of its own of every factor
    ``difficulty=(1, 2)``, ``noise=(0.1, 2)``     with the same factors, some harder to learn than others
    ``relatedness=0``                             that have nothing in common, and compete for the network
    ============================================  ===========================================================

    References
    ----------
    .. [1] J. Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
       Mixture-of-Experts", KDD 2018, section 3.2.

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
    check_counts(
        n_samples=(n_samples, 1),
        n_features=(n_features, 2),
        n_regression=(n_regression, 0),
        n_binary=(n_binary, 0),
        n_multiclass=(n_multiclass, 0),
        n_classes=(n_classes, 2),
        n_factors=(n_factors, 1),
        n_groups=(n_groups, 1),
    )
    check_share("relatedness", relatedness)
    check_share("correlation", correlation)
    check_share("missing_labels", missing_labels, below_1=True)
    tasks = list(_tasks(n_regression, n_binary, n_multiclass, n_classes))
    difficulties = of_each_task("difficulty", difficulty, len(tasks), check_above_0)
    noises = of_each_task("noise", noise, len(tasks), check_number)
    # Blocks of orthogonal directions: a group's each, a task's own, and what turns it away from its group.
    n_blocks = n_groups + 1 + (correlation < 1)
    if n_features < n_blocks:
        raise ValueError(
            f"`n_features` must be at least {n_blocks} for {n_groups} groups of correlation {correlation}. "
            f"Found {n_features}."
        )
    random = check_random_state(random_state)
    X = random.standard_normal((n_samples, n_features))
    n_factors = min(n_factors, n_features // n_blocks)
    of_groups = directions(np.empty((n_features, 0)), n_groups * n_factors, random)

    Y = {}
    for place, (name, n_scores) in enumerate(tasks):
        own = directions(of_groups, n_factors, random)
        shared = of_groups[:, place % n_groups * n_factors :][:, :n_factors]
        if correlation < 1:
            shared = turned(shared, np.hstack([of_groups, own]), correlation, random)
        difficulty = difficulties[place]
        scores = math.sqrt(relatedness) * read_out(factors(X, shared, difficulty), n_scores, random)
        scores += math.sqrt(1 - relatedness) * read_out(factors(X, own, difficulty), n_scores, random)
        scores += noises[place] * random.standard_normal(scores.shape)
        labels = scores[:, 0] if name.startswith("regression") else classes_of(scores, string_labels)
        Y[name] = with_gaps(labels, missing_labels, random)
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
