"""Task weights by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.balancing.balancer import Balancer
from sklearn_mtl.balancing.weighted_sum import WeightedSum
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.tasks import Task

# A schedule is tried on so many epochs before training, one that is a sequence on all that it has.
TRIED_EPOCHS = 100
RULE = "`weights` of WeightSchedule must"


class WeightSchedule(WeightedSum):
    """The weighted sum of the losses, by weights that change from epoch to epoch.

    They multiply the user's ``task_weights``. Early stopping watches all tasks of positive ``task_weights``,
    and waits until each of them has been switched on: no earlier epoch is the best one, and ``patience`` is
    counted from then on. Not waited for is a task that is off in all epochs for which the schedule is tried.

    Parameters
    ----------
    weights : mapping or callable
        A mapping from names of tasks to the weights of each: a number, a sequence with the weight in each
        epoch, of which the last stays, or a function that returns the weight for the number of epochs that
        are over, 0 in the first. Or a function that returns for that number a mapping from names of tasks to
        numbers. Tasks that a mapping leaves out count 1. It is tried before training, for as many epochs as
        its longest sequence has and at least for 100, and asked for one more than there are: let a function
        have an answer for any number. Networks of a schedule that
        holds a lambda, or a function defined in another, are not trained as a stack.

    Examples
    --------
    A task that is switched on after three epochs, and one that fades:

    >>> from sklearn_mtl.balancing import WeightSchedule
    >>> schedule = WeightSchedule({"type": [0, 0, 0, 1], "price": lambda epoch: 0.9**epoch})

    The same as one function:

    >>> schedule = WeightSchedule(lambda epoch: {"type": float(epoch >= 3), "price": 0.9**epoch})
    """

    factors: Tensor
    epoch: Tensor

    def __init__(self, weights: Any) -> None:
        super().__init__()
        self.weights = weights

    def start(self, n_tasks: int) -> None:
        """Start from weights of 1, until the tasks are known."""
        self._names: tuple[str, ...] = ()
        self._first_epochs: tuple[int, ...] = (0,) * n_tasks
        self.register_buffer("factors", torch.ones(n_tasks))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def note_tasks(self, tasks: Sequence[Task]) -> None:
        """Take the names of the tasks, try the schedule, and take the weights of the first epoch."""
        self._names = tuple(task.name for task in tasks)
        of_tasks = self.weights.values() if isinstance(self.weights, Mapping) else ()
        n_tried = max([TRIED_EPOCHS, *map(len, filter(_is_sequence, of_tasks))])
        tried = np.array([self._at(epoch) for epoch in range(n_tried)])
        # For a task that is off in all of them it is 0.
        self._first_epochs = tuple((tried > 0).argmax(0).tolist())
        self.factors.copy_(torch.tensor(tried[0]))

    def without(self, names: Sequence[str]) -> Balancer:
        """Return a copy that says nothing of some tasks."""
        if isinstance(self.weights, Mapping):
            return WeightSchedule({name: one for name, one in self.weights.items() if name not in names})
        return WeightSchedule(_Without(self.weights, tuple(names))) if callable(self.weights) else self

    def end_epoch(self, losses: Tensor) -> None:
        """Take the weights of the next epoch."""
        self.epoch += 1
        self.factors.copy_(torch.tensor(self._at(int(self.epoch))))

    def epochs_to_wait(self, weights: Tensor) -> int:
        """Return the number of epochs before the last task of positive weight is switched on."""
        pairs = zip(self._first_epochs, weights.tolist(), strict=True)
        return max((first for first, weight in pairs if weight > 0), default=0)

    def weigh(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the weights of the epoch times the user's."""
        return weights * self.factors

    def _at(self, epoch: int) -> list[float]:
        """Return the weights in an epoch, in the order of the tasks, checked."""
        if isinstance(self.weights, Mapping):
            given = {name: _weight_at(one, epoch, name) for name, one in self.weights.items()}
        elif callable(self.weights):
            given = _answer(self.weights, epoch, "a function")
        else:
            raise TypeError(
                f"{RULE} be a mapping by task or a function of the epoch. Found {shown(self.weights)}."
            )
        if not isinstance(given, Mapping):
            raise TypeError(f"{RULE} return a mapping by task. Found {shown(given)} for epoch {epoch}.")
        unknown = [name for name in given if name not in self._names]
        if unknown:
            raise ValueError(
                f"{RULE} name tasks. Found unknown tasks {shown(unknown)}; the tasks are "
                f"{shown(list(self._names))}."
            )
        for name, weight in given.items():
            if not is_number(weight) or weight < 0:
                raise ValueError(
                    f"{RULE} give finite non-negative numbers. Found {shown(weight)} for task {shown(name)} "
                    f"in epoch {epoch}."
                )
        found = [float(given.get(name, 1.0)) for name in self._names]
        if not any(found):
            raise ValueError(
                f"{RULE} leave a task of positive weight. Found 0 for every task in epoch {epoch}."
            )
        return found


def _weight_at(schedule: Any, epoch: int, name: str) -> Any:
    """Return one task's weight in an epoch, as its schedule has it."""
    if callable(schedule):
        return _answer(schedule, epoch, f"for task {shown(name)} a function")
    return schedule[min(epoch, len(schedule) - 1)] if _is_sequence(schedule) else schedule


def _answer(schedule: Callable[[int], Any], epoch: int, found: str) -> Any:
    """Return what a user's function returns for an epoch; say whose it is, if it raises."""
    try:
        return schedule(epoch)
    # It may raise anything.
    except Exception as error:
        raise ValueError(
            f"{RULE} hold functions of one argument, the number of epochs that are over. Found {found} "
            f"that raises {type(error).__name__} for {epoch}: {error}"
        ) from error


def _is_sequence(schedule: Any) -> bool:
    """Whether one task's schedule has a weight for each epoch, and some."""
    if isinstance(schedule, np.ndarray):
        return schedule.ndim > 0 and len(schedule) > 0
    return isinstance(schedule, Sequence) and not isinstance(schedule, str) and len(schedule) > 0


@dataclass(frozen=True)
class _Without:
    """A schedule that is a function, without the tasks that are left out.

    Parameters
    ----------
    schedule : callable
        The schedule.
    names : tuple of str
        The tasks.
    """

    schedule: Callable[[int], Any]
    names: tuple[str, ...]

    def __call__(self, epoch: int) -> Any:
        found = self.schedule(epoch)
        if not isinstance(found, Mapping):
            return found
        return {name: weight for name, weight in found.items() if name not in self.names}
