"""One step of training, taken by each net alone and by their stack, and compared.

Whether nets can be stacked is not read off their types: a user's module may look at other rows, draw random
numbers or count its calls. What is computed tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.data.table import Batch
from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.stacking.batches import (
    Assignment,
    RandomNumbers,
    dropout_layers,
    padded,
    rows_to_try,
    stacked_batch,
)
from sklearn_mtl.training.stacking.grouping import is_out_of_memory, plain_attributes
from sklearn_mtl.training.stacking.trainer import Member, StackedTrainer
from sklearn_mtl.training.stacking.weights import trained_parameters
from sklearn_mtl.training.steps import Step

# Rows of zeros and without labels, which must not change what comes of the others.
N_EMPTY = 2


@dataclass(frozen=True)
class Tolerance:
    """What rounding may make of the same step.

    Parameters
    ----------
    relative : float
        Relative to the norm of a tensor.
    outputs : float
        Of each number beside that, in outputs and losses, which are near 1.
    gradients : float
        Beside that, relative to the largest norm of a gradient: in some tensors its terms cancel out.
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


@dataclass(frozen=True, eq=False)
class OwnStep:
    """A net's own step, but for the optimizer's part; the gradients are on its parameters.

    Parameters
    ----------
    masks : list of tensor
        The masks of the dropout layers, as `RandomNumbers` draws them again.
    found : dict of str to tensor
        By the names in `KINDS`, raw outputs, penalty, summed losses, and the weights of their labels.
    """

    masks: list[Tensor]
    found: Step


def remove_mismatches(trainer: StackedTrainer) -> dict[int, str]:
    """Leave out the nets that the stack does not train as they would train alone, and say why.

    One step is taken both ways, but for the optimizer's part, and compared: outputs, penalties, losses,
    and the gradient of every parameter. It may change nothing else, neither buffers nor plain attributes:
    a stack does not keep them for each net.

    Parameters
    ----------
    trainer : StackedTrainer
        Not yet run. Nets that are left out were changed by their step: they must be made ready anew.

    Returns
    -------
    dict of int to str
        The reason, by the position of a net.
    """
    members = list(trainer.members)
    tables = [member.ready.plan.train for member in members]
    found: dict[int, str] = {}
    unlike: dict[int, str] | None = None
    # A unit within rounding of 0 is on in the one step and off in the other: such a difference does not
    # come again with other rows.
    for last in (False, True):
        certain, again = _compared(trainer, rows_to_try(tables, last=last))
        found |= certain
        unlike = {place: again[place] for place in again if unlike is None or place in unlike}
        if not unlike:
            break
    found |= unlike or {}
    trainer.remove(found)
    trainer.weights.clear_gradients()
    for member in members:
        _clear_gradients(member)
    return found


def _compared(trainer: StackedTrainer, rows: Mapping[int, Batch]) -> tuple[dict[int, str], dict[int, str]]:
    """Leave out the nets that must train alone whatever the rows; return those, and the unlike ones."""
    alone: list[OwnStep] = []
    certain: dict[int, str] = {}
    for member in trainer.members:
        step = _own_step(trainer, member, rows[id(member.ready.plan.train)])
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
    unlike: dict[int, str] = {}
    for what, differs in differences(trainer, alone, together):
        for member, of_member in zip(trainer.members, differs.tolist(), strict=True):
            if of_member:
                unlike.setdefault(member.position, f"stacked, it computes something else: {what}")
    return certain, unlike


def _own_step(trainer: StackedTrainer, member: Member, batch: Batch) -> OwnStep | str:
    """Return a net's own step, or why it must be trained alone."""
    net, device = member.net, trainer.settings.device
    module = uncompiled(net.module_)
    # A module may work in place, and others are given the same rows.
    batch = batch._replace(inputs={name: block.clone() for name, block in batch.inputs.items()})
    before = [_buffers(part) for part in (module, net.criterion_)]
    _clear_gradients(member)
    try:
        with member.ready.generator.restored(device):
            net.module_.train()
            raw, penalty = net.training_outputs(batch)
            step = net.put_gradients(batch, raw, penalty)
            generator = torch.get_rng_state()
    # A user's module or balancer may raise anything, and does so again when the net is trained.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"its step fails: {first_line(error)}"
    of_module, of_loss = (
        _changed_buffer(part, values) for part, values in zip((module, net.criterion_), before, strict=True)
    )
    if of_module is not None:
        return f"training changes its buffer {of_module!r}, as batch normalization does"
    if of_loss is not None:
        return f"each step changes the buffer {of_loss.removeprefix('balancer.')!r} of its balancer"
    calls = trainer.module.calls
    random = RandomNumbers(member.ready, dropout_layers(member.ready, calls))
    masks = random.masks(calls, len(batch.y), batch.y)
    # On a CPU all that was drawn is known. On a GPU the generator's state does not tell; the comparison does.
    if device.type == "cpu" and not torch.equal(generator, random.state.cpu):
        return "it draws random numbers other than by Dropout layers"
    penalty = raw.new_zeros(()) if penalty is None else penalty
    return OwnStep(masks, {**step, "raw": raw.detach(), "penalty": penalty.detach()})


