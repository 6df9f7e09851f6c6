"""The parameters of one fit: those of the constructor, checked and resolved before any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_mtl.balancing import BALANCERS, Balancer
from sklearn_mtl.estimators.callback_parameters import check_names
from sklearn_mtl.estimators.drawn_rows import RowDraws
from sklearn_mtl.estimators.fitted_trunks import preprocessing_for
from sklearn_mtl.estimators.held_out import is_splitter
from sklearn_mtl.estimators.kinds import KindRule
from sklearn_mtl.estimators.rows import by_task
from sklearn_mtl.messages import shown
from sklearn_mtl.network import resolve_autocast, resolve_device, resolve_precision
from sklearn_mtl.recipes import is_integer, is_number, resolve, sizes_of
from sklearn_mtl.sharing import SHARINGS, Sharing
from sklearn_mtl.targets import Column
from sklearn_mtl.tasks import KINDS, TaskKind
from sklearn_mtl.training import (
    TrainingSettings,
    check_callbacks,
    check_lr_schedule,
    enabled,
    resolve_optimizer,
)
from sklearn_mtl.trunks import TRUNKS, Trunk

SMALL_DATA, LARGE_DATA = 1_000, 50_000


@dataclass(frozen=True, eq=False)
class FitParameters:
    """The constructor's parameters as one fit takes them; what depends on the data is a method.

    Parameters
    ----------
    owner : str
        Class of the estimator, for messages.
    fold : str or None
        The fold that is fitted to, of a search that knows all rows: tasks without a label are left out.
    kind_rule : KindRule
        Decides on the kinds of the tasks that ``tasks`` does not name.
    tasks, task_weights, head_hidden_sizes : object
        As in the constructor: their names are checked once the tasks of y are known.
    trunk, sharing, balancing : Trunk, Sharing, Balancer
        The recipes.
    draws : RowDraws
        By what training rows are drawn: the sampler and the augmentation.
    preprocessing : object
        As in the constructor, checked where it is fitted; the fitted encoder that the trunk brings, if any.
    validation_fraction : float, splitter or None
        What each net holds out; None where training does not stop early.
    n_bags : int or "auto"
        Number of nets.
    random_state : object
        Seed, generator or None, as in the constructor.
    settings : TrainingSettings
        The settings of the training loop, but for the two that follow.
    batch_size : int or "auto"
        Rows in a step.
    patience : int, "auto" or None
        Epochs without a lower loss; None where training does not stop early.
    linear_blend, tree_blend : bool or "auto"
        Whether nets are blended with linear models, and with boosted trees; see `models_beside`.
    """

    owner: str
    fold: str | None
    kind_rule: KindRule
    tasks: Any
    task_weights: Any
    head_hidden_sizes: Any
    trunk: Trunk
    sharing: Sharing
    balancing: Balancer
    draws: RowDraws
    preprocessing: Any
    validation_fraction: Any
    n_bags: int | str
    random_state: Any
    settings: TrainingSettings
    batch_size: int | str
    patience: int | str | None
    linear_blend: bool | str
    tree_blend: bool | str

    @classmethod
    def of(cls, estimator: Any, kind_rule: KindRule, *, fold: str | None = None) -> FitParameters:
        """Check the parameters of an estimator, and resolve what needs no data.

        Parameters
        ----------
        estimator : object
            Has the parameters of `BaseMultiTask` as attributes.
        kind_rule : KindRule
            Rule by which the estimator decides on the kinds of tasks.
        fold : str, optional
            The fold of a search that it is fitted to.

        Raises
        ------
        ValueError, TypeError
            For the first parameter that breaks its rule.
        """
        _check_rules(estimator)
        stops_early = bool(estimator.early_stopping)
        return cls(
            owner=type(estimator).__name__,
            fold=fold,
            kind_rule=kind_rule,
            tasks=estimator.tasks,
            task_weights=estimator.task_weights,
            head_hidden_sizes=estimator.head_hidden_sizes,
            settings=_settings(estimator),
            trunk=resolve(TRUNKS, estimator.trunk),
            sharing=resolve(SHARINGS, estimator.sharing),
            balancing=resolve(BALANCERS, estimator.balancing),
            draws=RowDraws.of(estimator),
            preprocessing=preprocessing_for(estimator.preprocessing, resolve(TRUNKS, estimator.trunk)),
            validation_fraction=estimator.validation_fraction if stops_early else None,
            n_bags=estimator.n_bags,
            random_state=estimator.random_state,
            batch_size=estimator.batch_size,
            patience=estimator.patience if stops_early else None,
            linear_blend=estimator.linear_blend,
            tree_blend=estimator.tree_blend,
        )

    def without(self, names: Sequence[str], every: Sequence[str]) -> FitParameters:
        """Return the parameters of a fit that leaves tasks out.

        Parameters
        ----------
        names : sequence of str
            Tasks that the mappings by task may name, and which are not fitted.
        every : sequence of str
            These and all others, in the user's order, for what speaks of tasks by place.
        """
        if not names:
            return self
        return replace(
            self,
            tasks=_without(self.tasks, names),
            task_weights=_without(self.task_weights, names),
            head_hidden_sizes=_without(self.head_hidden_sizes, names),
            sharing=self.sharing.of_tasks(every).without(names),
            balancing=self.balancing.without(names),
            draws=self.draws.without(names),
        )

    def asked_kinds(self, names: Sequence[str]) -> dict[str, TaskKind]:
        """Return the kinds of the tasks that ``tasks`` names.

        Parameters
        ----------
        names : sequence of str
            All tasks.
        """
        asked = by_task("tasks", self.tasks, names)
        return {name: resolve(KINDS, kind, f" for task {shown(name)}") for name, kind in asked.items()}

    def kinds_of(
        self, columns: Mapping[str, Column], classes: Mapping[str, Any] | None = None
    ) -> dict[str, TaskKind]:
        """Return the kind of each task: what ``tasks`` says, else what the estimator's rule says.

        A task whose classes are declared is a classification: nothing is inferred from its labels.

        Parameters
        ----------
        columns : mapping of str to Column
            Labels by task.
        classes : mapping of str to array-like or None, optional
            Classes declared up front.
        """
        names = list(columns)
        found = self.asked_kinds(names)
        for name, of_task in by_task("classes", classes, names).items():
            if of_task is not None and name not in found and columns[name].values.ndim == 1:
                found[name] = KINDS["classification"]()
        found |= self.kind_rule.infer({name: columns[name] for name in names if name not in found})
        self.kind_rule.check(self.owner, found)
        return {name: found[name] for name in names}

    def inferred(self, names: Sequence[str]) -> list[str]:
        """Return the tasks whose kind is inferred from their labels."""
        return [name for name in names if self.kind_rule.from_labels and name not in (self.tasks or {})]

    def weights_of(self, names: Sequence[str]) -> tuple[float, ...]:
        """Return the weight of each task, 1.0 where none is given."""
        given = by_task("task_weights", self.task_weights, names)
        found = [given.get(name, 1.0) for name in names]
        for name, weight in zip(names, found, strict=True):
            if not is_number(weight) or weight < 0:
                raise ValueError(
                    f"`task_weights` must hold finite non-negative numbers. Found {shown(weight)} for task "
                    f"{shown(name)}."
                )
        if not any(found):
            raise ValueError("`task_weights` must leave a task of positive weight. Found 0 for every task.")
        return tuple(map(float, found))

    def hidden_sizes_of(self, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Return the hidden sizes of each task's own branch, which are given for all or by task."""
        sizes = self.head_hidden_sizes
        if not isinstance(sizes, Mapping):
            return (_sizes(sizes),) * len(names)
        given = by_task("head_hidden_sizes", sizes, names)
        return tuple(_sizes(given.get(name, ())) for name in names)

    def n_nets(self, n_rows: int, *, is_flat: bool) -> int:
        """Return how many nets are trained: for ``"auto"``, as many as the trunk says."""
        if self.n_bags != "auto":
            return int(self.n_bags)
        found = self.trunk.n_nets_for(n_rows, is_flat=is_flat)
        if not _RULES["n_bags"][1](found):
            raise ValueError(
                f"`n_nets` of {type(self.trunk).__name__} must return a positive integer, at most 10,000. "
                f"Found {shown(found)}."
            )
        return int(found)

    def training_settings(self, n_rows: int) -> TrainingSettings:
        """Return the settings of the training loop.

        Parameters
        ----------
        n_rows : int
            Training rows, by which ``"auto"`` goes: the patience is 12 below 1,000 rows, whose few held-out
            rows tell less, 6 from there on, and 4 from 50,000 rows on, where an epoch has many steps.
        """
        batch_size = auto_batch_size(n_rows) if self.batch_size == "auto" else int(self.batch_size)
        patience = self.patience
        if patience == "auto":
            patience = 12 if n_rows < SMALL_DATA else 6 if n_rows < LARGE_DATA else 4
        patience = None if patience is None else int(patience)
        return replace(self.settings, batch_size=batch_size, patience=patience)


