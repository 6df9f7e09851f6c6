"""Which nets may be trained as one stack, and how many at once, by what is known before their first step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.messages import first_line
from sklearn_mtl.network.generators import is_known
from sklearn_mtl.network.module import Blueprint, statistics_of_sharing
from sklearn_mtl.network.torch_private import MODULE_STATE
from sklearn_mtl.network.torch_state import is_out_of_memory
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.distributed import ACTIVE
from sklearn_mtl.training.runs import NetPlan, ReadyNet, make_ready
from sklearn_mtl.training.stacking.batches import few_rows
from sklearn_mtl.training.stacking.joint_update import parameter_groups
from sklearn_mtl.training.stacking.losses import losses_key
from sklearn_mtl.training.stacking.module import is_dropout
from sklearn_mtl.trunks.cnn import ImageEntry

# On a CPU more nets at once gain nothing: what a launch costs is spread thin already.
MOST_ON_CPU = 128
NUMBERS_ON_CPU = 2**28
# Weights, gradients, two moments, a moving average, the best epoch's and the mean from then on.
TENSORS_OF_A_WEIGHT = 7
# What is kept of each layer's output until its gradient is known, and what comes and goes.
TENSORS_OF_AN_OUTPUT = 3
# Of a card's free memory; the rest is for what the allocator holds in between.
SHARE_OF_FREE = 0.7


def why_alone(plan: NetPlan) -> str | None:
    """Return why a net can't be in any stack, by its settings; None where nothing speaks against it."""
    settings = plan.settings
    if plan.alone_because is not None:
        return plan.alone_because
    if ACTIVE.get() is not None:
        return "several processes share its steps"
    if settings.optimizer is not torch.optim.AdamW:
        return f"its optimizer is {settings.optimizer.__name__}, and stacks have AdamW"
    if settings.net_callbacks:
        return "its callbacks are given one net at each step"
    if settings.lr_schedule is not None and not isinstance(settings.lr_schedule, str):
        return "its lr_schedule is a callback"
    if settings.compile:
        return "it is compiled"
    balancer = plan.blueprint.balancing if plan.before is None else plan.before.criterion_.balancer
    name = type(balancer).__name__
    if not isinstance(balancer, LossBalancer):
        return f"{name} balances gradients"
    if type(balancer).backward is not LossBalancer.backward:
        return f"{name} has a backward of its own"
    return None


def why_not_batched(network: nn.Module) -> str | None:
    """Return why a net is not computed with others, as one of its parts says; None where none does."""
    return next(filter(None, map(_of_part, network.modules())), None)


def _of_part(part: nn.Module) -> str | None:
    if isinstance(part, nn.RNNBase):
        return f"torch's {type(part).__name__} is computed for one net at a time"
    return part.why_not_batched() if isinstance(part, ImageEntry) else None


class Structures:
    """Tells which nets may be stacked by how they are built.

    A stack runs one module for all, so modules must be alike in all that is not a tensor. Attributes are
    compared between the first nets of two recipes: in nets of one recipe they differ by the width of the
    rows alone, and a stack fills up the narrower ones.
    """

    def __init__(self) -> None:
        self._recipes: dict[Blueprint, Hashable] = {}
        self._attributes: dict[Hashable, Hashable] = {}

    def of(self, ready: ReadyNet) -> Hashable:
        """Return what nets of one stack have in common, but for widths and rates of dropout."""
        module, settings = ready.net.network, ready.plan.settings
        losses = ready.net.criterion_.losses
        return (
            tuple((name, type(part)) for name, part in module.named_modules()),
            tuple((name, value.ndim, value.requires_grad) for name, value in module.named_parameters()),
            tuple((name, value.ndim, value.dtype) for name, value in module.named_buffers()),
            self._of_recipe(ready),
            tuple(map(tuple, parameter_groups(ready.net))),
            tuple((group.columns.stop, group.raw.stop) for group in losses.groups),
            tuple(losses.column_task.tolist()),
            (settings.batch_size, settings.device, settings.dtype, settings.autocast),
            (ready.plan.valid is None, settings.ema_decay is None),
        )

    def _of_recipe(self, ready: ReadyNet) -> Hashable:
        blueprint = ready.plan.blueprint
        if blueprint not in self._recipes:
            recipes: tuple[Any, ...] = (blueprint.trunk, blueprint.sharing, blueprint.balancing)
            own = fingerprint([recipe.get_params() for recipe in recipes])
            self._recipes[blueprint] = (tuple(map(type, recipes)), own)
        # What the way of sharing has found in the rows may decide how the module is built.
        found = statistics_of_sharing(ready.net.statistics_)
        recipe = (self._recipes[blueprint], fingerprint(found) if found else None)
        if recipe not in self._attributes:
            parts = (ready.net.network, ready.net.criterion_.balancer)
            held = [(type(part), dict(plain_attributes(part))) for part in parts]
            self._attributes[recipe] = fingerprint(held)
        return self._attributes[recipe]


