"""From X and y to a trained bag: the stages of ``fit``, in order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.data import RowSplit, Table
from sklearn_mtl.estimators import checks
from sklearn_mtl.estimators.held_out import hold_out, learnt_by_some
from sklearn_mtl.estimators.inferred import Seen, guessed, seen_labels
from sklearn_mtl.estimators.once import Once, each
from sklearn_mtl.estimators.rows import Admitted, Read, Rows, read_rows
from sklearn_mtl.estimators.stages import (
    bind,
    fit_encoder,
    learnt_and_held,
    tensors,
    unlabelled,
    validation_rows,
    without,
)
from sklearn_mtl.estimators.warm_start import warn_of_what_stays
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.network import Blueprint, in_default_modes
from sklearn_mtl.recipes import resolve
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.targets import Layout
from sklearn_mtl.tasks import TaskKind, TaskSet
from sklearn_mtl.training import (
    MultiTaskNet,
    NetPlan,
    TrainingSettings,
    numpy_dtype,
    plan_bag,
    plan_further,
    train_nets,
)
from sklearn_mtl.trunks import TRUNKS

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask


@dataclass(frozen=True, eq=False)
class Fitted:
    """What ``fit`` leaves behind.

    Parameters
    ----------
    encoder : FeatureEncoder
        From X to input blocks.
    blueprint : Blueprint
        What the nets were built from.
    layout : Layout
        The container that y came in.
    nets : list of MultiTaskNet
        The bag.
    split_seed : int
        Of the held-out rows, which a warm start holds out again.
    kinds : mapping of str to TaskKind
        What was asked of each task, or inferred.
    n_splits : int
        For how many nets rows were held out; more than there are where Ctrl-C left some unfinished.
    seen : mapping of str to Seen
        What was seen of tasks whose kind was told from labels, and could be another by more.
    interrupt : KeyboardInterrupt, optional
        The Ctrl-C that ended the training.
    left_out : sequence of str
        Tasks of y that had no label in the rows of this fold.
    """

    encoder: FeatureEncoder
    blueprint: Blueprint
    layout: Layout
    nets: list[MultiTaskNet]
    split_seed: int
    kinds: Mapping[str, TaskKind]
    n_splits: int
    left_out: Sequence[str] = ()
    seen: Mapping[str, Seen] = field(default_factory=dict)
    interrupt: KeyboardInterrupt | None = None

    @property
    def tasks(self) -> TaskSet:
        """The tasks."""
        return self.blueprint.tasks

    @property
    def representation_width(self) -> int:
        """Columns that ``transform`` gives."""
        sharing = self.nets[0].evaluated.sharing
        return sharing.width * (len(self.tasks) if sharing.per_task else 1)

    def met(self, rows: Rows, task_weights: Mapping[str, float] | None) -> Fitted:
        """Return this with what more rows, and task weights set anew, change of the tasks.

        Parameters
        ----------
        rows : Rows
            Rows to train on with; a label of an unknown class is a ``ValueError``.
        task_weights : mapping of str to float, or None
            The parameter as it is now.
        """
        tasks = []
        for position, task in enumerate(self.tasks):
            task.check_known(rows.columns[task.name])
            tasks.append(task.widened_by(rows.columns[task.name], rows.of_task(position)))
        weights = checks.task_weights(task_weights, self.tasks.names)
        blueprint = replace(self.blueprint, tasks=TaskSet(tuple(tasks)), task_weights=weights)
        return replace(self, blueprint=blueprint)

    def further(
        self, rows: Rows, stop_on: list[RowSplit] | Table, settings: TrainingSettings, epochs: int
    ) -> Prepared:
        """Return this with the plans by which its nets train on.

        Parameters
        ----------
        rows : Rows
            To learn from.
        stop_on : list of RowSplit, or Table
            Rows of these that each net learns from and holds out, or other rows that all use.
        settings : TrainingSettings
            What the loop is told.
        epochs : int
            Most epochs to add.
        """
        table = tensors(rows, self.encoder, self.tasks, settings)
        parts = learnt_and_held(self.blueprint, table, stop_on, len(self.nets))
        return Prepared(self, plan_further(self.nets, self.blueprint, parts, settings, epochs))


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that precedes training: what will be fitted, but for its nets, and the plans of those.

    Parameters
    ----------
    fitted : Fitted
        Without nets.
    plans : list of NetPlan
        One for each net of the bag.
    """

    fitted: Fitted
    plans: list[NetPlan]

    def trained(self) -> Fitted:
        """Return what is fitted once the nets are trained; the first error of one is raised.

        After Ctrl-C, nets have the epochs that are over. One that has none is what it was before, if it
        was trained on, or else left out; Ctrl-C is raised where no net has any.
        """
        found: dict[int, MultiTaskNet] = {}
        interrupt = None
        try:
            for position, outcome in train_nets(self.plans):
                if outcome.net is not None or not outcome.interrupted:
                    found[position] = outcome.trained()
        except KeyboardInterrupt as ctrl_c:
            if not found:
                raise
            interrupt = ctrl_c
        nets = [found.get(position, plan.before) for position, plan in enumerate(self.plans)]
        return replace(self.with_nets([net for net in nets if net is not None]), interrupt=interrupt)

    def with_nets(self, nets: list[MultiTaskNet]) -> Fitted:
        """Return what is fitted with the given trained nets."""
        return replace(self.fitted, nets=nets)


