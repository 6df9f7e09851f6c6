"""Regression tasks: labels to numbers and back, intervals, scores, errors."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import r2_score

from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Regression

LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "gamma", "quantile", "gaussian_nll"]


def bind(values, weight=None, **parameters):
    """Return the labels as a column, and the task they make."""
    column = read_column("price", values)
    return column, Regression(**parameters).bind(column, np.ones(len(column)) if weight is None else weight)


def perfect_response(task, encoded):
    """Return the response that predicts the encoded labels exactly."""
    response = np.repeat(encoded[..., None], task.loss.width, axis=-1)
    if task.loss.width == 2:
        response[..., 1] = response[..., 0] ** 2
    return response


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_decoding_undoes_encoding(loss, unit):
    values = unit * np.random.default_rng(0).gamma(2, size=(50,))
    column, task = bind(values, loss=loss)
    found = task.predict(perfect_response(task, task.encode(column)))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, values, rtol=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 1, 2], dtype=np.int8),
        np.array([3, 1, 2], dtype=np.float32),
        pd.array([3, 1, 2], dtype="Int64"),
        pd.array([3.0, 1.0, 2.0], dtype="Float32"),
        np.array([3, 1.0, 2], dtype=object),
    ],
    ids=lambda values: str(values.dtype),
)
def test_numbers_of_any_dtype_come_back_as_float64(values):
    column, task = bind(values)
    found = task.predict(perfect_response(task, task.encode(column)))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [3, 1, 2], rtol=1e-12)


def test_several_outputs_keep_their_shape():
    values = np.random.default_rng(0).normal([1, 100], [1, 30], size=(20, 2))
    column, task = bind(values)
    assert (task.n_columns, task.width) == (2, 2)
    np.testing.assert_allclose(task.predict(perfect_response(task, task.encode(column))), values, rtol=1e-12)
    column, task = bind(values[:, :1])
    assert task.predict(perfect_response(task, task.encode(column))).shape == (20,)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "gaussian_nll", "quantile"])
def test_scaled_labels_have_weighted_mean_0_and_variance_1(loss):
    rng = np.random.default_rng(0)
    values, weight = rng.normal([5, -2], [3, 0.1], size=(80, 2)), rng.choice([0.0, 1.0, 4.0], 80)
    values[::7, 0] = np.nan
    column, task = bind(values, weight, loss=loss)
    encoded = task.encode(column)
    for i in range(2):
        known = ~np.isnan(values[:, i])
        labels, s = encoded[known, i], weight[known]
        assert np.average(labels, weights=s) == pytest.approx(0, abs=1e-12)
        assert np.average(labels**2, weights=s) == pytest.approx(1)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_scaled_labels_of_a_log_link_have_weighted_mean_1(loss):
    rng = np.random.default_rng(0)
    values, weight = 1.0 + rng.poisson(5, size=60), rng.choice([0.0, 1.0, 4.0], 60)
    column, task = bind(values, weight, loss=loss)
    encoded = task.encode(column)[:, 0]
    assert np.average(encoded, weights=weight) == pytest.approx(1)
    np.testing.assert_allclose(encoded / encoded[0], values / values[0])


def test_missing_labels_are_nan():
    column, task = bind(pd.array([1, None, 3], dtype="Int64"))
    assert np.isnan(task.encode(column)).ravel().tolist() == [False, True, False]


def test_labels_that_do_not_vary_are_predicted():
    column, task = bind(np.full(5, 1 / 3))
    assert np.isfinite(task.encode(column)).all()
    np.testing.assert_array_equal(task.predict(np.full((2, 1, 1), 9.0)), [1 / 3, 1 / 3])


def test_output_without_a_label_is_no_error():
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    with pytest.warns(UserWarning, match=r"no label in the columns \[1\]"):
        column, task = bind(values)
    assert task.predict(np.zeros((1, 2, 1))).tolist() == [[2.0, 0.0]]
    assert task.score(column, perfect_response(task, np.nan_to_num(task.encode(column))), np.ones(2)) == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_predictions_are_held_to_the_labels_seen(loss):
    # The rows of weight 0 hold the widest labels, and are not seen.
    values, weight = np.array([1.0, 50.0, 2.0, 7.0]), np.array([0, 0, 1.0, 1.0])
    _, task = bind(values, weight, loss=loss)
    for extreme, end in ((-1e6, 2.0), (1e6, 7.0)):
        assert task.predict(np.full((3, 1, task.loss.width), extreme)).tolist() == [end] * 3


def test_score_is_scikit_learns():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2))
    values[rng.random((60, 2)) < 0.2] = np.nan
    weight = rng.choice([0.0, 1.0, 3.0], 60)
    column, task = bind(values)
    response = rng.normal(size=(60, 2, 1))
    found = task.predict(response)
    known = [~np.isnan(values[:, i]) & (weight > 0) for i in range(2)]
    expected = [
        r2_score(values[rows, i], found[rows, i], sample_weight=weight[rows]) for i, rows in enumerate(known)
    ]
    assert task.score(column, response, weight) == pytest.approx(np.mean(expected))


def test_score_without_a_label_is_nan():
    _, task = bind(np.arange(5.0))
    nothing = read_column("price", np.full(5, np.nan))
    assert np.isnan(task.score(nothing, np.zeros((5, 1, 1)), np.ones(5)))
    assert np.isnan(task.score(read_column("price", np.arange(5.0)), np.zeros((5, 1, 1)), np.zeros(5)))


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_gaussian_intervals_cover(coverage):
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(40, 5, size=20_000), rng.uniform(1, 3, size=20_000)
    values = rng.normal(mean, deviation)
    _, task = bind(values, loss="gaussian_nll")
    m, v = (mean - task.loc) / task.scale, (deviation / task.scale) ** 2
    low, high = task.interval(np.column_stack([m, v + m**2])[:, None], coverage).T
    assert task.has_interval
    assert np.mean((low <= values) & (values <= high)) == pytest.approx(coverage, abs=0.01)
    np.testing.assert_allclose((low + high) / 2, mean)


def test_quantile_intervals_cover():
    rng = np.random.default_rng(0)
    mean, levels = rng.normal(40, 5, size=20_000), (0.05, 0.25, 0.5, 0.75, 0.95)
    values = rng.normal(mean, 2)
    _, task = bind(values, loss="quantile", quantiles=levels)
    quantiles = mean[:, None] + 2 * norm.ppf(levels)
    response = ((quantiles - task.loc) / task.scale)[:, None]
    assert task.has_interval
    for coverage in (0.5, 0.9):
        low, high = task.interval(response, coverage).T
        assert np.mean((low <= values) & (values <= high)) == pytest.approx(coverage, abs=0.01)
    np.testing.assert_allclose(task.predict(response), np.clip(mean, values.min(), values.max()))


def test_intervals_of_several_outputs():
    _, task = bind(np.random.default_rng(0).normal(size=(30, 2)), loss="quantile")
    assert task.interval(np.zeros((7, 2, 3)), 0.9).shape == (7, 2, 2)


def test_interval_needs_the_quantiles_it_spans():
    _, task = bind(np.arange(9.0), loss="quantile")
    with pytest.raises(
        ValueError, match=r"Task .price.: `coverage`.*Found 0\.8, which needs .* 0\.1 and 0\.9"
    ):
        task.interval(np.zeros((9, 1, 3)), 0.8)


@pytest.mark.parametrize(
    ("quantiles", "spanned"),
    [
        ((0.05, 0.5, 0.95), "coverage=0.9"),
        ((0.05, 0.25, 0.3, 0.75, 0.95), "coverage=0.9, coverage=0.5"),
        ((0.5,), "none"),
    ],
)
def test_an_interval_that_the_quantiles_do_not_span_names_those_that_they_do(quantiles, spanned):
    _, task = bind(np.arange(9.0), loss="quantile", quantiles=quantiles)
    with pytest.raises(ValueError, match=rf"which span {spanned}\. Found 0\.8") as raised:
        task.interval(np.zeros((9, 1, len(quantiles))), 0.8)
    pasted = re.search(r"Regression\(.*\)", str(raised.value))[0]
    other = eval(pasted).bind(read_column("price", np.arange(9.0)), np.ones(9))
    assert other.interval(np.zeros((9, 1, 3)), 0.8).shape == (9, 2)


def test_interval_needs_a_loss_that_has_one():
    _, task = bind(np.arange(9.0))
    assert not task.has_interval
    with pytest.raises(ValueError, match="'price' of loss SquaredError"):
        task.interval(np.zeros((9, 1, 1)), 0.9)


@pytest.mark.parametrize(
    ("values", "parameters", "message"),
    [
        ([1.0, 2.0], {"loss": "mse"}, "`loss` of Regression must be one of .*Found 'mse'"),
        ([1.0, 2.0], {"loss": "huber", "delta": 0}, "`delta` .*positive number. Found 0"),
        ([1.0, 2.0], {"loss": "huber", "delta": "1"}, "`delta` .*positive number. Found '1'"),
        ([1.0, 2.0], {"loss": "huber", "delta": np.nan}, "`delta` .*positive number. Found nan"),
        ([1.0, 2.0], {"loss": "quantile", "quantiles": ()}, r"`quantiles` .*increasing.* Found \(\)"),
        ([1.0, 2.0], {"loss": "quantile", "quantiles": (0.0, 0.5)}, "`quantiles` .*between 0 and 1"),
        ([1.0, 2.0], {"loss": "quantile", "quantiles": (0.5, 1.0)}, "`quantiles` .*between 0 and 1"),
        ([1.0, 2.0], {"loss": "quantile", "quantiles": (0.9, 0.1)}, "`quantiles` .*increasing"),
        ([1.0, 2.0], {"loss": "quantile", "quantiles": (0.5, 0.5)}, "`quantiles` .*increasing"),
        ([1.0, -2.0], {"loss": "poisson"}, "'poisson' needs non-negative labels. Found 1 others.* -2"),
        ([1.0, 0.0], {"loss": "gamma"}, "'gamma' needs positive labels. Found 1 others, the first 0"),
        ([1.0, 0.0], {"transform": "log"}, "'price' with transform='log' needs positive .* 1 others, .* 0"),
        ([1.0, 2.0], {"transform": "sqrt"}, "`transform` of Regression must be None or 'log'. Found 'sqrt'"),
        ([1.0, 2.0], {"transform": "log", "loss": "gamma"}, "`transform='log'` .*any sign.*Found 'gamma'"),
        ([1.0, 2.0], {"transform": "log", "loss": "poisson"}, "`transform='log'` .*Found 'poisson'"),
        (["a", "b"], {}, r"'price' is a regression and needs numbers. Found .*\['a', 'b'\]"),
        ([np.nan, np.nan], {}, "'price' needs at least one label. Found 2 rows to train on, and no label"),
    ],
)
def test_errors(values, parameters, message):
    with pytest.raises(ValueError, match=message):
        bind(values, **parameters)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_labels_outside_the_support_may_stand_in_rows_without_weight(loss):
    _, task = bind(np.array([-1.0, np.nan, 2.0, 3.0]), np.array([0, 1.0, 1, 1]), loss=loss)
    assert task.low.tolist() == [2.0]


def test_error_where_all_weights_are_zero():
    with pytest.raises(ValueError, match=r"positive weight\. Found 2 labelled rows, all of weight 0"):
        bind(np.array([1.0, 2.0, np.nan]), np.array([0.0, 0.0, 1.0]))


def test_error_for_another_number_of_outputs():
    _, task = bind(np.zeros((3, 2)) + np.arange(3)[:, None])
    with pytest.raises(ValueError, match=r"'price' must have .*, \(n_rows, 2\)\. Found shape \(3, 3\)"):
        task.check_shape(read_column("price", np.zeros((3, 3))))


def test_parameters_are_kept_as_given_and_cloned():
    kind = Regression(loss="quantile", quantiles=[0.2, 0.8])
    assert clone(kind).get_params() == {
        "loss": "quantile",
        "delta": 1.0,
        "quantiles": [0.2, 0.8],
        "transform": None,
    }
    assert kind.set_params(delta=-1).delta == -1


@pytest.mark.parametrize("labels", [[1.0, 2.0, 4.0, 8.0], [3.0] * 4], ids=["varying", "constant"])
@pytest.mark.parametrize("error", [0.0, 0.25])
def test_scores_are_scikit_learns_to_the_bit(labels, error):
    labels, weight = np.tile(labels, 50), np.random.default_rng(0).random(200)
    column, task = bind(labels)
    response = (task.encode(column) + error * np.sin(np.arange(200.0))[:, None])[..., None]
    expected = r2_score(labels, task.predict(response), sample_weight=weight)
    assert task.score(column, response, weight) == expected


def test_a_prediction_that_is_not_finite_has_no_score():
    column, task = bind([1.0, 2.0, 4.0])
    with pytest.raises(ValueError, match="NaN"):
        task.score(column, np.full((3, 1, 1), np.nan), np.ones(3))


# Labels whose logarithms are learned

LOG_LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "gaussian_nll"]


def held_out(task, values, decision):
    """Return what `adjusted_to` asks for: decisions that miss the labels, all of weight 1."""
    encoded = task.encode(read_column("price", values))
    return lambda: (encoded - decision, encoded, np.ones_like(encoded))


@pytest.mark.parametrize("loss", LOG_LOSSES)
def test_logarithms_are_learned_and_predictions_come_back_in_the_labels_units(loss):
    values = np.random.default_rng(0).lognormal(10, 1, size=(60, 2))
    values[3, 1] = np.nan
    column, task = bind(values, loss=loss, transform="log")
    encoded = task.encode(column)
    np.testing.assert_allclose(np.nanmean(encoded, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(encoded, axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(task.predict(perfect_response(task, encoded)), values, rtol=1e-12)
    assert task.score(column, perfect_response(task, np.nan_to_num(encoded)), np.ones(60)) == pytest.approx(1)


def test_labels_that_are_not_positive_are_refused_later_too():
    _, task = bind(np.array([1.0, 2.0]), transform="log")
    with pytest.raises(
        ValueError, match=r"'price' with transform='log' needs positive labels\. Found 1 others"
    ):
        task.encode(read_column("price", np.array([1.0, -2.0, np.nan])))


@pytest.mark.parametrize("loss", LOG_LOSSES)
def test_means_are_corrected_by_the_mean_exponential_of_held_out_errors_and_quantiles_are_not(loss):
    values = np.random.default_rng(0).lognormal(0, 1, size=40)
    _, task = bind(values, loss=loss, transform="log")
    errors = np.random.default_rng(1).normal(size=(40, 1))
    found = task.adjusted_to(held_out(task, values, errors))
    factor = 1.0 if task.loss.predicts_quantile else np.exp(errors * task.scale).mean()
    np.testing.assert_allclose(found.smearing, factor)
    response = perfect_response(task, np.zeros((1, 1)))
    assert found.predict(response) == pytest.approx(task.predict(response) * factor)


def test_a_correction_takes_no_account_of_cells_without_weight_and_of_columns_without_any():
    values = np.random.default_rng(0).lognormal(0, 1, size=(6, 2))
    _, task = bind(values, transform="log")
    encoded = task.encode(read_column("price", values))
    weight = np.ones_like(encoded)
    weight[1:, 0], weight[:, 1] = 0.0, 0.0
    decision = encoded - np.array([[0.5], [99.0], [np.nan], [0.0], [0.0], [0.0]])
    found = task.adjusted_to(lambda: (decision, encoded, weight))
    np.testing.assert_allclose(found.smearing, [np.exp(0.5 * task.scale[0]), 1.0])


def test_the_labels_own_scale_asks_for_no_held_out_rows():
    _, task = bind(np.array([1.0, 2.0]))
    assert task.adjusted_to(lambda: pytest.fail("not needed")) is task


def test_intervals_of_logarithms_are_positive_and_hold_the_prediction():
    values = np.random.default_rng(0).lognormal(0, 1, size=(50, 2))
    column, task = bind(values, loss="gaussian_nll", transform="log")
    encoded = task.encode(column)
    # Variance 1 around the label.
    response = np.stack([encoded, 1 + encoded**2], axis=-1)
    found = task.interval(response, 0.9)
    assert found.shape == (50, 2, 2)
    reach = norm.ppf(0.95) * task.scale
    np.testing.assert_allclose(found[..., 0], np.minimum(values * np.exp(-reach), values), rtol=1e-12)
    np.testing.assert_allclose(found[..., 1], values * np.exp(reach), rtol=1e-12)


def test_neighbours_of_both_scales_are_decoded_each_by_its_own():
    values = np.random.default_rng(0).lognormal(0, 1, size=30)
    (_, plain), (_, logs) = bind(values), bind(values, transform="log")
    logs = logs.adjusted_to(held_out(logs, values, np.full((30, 1), 0.3)))
    decision = np.random.default_rng(1).normal(size=(5, 3))
    found = type(plain).decode_all([plain, logs, logs], decision)
    for place, task in enumerate((plain, logs, logs)):
        np.testing.assert_array_equal(found[place], task.decode(decision[:, [place]]))
    np.testing.assert_array_equal(type(logs).decode_all([logs, logs], decision[:, 1:])[0], found[1])
