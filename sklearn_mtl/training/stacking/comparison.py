"""One step of training, taken by each net alone and by their stack, and compared.

Whether nets can be stacked is not read off their types: a user's module may look at other rows, draw random
numbers or count its calls. What is computed tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.data import Batch
from sklearn_mtl.messages import first_line
from sklearn_mtl.network.torch_state import is_out_of_memory
from sklearn_mtl.training.stacking.batches import padded, rows_to_try, stacked_rows_to_try
from sklearn_mtl.training.stacking.grouping import attribute_fingerprints, changed_attribute
from sklearn_mtl.training.stacking.joint_update import trained_parameters
from sklearn_mtl.training.stacking.own_step import (
    OwnStep,
    clear_gradients,
    equal,
    halved,
    own_step,
)
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.training.steps import Step


@dataclass(frozen=True)
class Tolerance:
    """What rounding may make of the same step.

    Parameters
    ----------
    relative : float
        Distance allowed, relative to the norm of a tensor.
    outputs : float
        What is allowed beside that for each number of the outputs and losses, which are near 1.
    gradients : float
        What is allowed beside that for a gradient, relative to the largest norm of any: in some tensors its
        terms cancel out.
    """

    relative: float
    outputs: float
    gradients: float


# In half precision many a unit near 0 is on in the one step and off in the other.
TOLERANCES = {
    torch.float64: Tolerance(1e-9, 1e-10, 1e-12),
    torch.float32: Tolerance(1e-3, 1e-4, 1e-6),
    torch.bfloat16: Tolerance(0.3, 0.03, 0.03),
}
KINDS = {
    "raw": "other outputs",
    "penalty": "another penalty",
    "task_loss": "other losses",
    "task_mass": "other weights of labels",
}


def remove_mismatches(trainer: StackedTrainer) -> dict[int, str]:
    """Leave out the nets that the stack does not train as they would train alone, and say why.

    One step is taken both ways, but for the optimizer's part, and compared: outputs, penalties, losses, the
    gradient of every parameter and the buffers of the balancer. It may change nothing else, neither buffers
    of the module nor plain attributes: a stack does not keep them for each net.

    Parameters
    ----------
    trainer : StackedTrainer
        Not yet run. Nets that are left out were changed by their step: they must be made ready anew.

    Returns
    -------
    dict of int to str
        The reason, by the position of a net.
    """
    # What was compared before a training was ended is not compared again when it goes on.
    kept = trainer.checkpoint
    return _removed(trainer) if kept is None else kept.not_stacked(trainer, _removed)


def _removed(trainer: StackedTrainer) -> dict[int, str]:
    members = list(trainer.members)
    tables = [member.ready.plan.train for member in members]
    found: dict[int, str] = {}
    mismatched: dict[int, str] | None = None
    # A unit within rounding of 0 is on in the one step and off in the other: such a difference does not
    # come again with other rows.
    for last in (False, True):
        certain, again = _compared(trainer, rows_to_try(tables, last=last))
        found |= certain
        mismatched = {place: again[place] for place in again if mismatched is None or place in mismatched}
        if not mismatched:
            break
    found |= mismatched or {}
    trainer.remove(found)
    trainer.weights.clear_gradients()
    for member in members:
        clear_gradients(member)
    return found


def _compared(trainer: StackedTrainer, rows: Mapping[int, Batch]) -> tuple[dict[int, str], dict[int, str]]:
    """Leave out the nets that must train alone whatever the rows; return those, and the mismatched ones."""
    alone: list[OwnStep] = []
    certain: dict[int, str] = {}
    for member in trainer.members:
        step = own_step(member, rows[id(member.ready.plan.train)], trainer.module.calls)
        if isinstance(step, str):
            certain[member.position] = step
        else:
            alone.append(step)
    trainer.remove(certain)
    if not alone:
        return certain, {}
    together = _stacked_step(trainer, alone, rows)
    if isinstance(together, str):
        certain |= {member.position: together for member in trainer.members}
        trainer.remove(certain)
        return certain, {}
    mismatched: dict[int, str] = {}
    for what, differs in differences(trainer, alone, together):
        for member, of_member in zip(trainer.members, differs.tolist(), strict=True):
            if of_member:
                mismatched.setdefault(member.position, f"stacked, it computes something else: {what}")
    return certain, mismatched


def _stacked_step(trainer: StackedTrainer, alone: Sequence[OwnStep], rows: Mapping[int, Batch]) -> Step | str:
    """Return the step of a stack, or why its nets must be trained alone."""
    # One module and one balancer work for all.
    balancer = trainer.loss.balancer
    parts: tuple[nn.Module, ...] = (trainer.module.pattern, balancer.pattern)
    try:
        before = [attribute_fingerprints(part) for part in parts]
        together = trainer.put_gradients(*_rows_of_all(trainer, alone, rows))
        if balancer.has_after_step:
            balancer.after_step(halved(together))
        changed = [changed_attribute(part, earlier) for part, earlier in zip(parts, before, strict=True)]
        changed.append(_changed_by_epoch(balancer.pattern, alone[0]))
    # What vmap raises is of many kinds.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"vmap can't batch it: {first_line(error)}"
    name = next(filter(None, changed), None)
    return together if name is None else f"training changes its attribute {name!r}, which is no buffer"


def _rows_of_all(
    trainer: StackedTrainer, steps: Sequence[OwnStep], rows: Mapping[int, Batch]
) -> tuple[Batch, list[Tensor]]:
    """Return the rows and masks of all nets' own steps, with a leading network axis."""
    tables = [id(member.ready.plan.train) for member in trainer.members]
    return stacked_rows_to_try(rows, tables, [step.masks for step in steps], trainer.settings.device)


