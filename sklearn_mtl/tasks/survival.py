"""Survival: how long until an event, where some rows were followed only for a time without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks.concordance import concordance_index
from sklearn_mtl.tasks.labelled import check_labelled
from sklearn_mtl.tasks.losses.survival import DiscreteHazards
from sklearn_mtl.tasks.task import Task, TaskKind

# Rounding of cumulated shares must not move an end to the next time.
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class SurvivalTask(Task):
    """A survival task whose labels were seen.

    Parameters
    ----------
    ends : ndarray of float64, shape (n_intervals,)
        The ends of the intervals, in the units of the times; the first interval begins at 0.
    """

    ends: np.ndarray

    kind: ClassVar[str] = "survival"

    @property
    def labels_in_words(self) -> str:
        """The number of intervals, and where the last one ends."""
        return f"{len(self.ends)} intervals up to {self.ends[-1]:,.6g}"

    @property
    def metric(self) -> str:
        """Harrell's concordance index."""
        return "concordance_index"

    @property
    def n_label_columns(self) -> int:
        """Two: the time, and whether the event was seen."""
        return 2

    def encode(self, column: Column) -> np.ndarray:
        """Return ``2 * intervals survived + event``, NaN where missing."""
        time, event = _times_and_events(column)
        # An event ends the interval that it lies in; a censored row has survived those that end before it.
        survived = np.where(
            event == 1, np.searchsorted(self.ends, time), np.searchsorted(self.ends, time, "right")
        )
        # Events after the last interval are not modelled.
        seen = (event == 1) & (survived < len(self.ends))
        return np.where(np.isnan(time), np.nan, 2 * survived + seen)[:, None]

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Return the mean survival time up to the last end, shape (n_rows,)."""
        before = np.concatenate([np.ones((len(decision), 1)), decision[:, 0, :-1]], axis=1)
        area = (before + decision[:, 0]) / 2 * np.diff(self.ends, prepend=0.0)
        # A matrix product would round a row differently by its place among the others.
        found: np.ndarray = area.sum(axis=1)
        return found

    def survival(self, response: np.ndarray, times: Any = None) -> np.ndarray:
        """Return the probability to be without the event at given times, interpolated within intervals.

        Parameters
        ----------
        response : ndarray of float64, shape (n_rows, 1, n_intervals)
            Averaged over members and networks.
        times : array-like of shape (n_times,), optional
            In the units of the labels; by default the ends of the intervals. After the last one the
            probability stays as it is there.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_times)
        """
        if times is None:
            return response[:, 0]
        at = _numbers(times)
        if at.ndim != 1 or np.isnan(at).any() or (at < 0).any():
            raise ValueError(f"`times` must be a list of times of 0 or more. Found {shown(times)}.")
        curve = np.concatenate([np.ones((len(response), 1)), response[:, 0]], axis=1)
        place = np.interp(at, np.concatenate([[0.0], self.ends]), np.arange(len(self.ends) + 1))
        left = np.minimum(place.astype(np.intp), len(self.ends) - 1)
        share = place - left
        found: np.ndarray = curve[:, left] * (1 - share) + curve[:, left + 1] * share
        return found

    def score(self, column: Column, response: np.ndarray, weight: np.ndarray) -> float:
        """Return Harrell's concordance index of the predicted times; nan where no pair is comparable."""
        time, event = _times_and_events(column)
        known = ~np.isnan(time) & (weight > 0)
        found = self.predict(response)
        return concordance_index(time[known], event[known] == 1, found[known], weight[known])


