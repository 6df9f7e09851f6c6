"""A recording for the CPU, which holds what a CUDA graph does against steps that are made as they come."""

from itertools import zip_longest

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklearn_mtl.trunks.layers import own_generator


def tensors_in(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


class Tape(TorchDispatchMode):
    """Records operations. What they do meanwhile is undone, as a graph only records."""

    made = 0

    def __init__(self):
        super().__init__()
        self.operations, self.before = [], []
        self.replays = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for argument, given in zip_longest(func._schema.arguments, args):
            if argument.alias_info is not None and argument.alias_info.is_write:
                written = tensors_in(kwargs.get(argument.name, given))
                self.before += [(tensor, tensor.clone()) for tensor in written]
        found = func(*args, **kwargs)
        self.operations.append((func, args, kwargs, found))
        return found

    def record(self, work):
        generator = own_generator()
        state = None if generator is None else generator.get_state()
        with self:
            found = work()
        with torch.no_grad():
            for tensor, value in reversed(self.before):
                tensor.copy_(value)
        if generator is not None:
            generator.set_state(state)
        return found

    @torch.no_grad()
    def replay(self):
        self.replays += 1
        for func, args, kwargs, found in self.operations:
            again = tensors_in(func(*args, **kwargs))
            for tensor, value in zip(tensors_in(found), again, strict=True):
                # A view, and what is written in place, is where it was.
                if tensor.data_ptr() != value.data_ptr():
                    tensor.copy_(value)
