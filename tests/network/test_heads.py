"""Heads against one head after the other."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_mtl.network.heads import Heads
from sklearn_mtl.trunks.layers import MemberLinear

N_INPUTS = 6
CASES = {
    "one task": ([2], [()]),
    "linear, equal widths": ([1, 1, 1], [(), (), ()]),
    "linear, unequal widths": ([1, 3, 2], [(), (), ()]),
    "hidden, all alike": ([2, 2], [(5,), (5,)]),
    "hidden, unequal": ([1, 1, 1], [(5,), (4, 3), (5,)]),
    "mixed": ([1, 3, 1, 2, 3, 1], [(), (4,), (4,), (), (4,), (4, 2)]),
}
every_case = pytest.mark.parametrize(("outputs", "hidden_sizes"), CASES.values(), ids=CASES)


def representation_of(per_task, members, n_tasks, n_rows=7):
    shape = (n_rows, members, n_tasks, N_INPUTS) if per_task else (n_rows, members, N_INPUTS)
    return torch.randn(shape, dtype=torch.float64)


def weights_of(heads, outputs, task):
    """Each layer's weight (members, n_out, n_in) and bias (members, n_out) of one task's head."""
    group = next(i for i, tasks in enumerate(heads.tasks) if task in tasks)
    tasks, branch = heads.tasks[group], heads.branches[group]
    place = tasks.index(task)
    if isinstance(branch, MemberLinear):
        start = sum(outputs[other] for other in tasks[:place])
        own = slice(start, start + outputs[task])
        return [(branch.weight[:, own], branch.bias[..., own])]
    return [(layer.weight[:, place], layer.bias[:, place]) for layer in branch if hasattr(layer, "weight")]


def loop_over_tasks(heads, representation, outputs, hidden_sizes):
    """The raw outputs, one task and one member after the other."""
    columns = []
    for task, hidden in enumerate(hidden_sizes):
        layers = weights_of(heads, outputs, task)
        assert [bias.shape[-1] for _, bias in layers] == [*hidden, outputs[task]]
        members = []
        for member in range(representation.shape[1]):
            x = representation[:, member, task] if heads.per_task else representation[:, member]
            for i, (weight, bias) in enumerate(layers):
                x = F.linear(F.relu(x) if i else x, weight[member], bias[member])
            members.append(x)
        columns.append(torch.stack(members, dim=1))
    return torch.cat(columns, dim=-1)


@every_case
@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("members", [1, 3])
def test_heads_are_a_loop_over_tasks(outputs, hidden_sizes, per_task, members):
    heads = Heads(N_INPUTS, members, outputs, hidden_sizes, per_task=per_task).double()
    representation = representation_of(per_task, members, len(outputs))
    raw = heads(representation)
    assert raw.shape == (7, members, sum(outputs))
    torch.testing.assert_close(raw, loop_over_tasks(heads, representation, outputs, hidden_sizes))


@every_case
@pytest.mark.parametrize("per_task", [False, True])
def test_a_tasks_columns_depend_on_its_own_weights_only(outputs, hidden_sizes, per_task):
    heads = Heads(N_INPUTS, 2, outputs, hidden_sizes, per_task=per_task).double()
    representation = representation_of(per_task, 2, len(outputs))
    before, start = heads(representation), 0
    for task, width in enumerate(outputs):
        state = {name: weights.clone() for name, weights in heads.state_dict().items()}
        with torch.no_grad():
            weights_of(heads, outputs, task)[0][0].add_(1.0)
        moved = (heads(representation) != before).any(0).any(0)
        own = torch.zeros_like(moved)
        own[start : start + width] = True
        assert (moved <= own).all()
        assert moved.any()
        heads.load_state_dict(state)
        start += width


def test_members_do_not_mix():
    heads = Heads(N_INPUTS, 3, [2, 1], [(4,), ()], per_task=False).double()
    representation = representation_of(False, 3, 2)
    before = heads(representation)
    representation[:, 1] += 1
    changed = (heads(representation) != before).any(-1).any(0)
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_weights_start_as_those_of_a_linear_layer(hidden):
    heads = Heads(400, 1, [3, 3], [hidden, hidden], per_task=True)
    n_in = 400
    for layer in (part for part in heads.branches[0] if hasattr(part, "weight")):
        bound = n_in**-0.5
        assert layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() <= bound
        if n_in == 400:
            assert layer.weight.abs().max() > 0.98 * bound
        n_in = layer.weight.shape[-2]


class CountOperations(TorchDispatchMode):
    """Counts torch's operations."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_thousand_tasks_cost_no_more_operations_than_ten(per_task, shuffled):
    counts, modules = [], []
    for n_tasks in (10, 1000):
        kinds = [(1, ()), (3, ()), (1, (4,)), (3, (4,)), (1, (2, 2))]
        tasks = [kinds[i % 5 if shuffled else 5 * i // n_tasks] for i in range(n_tasks)]
        heads = Heads(N_INPUTS, 2, *zip(*tasks, strict=True), per_task=per_task)
        representation = representation_of(per_task, 2, n_tasks).float().requires_grad_()
        with CountOperations() as operations:
            heads(representation).sum().backward()
        counts.append(operations.count)
        modules.append(len(list(heads.modules())))
    assert counts[0] == counts[1]
    assert modules[0] == modules[1]


def test_state_is_weights_only():
    heads = Heads(N_INPUTS, 1, [1, 2, 1], [(3,), (), (3,)], per_task=False)
    assert set(heads.state_dict()) == {name for name, _ in heads.named_parameters()}


def test_error_where_hidden_sizes_do_not_match():
    with pytest.raises(ValueError, match="shorter"):
        Heads(N_INPUTS, 1, [1, 1], [()], per_task=False)


@pytest.mark.parametrize("per_task", [False, True])
def test_constant_outputs_are_the_same_for_every_row(per_task):
    outputs, constant = [3, 2, 4], [[1, 2], [], [1, 3]]
    heads = Heads(N_INPUTS, 2, outputs, [(), (4,), ()], per_task=per_task, constant=constant)
    assert (heads.constants == 0).all()
    with torch.no_grad():
        heads.constants.copy_(torch.arange(8.0).view(2, 4))
    shape = (5, 2, 3, N_INPUTS) if per_task else (5, 2, N_INPUTS)
    raw = heads(torch.randn(shape))
    assert raw.shape == (5, 2, 9)
    fixed = [1, 2, 6, 8]
    expected = heads.constant_scale * torch.arange(8.0).view(2, 4)
    torch.testing.assert_close(raw[..., fixed], expected.expand(5, 2, 4))
    others = [place for place in range(9) if place not in fixed]
    assert (raw[..., others].std(0) > 0).all()


def test_heads_that_are_alike_make_no_copy_of_what_they_read():
    heads = Heads(N_INPUTS, 1, [1, 1, 1], [(), (), ()], per_task=True)
    representation, read = torch.randn(7, 1, 3, N_INPUTS), []
    heads.branches[0].register_forward_pre_hook(lambda _, given: read.extend(given))
    heads(representation)
    assert read[0].data_ptr() == representation.data_ptr()


@every_case
@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("with_constants", [False, True])
def test_they_begin_at_the_constants_that_they_are_given(
    outputs, hidden_sizes, per_task, members, with_constants
):
    fixed = [[total - 1] if with_constants else [] for total in outputs]
    heads = Heads(N_INPUTS, members, outputs, hidden_sizes, per_task=per_task, constant=fixed).double()
    # Of a row for which all other layers give 0, the outputs are the last biases.
    for name, parameter in heads.named_parameters():
        if name.endswith("weight"):
            parameter.data.zero_()
    representation = representation_of(per_task, members, len(outputs), n_rows=2)
    drawn = heads(representation)
    begin = torch.arange(1.0, sum(outputs) + 1, dtype=torch.float64)
    begin[0] = torch.nan
    heads.begin_at(begin)
    found = heads(representation)
    torch.testing.assert_close(found[..., 1:], begin[1:].expand_as(found[..., 1:]))
    torch.testing.assert_close(found[..., 0], drawn[..., 0])