class Survival(TaskKind):
    """A task of the time until an event, where some times are right-censored.

    Labels are a block of two columns, the time and whether the event was seen (1) or the row is censored (0):
    it was followed so long without the event. Or they are a structured array with a field of booleans and one
    of numbers, as scikit-survival has it, which is inferred to be a survival task. A row without a time has
    no label.

    The network gives the hazard of each of several intervals (Gensheimer & Narasimhan 2019, "A scalable
    discrete-time survival model for neural networks", eq. 3), so that hazards need not be proportional.

    ``predict`` gives the mean survival time up to the end of the last interval, in the units of the times:
    the area under the survival curve. That curve itself is
    ``est.task("relapse").predict_survival(X, times)``. The score is Harrell's concordance index of the
    predicted times: 0.5 is as good as chance. Held-out rows are stratified by the event.

    Parameters
    ----------
    n_intervals : int, default=20
        Number of intervals. They end where the Kaplan-Meier estimate of the training rows has fallen by
        equal steps (Kvamme & Borgan 2021, "Continuous and discrete-time survival prediction with neural
        networks", section 3.2), the last one at the last event; fewer times make fewer intervals.
    ends : sequence of float, default=None
        The ends of the intervals instead, positive, increasing and finite: for ``partial_fit``, whose first
        rows need not be like the others, or for times of interest.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.tasks import Survival
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> relapse, followed = rng.exponential(np.exp(X[:, 0])), rng.uniform(0, 4, size=400)
    >>> y = np.column_stack([np.minimum(relapse, followed), relapse <= followed])
    >>> est = MultiTaskClassifierRegressor(tasks={"relapse": Survival()}, n_bags=1, random_state=0)
    >>> est.fit(X, {"relapse": y}).predict(X)["relapse"].shape
    (400,)
    >>> est.score(X, {"relapse": y}) > 0.7
    True
    >>> est.task("relapse").predict_survival(X, times=[1.0, 2.0]).shape
    (400, 2)
    """

    kind: ClassVar[str] = "survival"

    def __init__(self, n_intervals: int = 20, *, ends: Sequence[float] | None = None) -> None:
        self.n_intervals = n_intervals
        self.ends = ends

    @staticmethod
    def strata(column: Column) -> np.ndarray:
        """Return whether the event was seen in each row, -1 where there is no label."""
        if column.values.ndim != 2 or column.values.shape[1] != 2:
            # `bind` raises, and says what is wrong.
            return TaskKind.strata(column)
        seen = np.equal(column.values[:, 1], 1).astype(np.intp)
        return np.where(column.missing.any(axis=1), -1, seen)

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> SurvivalTask:
        """Return the task for the labels of the training rows."""
        time, event = _times_and_events(column)
        check_labelled(column, weight)
        seen = ~np.isnan(time) & (weight > 0) & (event == 1) & (time > 0)
        if not seen.any():
            raise ValueError(
                f"Task {shown(column.name)} needs at least one event at a time above 0. Found "
                f"{len(column)} rows "
                f"and {int((event == 1).sum())} events."
            )
        ends = self._ends(column.name, time, event, weight)
        return SurvivalTask(column.name, DiscreteHazards(len(ends)), 1, False, np.dtype(np.float64), ends)

    def _ends(self, name: str, time: np.ndarray, event: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if self.ends is not None:
            ends = _numbers(self.ends)
            increasing = ends.ndim == 1 and len(ends) and (np.diff(ends, prepend=0.0) > 0).all()
            if not increasing or not np.isfinite(ends).all():
                raise ValueError(
                    f"`ends` of task {shown(name)} must be a list of positive and increasing, finite times. "
                    f"Found {shown(self.ends)}."
                )
            return ends
        number = self.n_intervals
        if not isinstance(number, Integral) or isinstance(number, bool) or not 1 <= number < 2**31:
            raise ValueError(
                f"`n_intervals` of task {shown(name)} must be a positive integer, below 2**31. "
                f"Found {shown(number)}."
            )
        times, survival = _kaplan_meier(time, event, weight)
        steps = np.linspace(0, 1 - survival[-1], int(self.n_intervals) + 1)[1:]
        places = np.searchsorted(1 - survival, steps - TIE)
        found: np.ndarray = np.unique(times[np.minimum(places, len(times) - 1)])
        return found[found > 0]


def _numbers(times: Any) -> np.ndarray:
    """Return a copy of times as float64; a single nan for anything that holds no numbers."""
    try:
        return np.array(times, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array(np.nan)


def _kaplan_meier(time: np.ndarray, event: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of events, and the estimated probability to survive each."""
    known = ~np.isnan(time) & (weight > 0)
    times, place = np.unique(time[known], return_inverse=True)
    mass = weight[known]
    ended = np.bincount(place, mass * (event[known] == 1), minlength=len(times))
    at_risk = np.bincount(place, mass, minlength=len(times))[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - ended / at_risk)
    return times[ended > 0], survival[ended > 0]


def _times_and_events(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return times, NaN where one of the two is missing, and events."""
    if column.values.ndim != 2 or column.values.shape[1] != 2:
        raise ValueError(
            f"Task {shown(column.name)} is survival and needs two columns, the time and whether the "
            "event was "
            f"seen, such as {{{shown(column.name)}: numpy.column_stack([time, event])}}. "
            f"Found labels of shape {column.values.shape}."
        )
    try:
        values = np.where(column.missing, np.nan, column.values).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Task {shown(column.name)} is survival and needs numbers. Found labels such as "
            f"{shown(column.values[:2].tolist())}."
        ) from error
    known = ~column.missing.any(axis=1)
    time, event = np.where(known, values[:, 0], np.nan), np.where(known, values[:, 1], 0.0)
    wrong = event[(event != 0) & (event != 1)]
    if len(wrong):
        raise ValueError(
            f"The second column of task {shown(column.name)} must say whether the event was seen, 1 or "
            "0; the "
            f"first is the time. Found {shown(wrong[:3].tolist())}."
        )
    if (time < 0).any():
        raise ValueError(
            f"The times of task {shown(column.name)} must be 0 or more. Found "
            f"{shown(time[time < 0][:3].tolist())}."
        )
    return time, event