def plain_attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Iterate over what a module and its parts hold beside their tensors, with names.

    Dropout layers are left out: a stack is given their masks.

    Parameters
    ----------
    module : nn.Module
        The module, whose parts are looked through too.
    """
    for prefix, part in module.named_modules():
        for name, value in {} if is_dropout(part) else vars(part).items():
            empty = isinstance(value, dict | set) and not value
            if name not in MODULE_STATE and not empty:
                yield f"{prefix}.{name}".removeprefix("."), value


def attribute_fingerprints(module: nn.Module) -> dict[str, Any]:
    """Return by name what tells the values of a module's plain attributes apart."""
    fingerprints = {}
    for name, value in plain_attributes(module):
        found = fingerprint(value)
        # What can't be pickled, such as a function within another, is the same as long as it is one object.
        fingerprints[name] = id(value) if type(found) is object else found
    return fingerprints


def changed_attribute(module: nn.Module, before: Mapping[str, Any]) -> str | None:
    """Return the name of a plain attribute that is not what it was before."""
    return first_changed(before, attribute_fingerprints(module), lambda one, other: one == other)


def first_changed(
    before: Mapping[str, Any], after: Mapping[str, Any], same: Callable[[Any, Any], bool]
) -> str | None:
    """Return the first name that only one of two mappings has, or whose values are not the same."""
    names = [*before, *(name for name in after if name not in before)]
    return next(
        (n for n in names if n not in before or n not in after or not same(before[n], after[n])), None
    )


