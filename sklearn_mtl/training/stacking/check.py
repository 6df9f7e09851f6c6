"""Which nets can be stacked: by what is known of them, and by trying it."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.training.batches import Batch
from sklearn_mtl.training.fit import Begun
from sklearn_mtl.training.net import uncompiled
from sklearn_mtl.training.stacking.arrangement import few_rows
from sklearn_mtl.training.stacking.lockstep import Lockstep, Member
from sklearn_mtl.training.stacking.sources import Shares, stacked_batch
from sklearn_mtl.training.stacking.stream import Stream

# Rows that are tried out; two more, of zeros, must not change what comes of them.
N_ROWS, N_EMPTY = 4, 2
# Relative and absolute: what rounding may make of the same network.
TOLERANCE = {torch.float64: (1e-9, 1e-10), torch.float32: (1e-3, 1e-4)}


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


def structure(begun: Begun) -> Hashable:
    """Return what nets of one stack have in common, but for widths."""
    module, settings = uncompiled(begun.net.module_), begun.plan.settings
    losses = begun.net.criterion_.losses
    return (
        tuple((name, type(part)) for name, part in module.named_modules()),
        tuple((name, value.ndim, value.requires_grad) for name, value in module.named_parameters()),
        tuple((name, value.ndim, value.dtype) for name, value in module.named_buffers()),
        type(begun.net.criterion_.balancer),
        tuple((group.columns.stop, group.raw.stop) for group in losses.groups),
        tuple(losses.column_task.tolist()),
        (settings.batch_size, settings.device, settings.dtype, settings.autocast),
        (begun.plan.valid is None, settings.ema_decay is None),
    )


def misfits(lockstep: Lockstep) -> dict[int, str]:
    """Return the nets that the stack does not compute as they would themselves, and why.

    Parameters
    ----------
    lockstep : Lockstep
        Not yet run; as it was afterwards.
    """
    members = lockstep.members
    batches = [few_rows(member.begun.plan.train, N_ROWS) for member in members]
    own: list[Tensor] = []
    found: dict[int, str] = {}
    masks = []
    for member, batch in zip(members, batches, strict=True):
        raw, drawn, reason = _alone(lockstep, member, batch)
        own.append(raw)
        masks.append(drawn)
        if reason is not None:
            found[member.position] = reason
    if len(found) == len(members):
        return found
    shares = Shares(range(len(members)), lockstep.settings.device)
    rows = [_with_empty_rows(batch) for batch in batches]
    try:
        raw, _ = lockstep.forward(
            stacked_batch(rows, shares),
            [shares.expand(layer) for layer in zip(*masks, strict=True)],
            training=True,
        )
        lockstep.gradient(raw, stacked_batch(rows, shares))
    except Exception as error:
        return {member.position: f"vmap can't batch it: {_first_line(error)}" for member in members}
    for slot, member in enumerate(members):
        relative, absolute = TOLERANCE[raw.dtype]
        same = torch.allclose(raw[slot, : len(own[slot])], own[slot], rtol=relative, atol=absolute)
        if not same:
            found.setdefault(member.position, "stacked, it computes something else")
    return found


def _alone(lockstep: Lockstep, member: Member, batch: Batch) -> tuple[Tensor, list[Tensor], str | None]:
    """Return a net's own raw outputs in training, the masks of its stream, and what keeps it alone."""
    module = uncompiled(member.net.module_)
    before = {name: value.clone() for name, value in module.named_buffers()}
    device = lockstep.settings.device
    state = member.begun.generator
    with state.restored(device), torch.no_grad(), member.net.autocast_now():
        raw = module.train()(batch.inputs).to(batch.y.dtype)
        after = torch.get_rng_state()
    changed = [name for name, value in module.named_buffers() if not torch.equal(value, before[name])]
    for name, value in module.named_buffers():
        value.copy_(before[name])
    layers = [module.get_submodule(call.name) for call in lockstep.module.calls]
    stream = Stream(member.begun, layers)
    masks = stream.masks(lockstep.module.calls, len(batch.y), batch.y)
    masks = [torch.cat([mask, mask.new_zeros((N_EMPTY, *mask.shape[1:]))]) for mask in masks]
    if changed:
        return raw, masks, f"training changes its buffer {changed[0]!r}, as batch normalization does"
    if device.type == "cpu" and not torch.equal(after, stream.state.cpu):
        return raw, masks, "it draws random numbers other than by Dropout layers"
    return raw, masks, None


def _with_empty_rows(batch: Batch) -> Batch:
    def longer(tensor: Tensor) -> Tensor:
        return torch.cat([tensor, tensor.new_zeros((N_EMPTY, *tensor.shape[1:]))])

    inputs = {name: longer(block) for name, block in batch.inputs.items()}
    return Batch(inputs, longer(batch.y), longer(batch.weight))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
