"""Losses and scores of all tasks against each task's own."""

import numpy as np
import pytest
import torch

from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification, Regression, TaskLosses, TaskSet
from sklearn_mtl.tasks.task_losses import SMALLEST_BASELINE


def raw_columns(tasks):
    """Where each task's raw outputs lie: neighbours in the order of the task columns."""
    places, start = {}, 0
    for task in tasks.ordered:
        places[task.name] = slice(start, start + task.width)
        start += task.width
    return places


def draw_raw(tasks, members=3, n_rows=90):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_rows, members, tasks.raw_width, generator=generator, dtype=torch.float64)


def plain_loss(task, raw, encoded, weight):
    """The task's weighted mean loss, one column and one member after the other."""
    total, mass = 0.0, 0.0
    for column in range(task.n_columns):
        outputs = raw[..., column * task.loss.width : (column + 1) * task.loss.width]
        for row in np.flatnonzero(~np.isnan(encoded[:, column])):
            cell = torch.tensor(encoded[row, column])[None]
            members = [float(task.loss(outputs[row, m][None], cell)) for m in range(raw.shape[1])]
            total += weight[row, column] * np.mean(members)
            mass += weight[row, column]
    return total / mass


def test_losses_are_each_tasks_own_by_the_best_constant(every_kind):
    tasks, places = every_kind.tasks, raw_columns(every_kind.tasks)
    losses = TaskLosses(tasks, *every_kind.encode())
    raw = draw_raw(tasks)
    found = losses(raw, *every_kind.encode()).values
    for position, task in enumerate(tasks):
        encoded = task.encode(every_kind.columns[task.name])
        weight = np.broadcast_to(every_kind.weight[:, None] * task.cell_weight(encoded), encoded.shape)
        known = torch.tensor(np.where(np.isnan(encoded), 0, weight))
        constant = task.loss.constant(torch.tensor(np.nan_to_num(encoded)), known).reshape(1, 1, -1)
        best = plain_loss(task, constant.expand(90, 1, -1), encoded, weight)
        expected = plain_loss(task, raw[..., places[task.name]], encoded, weight) / best
        assert float(found[position]) == pytest.approx(expected, rel=1e-9), task.name


def best_constants(tasks, y, weight):
    """Raw outputs that predict every task's best constant."""
    constants = [
        group.loss.constant(y[:, group.columns], weight[:, group.columns]).flatten() for group in tasks.groups
    ]
    return torch.cat(constants).expand(len(y), 1, -1)


def test_best_constant_has_loss_1(every_kind):
    y, weight = every_kind.encode()
    found = TaskLosses(every_kind.tasks, y, weight)(best_constants(every_kind.tasks, y, weight), y, weight)
    np.testing.assert_allclose(found.values, 1, rtol=1e-12)


def test_baseline_is_floored_where_labels_do_not_vary():
    columns = {"flat": read_column("flat", np.full(6, 7.0)), "rare": read_column("rare", [1] + [0] * 5)}
    kinds = {"flat": Regression(), "rare": Classification()}
    weight = np.array([1e-9, 1, 1, 1, 1, 1])
    tasks = TaskSet(tuple(kinds[name].bind(column, weight) for name, column in columns.items()))
    y, cell_weight = (torch.tensor(part) for part in tasks.encode(columns, weight[:, None]))
    losses = TaskLosses(tasks, y, cell_weight)
    assert losses.baseline.tolist() == [SMALLEST_BASELINE] * 2
    assert (losses(best_constants(tasks, y, cell_weight), y, cell_weight).values <= 1).all()


def test_task_without_a_label_in_the_batch_has_loss_0_and_no_gradient(every_kind):
    tasks, places = every_kind.tasks, raw_columns(every_kind.tasks)
    y, weight = every_kind.encode()
    losses = TaskLosses(tasks, y, weight)
    absent = tasks.names.index("type")
    weight = torch.where(torch.tensor(tasks.column_task == absent), 0.0, weight)
    found = losses(30 * draw_raw(tasks), y, weight)
    assert found.values.isfinite().all()
    assert float(found.values[absent]) == 0
    assert (found.values > 0).sum() == len(tasks) - 1
    assert (found.gradient(torch.ones(len(tasks)))[..., places["type"]] == 0).all()
    only = torch.zeros(len(tasks)).double()
    only[absent] = 1
    assert (found.gradient(only) == 0).all()


