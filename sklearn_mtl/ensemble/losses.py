"""The loss of a weighted vote on rows that no member has seen, and the weights of the least loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

# A probability of 0 would make a loss infinite.
LEAST_PROBABILITY = 1e-6
# A share that is seldom worth fitting a member for: it is dropped where the loss hardly rises,
LEAST_SHARE = 0.05
# by this part of itself at most, or by what is nothing beside the loss of a constant.
TOLERATED_RISE = 1e-3
NOTHING = 1e-9
# Steps of the search, and their lengths: a whole one may end where a probability is 0, and overshoot.
MOST_STEPS = 100
STEP_SIZES = (1.0, 0.99, 0.9, *np.logspace(-1, -12, 12, base=2).tolist())


@dataclass(frozen=True, eq=False)
class VoteLoss(ABC):
    """The loss of votes on a task, as a convex function of the members' shares.

    It is divided by that of the best constant prediction, so that losses of several tasks can be averaged.

    Parameters
    ----------
    votes : ndarray of float64, shape (n_cells, n_members)
        What each member says of each labelled cell.
    labels : ndarray of float64, shape (n_cells,)
        What it should say.
    weight : ndarray of float64, shape (n_cells,)
        Weights with a sum of 1.
    reference : float
        The loss of the best constant prediction.
    """

    votes: np.ndarray
    labels: np.ndarray
    weight: np.ndarray
    reference: float

    @abstractmethod
    def cell(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of the mean vote on each cell, and its derivative by that."""

    @abstractmethod
    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """Return the second derivative of the loss of each cell by the mean vote."""

    def residuals(self, shares: np.ndarray) -> np.ndarray:
        """Return what each member leaves of the target of a Newton step, shape (n_cells, n_members).

        On the simplex, half of the squared norm of ``residuals @ other`` is the quadratic model of the
        relative loss of other shares, but for a constant.
        """
        mean = self.votes @ shares
        _, slope = self.cell(mean)
        curvature = self.curvature(mean)
        left = self.votes - (mean - slope / curvature)[:, None]
        found: np.ndarray = left * np.sqrt(self.weight * curvature / self.reference)[:, None]
        return found

    def __call__(self, shares: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the relative loss, and its gradient by the shares."""
        loss, slope = self.cell(self.votes @ shares)
        return (
            float(self.weight @ loss) / self.reference,
            self.votes.T @ (self.weight * slope) / self.reference,
        )


class SquaredError(VoteLoss):
    """Squared error of numbers."""

    def cell(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the squared residuals."""
        residual = mean - self.labels
        return residual**2, 2 * residual

    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """Return 2."""
        return np.full(mean.shape, 2.0)


class LogLoss(VoteLoss):
    """Logarithm of the probability that was given to the label; labels are 1."""

    def cell(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the negative logarithms, below the least probability the tangent there: it stays convex."""
        given = np.maximum(mean, LEAST_PROBABILITY)
        return -np.log(given) + (given - mean) / given, -1 / given

    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """Return the inverse squares."""
        found: np.ndarray = np.maximum(mean, LEAST_PROBABILITY) ** -2
        return found


def least_loss(losses: Sequence[VoteLoss], n_members: int) -> np.ndarray:
    """Return the shares of the least mean loss, those that are hardly above 0 being 0.

    Parameters
    ----------
    losses : sequence of VoteLoss
        Losses of one task, or of several that have their shares in common.
    n_members : int
        The number of members.

    Returns
    -------
    ndarray of float64, shape (n_members,)
        Non-negative numbers with a sum of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.ensemble.losses import SquaredError, least_loss
    >>> labels = np.array([1.0, 2.0, 3.0, 4.0])
    >>> votes = np.column_stack([labels + [1, -1, 1, -1], labels - [1, -1, 1, -1], labels + 10])
    >>> least_loss([SquaredError(votes, labels, np.full(4, 0.25), 1.25)], 3).round(2)
    array([0.5, 0.5, 0. ])
    """
    shares = _optimum(losses, np.ones(n_members, dtype=bool))
    most = _mean(losses, shares) * (1 + TOLERATED_RISE) + NOTHING
    needed = np.zeros(n_members, dtype=bool)
    while True:
        small = (shares > 0) & (shares < LEAST_SHARE) & ~needed
        # The largest stays, whatever it is.
        small[shares.argmax()] = False
        if not small.any():
            # The largest is what the others leave, so that nothing is rounded off their sum.
            largest = np.arange(n_members) == shares.argmax()
            return np.where(largest, 1 - shares[~largest].sum(), shares)
        least = int(np.where(small, shares, np.inf).argmin())
        others = (shares > 0) & (np.arange(n_members) != least)
        without = _optimum(losses, others)
        if _mean(losses, without) <= most:
            shares = without
        else:
            needed[least] = True


def _mean(losses: Sequence[VoteLoss], shares: np.ndarray) -> float:
    return float(np.mean([loss(shares)[0] for loss in losses]))


def _optimum(losses: Sequence[VoteLoss], taking_part: np.ndarray) -> np.ndarray:
    """Return the shares of the least mean loss of some members: Newton steps from the best simple choice."""
    n_members = len(taking_part)
    simple = [*np.eye(n_members)[taking_part], taking_part / taking_part.sum()]
    # From the centre as well: a vertex may have cells of no probability, where the loss has no slope.
    found = [_descended(losses, start, taking_part) for start in (simple[-1], _best(losses, simple))]
    return _best(losses, [*simple, *found])


def _best(losses: Sequence[VoteLoss], choices: Sequence[np.ndarray]) -> np.ndarray:
    return min(choices, key=lambda shares: _mean(losses, shares))


def _descended(losses: Sequence[VoteLoss], shares: np.ndarray, taking_part: np.ndarray) -> np.ndarray:
    value = _mean(losses, shares)
    for _ in range(MOST_STEPS):
        step = _newton_target(losses, shares, taking_part) - shares
        best = _best(losses, [shares + size * step for size in STEP_SIZES])
        reached = _mean(losses, best)
        gained = value - reached
        if gained > 0:
            shares, value = best, reached
        if gained <= NOTHING * 1e-3 * value:
            break
    return shares


def _newton_target(losses: Sequence[VoteLoss], shares: np.ndarray, taking_part: np.ndarray) -> np.ndarray:
    """Return the shares that minimise the quadratic model of the mean loss.

    Of ``|R x|² + (sum(x) - 1)²`` with x ≥ 0, the minimum points to that of ``|R x|`` on the simplex.
    """
    parts = [_triangle(loss.residuals(shares)[:, taking_part]) for loss in losses]
    matrix = _triangle(np.concatenate(parts))
    shortest = float(np.linalg.norm(matrix, axis=0).min())
    # In units of the best member, with columns of like length: nothing is lost to one that is far off.
    matrix = np.vstack([matrix / (shortest if shortest > 0 else 1.0), np.ones((1, matrix.shape[1]))])
    scale = np.linalg.norm(matrix, axis=0)
    goal = np.zeros(len(matrix))
    goal[-1] = 1.0
    try:
        solution = nnls(matrix / scale, goal)[0] / scale
    except RuntimeError:
        # Too many iterations: the shares so far are the answer.
        return shares
    total = solution.sum()
    if not np.isfinite(total) or total <= 0:
        return shares
    found = np.zeros(len(taking_part))
    found[taking_part] = solution / total
    return found


def _triangle(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix of no more rows than columns whose products with vectors have the same norms."""
    found: np.ndarray = np.linalg.qr(matrix, mode="r")  # type: ignore[assignment]
    return found
