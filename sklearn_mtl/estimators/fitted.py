"""What a fit leaves behind, and the estimator that keeps it: answers for rows, and state for pickles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

from sklearn_mtl.estimators.kinds import SeenLabels
from sklearn_mtl.estimators.row_index import index_of
from sklearn_mtl.estimators.rows import AskedRows, Rows
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.estimators.task_estimator import TaskEstimator
from sklearn_mtl.estimators.tasks_html import tasks_html
from sklearn_mtl.features import EncodedRows, Encoder
from sklearn_mtl.inference import bag_log_responses, bag_responses
from sklearn_mtl.messages import shown
from sklearn_mtl.network import Blueprint, give_back_unused, resolve_device
from sklearn_mtl.targets import Layout
from sklearn_mtl.tasks import KINDS, Responses, TaskKind, TaskSet
from sklearn_mtl.training import (
    FitSummary,
    MultiTaskNet,
    conflict_frame,
    history_frame,
    pack_net,
    unpack_net,
)
from sklearn_mtl.trunks import FittedTrunk

# What `FittedEstimator._keep` sets from what was fitted, and from what has read X.
DERIVED = frozenset({"tasks_", "classes_", "nets_", "net_", "history_", "gradient_conflict_", "n_iter_"})
FEATURES = frozenset({"n_features_in_", "feature_names_in_"})


@dataclass(frozen=True, eq=False)
class Fitted:
    """What ``fit`` leaves behind.

    Parameters
    ----------
    encoder : Encoder
        Encoder that turns X into input blocks.
    blueprint : Blueprint
        Structure, tasks and weights that the nets were built from.
    layout : Layout
        The container that y came in.
    nets : list of MultiTaskNet
        The bag.
    split_seed : int
        Seed of the held-out rows, which a warm start holds out again.
    kinds : mapping of str to TaskKind
        The kind of each task as it was given or inferred.
    n_splits : int
        Number of nets for which rows were held out; more than `nets` where Ctrl-C left some unfinished.
    left_out : sequence of str
        Tasks of y that had no label in the rows of this fold.
    seen : mapping of str to SeenLabels
        Labels of the tasks whose kind was inferred, and might be another with more labels.
    interrupt : KeyboardInterrupt, optional
        The Ctrl-C that ended the training.
    shared : sequence of AskedRows
        Rows that a search asks about, and several estimators with this encoder.
    held_out : sequence of ndarray of int
        Where in X the rows are that each net did not learn from; neither pickled nor saved.
    summary : FitSummary, optional
        What is known of the last ``fit`` or ``partial_fit`` beside its nets.
    """

    encoder: Encoder
    blueprint: Blueprint
    layout: Layout
    nets: list[MultiTaskNet]
    split_seed: int
    kinds: Mapping[str, TaskKind]
    n_splits: int
    left_out: Sequence[str] = ()
    seen: Mapping[str, SeenLabels] = field(default_factory=dict)
    interrupt: KeyboardInterrupt | None = None
    shared: Sequence[AskedRows] = ()
    held_out: Sequence[np.ndarray] = ()
    summary: FitSummary | None = None

    @property
    def tasks(self) -> TaskSet:
        """The tasks."""
        return self.blueprint.tasks

    @property
    def all_tasks(self) -> list[str]:
        """The names of the tasks, and then of those that were left out."""
        return [*self.tasks.names, *self.left_out]

    @property
    def representation_width(self) -> int:
        """Columns that ``transform`` gives."""
        sharing = self.nets[0].evaluated.sharing
        return sharing.width * (len(self.tasks) if sharing.per_task else 1)

    def updated_with(self, rows: Rows, task_weights: tuple[float, ...]) -> Fitted:
        """Return this with what more rows, and task weights set anew, change of the tasks.

        Parameters
        ----------
        rows : Rows
            Rows to train on with; a label of an unknown class is a ``ValueError``.
        task_weights : tuple of float
            The weight of each task as it is now.
        """
        tasks = []
        for position, task in enumerate(self.tasks):
            task.check_known(rows.columns[task.name])
            tasks.append(task.widened_by(rows.columns[task.name], rows.of_task(position)))
        blueprint = replace(self.blueprint, tasks=TaskSet(tuple(tasks)), task_weights=task_weights)
        return replace(self, blueprint=blueprint)

    def packed(self) -> dict[str, Any]:
        """Return this for pickles and files, its nets as arrays."""
        return {
            "encoder": self.encoder,
            "blueprint": self.blueprint,
            "layout": self.layout,
            "split_seed": self.split_seed,
            "kinds": dict(self.kinds),
            "n_splits": self.n_splits,
            "left_out": list(self.left_out),
            "seen": {name: [seen.values, seen.gap] for name, seen in self.seen.items()},
            "summary": None if self.summary is None else dict(vars(self.summary)),
            "nets": [pack_net(net) for net in self.nets],
        }

    @classmethod
    def unpacked(cls, state: Mapping[str, Any], device: Any) -> Fitted:
        """Return what was packed, its nets built anew.

        Parameters
        ----------
        state : mapping
            As `packed` returns it.
        device : object
            Where the nets go; a device that is not here gives way to the CPU.
        """
        try:
            device = resolve_device(device)
        except ValueError:
            device = resolve_device("cpu")
        nets = [unpack_net(net, state["blueprint"], device) for net in state["nets"]]
        # A state from before kinds were kept has tasks of the package's own kinds, and all nets of its bag.
        kinds = state.get("kinds") or {task.name: KINDS[task.kind]() for task in state["blueprint"].tasks}
        return cls(
            state["encoder"],
            state["blueprint"],
            state["layout"],
            nets,
            state["split_seed"],
            kinds,
            state.get("n_splits", len(nets)),
            state.get("left_out", ()),
            {name: SeenLabels(*seen) for name, seen in state.get("seen", {}).items()},
            summary=None if state.get("summary") is None else FitSummary(**state["summary"]),
        )


class FittedEstimator(TaskEstimator):
    """Keeps the nets that were fitted, answers with them, and pickles as arrays and types of this package."""

    device: Any
    early_stopping: Any
    _fitted: Fitted
    nets_: list[MultiTaskNet]

    def _encoded(self, X: Any) -> tuple[EncodedRows, Any]:
        """Return the rows, to be encoded when they are read, and the index of X where it has one."""
        index = index_of(X)
        asked = self._asked(X)
        if asked is not None and asked.rows.encoded is not None:
            return asked.rows.encoded, index
        encoder = self._fitted.encoder
        check = partial(encoder.accepted.read, self, X, reset=False)
        # Where numbers are brought into another dtype, it is the encoder that sees what they are.
        later = encoder.accepted.leaves_check(self, X) and X.dtype == encoder.dtype
        rows = X if later else check()
        encoded = EncodedRows(encoder, rows, at_once=asked is not None, check=check if later else None)
        if asked is not None:
            asked.rows.encoded = encoded
        return encoded, index

    def _asked(self, X: Any) -> AskedRows | None:
        """Return the rows of a search, where these are some of them."""
        return next((asked for asked in self._fitted.shared if asked.rows.X is X), None)

    def _responses(self, X: Any) -> tuple[Responses, Any]:
        """Return the averaged responses of each task, and the index of X where it has one."""
        nets, asked = self.nets_, self._asked(X)
        # Each scorer of a search asks anew.
        if asked is not None and asked.answer is not None and asked.answer[0] is nets:
            return asked.answer[1], index_of(X)
        inputs, index = self._encoded(X)
        found = bag_responses(nets, self._fitted.tasks, inputs)
        if asked is not None:
            asked.answer = nets, found
        return found, index

    def _held_out_responses(self, X: Any) -> Iterator[tuple[np.ndarray, Responses]]:
        """Yield, for each net, the rows that it has held out, and its own responses to them.

        Parameters
        ----------
        X : object
            Features as ``fit`` was given them.
        """
        # What was loaded knows of none.
        for net, rows in zip(self.nets_, self._fitted.held_out, strict=False):
            inputs, _ = self._encoded(take_rows(X, rows))
            yield rows, bag_responses([net], self._fitted.tasks, inputs)

    def _log_responses(self, X: Any) -> Responses:
        """Return the logarithms of the responses, for tasks whose responses are probabilities."""
        inputs, _ = self._encoded(X)
        return bag_log_responses(self.nets_, self._fitted.tasks, inputs)

    @property
    def trunk_(self) -> FittedTrunk:
        """The trained trunk of the first net with its preprocessing, as ``trunk`` of another estimator."""
        if not hasattr(self, "_fitted"):
            raise AttributeError(f"{type(self).__name__} has `trunk_` after `fit`.")
        net = self._fitted.nets[0]
        trunk = net.evaluated.sharing.shared_trunk
        if trunk is None:
            raise AttributeError(
                "`trunk_` is that of one trunk that all tasks share, as with HardSharing. Found "
                f"{self._fitted.blueprint.sharing!r} with {self._fitted.blueprint.trunk!r}."
            )
        names = getattr(self, "feature_names_in_", None)
        n_features = getattr(self, "n_features_in_", None)
        return FittedTrunk(deepcopy(trunk), self._fitted.encoder, n_features, names)

    @cached_property
    def history_(self) -> pd.DataFrame:
        """The epochs of the nets; a table is made of them when it is first asked for."""
        if not hasattr(self, "_fitted"):
            raise AttributeError(f"{type(self).__name__} has `history_` after `fit`.")
        return history_frame(self._fitted.nets, self._fitted.tasks)

    @property
    def gradient_conflict_(self) -> pd.DataFrame:
        """The cosines between the gradients of the tasks, where ``gradient_conflict`` has asked for them."""
        if "gradient_conflict_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has `gradient_conflict_` after a `fit` with `gradient_conflict` set "
                f"to a number of steps. Found {shown(getattr(self, 'gradient_conflict', None))}."
            )
        found: pd.DataFrame = vars(self)["gradient_conflict_"]
        return found

    def _keep(
        self, fitted: Fitted, reader: BaseEstimator | None = None, *, interrupted: bool | None = None
    ) -> Self:
        """Take over what a fit left, in one step: whatever fails before it, or looks on, sees all or nothing.

        Parameters
        ----------
        fitted : Fitted
            Encoder, tasks and nets that the fit made.
        reader : BaseEstimator, optional
            Has the number and names of the features, where others than before were read.
        interrupted : bool, optional
            Whether Ctrl-C has ended the fit; by default as it was, and at first False.
        """
        kept = {name: value for name, value in vars(self).items() if name not in DERIVED | FEATURES}
        was = kept.get("interrupted_", False)
        new = {"interrupted_": was if interrupted is None else interrupted}
        self.__dict__ = {**kept, **new, **attributes_of(fitted, self if reader is None else reader)}
        return self

    @contextmanager
    def _fitting(self) -> Iterator[Callable[..., None]]:
        """Hand out what takes over the result of a fit as `_keep` does; nothing is set before it.

        Ctrl-C that has ended the fit early is passed on once its result is taken over.
        """
        interrupt = None

        def keep(fitted: Fitted, reader: BaseEstimator | None = None) -> None:
            nonlocal interrupt
            self._keep(fitted, reader, interrupted=fitted.interrupt is not None)
            interrupt = fitted.interrupt

        yield keep
        give_back_unused(self.net_.device)
        if interrupt is not None:
            raise interrupt

    def _html_repr(self) -> str:
        """Return scikit-learn's picture, and below it, once fitted, the tasks."""
        picture: str = estimator_html_repr(self)
        if not hasattr(self, "_fitted"):
            return picture
        fitted, stops_early = self._fitted, bool(self.early_stopping)
        return picture + tasks_html(fitted.blueprint, fitted.nets, fitted.summary, stops_early=stops_early)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling: networks as arrays, so that it loads on any machine."""
        state: dict[str, Any] = super().__getstate__()
        if "_fitted" in state:
            state = {key: value for key, value in state.items() if key not in {*DERIVED, "_fold"}}
            state["_fitted"] = state["_fitted"].packed()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state over, and build the networks anew."""
        packed = state.get("_fitted")
        super().__setstate__({key: value for key, value in state.items() if key != "_fitted"})
        if packed is not None:
            self._keep(Fitted.unpacked(packed, self.device))


def attributes_of(fitted: Fitted, reader: BaseEstimator | None) -> dict[str, Any]:
    """Return the attributes of an estimator that are made from what was fitted.

    Parameters
    ----------
    fitted : Fitted
        Encoder, tasks and nets that ``fit`` made.
    reader : BaseEstimator or None
        Has the number and names of the features; None for an estimator that has them.
    """
    of_features = {} if reader is None else vars(reader)
    found: dict[str, Any] = {
        **{name: value for name, value in of_features.items() if name in FEATURES},
        # An exception holds all frames that it has passed, and their data.
        "_fitted": replace(fitted, interrupt=None),
        "tasks_": {task.name: task for task in fitted.tasks},
        "nets_": fitted.nets,
        "net_": fitted.nets[0],
        "n_iter_": max(len(net.history) for net in fitted.nets),
    }
    conflict = conflict_frame(fitted.nets, fitted.tasks)
    if conflict is not None:
        found["gradient_conflict_"] = conflict
    classes = {task.name: task.classes for task in cast(Any, fitted.tasks) if task.has_classes}
    return {**found, "classes_": fitted.layout.restore_classes(classes)} if classes else found
