"""The stages of ``fit`` that precede training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import is_
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.data import InputRows, RowSplit, Table, rows_for_training, split_table
from sklearn_mtl.estimators.drawn_rows import RowDraws, drawn_rows
from sklearn_mtl.estimators.held_out import (
    groups_of,
    is_splitter,
    split_by_share,
    split_by_splitter,
    strata_of,
)
from sklearn_mtl.estimators.kinds import SeenLabels, seen_labels
from sklearn_mtl.estimators.label_positions import check_positions
from sklearn_mtl.estimators.label_warnings import warn_of_labels_for
from sklearn_mtl.estimators.rows import FitData, ReadData, Rows, read_data, read_rows
from sklearn_mtl.features import AcceptedInput, EncodedRows, Encoder, listed, new_encoder, takes_labels
from sklearn_mtl.messages import shown
from sklearn_mtl.network import Blueprint
from sklearn_mtl.sharing import Sharing
from sklearn_mtl.tasks import TaskKind, TaskSet
from sklearn_mtl.training import TrainingSettings

P = ParamSpec("P")
T = TypeVar("T")


def _as_method(function: Callable[P, T]) -> Callable[Concatenate[Any, P], T]:
    """Make a function a method that does the same, so that `CachedStages` can override it."""
    return lambda _stages, *sources, **parameters: function(*sources, **parameters)


def _unlogged() -> AbstractContextManager[None]:
    """Return the context in which mlflow, where the user has loaded it, logs no fit by itself.

    Its ``autolog`` takes a Pipeline or a PCA that is a part of an estimator of ours for the model.
    """
    autologging: Any = sys.modules.get("mlflow.utils.autologging_utils")
    # Its context can't be nested: the inner one would end the outer one, as that around `cross_val_score`.
    if autologging is None or vars(autologging).get("_AUTOLOGGING_GLOBALLY_DISABLED", False):
        return nullcontext()
    found: AbstractContextManager[None] = autologging.disable_autologging()
    return found


class Stages:
    """The stages of ``fit`` that precede training, in their order, each done anew.

    A stage is a method. Data, and what was made of it, is given by position, parameters by keyword.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import AcceptedInput
    >>> X, y = np.zeros((3, 2)), {"price": np.array([1.0, np.nan, 2.0])}
    >>> read = Stages().read(X, y, None, owner="Estimator", accepted=AcceptedInput.by(None))
    >>> len(read.rows), read.reader.n_features_in_
    (2, 2)
    """

    def read(self, X: Any, y: Any, sample_weight: Any, *, owner: str, accepted: AcceptedInput) -> ReadData:
        """Read the user's rows; see `read_data`."""
        return read_data(X, y, sample_weight, owner=owner, accepted=accepted)

    def left_out(self, rows: Rows, *, fold: str | None) -> list[str]:
        """Return the tasks without a label of positive weight, which a fold leaves out, and warn of them.

        Parameters
        ----------
        rows : Rows
            The training rows.
        fold : str or None
            Which fold of a search these are; where it is none, no task is left out.
        """
        return [] if fold is None else self._unlabelled(rows, fold=fold)

    def without(self, rows: Rows, *, names: Sequence[str]) -> Rows:
        """Return rows without the labels of some tasks."""
        return rows.without(names=names)

    def seen_labels(self, rows: Rows, *, names: Sequence[str]) -> dict[str, SeenLabels]:
        """Return the labels of the tasks whose kind was inferred; see `kinds.seen_labels`."""
        return seen_labels(rows, names=names)

    def split(
        self,
        rows: Rows,
        kinds: Mapping[str, TaskKind],
        data: FitData,
        *,
        validation_fraction: Any,
        n_nets: int,
        seed: int,
    ) -> list[RowSplit]:
        """Return the rows that each net learns from, and those that it holds out.

        Parameters
        ----------
        rows : Rows
            Labelled rows.
        kinds : mapping of str to TaskKind
            Their strata are what a share is stratified by.
        data : FitData
            Where the rows were read from.
        validation_fraction : float, splitter or None
            What is held out; nothing for None.
        n_nets, seed : int
            Number of nets, and the seed of the share.
        """
        if validation_fraction is None:
            return [self._no_validation(rows)] * n_nets
        strata = self._strata(rows, of_kinds=[kind.strata for kind in kinds.values()])
        groups = None if data.groups is None else self._groups(rows, data.X, data.groups)
        if is_splitter(validation_fraction):
            return self._split_by_splitter(
                rows,
                strata,
                groups,
                data.X,
                data.y,
                data.groups,
                splitter=validation_fraction,
                n_nets=n_nets,
            )
        return self._split_by_share(rows, strata, groups, share=validation_fraction, n_nets=n_nets, seed=seed)

    def training_rows(self, rows: Rows, splits: list[RowSplit]) -> Rows:
        """Return the rows that some net learns from: others take no part in scales and levels."""
        is_trained_on = np.zeros(len(rows), dtype=bool)
        for split in splits:
            is_trained_on[split.train] = True
        return rows.take(np.flatnonzero(is_trained_on))

    def bind(
        self, rows: Rows, *, kinds: Mapping[str, TaskKind], classes: Mapping[str, Any], calibrate: bool
    ) -> TaskSet:
        """Return the tasks, with the classes and scales of their labels.

        Parameters
        ----------
        rows : Rows
            The rows to learn from.
        kinds : mapping of str to TaskKind
            The kind of each task.
        classes : mapping of str to array-like
            Classes declared up front.
        calibrate : bool
            Whether what the tasks predict is calibrated.
        """
        tasks = TaskSet(
            tuple(
                kind.bind(rows.columns[name], rows.of_task(i), classes.get(name)).calibrated_by(calibrate)
                for i, (name, kind) in enumerate(kinds.items())
            )
        )
        single = [
            f"{shown(task.name)} has one class only, {task.only_class}" for task in tasks if task.only_class
        ]
        if single:
            warn_caller(f"Task {listed(single)}: there is nothing to learn.")
        return tasks

    def trained_as(self, tasks: TaskSet, *, sharing: Sharing) -> TaskSet:
        """Return the tasks as a way of sharing trains them, which may be as they are.

        Parameters
        ----------
        tasks : TaskSet
            The tasks.
        sharing : Sharing
            The recipe for how tasks share trunks.
        """
        found = tuple(sharing.trained_as(list(tasks)))
        return tasks if all(map(is_, found, tasks)) else TaskSet(found)

    def fit_encoder(
        self, rows: Rows, tasks: TaskSet, *, preprocessing: Any, dtype: type[np.floating]
    ) -> Encoder:
        """Return the encoder of X, fitted to the rows to learn from.

        Parameters
        ----------
        rows : Rows
            The rows to learn from.
        tasks : TaskSet
            They make numbers of the labels, for a preprocessing that takes y.
        preprocessing, dtype
            As in `Encoder`.
        """
        # Where no labels are taken, fits whose tasks differ share the encoder.
        taken = tasks if hasattr(preprocessing, "fit") and takes_labels(preprocessing) else None
        return self._fit_encoder(rows, taken, preprocessing=preprocessing, dtype=dtype)

    def encode(self, rows: Rows, encoder: Encoder, tasks: TaskSet, settings: TrainingSettings) -> Table:
        """Return rows as tensors on the device.

        Parameters
        ----------
        rows : Rows
            Labelled rows.
        encoder : Encoder
            The fitted encoder of the features.
        tasks : TaskSet
            They encode the labels.
        settings : TrainingSettings
            The device and the precision.
        """
        inputs = self._inputs(rows, encoder, device=settings.device, dtype=settings.dtype)
        check_positions(rows.columns, tasks, encoder.spec, inputs)
        return self._table(rows, inputs, tasks, device=settings.device, dtype=settings.dtype)

    def validation_table(
        self,
        reader: BaseEstimator,
        data: FitData,
        encoder: Encoder,
        blueprint: Blueprint,
        settings: TrainingSettings,
        *,
        left_out: Sequence[str],
    ) -> Table | None:
        """Return the user's own validation rows as tensors; None where there are none.

        Parameters
        ----------
        reader : BaseEstimator
            Has the number and names of the features, with which those of the rows are compared.
        data : FitData
            Has the rows, if there are any.
        encoder, settings
            As in `encode`.
        blueprint : Blueprint
            Has the tasks and their weights.
        left_out : sequence of str
            Tasks of the rows that are not fitted.
        """
        if not data.has_validation:
            return None
        rows = self._read_validation(
            reader,
            data.X_val,
            data.y_val,
            blueprint.tasks,
            accepted=encoder.accepted,
            left_out=left_out,
        )
        table = self.encode(rows, encoder, blueprint.tasks, settings)
        if not blueprint.can_validate_on(table.weight):
            raise ValueError("`y_val` must hold a label of some task of positive weight. Found none.")
        return table

    def train_and_validation(
        self,
        blueprint: Blueprint,
        table: Table,
        splits: list[RowSplit],
        validation: Table | None,
        *,
        draws: RowDraws,
    ) -> list[tuple[Table, Table | None]]:
        """Return the rows that each net learns from, and those that tell it when to stop.

        Parameters
        ----------
        blueprint : Blueprint
            A net whose held-out rows have no label of a task of positive weight holds out none.
        table : Table
            All rows.
        splits : list of RowSplit
            Rows of ``table`` that each net learns from and holds out.
        validation : Table or None
            Other rows by which all nets stop; they then learn from all of ``table``.
        draws : RowDraws
            By what rows to learn from are drawn.
        """
        draws.check_data(blueprint.spec, blueprint.tasks)
        parts = [
            (table, validation)
            if validation is not None or not blueprint.can_validate_on(table.weight[split.validation])
            else self._split_table(table, split)
            for split in splits
        ]
        how: Any = {"draws": draws, "counted": [weight > 0 for weight in blueprint.task_weights]}
        return [(self._drawn_rows(train, blueprint.tasks, **how), valid) for train, valid in parts]

    def _unlabelled(self, rows: Rows, *, fold: str) -> list[str]:
        found = rows.unlabelled()
        if found:
            warn_caller(
                f"The {len(rows)} training rows of {fold} have no label of the tasks {found[:10]}"
                f"{' and more' if len(found) > 10 else ''}, which are left out of its fit, and of its share "
                "in their mean score. A TaskStratifiedKFold as `cv` spreads the labels of every task.",
            )
        return found

    def _no_validation(self, rows: Rows) -> RowSplit:
        return RowSplit.from_validation(np.empty(0, dtype=np.intp), len(rows))

    def _fit_encoder(
        self, rows: Rows, tasks: TaskSet | None, *, preprocessing: Any, dtype: type[np.floating]
    ) -> Encoder:
        weight = rows.weight.max(axis=1) if rows.weighted else None
        y = None if tasks is None else tasks.as_array(rows.columns)
        with _unlogged():
            return new_encoder(preprocessing, dtype, rows.X).fit(rows.X, weight, rows.index, y)

    def _inputs(self, rows: Rows, encoder: Encoder, *, device: Any, dtype: Any) -> InputRows:
        return rows_for_training(EncodedRows(encoder, rows.X, rows.index), device, dtype)

    def _table(self, rows: Rows, inputs: InputRows, tasks: TaskSet, *, device: Any, dtype: Any) -> Table:
        y, weight = tasks.encode(rows.columns, rows.weight)
        return Table.from_rows(inputs, y, weight, device=device, dtype=dtype)

    def _read_validation(
        self,
        reader: BaseEstimator,
        X: Any,
        y: Any,
        tasks: TaskSet,
        *,
        accepted: AcceptedInput,
        left_out: Sequence[str],
    ) -> Rows:
        rows, _ = read_rows(
            reader, X, y, accepted=accepted, tasks=tasks.names, left_out=left_out, name="y_val"
        )
        unknown = {task.name: task.unknown_labels(rows.columns[task.name])[:5] for task in tasks}
        found = [f"{labels} of task {shown(name)}" for name, labels in unknown.items() if labels]
        if found:
            warn_caller(f"`y_val` has labels that y has not, {listed(found)}: they are left out.")
        return rows

    warn_of_labels_for = _as_method(warn_of_labels_for)
    _drawn_rows = _as_method(drawn_rows)
    _strata = _as_method(strata_of)
    _groups = _as_method(groups_of)
    _split_by_share = _as_method(split_by_share)
    _split_by_splitter = _as_method(split_by_splitter)
    _split_table = _as_method(split_table)
