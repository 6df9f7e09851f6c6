"""Which nets can be stacked: by what is known of them, and by trying a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from sklearn_mtl.balancing import Balancer, LossBalancer
from sklearn_mtl.training.batches import Batch
from sklearn_mtl.training.fingerprint import fingerprint
from sklearn_mtl.training.fit import Begun
from sklearn_mtl.training.stacking.lockstep import Lockstep
from sklearn_mtl.training.stacking.step import (
    OwnStep,
    differences,
    first_line,
    own_step,
    rows_of_stack,
    rows_to_try,
)
from sklearn_mtl.training.stacking.structure import plain_attributes
from sklearn_mtl.training.stacking.weights import trained_parameters


def why_alone(begun: Begun) -> str | None:
    """Return why a net can't be in any stack, by its settings; None where nothing speaks against it."""
    settings = begun.plan.settings
    if settings.optimizer is not torch.optim.AdamW:
        return f"its optimizer is {settings.optimizer.__name__}, and stacks have AdamW"
    if settings.callbacks:
        return "its callbacks are given one net at each step"
    if settings.lr_schedule is not None and not isinstance(settings.lr_schedule, str):
        return "its lr_schedule is a callback"
    if settings.compile:
        return "it is compiled"
    balancer = type(begun.net.criterion_.balancer)
    if not issubclass(balancer, LossBalancer):
        return f"{balancer.__name__} balances gradients"
    if balancer.backward is not LossBalancer.backward:
        return f"{balancer.__name__} has a backward of its own"
    return None


def leave_out_misfits(lockstep: Lockstep) -> dict[int, str]:
    """Leave out the nets that the stack does not train as they would train themselves, and say why.

    One step is taken both ways, but for the optimizer's part, and compared: outputs, penalties, losses,
    and the gradient of every parameter. It may change nothing else, neither buffers nor plain attributes:
    a stack does not keep them for each net.

    Parameters
    ----------
    lockstep : Lockstep
        Not yet run. Nets that are left out were changed by their step: they must be begun anew.

    Returns
    -------
    dict of int to str
        The reason, by the position of a net.
    """
    members = list(lockstep.members)
    rows = rows_to_try([member.begun.plan.train for member in members])
    found: dict[int, str] = {}
    alone: list[OwnStep] = []
    for member in members:
        step = own_step(lockstep, member, rows[id(member.begun.plan.train)])
        if isinstance(step, str):
            found[member.position] = step
        else:
            alone.append(step)
    lockstep.abandon(found)
    if alone:
        found |= _unlike(lockstep, alone, rows)
        lockstep.abandon(found)
    lockstep.weights.clear_gradients()
    for member in members:
        for parameter in trained_parameters(member.net).values():
            parameter.grad = None
    return found


def _unlike(lockstep: Lockstep, alone: Sequence[OwnStep], rows: Mapping[int, Batch]) -> dict[int, str]:
    """Return the nets whose own step is another than their part of the stack's, and why."""
    members = lockstep.members
    try:
        # One module and one balancer work for all.
        parts = (lockstep.module.pattern, lockstep.arrangement.balancer)
        before = [_marks(part) for part in parts]
        together = lockstep.put_gradients(*rows_of_stack(lockstep, alone, rows))
        changed = [_changed(part, marks) for part, marks in zip(parts, before, strict=True)]
        changed.append(_changed_by_epoch(lockstep.arrangement.balancer, alone[0]))
        name = next(filter(None, changed), None)
        reason = None if name is None else f"training changes its attribute {name!r}, which is no buffer"
    # What vmap raises is of many kinds.
    except Exception as error:
        reason = f"vmap can't batch it: {first_line(error)}"
    if reason is not None:
        return {member.position: reason for member in members}
    found: dict[int, str] = {}
    for what, differs in differences(lockstep, alone, together):
        for member, of_member in zip(members, differs.tolist(), strict=True):
            if of_member:
                found.setdefault(member.position, f"stacked, it computes something else: {what}")
    return found


def _changed_by_epoch(balancer: Balancer, step: OwnStep) -> str | None:
    """Return the name of a plain attribute that the end of an epoch changes: each net has its buffers."""
    if type(balancer).end_epoch is Balancer.end_epoch:
        return None
    copy = deepcopy(balancer)
    before = _marks(copy)
    copy.end_epoch(step.loss / step.mass.clamp_min(1e-30))
    return _changed(copy, before)


def _changed(module: nn.Module, before: Mapping[str, Any]) -> str | None:
    after = _marks(module)
    names = [*before, *(name for name in after if name not in before)]
    return next((name for name in names if before.get(name) != after.get(name)), None)


def _marks(module: nn.Module) -> dict[str, Any]:
    """Return by name what tells the values of a module's plain attributes apart."""
    marks = {}
    for name, value in plain_attributes(module):
        found = fingerprint(value)
        # What can't be pickled, such as a function within another, is the same as long as it is one object.
        marks[name] = found if isinstance(found, str) else id(value)
    return marks