@in_default_modes
def prepare(
    estimator: BaseMultiTask,
    data: tuple[Any, Any, Any],
    validation: tuple[Any, Any],
    groups: Any = None,
    classes: Mapping[str, Any] | None = None,
    once: Once = each,
) -> Prepared:
    """Run the stages of ``fit`` that precede training.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read; the number and names of its features are set.
    data : tuple
        X, y and sample_weight as the user gave them.
    validation : tuple
        X_val and y_val; both or neither None.
    groups : array-like of shape (n_rows,), optional
        Rows that are held out together.
    classes : mapping of str to array-like, optional
        Classes declared up front, for ``partial_fit``, which holds no row out.
    once : callable, optional
        A `MadeOnce`, where other fits to the same data share what they have in common.
    """
    checks.check_numbers(estimator)
    read = once(Read.of, *data, owner=type(estimator).__name__, admitted=Admitted.by(estimator.preprocessing))
    read.record_on(estimator)
    left_out: list[str] = [] if estimator._fold is None else once(unlabelled, read.rows, fold=estimator._fold)
    rows = once(Rows.without, read.rows, names=left_out)
    given = without(read.targets.columns, left_out)
    kinds = checks.task_kinds(without(estimator.tasks, left_out), given, estimator._infer_kinds, classes)
    estimator._check_kinds(kinds)
    names = list(kinds)
    seen_values = once(seen_labels, rows, names=guessed(estimator, names))
    weights = checks.task_weights(without(estimator.task_weights, left_out), names)
    hidden = checks.head_hidden_sizes(without(estimator.head_hidden_sizes, left_out), names)
    declared = checks.by_task("classes", classes, names)

    rng = check_random_state(estimator.random_state)
    n_nets = checks.n_nets(estimator, len(rows))
    split = estimator.early_stopping and validation[0] is None and classes is None
    how = estimator.validation_fraction if split else None
    *seeds, split_seed = rng.randint(np.iinfo(np.int32).max, size=n_nets + 1).tolist()
    splits = hold_out(rows, kinds, how, (*data[:2], groups), (n_nets, split_seed), once)
    settings = checks.training_settings(estimator, len(splits[0].train))

    seen = once(learnt_by_some, rows, splits)
    tasks = once(bind, seen, kinds=kinds, classes=declared, calibrate=estimator.calibrate)
    encoder = once(
        fit_encoder, seen, preprocessing=estimator.preprocessing, dtype=numpy_dtype(settings.dtype)
    )
    blueprint = Blueprint(
        encoder.spec,
        tasks,
        resolve(TRUNKS, estimator.trunk).suited_to(encoder.spec),
        resolve(SHARINGS, estimator.sharing),
        resolve(BALANCERS, estimator.balancing),
        hidden,
        weights,
    )
    known = (encoder, blueprint, settings)
    stop_on = validation_rows(read.reader, validation, known, left_out, once) or splits
    table = tensors(rows, encoder, tasks, settings, once)
    parts = learnt_and_held(blueprint, table, stop_on, n_nets, once)
    epochs = None if classes is None else 1
    begun = Fitted(
        encoder, blueprint, read.targets.layout, [], split_seed, kinds, n_nets, left_out, seen_values
    )
    return Prepared(begun, plan_bag(blueprint, parts, settings, seeds, epochs))


@in_default_modes
def fit_on(
    estimator: BaseMultiTask,
    fitted: Fitted,
    data: tuple[Any, Any, Any],
    validation: tuple[Any, Any],
    groups: Any = None,
) -> Fitted:
    """Train on from where the last ``fit`` ended, up to ``max_epochs`` in all.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read anew, but for those that make tasks, features and network.
    fitted : Fitted
        What the last ``fit`` left; not changed.
    data, validation, groups
        As of `prepare`.
    """
    checks.check_numbers(estimator)
    rows, _ = read_rows(
        estimator, *data, admitted=Admitted.by(fitted.encoder.preprocessing), tasks=fitted.tasks.names
    )
    fitted = fitted.met(rows, estimator.task_weights)
    warn_of_what_stays(estimator, fitted)
    split = estimator.early_stopping and validation[0] is None
    how = estimator.validation_fraction if split else None
    draws = (fitted.n_splits, fitted.split_seed)
    splits = hold_out(rows, fitted.kinds, how, (*data[:2], groups), draws, each)[: len(fitted.nets)]
    settings = checks.training_settings(estimator, len(splits[0].train))
    done = max(len(net.history) for net in fitted.nets)
    if done >= settings.max_epochs:
        warnings.warn(
            f"`max_epochs` must be raised for a warm start to train on. Found {settings.max_epochs}, and "
            f"{done} epochs done; the estimator is left as it is.",
            stacklevel=4,
        )
        return fitted
    known = (fitted.encoder, fitted.blueprint, settings)
    stop_on = validation_rows(estimator, validation, known, fitted.left_out) or splits
    return fitted.further(rows, stop_on, settings, settings.max_epochs - done).trained()


@in_default_modes
def fit_batch(
    estimator: BaseMultiTask, fitted: Fitted | None, data: tuple[Any, Any, Any], classes: Any
) -> Fitted:
    """Train for one epoch on the given rows, holding none out; tasks and scales stay as they were.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters are read.
    fitted : Fitted or None
        What an earlier call left; not changed.
    data : tuple
        As of `prepare`.
    classes : mapping of str to array-like, or None
        Classes of each classification task; only the first call needs them.
    """
    if fitted is None:
        return prepare(estimator, data, (None, None), classes=classes or {}).trained()
    checks.check_numbers(estimator)
    rows, _ = read_rows(
        estimator, *data, admitted=Admitted.by(fitted.encoder.preprocessing), tasks=fitted.tasks.names
    )
    fitted = fitted.met(rows, estimator.task_weights)
    warn_of_what_stays(estimator, fitted)
    checks.check_same_classes(fitted.tasks, classes)
    settings = checks.training_settings(estimator, len(rows))
    all_rows = hold_out(rows, fitted.kinds, None, (None, None, None), (len(fitted.nets), 0), each)
    return fitted.further(rows, all_rows, settings, epochs=1).trained()