def test_missing_label_has_no_gradient_and_no_say(every_kind):
    tasks = every_kind.tasks
    y, weight = every_kind.encode()
    losses = TaskLosses(tasks, y, weight)
    raw = (10 * draw_raw(tasks)).clamp(-30, 30)
    found = losses(raw, y, weight)
    gradient = found.gradient(torch.ones(len(tasks)).double())
    assert gradient.isfinite().all()
    for group in tasks.groups:
        own = gradient[..., group.raw].unflatten(-1, (group.n_columns, -1))
        assert (own[(weight[:, group.columns] == 0)[:, None].expand(-1, 3, -1)] == 0).all()
        assert (own != 0).any()
    # Other labels in the cells of weight 0: codes of 0 and 1 are valid for every loss.
    other = torch.where(weight == 0, 1.0 - y.clamp(0, 1).round(), y)
    torch.testing.assert_close(losses(raw, other, weight).values, found.values, rtol=0, atol=0)


@pytest.mark.parametrize("members", [1, 3])
def test_the_gradient_is_that_of_the_losses_written_out(every_kind, members):
    tasks = every_kind.tasks
    y, weight = every_kind.encode()
    losses, raw = TaskLosses(tasks, y, weight), draw_raw(tasks, members).requires_grad_()
    rates = torch.linspace(0.2, 3.0, len(tasks), dtype=torch.float64)
    written = []
    for task, place in zip(tasks.ordered, raw_columns(tasks).values(), strict=True):
        columns = torch.tensor(tasks.column_task == tasks.names.index(task.name))
        outputs = raw[..., place].unflatten(-1, (task.n_columns, -1))
        cells = task.loss(outputs, y[:, None, columns]).mean(1)
        mean = (cells * weight[:, columns]).sum() / weight[:, columns].sum()
        written.append(rates[tasks.names.index(task.name)] * mean)
    baseline = losses.baseline[list(tasks.order)]
    (expected,) = torch.autograd.grad((torch.stack(written) / baseline).sum(), raw)
    torch.testing.assert_close(losses(raw, y, weight).gradient(rates), expected)


def test_losses_of_several_networks_are_each_ones_own(every_kind):
    tasks = every_kind.tasks
    y, weight = every_kind.encode()
    raw = torch.stack([draw_raw(tasks), 0.5 * draw_raw(tasks)])
    own = [TaskLosses(tasks, y, one) for one in (weight, weight.flip(0) * (weight > 0))]
    together = own[0].with_baseline(torch.stack([losses.baseline for losses in own]))
    weights = torch.stack([weight, weight.flip(0) * (weight > 0)])
    found = together(raw, torch.stack([y, y]), weights)
    rates = torch.linspace(0.2, 3.0, 2 * len(tasks), dtype=torch.float64).view(2, -1)
    gradient = found.gradient(rates)
    for number, losses in enumerate(own):
        alone = losses(raw[number], y, weights[number])
        torch.testing.assert_close(found.values[number], alone.values)
        torch.testing.assert_close(gradient[number], alone.gradient(rates[number]))


def test_weight_two_is_a_row_twice(every_kind):
    tasks = every_kind.tasks
    y, weight = every_kind.encode()
    times = torch.tensor(np.random.default_rng(2).integers(0, 4, 90))
    raw = draw_raw(tasks)
    weighted = weight * times[:, None]
    repeated = [part.repeat_interleave(times, 0) for part in (raw, y, weight)]
    torch.testing.assert_close(
        TaskLosses(tasks, y, weighted)(raw, y, weighted).values,
        TaskLosses(tasks, *repeated[1:])(*repeated).values,
        rtol=1e-7,
        atol=1e-7,
    )


def test_scale_of_the_weights_does_not_matter(every_kind):
    y, weight = every_kind.encode()
    raw = draw_raw(every_kind.tasks)
    torch.testing.assert_close(
        TaskLosses(every_kind.tasks, y, 1e-3 * weight)(raw, y, 1e-3 * weight).values,
        TaskLosses(every_kind.tasks, y, weight)(raw, y, weight).values,
        rtol=1e-7,
        atol=1e-7,
    )


def test_sums_of_batches_add_up(every_kind):
    y, weight = every_kind.encode()
    losses, raw = TaskLosses(every_kind.tasks, y, weight), draw_raw(every_kind.tasks)
    parts = [losses(raw[rows], y[rows], weight[rows]) for rows in (slice(0, 20), slice(20, 90))]
    loss, mass = sum(part.total for part in parts), sum(part.mass for part in parts)
    torch.testing.assert_close(loss / mass, losses(raw, y, weight).values)


