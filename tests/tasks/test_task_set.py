"""How tasks are laid out as columns."""

import numpy as np
import pytest
import torch

from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification, Regression, TaskSet


def test_tasks_of_equal_loss_are_one_group(every_kind):
    tasks = every_kind.tasks
    losses = [group.loss for group in tasks.groups]
    assert len(set(losses)) == len(losses)
    members = {group.loss: group.n_columns for group in tasks.groups}
    assert members == {loss: sum(task.n_columns for task in tasks if task.loss == loss) for loss in members}


def test_groups_and_tasks_tile_the_columns(every_kind):
    tasks = every_kind.tasks
    column, raw = 0, 0
    for group in tasks.groups:
        assert (group.columns.start, group.raw.start) == (column, raw)
        assert group.raw.stop - group.raw.start == group.n_columns * group.loss.width
        column, raw = group.columns.stop, group.raw.stop
    assert tasks.raw_width == raw == sum(task.width for task in tasks)
    assert len(tasks.column_task) == column == sum(task.n_columns for task in tasks)
    assert sorted(tasks.order) == list(range(len(tasks)))


def test_a_thousand_binary_tasks_are_one_group():
    column = read_column("t", [0, 1, 1])
    task = Classification().bind(column, np.ones(3))
    tasks = TaskSet((task,) * 1000)
    assert len(tasks.groups) == 1
    assert tasks.raw_width == 1000
    assert tasks.order == tuple(range(1000))


def test_other_parameters_are_another_group():
    column = read_column("t", np.arange(5.0))
    kinds = [Regression(loss="huber", delta=delta) for delta in (1.0, 2.0, 1.0)]
    tasks = TaskSet(tuple(kind.bind(column, np.ones(5)) for kind in kinds))
    assert [group.n_columns for group in tasks.groups] == [2, 1]
    assert tasks.order == (0, 2, 1)


def test_iteration_is_in_the_users_order(every_kind):
    assert [task.name for task in every_kind.tasks] == list(every_kind.columns) == every_kind.tasks.names
    assert len(every_kind.tasks) == 10


def test_split_gives_each_task_its_columns(every_kind):
    tasks = every_kind.tasks
    y, _ = every_kind.encode()
    # A response that holds the encoded label of its own cell.
    responses = [
        np.repeat(y.numpy()[:, group.columns, None], group.loss.width, axis=2) for group in tasks.groups
    ]
    parts = tasks.split(responses)
    assert list(parts) == tasks.names
    for task in tasks:
        expected = np.nan_to_num(task.encode(every_kind.columns[task.name]))
        assert parts[task.name].shape == (90, task.n_columns, task.loss.width)
        for i in range(task.loss.width):
            np.testing.assert_array_equal(parts[task.name][..., i], expected)


def test_cell_weight_is_sample_weight_times_class_weight_and_0_without_a_label(every_kind):
    tasks = every_kind.tasks
    y, cell_weight = every_kind.encode()
    assert y.isfinite().all()
    for position, task in enumerate(tasks):
        own = tasks.column_task == position
        encoded = task.encode(every_kind.columns[task.name])
        expected = every_kind.weight[:, None] * np.broadcast_to(task.cell_weight(encoded), encoded.shape)
        np.testing.assert_array_equal(cell_weight[:, own], np.where(np.isnan(encoded), 0, expected))
        np.testing.assert_array_equal(y[:, own], np.nan_to_num(encoded))


def test_sample_weight_of_each_task_lands_on_its_own_columns(every_kind):
    tasks = every_kind.tasks
    per_task = np.random.default_rng(1).random((90, len(tasks)))
    _, cell_weight = tasks.encode(every_kind.columns, per_task)
    _, ones = tasks.encode(every_kind.columns, np.ones((90, 1)))
    np.testing.assert_allclose(cell_weight, ones * per_task[:, tasks.column_task])


@pytest.mark.parametrize("seed", [0, 1])
def test_permuting_tasks_permutes_columns(every_kind, seed):
    order = np.random.default_rng(seed).permutation(len(every_kind.tasks))
    other = every_kind.reordered(order)
    y, weight = every_kind.encode()
    other_y, other_weight = other.encode()
    for position, source in enumerate(order):
        own, moved = every_kind.tasks.column_task == source, other.tasks.column_task == position
        np.testing.assert_array_equal(other_y[:, moved], y[:, own])
        np.testing.assert_array_equal(other_weight[:, moved], weight[:, own])


def test_tasks_decoded_together_predict_what_each_does_alone(every_kind):
    column = read_column("again", np.array([3, 7] * 45, dtype=np.uint8))
    again = Classification().bind(column, np.ones(90))
    yes_or_no = Classification().bind(read_column("sure", np.arange(90) % 2 == 0), np.ones(90))
    tasks = TaskSet((*every_kind.tasks.tasks, again, yes_or_no))
    rng = np.random.default_rng(0)
    responses = tasks.split([rng.random((90, group.n_columns, group.loss.width)) for group in tasks.groups])
    decisions = [
        group.loss.decision(torch.from_numpy(of_group)).numpy()
        for group, of_group in zip(tasks.groups, responses.groups, strict=True)
    ]
    predictions = tasks.decode(decisions)
    assert list(predictions) == list(responses) == tasks.names
    for task in tasks:
        alone = task.predict(np.ascontiguousarray(responses[task.name]))
        assert predictions[task.name].dtype == alone.dtype
        np.testing.assert_array_equal(predictions[task.name], alone)
    assert predictions["again"].dtype == np.uint8
    assert predictions["sure"].dtype == bool
