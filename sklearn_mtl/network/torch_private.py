"""All private parts of torch that the package uses, in one place.

Each says what breaks if torch changes it, and why nothing public will do. `tests/test_architecture.py` finds
private names anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

# One kernel for all tensors, where plain operations launch several for each tensor: on a small network these
# launches are what a step costs. torch.optim has them too, but behind a step that first sorts all tensors.
add_to_each = torch._foreach_add_
copy_each = torch._foreach_copy_
fused_adamw = torch._fused_adamw_

# Torch for the CPU alone has no graphs to ask about.
RECORDS_GRAPHS = torch.version.cuda is not None

# Those kernels take so many tensors at once, four to each place, and give one block of threads up to 65,536
# numbers of one tensor: a whole layer, while all other processors of a GPU stand idle.
TENSORS_OF_A_KERNEL = 36
SMALLEST_PIECE = 256

# Names under which a module keeps, in its ``__dict__``, its tensors, its parts, and whether it is training.
# Under another name they would count as settings, and no two networks would be stacked.
MODULE_STATE = frozenset({"_parameters", "_buffers", "_modules", "training"})


def move_each_towards(tensors: list[Tensor], ends: list[Tensor], share: float | Tensor) -> None:
    """Move tensors, in place, by a share of the way towards others, in one kernel for all.

    Parameters
    ----------
    tensors, ends : list of tensor
        What is moved, and whither.
    share : float or tensor of shape ()
        A number, or a tensor where the number is another one whenever the same kernels run again.
    """
    if not isinstance(share, Tensor):
        torch._foreach_lerp_(tensors, ends, share)
        return
    if is_being_recorded(share):
        (tensors, ends), _ = in_pieces(tensors, ends)
    way = torch._foreach_sub(ends, tensors)
    torch._foreach_mul_(way, share)
    torch._foreach_add_(tensors, way)


def is_being_recorded(tensor: Tensor) -> bool:
    """Whether operations on a tensor's device are recorded as a CUDA graph at present."""
    return tensor.is_cuda and RECORDS_GRAPHS and torch.cuda.is_current_stream_capturing()


def in_pieces(*lists: list[Tensor]) -> tuple[list[list[Tensor]], list[int]]:
    """Return tensors in pieces so small that one kernel for all of them keeps many processors busy.

    What a kernel does to each number by itself comes to the same bits. Making the pieces takes longer than a
    kernel: it pays where that is done once for many steps, as in a recording.

    Parameters
    ----------
    lists : list of tensor
        Lists of one length, in each place of which tensors have equal shapes.

    Returns
    -------
    lists : list of list of tensor
        Views of the tensors; those that are not contiguous stay whole.
    places : list of int
        Where in the lists given each piece comes from.
    """
    at_each_place = list(zip(*lists, strict=True))
    total = sum(tensors[0].numel() for tensors in at_each_place)
    # Most of what one kernel takes; where there are many tensors already, a second one.
    size = total // max(TENSORS_OF_A_KERNEL - len(at_each_place), TENSORS_OF_A_KERNEL // 2) + 1
    # Whole vectors, or numbers would be read one by one.
    size = -(-max(size, SMALLEST_PIECE) // SMALLEST_PIECE) * SMALLEST_PIECE
    pieces: list[list[Tensor]] = [[] for _ in lists]
    places: list[int] = []
    for place, tensors in enumerate(at_each_place):
        if all(tensor.is_contiguous() for tensor in tensors):
            cut = [tensor.view(-1).split(size) for tensor in tensors]
        else:
            cut = [(tensor,) for tensor in tensors]
        for own, parts in zip(pieces, cut, strict=True):
            own.extend(parts)
        places.extend([place] * len(cut[0]))
    return pieces, places


def tensors_of(part: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the dicts, written to in place, in which a module keeps its own parameters and buffers.

    A stack puts its tensors there at every step. ``torch.func.functional_call`` does so by name, which takes
    as long as a small network's step; ``setattr`` refuses a tensor that is no ``Parameter``.

    Parameters
    ----------
    part : nn.Module
        A module; its parts have dicts of their own.
    """
    return part._parameters, part._buffers


def has_hooks(part: nn.Module) -> bool:
    """Whether something else is called where a module is: for it alone, or for all modules.

    Torch has no other way to ask. Under other names, what a user hooked in would draw unseen from the
    generator that all threads share.
    """
    held, held_by_all = vars(part), vars(torch.nn.modules.module)
    return any(held.get(name) for name in _HOOKS) or any(held_by_all[name] for name in _HOOKS_OF_ALL)


def _hooks_among(names: Iterable[str]) -> list[str]:
    return [name for name in names if re.fullmatch(r"_(global_)?(forward|backward)_(pre_)?hooks", name)]


_HOOKS = _hooks_among(vars(nn.Module()))
_HOOKS_OF_ALL = _hooks_among(vars(torch.nn.modules.module))


def uncompiled(module: nn.Module) -> Any:
    """Return the module that ``torch.compile`` wrapped, or the module itself.

    torch has no other way back to it. Under another name the weights of compiled networks would be saved
    and averaged under the names of the wrapper.
    """
    return getattr(module, "_orig_mod", module)


@contextmanager
def graphs_kept(compiled: bool) -> Iterator[None]:
    """Within this context, the graph of a compiled network may go back several times, once for each task.

    By default its backward pass may write into what the graph has stored, and a second pass is an error.
    There is no public setting, and both compiling and going back ask for this one.

    Parameters
    ----------
    compiled : bool
        Whether the network is compiled; if not, nothing is set.
    """
    if not compiled:
        yield
        return
    # Imported where something is compiled: torch's compiler takes most of a second.
    from torch._functorch import config

    with config.patch(donated_buffer=False):
        yield


def is_batched(tensor: Tensor) -> bool:
    """Whether a tensor stands for those of many networks, inside ``torch.func.vmap``.

    ``torch.func`` does not tell. If this fails, so does every stack, and its networks are trained alone.
    """
    found: bool = torch._C._functorch.is_batchedtensor(tensor)
    return found


def forked_after_cuda_started() -> bool:
    """Whether CUDA would hang in this process, as it was forked from one that had started it.

    torch itself says so when the first tensor is moved there, which is after all rows were prepared.
    """
    found: bool = torch.cuda._is_in_bad_fork()
    return found


def without_compiler(method: Any) -> Any:
    """Return a method of torch's ``Optimizer`` without what keeps its compiler from it.

    On the first call of such a method torch imports its compiler: most of a second of the first fit in every
    process. Nothing here is compiled. Were methods wrapped in another way, that time would be back.
    """
    return unwrap(method)


def without_profiler(step: Any) -> Any:
    """Mark the ``step`` of an optimizer, such that torch puts no profiler record around it.

    Under another mark every step would open two records again, which a small network feels.
    """
    step.hooked = True
    return step
