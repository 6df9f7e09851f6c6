"""From the responses of an estimator to predictions of all tasks that obey rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_mtl.consistency.bound_rules import BoundRules
from sklearn_mtl.consistency.decided import DecidedClass, DecidedNumber

# The share of a normal distribution within one standard deviation.
WITHIN_ONE = 0.6826894921370859
# A variance below this share of the largest one counts as it: a task that is never wrong may yield too.
SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Decision:
    """What rules make of the predictions of an estimator.

    Parameters
    ----------
    responses : dict of str to ndarray
        Responses as the tasks of the estimator, or the decided ones, take them.
    changed : dict of str to ndarray of bool, shape (n_rows,)
        Which rows have another prediction, by task that rules are about.
    """

    responses: dict[str, np.ndarray]
    changed: dict[str, np.ndarray]


def decide(
    bound: BoundRules,
    tasks: Mapping[str, Any],
    responses: Mapping[str, np.ndarray],
    variances: Mapping[str, float],
) -> Decision:
    """Return the most probable predictions that obey rules, rows that obey them already being left alone.

    Parameters
    ----------
    bound : BoundRules
        The rules.
    tasks : mapping of str to Task
        The tasks as the estimator knows them.
    responses : mapping of str to ndarray
        What it responds.
    variances : mapping of str to float
        The variance of each number that has no predicted one, by task.
    """
    predicted = _Predicted.of(bound, tasks, responses)
    places, events, probabilities = predicted.places, predicted.events, dict(predicted.probabilities)
    nearest = _nearest(bound, events)
    moved = {name: event != events[name] for name, event in nearest.items()}
    probabilities |= {name: _of_both(event) for name, event in nearest.items()}
    # Where the probability is another, the class is the more probable one.
    likelier = {name: np.where(moved[name], nearest[name] > 0.5, places[name]) for name in nearest}
    assigned = _assigned(bound, probabilities, {**places, **likelier})
    projected = _projected(bound, tasks, responses, predicted.numbers, variances)

    before, after = {**places, **predicted.numbers}, {**assigned, **projected}
    changed = {name: np.asarray(after[name] != before[name]) for name in after}
    changed |= {name: changed[name] | of_task for name, of_task in moved.items()}
    decided = dict(responses)
    decided |= {name: DecidedClass.response(probabilities[name], of) for name, of in assigned.items()}
    decided |= {name: DecidedNumber.response(responses[name], of) for name, of in projected.items()}
    return Decision(
        responses=decided,
        changed={name: changed[name] for name in tasks if name in changed},
    )


def broken_rules(
    bound: BoundRules, tasks: Mapping[str, Any], responses: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Return which rows of the estimator break each rule, a list of ndarray of bool of shape (n_rows,).

    Parameters
    ----------
    bound, tasks, responses
        As in `decide`.
    """
    predicted = _Predicted.of(bound, tasks, responses)
    sorts = {
        "classes": predicted.places,
        "probabilities": predicted.events,
        "numbers": predicted.numbers,
    }
    return [~one.holds(sorts[getattr(one, "of", "classes")]) for _, one in bound.constraints]


def nearest_probabilities(
    bound: BoundRules, tasks: Mapping[str, Any], responses: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the probabilities that keep the rules about them, shape (n_rows, 2), by task.

    Parameters
    ----------
    bound, tasks, responses
        As in `decide`.
    """
    events = _events(
        bound, {name: tasks[name].predict_proba(responses[name]) for name in bound.names["probabilities"]}
    )
    return {name: _of_both(event) for name, event in _nearest(bound, events).items()}


@dataclass(frozen=True, eq=False)
class _Predicted:
    """What an estimator predicts for the tasks that rules are about.

    Parameters
    ----------
    probabilities : dict of str to ndarray of float64, shape (n_rows, n_classes)
        Probabilities of the tasks of classes.
    places : dict of str to ndarray of int, shape (n_rows,)
        The places of their predicted classes.
    events : dict of str to ndarray of float64, shape (n_rows,)
        The probabilities of the second classes that rules are about.
    numbers : dict of str to ndarray of float64, shape (n_rows,)
        Predicted numbers.
    """

    probabilities: dict[str, np.ndarray]
    places: dict[str, np.ndarray]
    events: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, bound: BoundRules, tasks: Mapping[str, Any], responses: Mapping[str, np.ndarray]
    ) -> _Predicted:
        names = bound.names
        of_classes = dict.fromkeys([*names["classes"], *names["probabilities"]])
        probabilities = {name: tasks[name].predict_proba(responses[name]) for name in of_classes}
        return cls(
            probabilities,
            {name: _places(tasks[name], responses[name]) for name in of_classes},
            _events(bound, probabilities),
            {name: tasks[name].predict(responses[name]) for name in names["numbers"]},
        )


def _events(bound: BoundRules, probabilities: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: probabilities[name][:, 1] for name in bound.names["probabilities"]}


def _of_both(event: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - event, event])


def _nearest(bound: BoundRules, events: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the second classes that keep the rules about them."""
    found: dict[str, np.ndarray] = {}
    for group in bound.probabilities:
        values = np.column_stack([events[name] for name in group.solver.names])
        nearest = group.solver.of(values, np.ones_like(values))
        found |= dict(zip(group.solver.names, np.clip(nearest, 0.0, 1.0).T, strict=True))
    return found


def _assigned(
    bound: BoundRules, probabilities: Mapping[str, np.ndarray], places: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return places of classes, the most probable allowed ones in the rows whose classes break a rule."""
    found = {name: of_task.astype(np.intp) for name, of_task in places.items()}
    for group in bound.classes:
        names = group.solver.names
        rows = np.flatnonzero(~np.logical_and.reduce([one.holds(found) for one in group.solver.constraints]))
        if len(rows):
            best = group.solver.best({name: probabilities[name][rows] for name in names})
            for name in names:
                found[name][rows] = best[name]
    return found


def _projected(
    bound: BoundRules,
    tasks: Mapping[str, Any],
    responses: Mapping[str, np.ndarray],
    numbers: Mapping[str, np.ndarray],
    variances: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Return numbers, the nearest that keep the rules in the rows that break one."""
    found = dict(numbers)
    for group in bound.numbers:
        names = group.solver.names
        values = np.column_stack([numbers[name] for name in names])
        spread = np.column_stack(
            [_variances(tasks[name], responses[name], variances[name]) for name in names]
        )
        floor = SMALLEST_VARIANCE * spread.max(axis=1, keepdims=True)
        spread = np.where(floor > 0, np.maximum(spread, floor), 1.0)
        found |= dict(zip(names, group.solver.of(values, spread).T, strict=True))
    return found


def _places(task: Any, response: np.ndarray) -> np.ndarray:
    """Return the place of the predicted class of each row among ``classes``."""
    codes = task._decided(response)[:, 0].astype(np.intp)
    found: np.ndarray = np.argsort(task.codes(task.classes))[codes]
    return found


def _variances(task: Any, response: np.ndarray, otherwise: float) -> np.ndarray:
    """Return the variance of each row's number: as it is predicted, or else the one that was found."""
    if task.has_interval and not task.loss.predicts_quantile:
        ends = task.interval(response, WITHIN_ONE)
        found: np.ndarray = ((ends[:, 1] - ends[:, 0]) / 2) ** 2
        return found
    return np.full(len(response), otherwise)
