"""What callbacks, and parts of a net that are not this package's, hold beside tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skorch.callbacks import Callback, EpochTimer, PrintLog
from torch import nn

from sklearn_mtl.network import is_known
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.callback_copies import given_to
from sklearn_mtl.training.callback_events import is_of_the_user
from sklearn_mtl.training.checkpoints.values import CannotHold, Packer
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.observer import NetObserver

# Tensors, parts and hooks, which are no settings.
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


class CheckpointWriter(Callback):
    """What writes the checkpoint of a net, and is in none."""


def own_state(net: MultiTaskNet) -> dict[str, Any]:
    """Return the state of a net's callbacks, and the plain attributes of parts that are not the package's.

    Of a callback that is what it was not constructed with, or what its ``state_dict`` returns.

    Parameters
    ----------
    net : MultiTaskNet
        A net in training.

    Raises
    ------
    TypeError
        If a callback of the user's holds what can't be written.
    """
    return {
        "callbacks": [_of_callback(callback) for callback in _callbacks(net)],
        "attributes": {where: value for where, _, _, value in _attributes(net) if can_be_held(value)},
    }


def put_own_state(net: MultiTaskNet, state: Mapping[str, Any]) -> None:
    """Give a net's callbacks and parts the state that `own_state` has returned.

    Parameters
    ----------
    net : MultiTaskNet
        A net of the same plan, whose callbacks have been told of the beginning of its training.
    state : dict
        The result of `own_state`.
    """
    for callback, of_callback in zip(_callbacks(net), state["callbacks"], strict=True):
        _put_callback(callback, of_callback)
    for where, part, name, _ in list(_attributes(net)):
        if where in state["attributes"]:
            setattr(part, name, state["attributes"][where])


class Unwritten:
    """What a net's parts hold that can't be written, and must therefore stay as it is.

    Parameters
    ----------
    net : MultiTaskNet
        A net whose training begins.
    """

    def __init__(self, net: MultiTaskNet) -> None:
        self._net = net
        self._before = self._fingerprints()

    def check(self) -> None:
        """Raise a ``TypeError`` if training has changed any of it."""
        now = self._fingerprints()
        changed = [name for name in {**self._before, **now} if self._before.get(name) != now.get(name)]
        if changed:
            raise TypeError(
                "`checkpoint` must be None for a network whose training changes what can't be written down. "
                f"Found {changed[0]!r}; numbers, strings, lists, arrays and buffers can."
            )

    def _fingerprints(self) -> dict[str, Any]:
        found = {where: value for where, _, _, value in _attributes(self._net) if not can_be_held(value)}
        prints = {where: fingerprint(value) for where, value in found.items()}
        # What can't be pickled, such as a function within another, is the same as long as it is one object.
        return {where: one if isinstance(one, str) else id(found[where]) for where, one in prints.items()}


def can_be_held(value: Any) -> bool:
    """Whether a value can be written into a checkpoint."""
    try:
        Packer().pack(value, "value")
    except CannotHold:
        return False
    return True


def _callbacks(net: MultiTaskNet) -> list[Any]:
    # These look on, or print, and begin anew with each process.
    left_out = (NetObserver, CheckpointWriter, EpochTimer, PrintLog)
    return [callback for _, callback in net.callbacks_ if not isinstance(callback, left_out)]


def _of_callback(callback: Any) -> dict[str, Any]:
    if _keeps_state(callback):
        return {"state_dict": callback.state_dict()}
    given = given_to(callback)
    found = {name: _of_attribute(value) for name, value in vars(callback).items() if name not in given}
    for name, held in list(found.items()):
        # Of its own, what can't be written is made anew when training begins: bars, loggers, classes.
        if "value" in held and is_of_the_user(callback) and not can_be_held(held["value"]):
            if type(callback).__module__.partition(".")[0] != "skorch":
                raise TypeError(
                    "`callbacks` must hold what a checkpoint can write down: numbers, strings, lists, arrays "
                    "and tensors, or have state_dict and load_state_dict. "
                    f"Found `{name}` of {type(callback).__name__}, of type {type(held['value']).__name__}."
                )
            del found[name]
    return found


def _of_attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, Callback):
        return {"callback": _of_callback(value)}
    return {"state_dict": value.state_dict()} if _keeps_state(value) else {"value": value}


def _put_callback(callback: Any, state: Mapping[str, Any]) -> None:
    if _keeps_state(callback):
        callback.load_state_dict(state["state_dict"])
        return
    for name, held in state.items():
        ((how, value),) = held.items()
        if how == "value":
            setattr(callback, name, value)
        elif how == "callback":
            _put_callback(getattr(callback, name), value)
        else:
            getattr(callback, name).load_state_dict(value)


def _keeps_state(value: Any) -> bool:
    methods = ("state_dict", "load_state_dict")
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in methods)


def _attributes(net: MultiTaskNet) -> Iterator[tuple[str, nn.Module, str, Any]]:
    """Iterate over the plain attributes of parts that are not the package's, and of the balancer.

    Yields
    ------
    where : str
        The name of the attribute in the net.
    part : nn.Module
        What has it.
    name : str
        Its name there.
    value : object
        The attribute.
    """
    for kind, whole in (("network", net.network), ("loss", net.criterion_)):
        balancer = set(net.criterion_.balancer.modules())
        for prefix, part in whole.named_modules():
            of_torch = type(part).__module__.partition(".")[0] == "torch"
            if part not in balancer and (of_torch or is_known(part)):
                continue
            for name, value in vars(part).items():
                if name not in _OF_EVERY_MODULE:
                    yield f"{kind}.{prefix}.{name}", part, name, value