def auto_batch_size(n_rows: int) -> int:
    """Return the power of two nearest a twentieth of the rows, from 32 to 128."""
    return int(np.clip(2 ** round(np.log2(max(n_rows, 1) / 20)), 32, 128))


Rule = tuple[str, Callable[[Any], bool]]
_POSITIVE: Rule = ("a positive number", lambda v: is_number(v) and v > 0)
_AT_LEAST_ZERO: Rule = ("a non-negative number", lambda v: is_number(v) and v >= 0)
_COUNT: Rule = ("a positive integer, below 2**31", lambda v: is_integer(v) and 1 <= v < 2**31)
_FLAG: Rule = ("True or False", lambda v: isinstance(v, bool | np.bool_))
_AUTO_OR_FLAG: Rule = ("'auto', True or False", lambda v: _is_auto(v) or _FLAG[1](v))
_RULES: dict[str, Rule] = {
    "lr": _POSITIVE,
    "weight_decay": _AT_LEAST_ZERO,
    "batch_size": ("'auto' or a positive integer, below 2**31", lambda v: _is_auto(v) or _COUNT[1](v)),
    "max_epochs": _COUNT,
    "gradient_clip": ("None or a positive number", lambda v: v is None or _POSITIVE[1](v)),
    "patience": ("'auto' or a positive integer, below 2**31", lambda v: _is_auto(v) or _COUNT[1](v)),
    "validation_fraction": (
        "a number between 0 and 1, or a splitter with split(X, y, groups); early_stopping=False "
        "holds out no rows",
        lambda v: is_splitter(v) or (is_number(v) and 0 < v < 1),
    ),
    "n_bags": (
        "'auto' or a positive integer, at most 10,000",
        lambda v: _is_auto(v) or (_COUNT[1](v) and v <= 10_000),
    ),
    "gradient_conflict": (
        "None or a positive integer, below 2**31",
        lambda v: v is None or _COUNT[1](v),
    ),
    "ema_decay": ("None or a number in [0, 1)", lambda v: v is None or (is_number(v) and 0 <= v < 1)),
    "early_stopping": _FLAG,
    "calibrate": _FLAG,
    "linear_blend": _AUTO_OR_FLAG,
    "tree_blend": _AUTO_OR_FLAG,
    "compile": _FLAG,
    "warm_start": _FLAG,
    "verbose": (
        "a boolean or a non-negative integer, below 2**31",
        lambda v: _FLAG[1](v) or (is_integer(v) and 0 <= v < 2**31),
    ),
    "random_state": (
        "None, an integer from 0 to 2**32 - 1 or a numpy RandomState",
        lambda v: (
            v is None
            or v is np.random
            or isinstance(v, np.random.RandomState)
            or (is_integer(v) and 0 <= v < 2**32)
        ),
    ),
}


