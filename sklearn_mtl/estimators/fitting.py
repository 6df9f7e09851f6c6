"""From X and y to a trained bag: the stages of ``fit``, in order, of one fit or of many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sklearn_mtl.data import RowSplit, Table
from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.fitted import Fitted
from sklearn_mtl.estimators.fitted_trunks import fitted_encoder
from sklearn_mtl.estimators.label_positions import warn_of_steps, with_positions_of
from sklearn_mtl.estimators.models_beside import models_beside
from sklearn_mtl.estimators.rows import AskedRows, FitData, Rows, by_task
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.features import AcceptedInput, Encoder, SharedRows
from sklearn_mtl.inference import Kind, adjusted, blend
from sklearn_mtl.network import Blueprint, in_default_modes, numpy_dtype
from sklearn_mtl.tasks import TaskSet
from sklearn_mtl.training import (
    FitSummary,
    MultiTaskNet,
    NetPlan,
    Outcome,
    RunJobs,
    plan_bag,
    train_bag,
    train_nets,
)


@in_default_modes
def plan_fit(
    parameters: FitParameters,
    data: FitData,
    stages: Stages,
    classes: Mapping[str, Any] | None = None,
) -> PlannedFit:
    """Run the stages of ``fit`` that precede training: read, split, bind, encode, plan.

    Parameters
    ----------
    parameters : FitParameters
        The estimator's parameters.
    data : FitData
        Rows and labels that ``fit`` was given.
    stages : Stages
        Do the work, or share it with other fits to the same data.
    classes : mapping of str to array-like, optional
        Classes declared up front, for ``partial_fit``, which holds no row out and trains for one epoch.
    """
    # Read.
    accepted = AcceptedInput.by(parameters.preprocessing)
    read = stages.read(data.X, data.y, data.sample_weight, owner=parameters.owner, accepted=accepted)
    every, left_out = list(read.targets.columns), stages.left_out(read.rows, fold=parameters.fold)
    rows, parameters = stages.without(read.rows, names=left_out), parameters.without(left_out, every)
    columns = {name: column for name, column in read.targets.columns.items() if name not in left_out}
    kinds, names = parameters.kinds_of(columns, classes), list(columns)
    weights, hidden_sizes = parameters.weights_of(names), parameters.hidden_sizes_of(names)

    # Split.
    n_nets = parameters.n_nets(len(rows), is_flat=getattr(rows.X, "ndim", 0) in (1, 2))
    *seeds, split_seed = _drawn_seeds(parameters.random_state, n_nets + 1)
    held_out = None if data.has_validation or classes is not None else parameters.validation_fraction
    splits = stages.split(rows, kinds, data, validation_fraction=held_out, n_nets=n_nets, seed=split_seed)
    settings = parameters.training_settings(len(splits[0].train))

    # Bind the tasks and fit the encoder, both to the rows that are learned from.
    training, declared = stages.training_rows(rows, splits), by_task("classes", classes, names)
    bound = stages.bind(training, kinds=kinds, classes=declared, calibrate=settings.calibrate)
    tasks = with_positions_of(stages.trained_as(bound, sharing=parameters.sharing), data.y_val)
    encoder = _encoder(parameters, read.reader, stages, training, tasks, numpy_dtype(settings.dtype))
    blueprint = Blueprint(
        spec=encoder.spec,
        tasks=tasks,
        trunk=parameters.trunk.suited_to(encoder.spec),
        sharing=parameters.sharing,
        balancing=parameters.balancing,
        head_hidden_sizes=hidden_sizes,
        task_weights=weights,
    )

    # Encode, and plan the nets.
    validation = stages.validation_table(read.reader, data, encoder, blueprint, settings, left_out=left_out)
    table = stages.encode(rows, encoder, tasks, settings)
    stages.warn_of_labels_for(table, tasks, sharing=parameters.sharing)
    warn_of_steps(table, encoder.spec, tasks, parameters.inferred(names))
    parts = stages.train_and_validation(blueprint, table, splits, validation, draws=parameters.draws)
    plans = plan_bag(blueprint, parts, settings, seeds, None if classes is None else 1)
    untrained = Fitted(
        encoder=encoder,
        blueprint=blueprint,
        layout=read.targets.layout,
        nets=[],
        split_seed=split_seed,
        kinds=kinds,
        n_splits=n_nets,
        left_out=left_out,
        seen=stages.seen_labels(rows, names=parameters.inferred(names)),
        held_out=held_out_by_net(rows, splits, parts, validation),
    )
    return PlannedFit(untrained, tuple(plans), read.reader, beside=models_beside(parameters, plans[0]))


def _encoder(
    parameters: FitParameters, reader: BaseEstimator, stages: Stages, rows: Rows, tasks: TaskSet, dtype: Any
) -> Encoder:
    """Return the fitted encoder of X: that of a fitted trunk, or one that is fitted to the rows."""
    known = fitted_encoder(parameters.trunk, reader, dtype)
    given = parameters.preprocessing
    return known or stages.fit_encoder(rows, tasks, preprocessing=given, dtype=dtype)


def held_out_by_net(
    rows: Rows,
    splits: Sequence[RowSplit],
    parts: Sequence[tuple[Table, Table | None]],
    validation: Table | None,
) -> list[np.ndarray]:
    """Return where in X the rows are that each net holds out.

    Parameters
    ----------
    rows : Rows
        The rows that were split.
    splits : sequence of RowSplit
        The rows that each net was to learn from and to hold out.
    parts : sequence of (Table, Table or None)
        What each net learns from, and what tells it when to stop.
    validation : Table or None
        Other rows that tell all nets when to stop, so that none of these is held out.
    """
    nothing = np.empty(0, dtype=np.intp)
    return [
        nothing if held_out is None or validation is not None else rows.places(split.validation)
        for split, (_, held_out) in zip(splits, parts, strict=True)
    ]


def _drawn_seeds(random_state: Any, n_seeds: int) -> list[int]:
    drawn: np.ndarray = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_seeds)
    return drawn.tolist()


@dataclass(frozen=True, eq=False)
class PlannedFit:
    """One fit: planned, on its way, or done.

    Parameters
    ----------
    untrained : Fitted
        What will be fitted, but for its nets.
    plans : tuple of NetPlan
        One for each net of the bag.
    reader : BaseEstimator or None
        Has the number and names of the features; None where the nets are trained on, as in a warm start.
    outcomes : tuple of Outcome
        The outcome of each net so far; none before any training.
    epochs : int or None
        How many epochs the nets were given so far; None for all of ``max_epochs``.
    beside : tuple of Kind
        Kinds of models that are put beside trained nets.
    """

    untrained: Fitted
    plans: tuple[NetPlan, ...]
    reader: BaseEstimator | None = None
    outcomes: tuple[Outcome, ...] = ()
    epochs: int | None = 0
    beside: tuple[Kind, ...] = ()

    @property
    def n_nets(self) -> int:
        """Number of nets."""
        return len(self.plans)

    @property
    def max_epochs(self) -> int:
        """Most epochs of each net."""
        return self.plans[0].settings.max_epochs

    @property
    def not_stacked_because(self) -> list[str]:
        """Why some nets were not part of a stack, each reason once."""
        reasons = (outcome.not_stacked_because for outcome in self.outcomes)
        return list(dict.fromkeys(reason for reason in reasons if reason is not None))

    @property
    def error(self) -> Exception | None:
        """The first error of a net."""
        return next((found.error for found in self.outcomes if isinstance(found.error, Exception)), None)

    def train(self, observed: Observed | None = None) -> Fitted:
        """Train the nets, and return what is fitted; the first error of one is raised.

        After Ctrl-C, nets have the epochs that are over. One that has none is what it was before, if it
        was trained on, or else left out; Ctrl-C is raised where no net has any. What Ctrl-C ends later is
        the search for models beside them, and then there are none.

        Parameters
        ----------
        observed : callable, optional
            From this fit to its plans with observers.
        """
        found: dict[int, MultiTaskNet] = {}
        interrupt, summary, start = None, None, perf_counter()
        try:
            for position, outcome in train_bag(self.plans if observed is None else observed(self)):
                if outcome.net is not None or not outcome.interrupted:
                    found[position] = outcome.trained()
        except KeyboardInterrupt as ctrl_c:
            if not found:
                raise
            interrupt = ctrl_c
        try:
            self._blend(found)
            summary = FitSummary.of(self.plans, perf_counter() - start)
        except KeyboardInterrupt as ctrl_c:
            interrupt = ctrl_c
        nets = [found.get(position, plan.before) for position, plan in enumerate(self.plans)]
        held_out = [rows for net, rows in zip(nets, self.untrained.held_out, strict=True) if net is not None]
        return replace(self._with_nets(nets), interrupt=interrupt, held_out=held_out, summary=summary)

    def fitted(self, shared: Sequence[SharedRows] = ()) -> Fitted:
        """Return what is fitted, by the outcomes of all nets; the error of one is raised.

        Parameters
        ----------
        shared : sequence of SharedRows
            Rows that other fits with the same encoder will be asked about too.
        """
        nets = [outcome.trained() for outcome in self.outcomes]
        self._blend(dict(enumerate(nets)))
        return replace(self._with_nets(nets), shared=[AskedRows(rows) for rows in shared])

    def _blend(self, nets: Mapping[int, MultiTaskNet]) -> None:
        """Put models beside trained nets, given by their positions in the bag."""
        if self.beside:
            parts = [(self.plans[position].train, self.plans[position].valid) for position in nets]
            blend(list(nets.values()), self.untrained.tasks, parts, self.beside)

    def plans_up_to(self, epochs: int | None) -> dict[int, NetPlan]:
        """Return what is to be trained up to a number of epochs, by position in the bag.

        Parameters
        ----------
        epochs : int or None
            Number of epochs in all; None for ``max_epochs``.
        """
        if not self.outcomes:
            return {i: replace(plan, epochs=epochs) for i, plan in enumerate(self.plans)}
        upto = self.max_epochs if epochs is None else epochs
        return {
            i: replace(plan, before=found.net, epochs=upto - len(found.net.history))
            for i, (plan, found) in enumerate(zip(self.plans, self.outcomes, strict=True))
            if found.net is not None and self._goes_on(plan, found.net, upto)
        }

    def with_outcomes(self, found: Mapping[int, Outcome], epochs: int | None) -> PlannedFit:
        """Return this with the outcomes of some of its nets.

        Parameters
        ----------
        found : mapping of int to Outcome
            The outcomes by position in the bag.
        epochs : int or None
            How many epochs they were given in all.
        """
        before = dict(enumerate(self.outcomes))
        every = tuple(_joined(before.get(i), found.get(i)) for i in range(self.n_nets))
        return replace(self, outcomes=every, epochs=epochs)

    def _with_nets(self, nets: Sequence[MultiTaskNet | None]) -> Fitted:
        """Return what is fitted by the nets that there are, its tasks adjusted to the rows they held out."""
        fitted = replace(self.untrained, nets=[net for net in nets if net is not None])
        if not self.plans[0].settings.calibrate:
            return fitted
        held_out = [(net, plan.valid) for net, plan in zip(nets, self.plans, strict=True)]
        known = [(net, valid) for net, valid in held_out if net is not None and valid is not None]
        if not known:
            return fitted
        tasks = adjusted(fitted.tasks, *map(list, zip(*known, strict=True)))
        return replace(fitted, blueprint=replace(fitted.blueprint, tasks=tasks))

    def _goes_on(self, plan: NetPlan, net: MultiTaskNet, upto: int) -> bool:
        given = self.max_epochs if self.epochs is None else self.epochs
        patience = None if plan.valid is None else plan.settings.patience
        return len(net.history) < upto and not net.has_ended(given, patience)


def train_together(
    fits: Sequence[PlannedFit],
    *,
    epochs: int | None = None,
    max_members: int | None = None,
    watch: Callable[[int, int, int, int], None] | None = None,
    run_jobs: RunJobs | None = None,
) -> Iterator[tuple[int, PlannedFit]]:
    """Train the nets of all fits at once, and yield each fit with its position once it is done.

    Parameters
    ----------
    fits : sequence of PlannedFit
        Fits that are new, or that train on.
    epochs : int, optional
        Most epochs of a net in all; ``max_epochs`` by default.
    max_members, watch, run_jobs
        As in `train_nets`.
    """
    todo = [fit.plans_up_to(epochs) for fit in fits]
    places = [(fit, net) for fit, plans in enumerate(todo) for net in plans]
    found: list[dict[int, Outcome]] = [{} for _ in fits]
    for fit, of_fit in enumerate(todo):
        if not of_fit:
            yield fit, fits[fit].with_outcomes({}, epochs)
    plans = [todo[fit][net] for fit, net in places]
    for position, outcome in train_nets(plans, max_members=max_members, watch=watch, run_jobs=run_jobs):
        fit, net = places[position]
        if outcome.interrupted:
            # A search has no use for a net that is not trained to its end.
            continue
        found[fit][net] = outcome
        if len(found[fit]) == len(todo[fit]):
            yield fit, fits[fit].with_outcomes(found[fit], epochs)
            found[fit] = {}


# From a fit to its plans, each with an observer of its net.
Observed = Callable[[PlannedFit], Sequence[NetPlan]]


def _joined(before: Outcome | None, found: Outcome | None) -> Outcome:
    """Return what has become of a net in all its training so far."""
    if found is None or before is None:
        outcome = before or found
        assert outcome is not None
        return outcome
    return replace(
        found,
        seconds=before.seconds + found.seconds,
        not_stacked_because=before.not_stacked_because
        if found.not_stacked_because is None
        else found.not_stacked_because,
    )