def test_permuting_tasks_permutes_losses_and_scores(every_kind):
    order = np.random.default_rng(3).permutation(len(every_kind.tasks))
    other = every_kind.reordered(order)
    raw, places = draw_raw(every_kind.tasks), raw_columns(every_kind.tasks)
    moved = torch.cat([raw[..., places[task.name]] for task in other.tasks.ordered], dim=-1)
    found = []
    for labelled, outputs in ((every_kind, raw), (other, moved)):
        y, weight = labelled.encode()
        losses = TaskLosses(labelled.tasks, y, weight)
        scores = losses.scores(losses.responses(outputs), y, weight)
        found.append(torch.stack([losses(outputs, y, weight).values, scores]))
    torch.testing.assert_close(found[1], found[0][:, order])


def test_responses_average_over_members(every_kind):
    y, weight = every_kind.encode()
    losses, raw = TaskLosses(every_kind.tasks, y, weight), draw_raw(every_kind.tasks)
    each = [losses.responses(raw[:, member, None]) for member in range(3)]
    for group, response in enumerate(losses.responses(raw)):
        torch.testing.assert_close(response, sum(member[group] for member in each) / 3)


def test_loss_of_one_members_response_is_its_loss(every_kind):
    y, weight = every_kind.encode()
    losses, raw = TaskLosses(every_kind.tasks, y, weight), draw_raw(every_kind.tasks, members=1)
    # The response of quantiles is sorted.
    for group in every_kind.tasks.groups:
        outputs = raw[..., group.raw].unflatten(-1, (group.n_columns, -1))
        raw[..., group.raw] = outputs.sort(-1).values.flatten(-2)
    loss, mass = losses.response_sums(losses.responses(raw), y, weight)
    of_members = losses(raw, y, weight)
    torch.testing.assert_close(loss, of_members.total)
    torch.testing.assert_close(mass, of_members.mass)


def test_average_prediction_has_at_most_the_members_average_loss(every_kind):
    y, weight = every_kind.encode()
    losses, raw = TaskLosses(every_kind.tasks, y, weight), 0.3 * draw_raw(every_kind.tasks)
    averaged, _ = losses.response_sums(losses.responses(raw), y, weight)
    members = losses(raw, y, weight).total
    # Deviances of a log link and the normal likelihood are not convex in what is averaged.
    convex = ["price", "sold", "size", "type", "tags", "age", "old", "rooms"]
    for name in convex:
        position = every_kind.tasks.names.index(name)
        assert averaged[position] < members[position], name


def test_scores_are_the_tasks_own(every_kind):
    tasks = every_kind.tasks
    losses = TaskLosses(tasks, *every_kind.encode())
    # Near the mean, so that predictions are inside the range that a task holds them to.
    responses = losses.responses(0.1 * draw_raw(tasks))
    parts = tasks.split([response.numpy() for response in responses])
    y, weight = every_kind.encode()
    found = losses.scores(responses, y, (weight > 0) * torch.tensor(every_kind.weight)[:, None])
    for position, task in enumerate(tasks):
        expected = task.score(every_kind.columns[task.name], parts[task.name], every_kind.weight)
        assert float(found[position]) == pytest.approx(expected), task.name


def test_score_of_a_task_without_labels_is_nan(every_kind):
    tasks = every_kind.tasks
    y, weight = every_kind.encode()
    losses, responses = TaskLosses(tasks, y, weight), None
    responses = losses.responses(draw_raw(tasks))
    absent = torch.tensor(tasks.column_task == tasks.names.index("price"))
    found = losses.scores(responses, y, torch.where(absent, 0.0, weight))
    assert found.isnan().tolist() == [name == "price" for name in tasks.names]


def test_losses_are_in_the_precision_of_the_targets(every_kind):
    y, weight = every_kind.encode()
    raw = draw_raw(every_kind.tasks)
    double = TaskLosses(every_kind.tasks, y, weight)(raw, y, weight).values
    single = TaskLosses(every_kind.tasks, y.float(), weight.float())(
        raw.float(), y.float(), weight.float()
    ).values
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


def test_output_whose_labels_do_not_vary_is_left_out_of_the_score():
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(size=20), np.full(20, 3.0)])
    columns = {"size": read_column("size", values)}
    tasks = TaskSet((Regression().bind(columns["size"], np.ones(20)),))
    y, weight = (torch.tensor(part) for part in tasks.encode(columns, np.ones((20, 1))))
    losses = TaskLosses(tasks, y, weight)
    assert losses.scores([0.5 * y[..., None]], y, weight).tolist() == pytest.approx([0.75])


def test_state_is_what_the_labels_say_and_not_what_the_tasks_do(every_kind):
    # Files keep it: what can be made of the tasks need not be in them.
    losses = TaskLosses(every_kind.tasks, *every_kind.encode())
    assert set(losses.state_dict()) == {"column_task", "baseline"}
