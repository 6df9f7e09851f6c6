"""scikit-learn's callbacks are told of a fit: of its nets, and of their epochs.

The fit is the outermost task. Where it trains several nets, each is a task in it; the epochs of a net are
tasks in that, or in the fit itself. Nets that are trained as a stack are told of side by side.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from sklearn_mtl.estimators.fitted import attributes_of
from sklearn_mtl.estimators.fitting import PlannedFit
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.scikit_learn_private import callback_context
from sklearn_mtl.training import MultiTaskNet, NetObserver, NetPlan, as_of_now


class FitTasks:
    """One fit, as scikit-learn's callbacks see it; to be used in a ``with`` statement.

    Parameters
    ----------
    estimator : BaseMultiTask
        The estimator that is being fitted.
    data : FitData
        Rows and labels that ``fit`` was given.
    """

    def __init__(self, estimator: Any, data: FitData) -> None:
        metadata = None if data.sample_weight is None else {"sample_weight": data.sample_weight}
        self._told = {"estimator": estimator, "X": data.X, "y": data.y, "metadata": metadata}
        self._context: Any = None

    def __enter__(self) -> Self:
        """Begin; callbacks are told once it is known how many nets there are."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell of the end of the fit, unless it has failed."""
        if kind is None and self._context is not None:
            # What fit leaves is in the estimator by now.
            self._context.call_on_fit_task_end(**self._told, reconstruction_attributes={})

    def observed(self, planned: PlannedFit) -> list[NetPlan]:
        """Tell of the begin of the fit, and return its plans with an observer for each net.

        Parameters
        ----------
        planned : PlannedFit
            The fit, before its training.
        """
        epochs = [plan.settings.max_epochs if plan.epochs is None else plan.epochs for plan in planned.plans]
        several = planned.n_nets > 1
        self._context = callback_context(self._told["estimator"], planned.n_nets if several else epochs[0])
        self._context.call_on_fit_task_begin(**self._told)
        contexts = [
            self._context.subcontext("fit-net", max_subtasks=n_epochs) if several else self._context
            for n_epochs in epochs
        ]
        return [
            replace(plan, observer=EpochTasks(context, self._told, planned, is_task=several))
            for plan, context in zip(planned.plans, contexts, strict=True)
        ]


class EpochTasks(NetObserver):
    """Tells scikit-learn's callbacks of the epochs of one net.

    Parameters
    ----------
    context : CallbackContext
        The task that the epochs belong to.
    told : dict
        What callbacks are given with every task.
    planned : PlannedFit
        The fit.
    is_task : bool
        Whether the net is a task of its own, which begins and ends with the net.
    """

    def __init__(self, context: Any, told: dict[str, Any], planned: PlannedFit, *, is_task: bool) -> None:
        self._context = context
        self._told = told
        self._planned = planned
        self._is_task = is_task
        self._epochs: list[Any] = []
        # A net that has to leave its stack, as memory is short, is trained anew.
        self._n_begun = 0

    def on_train_begin(self, net: MultiTaskNet, **kwargs: Any) -> None:
        """Count the epochs from the first."""
        self._n_begun = 0

    def begin_epoch(self, net: MultiTaskNet) -> None:
        """Begin the task of an epoch."""
        if self._is_task and not self._epochs:
            self._context.call_on_fit_task_begin(**self._told)
        self._n_begun += 1
        if self._n_begun > len(self._epochs):
            self._epochs.append(self._context.subcontext("epoch").call_on_fit_task_begin(**self._told))

    def end_epoch(self, net: MultiTaskNet) -> bool:
        """End the task of an epoch; return whether a callback asks to stop."""
        if self._n_begun < len(self._epochs):
            return False
        task = self._epochs[-1]
        stop: bool = task.call_on_fit_task_end(**self._told, reconstruction_attributes=self._attributes(net))
        return stop

    def end(self, net: MultiTaskNet) -> None:
        """End the task of the net."""
        if self._is_task:
            self._context.call_on_fit_task_end(**self._told, reconstruction_attributes=self._attributes(net))

    def _attributes(self, net: MultiTaskNet) -> Any:
        """Return a function that gives the attributes of an estimator with the net as it is now."""

        def attributes() -> dict[str, Any]:
            nets = [as_of_now(net, self._planned.untrained.blueprint)]
            return attributes_of(replace(self._planned.untrained, nets=nets), self._planned.reader)

        return attributes
