"""Which nets can be stacked: by what is known of them, and by trying a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer, LossBalancer
from sklearn_mtl.data.table import Batch
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.runs import ReadyNet
from sklearn_mtl.training.stacking.limits import is_out_of_memory
from sklearn_mtl.training.stacking.lockstep import Lockstep
from sklearn_mtl.training.stacking.step import (
    OwnStep,
    differences,
    first_line,
    forget_gradients,
    own_step,
    rows_of_stack,
    rows_to_try,
)
from sklearn_mtl.training.stacking.structure import plain_attributes


def why_alone(ready: ReadyNet) -> str | None:
    """Return why a net can't be in any stack, by its settings; None where nothing speaks against it."""
    settings = ready.plan.settings
    if settings.optimizer is not torch.optim.AdamW:
        return f"its optimizer is {settings.optimizer.__name__}, and stacks have AdamW"
    if settings.callbacks:
        return "its callbacks are given one net at each step"
    if settings.lr_schedule is not None and not isinstance(settings.lr_schedule, str):
        return "its lr_schedule is a callback"
    if settings.compile:
        return "it is compiled"
    balancer = type(ready.net.criterion_.balancer)
    if not issubclass(balancer, LossBalancer):
        return f"{balancer.__name__} balances gradients"
    if balancer.backward is not LossBalancer.backward:
        return f"{balancer.__name__} has a backward of its own"
    if ready.net.criterion_.balancer.has_after_step:
        return f"{balancer.__name__} looks at the losses after each step"
    return None


def leave_out_misfits(lockstep: Lockstep) -> dict[int, str]:
    """Leave out the nets that the stack does not train as they would train themselves, and say why.

    One step is taken both ways, but for the optimizer's part, and compared: outputs, penalties, losses,
    and the gradient of every parameter. It may change nothing else, neither buffers nor plain attributes:
    a stack does not keep them for each net.

    Parameters
    ----------
    lockstep : Lockstep
        Not yet run. Nets that are left out were changed by their step: they must be made ready anew.

    Returns
    -------
    dict of int to str
        The reason, by the position of a net.
    """
    members = list(lockstep.members)
    tables = [member.ready.plan.train for member in members]
    found: dict[int, str] = {}
    unlike: dict[int, str] | None = None
    # A unit within rounding of 0 is on in the one step and off in the other: such a difference does not
    # come again with other rows.
    for last in (False, True):
        certain, again = _tried(lockstep, rows_to_try(tables, last=last))
        found |= certain
        unlike = {place: again[place] for place in again if unlike is None or place in unlike}
        if not unlike:
            break
    found |= unlike or {}
    lockstep.abandon(found)
    lockstep.weights.clear_gradients()
    for member in members:
        forget_gradients(member)
    return found


def _tried(lockstep: Lockstep, rows: Mapping[int, Batch]) -> tuple[dict[int, str], dict[int, str]]:
    """Leave out the nets that must be trained alone whatever the rows; return those, and the unlike ones."""
    alone: list[OwnStep] = []
    certain: dict[int, str] = {}
    for member in lockstep.members:
        step = own_step(lockstep, member, rows[id(member.ready.plan.train)])
        if isinstance(step, str):
            certain[member.position] = step
        else:
            alone.append(step)
    lockstep.abandon(certain)
    if not alone:
        return certain, {}
    together = _stack_step(lockstep, alone, rows)
    if isinstance(together, str):
        certain |= {member.position: together for member in lockstep.members}
        lockstep.abandon(certain)
        return certain, {}
    unlike: dict[int, str] = {}
    for what, differs in differences(lockstep, alone, together):
        for member, of_member in zip(lockstep.members, differs.tolist(), strict=True):
            if of_member:
                unlike.setdefault(member.position, f"stacked, it computes something else: {what}")
    return certain, unlike


def _stack_step(
    lockstep: Lockstep, alone: Sequence[OwnStep], rows: Mapping[int, Batch]
) -> Sequence[Tensor] | str:
    """Return the step of a stack, or why its nets must be trained alone."""
    # One module and one balancer work for all.
    parts = (lockstep.module.pattern, lockstep.arrangement.balancer)
    try:
        before = [_marks(part) for part in parts]
        together = lockstep.put_gradients(*rows_of_stack(lockstep, alone, rows))
        changed = [_changed(part, marks) for part, marks in zip(parts, before, strict=True)]
        changed.append(_changed_by_epoch(lockstep.arrangement.balancer, alone[0]))
    # What vmap raises is of many kinds.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"vmap can't batch it: {first_line(error)}"
    name = next(filter(None, changed), None)
    return together if name is None else f"training changes its attribute {name!r}, which is no buffer"


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
