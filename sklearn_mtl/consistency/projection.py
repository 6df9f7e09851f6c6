"""The nearest numbers that keep linear constraints, each distance weighed by its variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import linprog, nnls

from sklearn_mtl.consistency.constraints import Linear


@dataclass(frozen=True, eq=False)
class Projection:
    """Numbers that keep some linear constraints.

    The projection of x̂ is the x of the least Σ (x_t - x̂_t)² / v_t among those that keep all constraints: the
    most probable one, if the labels are normal around the predictions with the variances v_t. Where the
    constraints that x̂ breaks are all that hold with equality at x, it is x̂ - V A' (A V A')⁻¹ (A x̂ - b).
    For other rows, non-negative least squares find which do (Lawson & Hanson 1974, "Solving Least Squares
    Problems", chapter 23).

    Parameters
    ----------
    names : sequence of str
        The tasks.
    constraints : sequence of Linear
        The constraints.
    """

    names: Sequence[str]
    constraints: Sequence[Linear]

    @property
    def matrix(self) -> np.ndarray:
        """The coefficients, shape (n_constraints, n_tasks)."""
        return np.array(
            [[one.coefficients.get(name, 0.0) for name in self.names] for one in self.constraints]
        )

    @property
    def lower(self) -> np.ndarray:
        """The lower bounds."""
        return np.array([one.lower for one in self.constraints], dtype=np.float64)

    @property
    def upper(self) -> np.ndarray:
        """The upper bounds."""
        return np.array([one.upper for one in self.constraints], dtype=np.float64)

    def is_possible(self) -> bool:
        """Whether any numbers keep the constraints."""
        is_equal = self.lower == self.upper
        sides = [
            (self.matrix[~is_equal], self.upper[~is_equal]),
            (-self.matrix[~is_equal], -self.lower[~is_equal]),
        ]
        matrix, bound = (np.concatenate(parts) for parts in zip(*sides, strict=True))
        finite = np.isfinite(bound)
        found = linprog(
            np.zeros(len(self.names)),
            matrix[finite],
            bound[finite],
            self.matrix[is_equal],
            self.upper[is_equal],
            bounds=(-np.inf, np.inf),
        )
        return found.status != 2  # infeasible

    def of(self, values: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Return the nearest numbers that keep the constraints; those that do already are left as they are.

        So are rows in which a number is NaN or infinite: nothing is near to them.

        Parameters
        ----------
        values : ndarray of float64, shape (n_rows, n_tasks)
            Predicted numbers.
        variances : ndarray of float64, shape (n_rows, n_tasks)
            Their variances, positive.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_tasks)
        """
        found = values.copy()
        columns = dict(zip(self.names, values.T, strict=True))
        broken = ~np.logical_and.reduce([one.holds(columns) for one in self.constraints])
        broken &= np.isfinite(values).all(axis=1)
        if broken.any():
            found[broken] = self._projected(values[broken], variances[broken])
        return found

    def _projected(self, values: np.ndarray, variances: np.ndarray) -> np.ndarray:
        matrix, lower, upper = self.matrix, self.lower, self.upper
        is_equal = lower == upper
        total = values @ matrix.T
        # At which bound each constraint is taken to hold with equality: 1 the upper one, -1 the lower, or 0.
        active = np.where(is_equal | (total > upper), 1, np.where(total < lower, -1, 0))
        found, is_best = self._at(active, values, variances)
        for row in np.flatnonzero(~is_best):
            one = slice(row, row + 1)
            active[row] = np.where(is_equal, 1, self._active(values[row], variances[row]))
            found[one], _ = self._at(active[one], values[one], variances[one])
        return self._in_order(found)

    def _at(
        self, active: np.ndarray, values: np.ndarray, variances: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the projections on the active constraints, and whether these are those on all.

        They are where they keep the others, and move away from the bounds of the active ones.
        """
        matrix, found = self.matrix, values.copy()
        is_best = np.zeros(len(values), dtype=bool)
        is_equal = self.lower == self.upper
        patterns, of_row = np.unique(active, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows, chosen = np.flatnonzero(of_row.ravel() == number), pattern != 0
            bound = np.where(pattern > 0, self.upper, self.lower)[chosen]
            part = matrix[chosen]
            spread = np.einsum("ij,nj,kj->nik", part, variances[rows], part)
            excess = values[rows] @ part.T - bound
            # Constraints may say the same twice.
            steps = np.einsum("nij,nj->ni", np.linalg.pinv(spread, hermitian=True), excess)
            found[rows] -= variances[rows] * (steps @ part)
            after, size = found[rows] @ matrix.T, np.abs(values[rows]) @ np.abs(matrix).T
            rounding = 1e-9 * (size + np.abs(excess).max(axis=1, initial=0.0, keepdims=True))
            keeps = (self.lower - rounding <= after) & (after <= self.upper + rounding)
            away = (steps * pattern[chosen] >= 0) | is_equal[chosen]
            is_best[rows] = keeps.all(axis=1) & away.all(axis=1)
        return found, is_best

    def _active(self, values: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Return at which bounds of the inequalities the projection of one row is, as 1, -1 and 0."""
        is_equal, scale = self.lower == self.upper, np.sqrt(variances)
        equations = self.matrix[is_equal] * scale
        start, free = np.zeros(len(values)), np.eye(len(values))
        if is_equal.any():
            rest = self.upper[is_equal] - self.matrix[is_equal] @ values
            start, free = np.linalg.pinv(equations) @ rest, null_space(equations)
        matrix = self.matrix[~is_equal]
        sides = [
            (sign * matrix, sign * bound[~is_equal]) for sign, bound in ((1, self.upper), (-1, self.lower))
        ]
        stacked, bounds = (np.concatenate(parts) for parts in zip(*sides, strict=True))
        finite = np.isfinite(bounds)
        # The least t of (stacked * scale) (start + free t) <= bounds - stacked values.
        left = -(stacked * scale)[finite] @ free
        right = -(bounds[finite] - stacked[finite] @ values - (stacked * scale)[finite] @ start)
        size = np.abs(right).max(initial=0.0) or 1.0
        system = np.vstack([left.T, right / size])
        target = np.zeros(len(system))
        target[-1] = 1.0
        multipliers = np.zeros(len(bounds))
        multipliers[finite], _ = nnls(system, target)
        upper, lower = np.split(multipliers > 0, 2)
        found = np.zeros(len(is_equal), dtype=int)
        found[~is_equal] = np.where(upper, 1, np.where(lower, -1, 0))
        return found

    def _in_order(self, values: np.ndarray) -> np.ndarray:
        """Return numbers in which rounding breaks no bound of one task, and no order of two."""
        for _ in self.names:
            for factors, low, high in zip(self.matrix, self.lower, self.upper, strict=True):
                (tasks,) = np.nonzero(factors)
                if len(tasks) == 1 and abs(factors[tasks[0]]) == 1:
                    ends = sorted((low * factors[tasks[0]], high * factors[tasks[0]]))
                    values[:, tasks[0]] = np.clip(values[:, tasks[0]], *ends)
                elif sorted(factors[tasks]) == [-1, 1] and (low, high) == (-np.inf, 0):
                    smaller, larger = np.argmax(factors), np.argmin(factors)
                    values[:, smaller] = np.minimum(values[:, smaller], values[:, larger])
        return values