class FitStatistics:
    """What is known of the rows before a net is built, computed once for nets that share it.

    Fit statistics are those of rows, trunk and way of sharing, the baselines of the losses those of rows and
    tasks.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Mapping[str, Tensor]] = {}
        self._baselines: dict[tuple[int, int], Tensor] = {}

    def ready(self, plan: NetPlan) -> ReadyNet:
        """Return the net of a plan, ready to be trained."""
        key = id(plan.train), id(plan.blueprint.tasks)
        ready = make_ready(plan, self.of(plan), self._baselines.get(key))
        # A user's loss may draw random numbers for its baseline, on which those of the training follow.
        if key not in self._baselines and all(is_known(group.loss) for group in plan.blueprint.tasks.groups):
            self._baselines[key] = ready.net.criterion_.losses.baseline.clone()
        return ready

    def of(self, plan: NetPlan) -> Mapping[str, Tensor] | None:
        """Return what ``plan.fit_statistics`` does; None for a net that is trained on."""
        if plan.before is not None:
            return None
        recipes: tuple[Any, ...] = (plan.blueprint.trunk, plan.blueprint.sharing)
        own = fingerprint([recipe.get_params() for recipe in recipes])
        key = (id(plan.train), plan.seed, *map(type, recipes), own)
        if key not in self._known:
            self._known[key] = plan.fit_statistics()
        return self._known[key]


def stacks(group: dict[int, ReadyNet], size: int) -> Iterator[dict[int, ReadyNet]]:
    """Take stacks of nearly equal size from a group, what goes together next to each other.

    Parameters
    ----------
    group : dict of int to ReadyNet
        Nets of one structure; emptied on the way, so that a stack that is done can be released.
    size : int
        Most nets in one stack.
    """
    places = _sorted(group)
    n_stacks = -(-len(places) // max(size, 1))
    for number in range(n_stacks):
        start, stop = (len(places) * (number + i) // n_stacks for i in (0, 1))
        yield {place: group.pop(place) for place in places[start:stop]}


def halves(group: dict[int, ReadyNet]) -> Iterator[dict[int, ReadyNet]]:
    """Take two stacks from a group for which memory was short, and warn of that.

    Parameters
    ----------
    group : dict of int to ReadyNet
        As in `stacks`.
    """
    warn_caller(
        f"Memory was short for {len(group)} networks in one stack: they are trained in two of half the size, "
        "which takes longer and teaches them the same. `max_members` of a search keeps stacks small."
    )
    yield from stacks(group, -(-len(group) // 2))


def _sorted(group: Mapping[int, ReadyNet]) -> list[int]:
    """Return places so that nets of equal losses, and of equal optimizer settings, are neighbours."""
    ranks: dict[Hashable, int] = {}

    def rank(place: int) -> tuple[int, int]:
        one = group[place]
        losses = losses_key(one.net.criterion_.losses)
        settings = (losses, one.plan.settings.lr, one.plan.settings.weight_decay)
        return ranks.setdefault(losses, len(ranks)), ranks.setdefault(settings, len(ranks))

    return sorted(group, key=rank)


def members_at_once(ready: ReadyNet) -> int:
    """Return how many nets like this one memory allows, and pay.

    Parameters
    ----------
    ready : ReadyNet
        One of the nets.
    """
    numbers = numbers_in_training(ready)
    settings = ready.plan.settings
    if settings.device.type == "cuda":
        free = torch.cuda.mem_get_info(settings.device)[0] * SHARE_OF_FREE
        return max(1, int(free / settings.dtype.itemsize) // numbers)
    return max(1, min(MOST_ON_CPU, NUMBERS_ON_CPU // numbers))


def numbers_in_training(ready: ReadyNet) -> int:
    """Return about how many numbers a net has in memory during a step."""
    module = ready.net.network
    weights = sum(parameter.numel() for parameter in module.parameters())
    # Where the gradients of the tasks are compared, those of all tasks are there at once.
    compared = 0 if ready.plan.settings.gradient_conflict is None else ready.net.criterion_.losses.n_tasks
    few = few_rows(ready.plan.train)
    total = 0
    # Asked before there are hooks: what has them may draw anything.
    drawing = ready.generator.restored(ready.plan.settings.device, alone=ready.alone)

    def count(_part: nn.Module, _given: object, output: object) -> None:
        nonlocal total
        total += output.numel() if isinstance(output, Tensor) else 0

    parts = [part for part in module.modules() if not list(part.children())]
    hooks = [part.register_forward_hook(count) for part in parts]
    try:
        # A module that fails does so again where its net is trained, or asked, by itself.
        with suppress(Exception), drawing, torch.no_grad():
            module.eval()(few.inputs)
    finally:
        for hook in hooks:
            hook.remove()
    outputs = total // len(few.y) * ready.plan.settings.batch_size
    return weights * (TENSORS_OF_A_WEIGHT + compared) + outputs * TENSORS_OF_AN_OUTPUT


def in_words(error: Exception, plan: NetPlan) -> Exception:
    """Return an error of a net's training; one of memory says what takes less.

    The new error holds nothing of the old one, whose traceback keeps what was on the device.

    Parameters
    ----------
    error : Exception
        What was raised.
    plan : NetPlan
        The plan of the net.
    """
    if not is_out_of_memory(error):
        return error
    of = MemoryError if isinstance(error, MemoryError) else torch.OutOfMemoryError
    return of(
        "`batch_size` must be so small that the network and a step of it fit into the memory of the device "
        f"{str(plan.settings.device)!r}. Found {plan.settings.batch_size}, and: {first_line(error)} "
        "A smaller batch or a smaller trunk takes less."
    )
