"""Multilabel tasks: labels to numbers and back, weights, scores, errors."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score

from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Multilabel
from sklearn_mtl.tasks.losses.classification import BinaryCrossEntropy

ZERO_ONE = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1]])


def bind(values, weight=None, **parameters):
    """Return the labels as a column, and the task they make."""
    column = read_column("tags", values)
    return column, Multilabel(**parameters).bind(column, np.ones(len(column)) if weight is None else weight)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.float32, np.float64])
def test_decoding_undoes_encoding(dtype):
    values = ZERO_ONE.astype(dtype)
    column, task = bind(values)
    encoded = task.encode(column)
    assert encoded.dtype == np.float64
    found = task.predict(encoded[..., None])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(task.predict_proba(encoded[..., None]), ZERO_ONE)
    assert [classes.tolist() for classes in task.classes] == [[0, 1]] * 3
    assert all(classes.dtype == dtype for classes in task.classes)


def test_one_logit_for_each_label():
    _, task = bind(ZERO_ONE)
    assert (task.width, task.n_columns, task.loss) == (3, 3, BinaryCrossEntropy())


def test_missing_cells_are_nan():
    values = ZERO_ONE.astype(float)
    values[1, 2] = np.nan
    column, task = bind(values)
    np.testing.assert_array_equal(task.encode(column), values)


def test_the_score_is_not_called_what_scikit_learn_calls_that_of_whole_rows():
    _, task = bind(ZERO_ONE)
    assert task.metric == "mean_label_accuracy"


def test_score_is_the_mean_accuracy_of_the_labels():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (40, 3)).astype(float)
    values[rng.random((40, 3)) < 0.2] = np.nan
    weight = rng.choice([0.0, 1.0, 3.0], 40)
    column, task = bind(values)
    response = rng.random((40, 3, 1))
    known = [~np.isnan(values[:, i]) & (weight > 0) for i in range(3)]
    expected = [
        accuracy_score(values[rows, i], response[rows, i, 0] > 0.5, sample_weight=weight[rows])
        for i, rows in enumerate(known)
    ]
    assert task.score(column, response, weight) == pytest.approx(np.mean(expected))
    assert np.isnan(task.score(column, response, np.zeros(40)))


def test_label_without_a_cell_is_left_out_of_the_score():
    column, task = bind(ZERO_ONE)
    values = ZERO_ONE.astype(float)
    values[:, 1] = np.nan
    response = np.nan_to_num(values, nan=1.0)[..., None]
    assert task.score(read_column("tags", values), response, np.ones(4)) == 1.0
    assert task.score(column, response, np.ones(4)) == pytest.approx((1 + 0.5 + 1) / 3)


@pytest.mark.parametrize(
    ("pos_weight", "expected"),
    [(None, [1, 1, 1]), (3, [3, 3, 3]), ([1, 2, 0.5], [1, 2, 0.5]), ("balanced", [3, 1, 1 / 3])],
)
def test_positive_cells_weigh_pos_weight(pos_weight, expected):
    column, task = bind(ZERO_ONE, pos_weight=pos_weight)
    np.testing.assert_allclose(task.pos_weight, expected)
    np.testing.assert_allclose(
        np.broadcast_to(task.cell_weight(task.encode(column)), (4, 3)),
        np.where(ZERO_ONE == 1, expected, 1.0),
    )


def test_balanced_counts_sample_weights_as_rows_and_leaves_missing_cells_out():
    values = ZERO_ONE.astype(float)
    values[0, 0] = np.nan
    times = np.array([2, 1, 0, 3])
    _, weighted = bind(values, times.astype(float), pos_weight="balanced")
    _, repeated = bind(np.repeat(values, times, axis=0), pos_weight="balanced")
    np.testing.assert_allclose(weighted.pos_weight, repeated.pos_weight)
    assert weighted.pos_weight[0] == 3


def test_balanced_leaves_a_label_that_is_never_or_always_set():
    _, task = bind(np.array([[0, 1, 1], [0, 1, 0], [0, 1, 0]]), pos_weight="balanced")
    assert task.pos_weight.tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("values", "parameters", "message"),
    [
        ([0, 1], {}, r"two-dimensional block of 0 and 1. Found labels of shape \(2,\)"),
        ([[0, 2], [1, -1]], {}, r"'tags' is multilabel and needs labels 0 and 1. Found \[2, -1\]"),
        ([[0, 0.5], [1, 1]], {}, r"needs labels 0 and 1. Found \[0.5\]"),
        (np.array([["yes", "no"]]), {}, r"needs labels 0 and 1. Found \['yes', 'no'\]"),
        (np.array([["yes", 0, 1]], dtype=object), {}, r"needs labels 0 and 1. Found \['yes'\]"),
        ([[np.nan, np.nan]], {}, "'tags' needs at least one label"),
        (
            ZERO_ONE,
            {"pos_weight": "even"},
            "`pos_weight` of task 'tags' must be None.*3 labels. Found 'even'",
        ),
        (ZERO_ONE, {"pos_weight": [1.0, 2.0]}, "`pos_weight` of task 'tags' must be None"),
        (ZERO_ONE, {"pos_weight": 0.0}, "`pos_weight` .*positive and finite. Found 0.0"),
        (ZERO_ONE, {"pos_weight": [1, 1, np.inf]}, "`pos_weight` .*positive and finite"),
    ],
)
def test_errors(values, parameters, message):
    with pytest.raises(ValueError, match=message):
        bind(values, **parameters)


def test_error_where_all_weights_are_zero():
    with pytest.raises(ValueError, match=r"positive weight\. Found 4 labelled rows, all of weight 0"):
        bind(ZERO_ONE, np.zeros(4))


def test_error_for_another_number_of_labels():
    _, task = bind(ZERO_ONE)
    with pytest.raises(ValueError, match=r"'tags' must have .*, \(n_rows, 3\)\. Found shape \(4, 2\)"):
        task.check_shape(read_column("tags", ZERO_ONE[:, :2]))


def test_parameters_are_kept_as_given_and_cloned():
    assert clone(Multilabel(pos_weight=[1, 2])).get_params() == {"pos_weight": [1, 2]}
