"""The loss of a weighted vote on rows that no member has seen, and the weights of the least loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

# A probability of 0 would make a loss infinite.
LEAST_PROBABILITY = 1e-6
# A share that is not worth fitting a member for.
LEAST_SHARE = 0.05


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


class LogLoss(VoteLoss):
    """Logarithm of the probability that was given to the label; labels are 1."""

    def cell(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the negative logarithms."""
        given = np.maximum(mean, LEAST_PROBABILITY)
        return -np.log(given), -1 / given


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

    def mean(shares: np.ndarray) -> tuple[float, np.ndarray]:
        found = [loss(shares) for loss in losses]
        return float(np.mean([value for value, _ in found])), np.mean([slope for _, slope in found], axis=0)

    result = minimize(
        mean,
        np.full(n_members, 1 / n_members),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_members,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-9, "maxiter": 200},
    )
    shares = np.where(result.x < LEAST_SHARE, 0.0, result.x)
    found: np.ndarray = shares / shares.sum()
    return found
