"""What a fit leaves on the estimator, and its state for pickles and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

from sklearn_mtl.estimators.fitting import Fitted
from sklearn_mtl.estimators.html import tasks_html
from sklearn_mtl.estimators.inferred import Seen
from sklearn_mtl.tasks import KINDS
from sklearn_mtl.training import history_frame, pack_net, resolve_device, unpack_net

# What `_keep` sets from what was fitted.
DERIVED = frozenset({"tasks_", "classes_", "nets_", "net_", "history_", "n_iter_"})


class FittedState(BaseEstimator):
    """Keeps what was fitted, shows it, and pickles it as arrays and types of this package."""

    def _keep(self, fitted: Fitted) -> Self:
        """Take over what a fit left."""
        # What is raised holds all frames that it passed, and their data.
        self._fitted = replace(fitted, interrupt=None)
        # Any: what a task has beside the base's methods is the affair of its kind.
        self.tasks_: dict[str, Any] = {task.name: task for task in fitted.tasks}
        self.nets_ = fitted.nets
        self.net_ = fitted.nets[0]
        self.history_ = history_frame(fitted.nets, fitted.tasks)
        self.n_iter_ = max(len(net.history) for net in fitted.nets)
        self.__dict__.setdefault("interrupted_", False)
        classes = {name: task.classes for name, task in self.tasks_.items() if task.has_classes}
        if classes:
            self.classes_ = fitted.layout.restore_classes(classes)
        elif hasattr(self, "classes_"):
            del self.classes_
        return self

    @contextmanager
    def _fitting(self) -> Iterator[Callable[[Fitted], None]]:
        """Hand out what takes over the result of a fit; be as before where the fit fails.

        Ctrl-C that has ended the fit early is passed on once its result is taken over.
        """
        before, interrupt = dict(self.__dict__), None

        def take(fitted: Fitted) -> None:
            nonlocal interrupt
            self._keep(fitted)
            interrupt = fitted.interrupt

        try:
            yield take
        except BaseException as error:
            self.__dict__.clear()
            self.__dict__.update(before)
            if isinstance(error, KeyboardInterrupt):
                self.interrupted_ = True
            raise
        self.interrupted_ = interrupt is not None
        if interrupt is not None:
            raise interrupt

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is something to predict with."""
        return hasattr(self, "_fitted")

    def _html_repr(self) -> str:
        """Return scikit-learn's picture, and below it, once fitted, the tasks."""
        picture: str = estimator_html_repr(self)
        return picture + tasks_html(self._fitted) if hasattr(self, "_fitted") else picture

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling: networks as arrays, so that it loads on any machine."""
        state: dict[str, Any] = super().__getstate__()
        # Rows of a search that is scoring are no part of what was fitted.
        state.pop("_shared", None)
        if "_fitted" in state:
            state = {key: value for key, value in state.items() if key not in {*DERIVED, "_fold"}}
            state["_fitted"] = pack_fitted(self._fitted)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a pickled state over, and build the networks anew."""
        packed = state.get("_fitted")
        super().__setstate__({key: value for key, value in state.items() if key != "_fitted"})
        if packed is not None:
            self._keep(unpack_fitted(self, packed))


def pack_fitted(fitted: Fitted) -> dict[str, Any]:
    """Return what was fitted, its nets as arrays.

    Parameters
    ----------
    fitted : Fitted
        What ``fit`` left behind.
    """
    return {
        "encoder": fitted.encoder,
        "blueprint": fitted.blueprint,
        "layout": fitted.layout,
        "split_seed": fitted.split_seed,
        "kinds": dict(fitted.kinds),
        "n_splits": fitted.n_splits,
        "left_out": list(fitted.left_out),
        "seen": {name: [seen.values, seen.gap] for name, seen in fitted.seen.items()},
        "nets": [pack_net(net) for net in fitted.nets],
    }


def unpack_fitted(estimator: Any, state: dict[str, Any]) -> Fitted:
    """Return what was fitted, its nets built anew.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters say where the nets go; a device that is not here gives way to the CPU.
    state : dict
        Of `pack_fitted`.
    """
    try:
        device = resolve_device(estimator.device)
    except ValueError:
        device = resolve_device("cpu")
    nets = [unpack_net(net, state["blueprint"], device) for net in state["nets"]]
    # A state of before kinds were kept has tasks of the package's own kinds only, and all nets of its bag.
    kinds = state.get("kinds") or {task.name: KINDS[task.kind]() for task in state["blueprint"].tasks}
    return Fitted(
        state["encoder"],
        state["blueprint"],
        state["layout"],
        nets,
        state["split_seed"],
        kinds,
        state.get("n_splits", len(nets)),
        state.get("left_out", ()),
        {name: Seen(*seen) for name, seen in state.get("seen", {}).items()},
    )