def _stacked_step(trainer: StackedTrainer, alone: Sequence[OwnStep], rows: Mapping[int, Batch]) -> Step | str:
    """Return the step of a stack, or why its nets must be trained alone."""
    # One module and one balancer work for all.
    parts = (trainer.module.pattern, trainer.loss.balancer)
    try:
        before = [_attribute_marks(part) for part in parts]
        together = trainer.put_gradients(*_stacked_rows(trainer, alone, rows))
        changed = [_changed_attribute(part, marks) for part, marks in zip(parts, before, strict=True)]
        changed.append(_changed_by_epoch(trainer.loss.balancer, alone[0]))
    # What vmap raises is of many kinds.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"vmap can't batch it: {first_line(error)}"
    name = next(filter(None, changed), None)
    return together if name is None else f"training changes its attribute {name!r}, which is no buffer"


def _stacked_rows(
    trainer: StackedTrainer, steps: Sequence[OwnStep], rows: Mapping[int, Batch]
) -> tuple[Batch, list[Tensor]]:
    """Return the rows and masks of all nets' own steps, and empty rows, with networks in front."""
    device = trainer.settings.device
    tables = [id(member.ready.plan.train) for member in trainer.members]
    of_tables, of_nets = Assignment(tables, device), Assignment(range(len(steps)), device)
    batches = [rows[tables[first]] for first in of_tables.first]
    longer = [
        Batch({name: _longer(block) for name, block in inputs.items()}, _longer(y), _longer(weight))
        for inputs, y, weight in batches
    ]
    masks = zip(*([_longer(mask) for mask in step.masks] for step in steps), strict=True)
    return stacked_batch(longer, of_tables), [of_nets.expand(layer) for layer in masks]


def _longer(tensor: Tensor) -> Tensor:
    return torch.cat([tensor, tensor.new_zeros((N_EMPTY, *tensor.shape[1:]))])


def differences(
    trainer: StackedTrainer, steps: Sequence[OwnStep], together: Step
) -> Iterator[tuple[str, Tensor]]:
    """Iterate over what the nets and the stack computed; yield what it is, and for which nets it differs.

    Parameters
    ----------
    trainer : StackedTrainer
        Gradients are on its weights.
    steps : sequence of OwnStep
        The own steps of its members.
    together : dict of str to tensor
        What `StackedTrainer.put_gradients` returned.
    """
    tolerance = TOLERANCES[trainer.settings.autocast or trainer.settings.dtype]
    n_rows = len(steps[0].found["raw"])
    for kind, what in KINDS.items():
        own = torch.stack([step.found[kind] for step in steps])
        # The outputs for the empty rows are nobody's.
        stacked = together[kind][:, :n_rows] if kind == "raw" else together[kind]
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


def _distance(own: Tensor, stacked: Tensor) -> Tensor:
    """Return the norm of what tensors differ by, (networks,); nan is no distance from nan."""
    return _norm(torch.where(_equal(own, stacked), 0.0, own - stacked))


def _norm(numbers: Tensor) -> Tensor:
    return numbers.reshape(len(numbers), -1).norm(dim=1)


def _finite(numbers: Tensor) -> Tensor:
    return torch.where(numbers.isfinite(), numbers, 0.0)


def _equal(first: Tensor, second: Tensor) -> Tensor:
    return (first == second) | ((first != first) & (second != second))


def _clear_gradients(member: Member) -> None:
    for parameter in trained_parameters(member.net).values():
        parameter.grad = None


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def _changed_buffer(module: nn.Module, before: Mapping[str, Tensor]) -> str | None:
    """Return the name of a buffer that is not what it was before."""
    after = dict(module.named_buffers())
    return _first_changed(
        before, after, lambda one, other: one.shape == other.shape and bool(_equal(one, other).all())
    )


def _changed_by_epoch(balancer: Balancer, step: OwnStep) -> str | None:
    """Return the name of a plain attribute that the end of an epoch changes: each net has its buffers."""
    if type(balancer).end_epoch is Balancer.end_epoch:
        return None
    copy = deepcopy(balancer)
    before = _attribute_marks(copy)
    copy.end_epoch(step.found["task_loss"] / step.found["task_mass"].clamp_min(1e-30))
    return _changed_attribute(copy, before)


def _changed_attribute(module: nn.Module, before: Mapping[str, Any]) -> str | None:
    """Return the name of a plain attribute that is not what it was before."""
    return _first_changed(before, _attribute_marks(module), lambda one, other: one == other)


def _attribute_marks(module: nn.Module) -> dict[str, Any]:
    """Return by name what tells the values of a module's plain attributes apart."""
    marks = {}
    for name, value in plain_attributes(module):
        found = fingerprint(value)
        # What can't be pickled, such as a function within another, is the same as long as it is one object.
        marks[name] = found if isinstance(found, str) else id(value)
    return marks


def _first_changed(
    before: Mapping[str, Any], after: Mapping[str, Any], same: Callable[[Any, Any], bool]
) -> str | None:
    """Return the first name that only one of two mappings has, or whose values are not the same."""
    names = [*before, *(name for name in after if name not in before)]
    return next(
        (n for n in names if n not in before or n not in after or not same(before[n], after[n])), None
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().split("\n")[0][:200]
