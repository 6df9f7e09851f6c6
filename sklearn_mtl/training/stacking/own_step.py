"""One step of training as a net takes it alone, and what of it a stack does not keep for each net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.data import Batch, Table
from sklearn_mtl.messages import first_line
from sklearn_mtl.network.balanced_loss import BalancedLoss
from sklearn_mtl.network.generators import GeneratorState
from sklearn_mtl.network.torch_state import is_out_of_memory
from sklearn_mtl.training.parameter_groups import are_frozen
from sklearn_mtl.training.stacking.batches import RandomNumbers, dropout_layers
from sklearn_mtl.training.stacking.grouping import first_changed
from sklearn_mtl.training.stacking.joint_update import trained_parameters
from sklearn_mtl.training.stacking.module import DropoutCall
from sklearn_mtl.training.stacking.trainer import Member
from sklearn_mtl.training.steps import Step


@dataclass(frozen=True, eq=False)
class OwnStep:
    """A net's own step, but for the optimizer's part; the gradients are on its parameters.

    Parameters
    ----------
    masks : list of tensor
        The masks of the dropout layers, as `RandomNumbers` draws them again.
    results : dict of str to tensor
        What `training_step` returns, and the ``raw`` outputs and ``penalty``.
    buffers : dict of str to tensor
        Buffers of the balancer, after a step that halves the losses.
    """

    masks: list[Tensor]
    results: Step
    buffers: dict[str, Tensor]


def own_step(member: Member, batch: Batch, calls: Sequence[DropoutCall]) -> OwnStep | str:
    """Return a net's own step, or why it must be trained alone.

    Parameters
    ----------
    member : Member
        The net; its gradients are those of the step, and its buffers as they were.
    batch : Batch
        The rows of the step.
    calls : sequence of DropoutCall
        Passages through dropout layers.
    """
    net, device = member.net, member.ready.plan.settings.device
    if are_frozen(net.optimizer_.param_groups, len(net.history)):
        return "parts of its trunk are frozen in the first epochs only"
    module = net.network
    # Other nets are given the same rows.
    batch = batch.copied()
    before = [_buffers(part) for part in (module, net.criterion_)]
    clear_gradients(member)
    try:
        with member.ready.generator.restored(device, alone=member.ready.alone):
            if not _draws_as_told(member.ready.plan.train, batch):
                return "its augmentation draws random numbers other than from its generator"
        with member.ready.generator.restored(device, alone=member.ready.alone):
            net.module_.train()
            raw, penalty = net.training_outputs(batch)
            step = net.put_gradients(batch, raw, penalty)
            balancer = _after_step(net.criterion_.balancer, step)
            generator = GeneratorState.now(device).cpu
    # A user's module or balancer may raise anything, and does so again when the net is trained.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"its step fails: {first_line(error)}"
    reason = _change_not_kept(module, net.criterion_, before, balancer)
    if reason is not None:
        return reason
    buffers = _buffers(balancer)
    _put_back(net.criterion_, before[1])
    random = RandomNumbers(member.ready, dropout_layers(member.ready, calls))
    masks = random.masks(calls, len(batch.y), batch.y)
    # On a CPU all that was drawn is known. On a GPU the generator's state does not tell; the comparison does.
    if device.type == "cpu" and not torch.equal(generator, random.state.cpu):
        return "it draws random numbers other than by Dropout layers"
    penalty = raw.new_zeros(()) if penalty is None else penalty
    return OwnStep(masks, {**step, "raw": raw.detach(), "penalty": penalty.detach()}, buffers)


def _draws_as_told(train: Table, batch: Batch) -> bool:
    """Whether an augmentation does the same again to the same rows, given a generator of the same state."""
    if train.augmentation is None or train.draws_alone:
        return True
    (inputs, *labels), (inputs_again, *labels_again) = (
        train.augmentation.augment(batch.copied(), torch.Generator().manual_seed(0)) for _ in range(2)
    )
    pairs = zip([*inputs.values(), *labels], [*inputs_again.values(), *labels_again], strict=True)
    return all(_same(one, other) for one, other in pairs)


def _after_step(balancer: Balancer, step: Step) -> Balancer:
    """Return a balancer after a step that is taken to have halved the losses; a copy, if it looks at them."""
    if not balancer.has_after_step:
        return balancer
    copy = deepcopy(balancer)
    with torch.no_grad():
        copy.after_step(lambda: halved(step))
    return copy


def halved(step: Step) -> Tensor:
    """Return half of each task's loss: what a step that is not made is taken to have come to."""
    found: Tensor = 0.5 * step["task_loss"] / step["task_mass"].clamp_min(1e-30)
    return found


def _change_not_kept(
    module: nn.Module, criterion: BalancedLoss, before: Sequence[Mapping[str, Tensor]], balancer: Balancer
) -> str | None:
    """Return in words what a step has changed that a stack does not keep for each net, if anything.

    Parameters
    ----------
    module, criterion
        Parts of the net, after the gradients of the step.
    before : sequence of mapping
        Buffers of the module and of the criterion before the step.
    balancer : Balancer
        Balancer of the criterion, after the whole step.
    """
    changed = first_changed(before[0], _buffers(module), _same)
    if changed is not None:
        return f"training changes its buffer {changed!r}, as batch normalization does"
    # Values of the balancer's buffers may change, and nothing else.
    others, buffers = _split_buffers(before[1])
    changed = (
        first_changed(others, _split_buffers(_buffers(criterion))[0], _same)
        or first_changed(buffers, _buffers(balancer), _same_type)
        or first_changed(_parameters(criterion.balancer), _parameters(balancer), _same)
    )
    return changed and f"each step changes {changed!r} of its balancer"


def _split_buffers(buffers: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the buffers of the losses, and those of their balancer by their names in it."""
    prefix = "balancer."
    others = {name: value for name, value in buffers.items() if not name.startswith(prefix)}
    return others, {name[len(prefix) :]: value for name, value in buffers.items() if name not in others}


def _parameters(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters())


def _put_back(criterion: BalancedLoss, before: Mapping[str, Tensor]) -> None:
    """Undo what a step has done to the buffers of a balancer."""
    for name, buffer in criterion.balancer.named_buffers():
        part, _, key = name.rpartition(".")
        setattr(criterion.balancer.get_submodule(part), key, before[f"balancer.{name}"].to(buffer))


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.named_buffers()}


def _same_type(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(equal(one, other).all())


def clear_gradients(member: Member) -> None:
    """Take the gradients off a net's parameters."""
    for parameter in trained_parameters(member.net).values():
        parameter.grad = None


def equal(first: Tensor, second: Tensor) -> Tensor:
    """Return where two tensors have the same number; nan is one."""
    return (first == second) | ((first != first) & (second != second))
