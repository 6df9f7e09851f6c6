"""What torch keeps private and the package uses, exists and behaves as it is used."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mtl.network.torch_private import (
    MODULE_STATE,
    add_to_each,
    forked_after_cuda_started,
    fused_adamw,
    in_pieces,
    is_batched,
    is_being_recorded,
    move_each_towards,
    tensors_of,
    uncompiled,
    without_compiler,
    without_profiler,
)


def test_lists_of_tensors_are_changed_in_place():
    tensors = [torch.zeros(2), torch.ones(3)]
    add_to_each(tensors, 1)
    assert [tensor.tolist() for tensor in tensors] == [[1.0, 1.0], [2.0, 2.0, 2.0]]
    move_each_towards(tensors, [torch.full((2,), 3.0), torch.full((3,), 4.0)], 0.5)
    assert [tensor.tolist() for tensor in tensors] == [[2.0, 2.0], [3.0, 3.0, 3.0]]


def test_the_fused_step_is_adamw():
    parameter, gradient = nn.Parameter(torch.tensor([1.0, -2.0])), torch.tensor([0.5, 0.25])
    expected = parameter.detach().clone()
    settings = {"lr": 0.1, "weight_decay": 0.01, "eps": 1e-8}
    parameter.grad = gradient.clone()
    torch.optim.AdamW([parameter], betas=(0.9, 0.99), **settings).step()

    moments = torch.zeros(2), torch.zeros(2)
    with torch.no_grad():
        fused_adamw(
            [expected], [gradient], [moments[0]], [moments[1]], [], [torch.ones(())],
            beta1=0.9, beta2=0.99, amsgrad=False, maximize=False, **settings,
        )  # fmt: skip
    torch.testing.assert_close(expected, parameter.detach())


def test_a_module_holds_its_state_under_these_names_and_settings_under_others():
    part = nn.Linear(2, 3)
    assert set(vars(part)) >= MODULE_STATE
    own = {key for key, value in vars(part).items() if not isinstance(value, dict | set) or value}
    assert own - MODULE_STATE <= {"in_features", "out_features", "_is_full_backward_hook"}


def test_tensors_that_are_put_into_a_module_are_what_it_computes_with():
    part = nn.BatchNorm1d(2)
    parameters, buffers = tensors_of(part)
    parameters["weight"] = torch.tensor([2.0, 3.0])
    buffers["running_var"] = torch.tensor([4.0, 9.0])
    torch.testing.assert_close(part.eval()(torch.ones(1, 2)), torch.ones(1, 2), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_module_within_a_compiled_one():
    module = nn.Linear(2, 3)
    assert uncompiled(module) is module
    assert uncompiled(torch.compile(module, backend="eager")) is module


def test_within_vmap_what_is_of_many_networks_is_batched():
    seen = []

    def note(own, shared):
        seen.append((is_batched(own), is_batched(shared)))
        return own

    torch.func.vmap(note, in_dims=(0, None))(torch.zeros(2, 3), torch.zeros(3))
    assert seen == [(True, False)]
    assert not is_batched(torch.zeros(2))


def test_the_linear_layer_is_one_function_wherever_it_is_called():
    called = []

    class Note(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            called.append(func)
            return func(*args, **(kwargs or {}))

    with Note():
        nn.Linear(2, 3)(torch.zeros(1, 2))
    assert F.linear in called


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA may have started")
def test_without_cuda_no_fork_is_bad():
    assert forked_after_cuda_started() is False


def test_an_optimizer_of_ours_loads_no_compiler_and_has_no_profiler_record():
    code = (
        "import sys, torch\n"
        "from torch.optim import Optimizer\n"
        "from sklearn_mtl.training.steps import FusedAdamW\n"
        "step = FusedAdamW.step\n"
        "optimizer = FusedAdamW([torch.nn.Parameter(torch.zeros(1))])\n"
        "optimizer.zero_grad()\n"
        "optimizer.load_state_dict(optimizer.state_dict())\n"
        "assert FusedAdamW.step is step, 'wrapped'\n"
        "assert 'torch._dynamo' not in sys.modules, 'compiler'\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_the_marks_leave_the_function_itself():
    def step():
        return 1

    assert without_profiler(step) is step
    assert without_compiler(step) is step


def test_pieces_are_changed_as_the_whole_to_the_same_bits():
    torch.manual_seed(0)
    shapes = [(300, 40), (40,), (), (7, 3)]
    lists = [[torch.rand(shape) for shape in shapes] for _ in range(4)]
    whole = [[tensor.clone() for tensor in tensors] for tensors in lists]
    for of_step in (lists, whole):
        # A matrix that is turned cannot be cut without a copy.
        of_step[0].append(torch.arange(600.0).view(20, 30).T)
        for other in of_step[1:]:
            other.append(torch.ones(30, 20))
    cut, places = in_pieces(*lists)
    assert len(places) == len(cut[0]) > len(shapes) + 20
    assert sorted(set(places)) == list(range(5))
    counts = [torch.ones(()) for _ in whole[0]]
    settings = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01, "eps": 1e-8}
    settings |= {"amsgrad": False, "maximize": False}
    fused_adamw(*whole, [], counts, **settings)
    fused_adamw(*cut, [], [counts[place] for place in places], **settings)
    assert all(map(torch.equal, lists[0], whole[0]))


def test_nothing_is_recorded_here():
    assert not is_being_recorded(torch.zeros(2))
