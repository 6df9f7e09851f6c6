"""One step of training, taken by a net itself and by its stack, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_mtl.data.table import Batch, Table
from sklearn_mtl.network.torch_private import uncompiled
from sklearn_mtl.training.stacking.limits import is_out_of_memory
from sklearn_mtl.training.stacking.lockstep import Lockstep, Member
from sklearn_mtl.training.stacking.sources import Shares, padded, stacked_batch
from sklearn_mtl.training.stacking.stream import Stream
from sklearn_mtl.training.stacking.weights import trained_parameters

# Rows that are tried, with a label of every task if so many rows looked through have one; further rows, of
# zeros and without labels, must not change what comes of them.
N_ROWS, N_LOOKED_THROUGH, N_EMPTY = 16, 10_000, 2


@dataclass(frozen=True)
class Tolerance:
    """What rounding may make of the same step.

    Parameters
    ----------
    relative : float
        To the norm of a tensor.
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
    "loss": "other losses",
    "mass": "other weights of labels",
}


@dataclass(frozen=True, eq=False)
class OwnStep:
    """A net's own step, but for the optimizer's part; the gradients are on its parameters.

    Parameters
    ----------
    masks : list of tensor
        Of the dropout layers, as its stream draws them again.
    raw, penalty : tensor
        Raw outputs and penalty.
    loss, mass : tensor of shape (tasks,)
        Summed losses, and the weights of their labels.
    """

    masks: list[Tensor]
    raw: Tensor
    penalty: Tensor
    loss: Tensor
    mass: Tensor


def rows_to_try(tables: Sequence[Table], *, last: bool = False) -> dict[int, Batch]:
    """Return some rows of each table, as many of all, by its id.

    Parameters
    ----------
    tables : sequence of Table
        Each may be there several times.
    last : bool, default=False
        Whether they are taken from the end.
    """
    n_rows = min(N_ROWS, *map(len, tables))
    known: dict[int, Batch] = {}
    for table in tables:
        if id(table) not in known:
            known[id(table)] = table.rows(_labelled(table, n_rows, last=last))
    return known


def _labelled(table: Table, n_rows: int, *, last: bool) -> Tensor:
    """Return a row with a label of each task, the first that has one, and the first rows besides."""
    order = torch.arange(min(len(table), N_LOOKED_THROUGH), device=table.stored_weight.device)
    order = len(table) - 1 - order if last else order
    weight = table.stored_weight[table.blocks.place(order)]
    first = (weight > 0).to(torch.uint8).argmax(0).unique().tolist()
    chosen = list(dict.fromkeys([*first, *range(n_rows)]))[:n_rows]
    return order[chosen]


def own_step(lockstep: Lockstep, member: Member, batch: Batch) -> OwnStep | str:
    """Return a net's own step, or why it must be trained alone."""
    net, device = member.net, lockstep.settings.device
    module = uncompiled(net.module_)
    # A module may work in place, and others are given the same rows.
    batch = batch._replace(inputs={name: block.clone() for name, block in batch.inputs.items()})
    before = [_buffers(part) for part in (module, net.criterion_)]
    forget_gradients(member)
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
    stream = Stream(member.ready, [module.get_submodule(call.name) for call in lockstep.module.calls])
    masks = stream.masks(lockstep.module.calls, len(batch.y), batch.y)
    if device.type == "cpu" and not torch.equal(generator, stream.state.cpu):
        return "it draws random numbers other than by Dropout layers"
    penalty = raw.new_zeros(()) if penalty is None else penalty
    return OwnStep(masks, raw.detach(), penalty.detach(), step["task_loss"], step["task_mass"])


def forget_gradients(member: Member) -> None:
    """Take the gradients off a net's parameters."""
    for parameter in trained_parameters(member.net).values():
        parameter.grad = None


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def _changed_buffer(module: nn.Module, before: Mapping[str, Tensor]) -> str | None:
    """Return the name of a buffer that is not what it was before."""
    after = dict(module.named_buffers())
    names = [*before, *(name for name in after if name not in before)]
    return next((name for name in names if not _same(before.get(name), after.get(name))), None)


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None or first.shape != second.shape:
        return False
    return torch.equal(first, second) or bool(_equal(first, second).all())


def rows_of_stack(
    lockstep: Lockstep, steps: Sequence[OwnStep], rows: Mapping[int, Batch]
) -> tuple[Batch, list[Tensor]]:
    """Return the rows and masks of all nets' own steps, and empty rows, with networks in front."""
    device = lockstep.settings.device
    tables = [id(member.ready.plan.train) for member in lockstep.members]
    of_tables, of_nets = Shares(tables, device), Shares(range(len(steps)), device)
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
    lockstep: Lockstep, steps: Sequence[OwnStep], together: Sequence[Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Iterate over what the nets and the stack computed; yield what it is, and for which nets it differs.

    Parameters
    ----------
    lockstep : Lockstep
        Gradients are on its weights.
    steps : sequence of OwnStep
        Of its members.
    together : sequence of tensor
        What `Lockstep.put_gradients` returned.
    """
    tolerance = TOLERANCES[lockstep.settings.autocast or lockstep.settings.dtype]
    raw, *others = together
    for kind, stacked in zip(KINDS, (raw[:, : len(steps[0].raw)], *others), strict=True):
        own = torch.stack([getattr(step, kind) for step in steps])
        allowed = tolerance.relative * _norm(_finite(own)) + tolerance.outputs * own[0].numel() ** 0.5
        yield KINDS[kind], ~(_far(own, stacked) <= allowed)
    parameters = [trained_parameters(member.net) for member in lockstep.members]
    far: dict[str, Tensor] = {}
    norms: dict[str, Tensor] = {}
    for name, stack in lockstep.weights.trained.items():
        of_nets = [of_net[name] for of_net in parameters]
        # AdamW lets a parameter without gradient be, and decays one whose gradient is 0.
        lacks = torch.tensor([(tensor.grad is None) != (stack.grad is None) for tensor in of_nets])
        yield f"another gradient of {name!r}", lacks
        if stack.grad is not None:
            own = padded([torch.zeros_like(p) if p.grad is None else p.grad for p in of_nets])
            far[name], norms[name] = _far(own, stack.grad), _norm(_finite(own))
    largest = torch.stack(list(norms.values())).amax(0)
    for name, norm in norms.items():
        allowed = tolerance.relative * norm + tolerance.gradients * largest
        yield f"another gradient of {name!r}", ~(far[name] <= allowed)


def _far(own: Tensor, stacked: Tensor) -> Tensor:
    """Return the norm of what tensors differ by, (networks,); nan is no distance from nan."""
    return _norm(torch.where(_equal(own, stacked), 0.0, own - stacked))


def _norm(numbers: Tensor) -> Tensor:
    return numbers.reshape(len(numbers), -1).norm(dim=1)


def _finite(numbers: Tensor) -> Tensor:
    return torch.where(numbers.isfinite(), numbers, 0.0)


def _equal(first: Tensor, second: Tensor) -> Tensor:
    return (first == second) | ((first != first) & (second != second))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().split("\n")[0][:200]
