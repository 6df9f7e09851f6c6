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
    broken : list of ndarray of bool, shape (n_rows,)
        Which rows of the estimator break each rule.
    probabilities : dict of str to ndarray of float64, shape (n_rows, n_classes)
        The probabilities of the tasks whose probabilities rules are about.
    index : pandas.Index or None
        The index of X.
    """

    responses: dict[str, np.ndarray]
    changed: dict[str, np.ndarray]
    broken: list[np.ndarray]
    probabilities: dict[str, np.ndarray]
    index: Any


def decide(
    bound: BoundRules,
    tasks: Mapping[str, Any],
    responses: Mapping[str, np.ndarray],
    variances: Mapping[str, float],
    index: Any,
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
    index : pandas.Index or None
        The index of X.
    """
    names = bound.names
    of_classes = list(dict.fromkeys([*names["classes"], *names["probabilities"]]))
    probabilities = {name: tasks[name].predict_proba(responses[name]) for name in of_classes}
    places = {name: _places(tasks[name], responses[name]) for name in of_classes}
    numbers = {name: tasks[name].predict(responses[name]) for name in names["numbers"]}
    events = {name: probabilities[name][:, 1] for name in names["probabilities"]}
    sorts = {"classes": places, "probabilities": events, "numbers": numbers}
    broken = [~one.holds(sorts[_sort(one)]) for _, one in bound.constraints]

    nearest = _nearest_probabilities(bound, events)
    moved = {name: event != events[name] for name, event in nearest.items()}
    probabilities |= {name: np.column_stack([1 - event, event]) for name, event in nearest.items()}
    # Where the probability is another, the class is the more probable one.
    likelier = {name: np.where(moved[name], nearest[name] > 0.5, places[name]) for name in nearest}
    assigned = _assigned(bound, probabilities, places | likelier)
    projected = _projected(bound, tasks, responses, numbers, variances)

    before, after = {**places, **numbers}, {**assigned, **projected}
    changed = {name: np.asarray(after[name] != before[name]) for name in after}
    changed |= {name: changed[name] | of_task for name, of_task in moved.items()}
    decided = dict(responses)
    decided |= {name: DecidedClass.response(probabilities[name], assigned[name]) for name in of_classes}
    decided |= {name: DecidedNumber.response(responses[name], of) for name, of in projected.items()}
    return Decision(
        responses=decided,
        changed={name: changed[name] for name in tasks if name in changed},
        broken=broken,
        probabilities={name: probabilities[name] for name in nearest},
        index=index,
    )


def _sort(constraint: Any) -> str:
    return getattr(constraint, "of", "classes")


def _nearest_probabilities(bound: BoundRules, events: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
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
