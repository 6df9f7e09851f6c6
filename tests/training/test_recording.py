"""What is written down of epochs: by task, in skorch's rows, and as one frame."""

import numpy as np
import pytest

from sklearn_mtl.training import history_frame
from sklearn_mtl.training.recording import history_keys
from sklearn_mtl.training.runs import make_ready, train_alone

ONE = np.ones(2)


@pytest.fixture
def net(make_plan):
    return make_ready(make_plan()).net


def record(net, train, valid=None, scores=(0.0, 0.0)):
    """Write an epoch down, given its losses by task."""
    net.on_epoch_begin(net)
    net.record_training(np.array([train]), np.ones((1, 2)), [4])
    if valid is not None:
        net.record_validation(np.array(valid), ONE, np.array(scores), [4])


def test_columns_are_named_after_tasks_and_metrics(net):
    assert net.columns == {
        "train_loss": ["train_loss_price", "train_loss_type"],
        "valid_loss": ["valid_loss_price", "valid_loss_type"],
        "valid_score": ["valid_r2_price", "valid_accuracy_type"],
        "weight": ["weight_price", "weight_type"],
    }


def test_an_epoch_is_in_skorchs_row_and_by_task(net):
    record(net, [0.5, 0.9], [0.6, 0.8], [0.3, 0.7])
    row = net.history[-1]
    assert (row["train_loss"], row["valid_loss"]) == (0.7, 0.7)
    assert (row["train_loss_price"], row["valid_accuracy_type"], row["weight_type"]) == (0.5, 0.7, 0.5)
    assert net.epoch_of(row)["valid_score"].tolist() == [0.3, 0.7]


def test_losses_are_means_over_labels_and_a_task_without_any_is_left_out(net):
    net.on_epoch_begin(net)
    losses, masses = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[4.0, 0.0], [2.0, 0.0]])
    net.record_training(losses, masses, [4, 2])
    assert net.history[-1]["train_loss"] == net.history[-1]["train_loss_price"] == 0.5
    assert np.isnan(net.history[-1]["train_loss_type"])


def test_a_total_is_flagged_where_none_was_lower_before(net):
    totals = [0.5, 0.7, 0.4, 0.4, np.nan, 0.3]
    for total in totals:
        record(net, [total, total], [1 - total, 1 - total])
    assert net.history[:, "train_loss_best"] == [True, False, True, False, False, True]
    assert net.history[:, "valid_loss_best"] == [True, True, False, False, False, False]


def test_losses_and_scores_of_a_task_have_flags_of_their_own(net):
    record(net, [0.5, 0.5], [0.5, 0.5], [0.1, 0.9])
    record(net, [0.4, 0.6], [0.6, 0.4], [0.2, 0.8])
    row = net.history[-1]
    assert (row["train_loss_price_best"], row["train_loss_type_best"]) == (True, False)
    assert (row["valid_r2_price_best"], row["valid_accuracy_type_best"]) == (True, False)


def test_the_first_task_that_breaks_is_remembered(net):
    net.on_epoch_begin(net)
    losses = np.array([[0.5, 0.5], [0.5, np.inf], [np.nan, np.nan]])
    net.record_training(losses, np.ones((3, 2)), [4, 4, 4])
    assert net.broken_tasks_.tolist() == [1]
    record(net, [0.5, 0.5])
    assert net.broken_tasks_.tolist() == []


def test_what_was_written_down_can_be_taken_over(make_plan):
    trained = train_alone(make_ready(make_plan()))
    other = make_ready(make_plan()).net
    epochs = [trained.epoch_of(row) for row in trained.history]
    other.restore(trained.totals(), epochs)
    for mine, theirs in zip(other.history, trained.history, strict=True):
        assert {**mine, "batches": 0} == {**theirs, "batches": 0}
    assert other.best_.keys() == trained.best_.keys()
    # A flag looks at all epochs, those that were taken over among them.
    record(other, [1e9, 1e9])
    assert not other.history[-1]["train_loss_best"]


def test_a_record_with_all_that_is_known_by_task_can_be_taken_over(make_plan):
    trained = train_alone(make_ready(make_plan()))
    other = make_ready(make_plan()).net
    other.restore(trained.history)
    assert list(other.history) == list(trained.history)
    assert all(np.array_equal(other.best_[key], best) for key, best in trained.best_.items())


def test_a_column_with_the_name_of_a_flag_has_a_key_of_its_own():
    columns = {"train_loss": ["train_loss_best", "train_loss_a"], "weight": ["weight_best", "weight_a"]}
    assert history_keys(columns) == {**columns, "train_loss": ["train_loss_best__value", "train_loss_a"]}
    columns = {"valid_loss": ["valid_loss_a", "valid_loss_a_best", "valid_loss_a_best_best"]}
    assert history_keys(columns)["valid_loss"] == [
        "valid_loss_a", "valid_loss_a_best__value", "valid_loss_a_best_best__value",
    ]  # fmt: skip


def test_totals_hold_nothing_that_is_known_by_task(make_plan):
    for row in train_alone(make_ready(make_plan())).totals():
        assert {"epoch", "train_loss", "valid_loss_best", "train_batch_count"} <= row.keys()
        assert not any(name.endswith(("_price", "_type", "batches")) for name in row)


@pytest.mark.parametrize("n_nets", [1, 2])
def test_the_frame_has_a_row_for_each_epoch_of_each_net(make_plan, n_nets):
    plan = make_plan()
    nets = [train_alone(make_ready(make_plan(seed=seed))) for seed in range(n_nets)]
    frame = history_frame(nets, plan.blueprint.tasks)
    assert len(frame) == 4 * n_nets
    assert frame.columns[:3].tolist() == (
        ["epoch", "train_loss", "valid_loss"] if n_nets == 1 else ["bag", "epoch", "train_loss"]
    )
    assert frame["epoch"].tolist() == [1, 2, 3, 4] * n_nets
    np.testing.assert_array_equal(frame["valid_r2_price"][:4], nets[0].history[:, "valid_r2_price"])


def test_the_frame_of_nets_that_held_no_row_out_has_no_validation(make_plan):
    net = train_alone(make_ready(make_plan(validated=False)))
    frame = history_frame([net], make_plan().blueprint.tasks)
    assert not [column for column in frame if column.startswith("valid")]