def _check_rules(estimator: Any) -> None:
    for name, (rule, holds) in _RULES.items():
        value = getattr(estimator, name)
        if not holds(value):
            raise ValueError(f"`{name}` must be {rule}. Found {shown(value)}.")
    if estimator.callbacks is not None:
        check_callbacks(estimator.callbacks, estimator.ema_decay)
        check_names(estimator.callbacks)


def _settings(estimator: Any) -> TrainingSettings:
    check_lr_schedule(estimator.lr_schedule)
    return TrainingSettings(
        optimizer=resolve_optimizer(estimator.optimizer),
        lr=float(estimator.lr),
        weight_decay=float(estimator.weight_decay),
        batch_size=1,
        max_epochs=int(estimator.max_epochs),
        lr_schedule=estimator.lr_schedule,
        gradient_clip=None if estimator.gradient_clip is None else float(estimator.gradient_clip),
        patience=None,
        ema_decay=None if estimator.ema_decay is None else float(estimator.ema_decay),
        calibrate=bool(estimator.calibrate),
        device=resolve_device(estimator.device),
        dtype=resolve_precision(estimator.precision),
        autocast=resolve_autocast(estimator.precision),
        compile=bool(estimator.compile),
        gradient_conflict=(None if estimator.gradient_conflict is None else int(estimator.gradient_conflict)),
        callbacks=enabled(estimator.callbacks) if estimator.callbacks else (),
        verbose=int(estimator.verbose),
    )


def _without(mapping: Any, names: Sequence[str]) -> Any:
    """Return a mapping by task without some tasks; whatever else it is, as it is."""
    if not isinstance(mapping, Mapping):
        return mapping
    return {task: value for task, value in mapping.items() if task not in names}


def _sizes(sizes: Any) -> tuple[int, ...]:
    found = sizes_of(sizes)
    if found is None:
        raise ValueError(
            "`head_hidden_sizes` must be a sequence of positive integers, below 2**31, or such by "
            f"task. Found {shown(sizes)}."
        )
    return found


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