def differences(
    trainer: StackedTrainer, steps: Sequence[OwnStep], together: Step
) -> Iterator[tuple[str, Tensor]]:
    """Iterate over what the nets and the stack computed; yield what it is, and for which nets it differs.

    Parameters
    ----------
    trainer : StackedTrainer
        Gradients are on its weights, and its balancer has the buffers after the step.
    steps : sequence of OwnStep
        The own steps of its members.
    together : dict of str to tensor
        What `StackedTrainer.put_gradients` returned.
    """
    tolerance = TOLERANCES[trainer.settings.autocast or trainer.settings.dtype]
    for what, own, stacked in _outputs(steps, together, trainer.loss.balancer.after):
        allowed = tolerance.relative * _norm(_finite(own)) + tolerance.outputs * own[0].numel() ** 0.5
        yield what, ~(_distance(own, stacked) <= allowed)
    parameters = [trained_parameters(member.net) for member in trainer.members]
    distances: dict[str, Tensor] = {}
    norms: dict[str, Tensor] = {}
    for name, stack in trainer.weights.trained.items():
        of_nets = [of_net[name] for of_net in parameters]
        # AdamW lets a parameter without gradient be, and decays one whose gradient is 0.
        lacks = torch.tensor([(tensor.grad is None) != (stack.grad is None) for tensor in of_nets])
        yield f"another gradient of {name!r}", lacks
        if stack.grad is not None:
            own = padded([torch.zeros_like(p) if p.grad is None else p.grad for p in of_nets])
            distances[name], norms[name] = _distance(own, stack.grad), _norm(_finite(own))
    largest = torch.stack(list(norms.values())).amax(0)
    for name, norm in norms.items():
        allowed = tolerance.relative * norm + tolerance.gradients * largest
        yield f"another gradient of {name!r}", ~(distances[name] <= allowed)


def _outputs(
    steps: Sequence[OwnStep], together: Step, buffers: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield what nets and stack compute beside the gradients: what it is, the nets', the stack's."""
    n_rows = len(steps[0].results["raw"])
    for kind, what in KINDS.items():
        own = torch.stack([step.results[kind] for step in steps])
        # The stack's outputs for the empty rows have no counterpart in the nets' own steps.
        yield what, own, together[kind][:, :n_rows] if kind == "raw" else together[kind]
    for name, stacked in buffers.items():
        own = torch.stack([step.buffers[name] for step in steps])
        yield f"another buffer {name!r} of its balancer", own.double(), stacked.double()


def _distance(own: Tensor, stacked: Tensor) -> Tensor:
    """Return the norm of what tensors differ by, (networks,); nan is no distance from nan."""
    return _norm(torch.where(equal(own, stacked), 0.0, own - stacked))


def _norm(numbers: Tensor) -> Tensor:
    return numbers.reshape(len(numbers), -1).norm(dim=1)


def _finite(numbers: Tensor) -> Tensor:
    return torch.where(numbers.isfinite(), numbers, 0.0)


def _changed_by_epoch(balancer: Balancer, step: OwnStep) -> str | None:
    """Return the name of a plain attribute that the end of an epoch changes: each net has its buffers."""
    if type(balancer).end_epoch is Balancer.end_epoch:
        return None
    copy = deepcopy(balancer)
    before = attribute_fingerprints(copy)
    copy.end_epoch(halved(step.results))
    return changed_attribute(copy, before)
