"""The most probable classes of several tasks that go together, found from the probabilities of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from scipy.optimize import LinearConstraint, milp

from sklearn_mtl.consistency.constraints import AllowedClasses
from sklearn_mtl.tasks.log_odds import log_of

# So many joint assignments are compared one by one; of more, an integer programme finds the best.
MOST_ASSIGNMENTS = 20_000
# Scores that are in memory at once.
MOST_SCORES = 4_000_000


@dataclass(frozen=True, eq=False)
class Assignment:
    """The joint assignments of classes that some constraints allow.

    Parameters
    ----------
    n_classes : mapping of str to int
        The number of classes of each task.
    constraints : sequence of AllowedClasses
        What goes together.
    """

    n_classes: Mapping[str, int]
    constraints: Sequence[AllowedClasses]

    @property
    def names(self) -> list[str]:
        """The tasks."""
        return list(self.n_classes)

    def impossible(self) -> list[tuple[str, int]]:
        """Return the classes, by task and place, that no allowed assignment has."""
        every = [(name, place) for name, n_classes in self.n_classes.items() for place in range(n_classes)]
        if self.is_small:
            allowed = self._allowed()
            seen = {name: set(allowed[:, i].tolist()) for i, name in enumerate(self.names)}
            return [(name, place) for name, place in every if place not in seen[name]]
        return [one for one in every if self._solved(self._costs({one: -1.0}), needs=one) is None]

    def best(self, probabilities: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the allowed classes of the largest product of probabilities.

        Parameters
        ----------
        probabilities : mapping of str to ndarray of float64, shape (n_rows, n_classes)
            The probabilities of each task.

        Returns
        -------
        dict of str to ndarray of int, shape (n_rows,)
            The place of the class of each row among ``classes``, by task.
        """
        logs = {name: log_of(probabilities[name]) for name in self.names}
        found = self._compared(logs) if self.is_small else self._programmed(logs)
        return dict(zip(self.names, found.T, strict=True))

    @property
    def is_small(self) -> bool:
        """Whether the assignments are so few that each can be looked at."""
        return prod(self.n_classes.values()) <= MOST_ASSIGNMENTS

    def _allowed(self) -> np.ndarray:
        """Return all allowed assignments, shape (n_assignments, n_tasks)."""
        shape = tuple(self.n_classes.values())
        every = np.indices(shape).reshape(len(shape), -1)
        codes = dict(zip(self.names, every, strict=True))
        holds = np.ones(every.shape[1], dtype=bool)
        for constraint in self.constraints:
            holds &= constraint.holds(codes)
        return every.T[holds]

    def _compared(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        allowed = self._allowed()
        n_rows = len(next(iter(logs.values())))
        found = np.empty((n_rows, len(self.names)), dtype=np.intp)
        at_once = max(MOST_SCORES // len(allowed), 1)
        for start in range(0, n_rows, at_once):
            rows = slice(start, start + at_once)
            scores = sum(logs[name][rows][:, allowed[:, i]] for i, name in enumerate(self.names))
            found[rows] = allowed[np.argmax(scores, axis=1)]
        return found

    def _programmed(self, logs: Mapping[str, np.ndarray]) -> np.ndarray:
        every = np.concatenate([logs[name] for name in self.names], axis=1)
        ends = np.cumsum(list(self.n_classes.values()))[:-1]
        found = []
        for row in every:
            solved = self._solved(-row)
            assert solved is not None
            found.append([int(part.argmax()) for part in np.split(solved, ends)])
        return np.array(found, dtype=np.intp)

    def _costs(self, of: Mapping[tuple[str, int], float]) -> np.ndarray:
        costs = np.zeros(sum(self.n_classes.values()))
        for one, cost in of.items():
            costs[self._place(*one)] = cost
        return costs

    def _place(self, name: str, code: int) -> int:
        names = self.names
        return sum(self.n_classes[before] for before in names[: names.index(name)]) + code

    def _solved(self, costs: np.ndarray, needs: tuple[str, int] | None = None) -> np.ndarray | None:
        """Return the assignment of the least cost as 0 and 1 for each class; None where there is none."""
        matrix, lower, upper = self._programme()
        least = np.zeros(len(costs))
        if needs is not None:
            least[self._place(*needs)] = 1
        found = milp(
            costs,
            integrality=np.ones(len(costs)),
            bounds=(least, np.ones(len(costs))),
            constraints=LinearConstraint(matrix, lower, upper),
            options={"mip_rel_gap": 0.0},
        )
        return None if found.x is None else np.asarray(found.x)

    def _programme(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows of the integer programme: one class of each task, and only what goes together."""
        rows: list[tuple[dict[int, float], float, float]] = []
        for name, n_classes in self.n_classes.items():
            rows.append(({self._place(name, code): 1.0 for code in range(n_classes)}, 1.0, 1.0))
        for constraint in self.constraints:
            for codes in np.argwhere(~constraint.allowed):
                together = zip(constraint.names, codes.tolist(), strict=True)
                row = {self._place(name, code): 1.0 for name, code in together}
                rows.append((row, -np.inf, len(constraint.names) - 1.0))
        matrix = np.zeros((len(rows), sum(self.n_classes.values())))
        for place, (row, _, _) in enumerate(rows):
            matrix[place, list(row)] = list(row.values())
        return matrix, np.array([low for _, low, _ in rows]), np.array([high for _, _, high in rows])
