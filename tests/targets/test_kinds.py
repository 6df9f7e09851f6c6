import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklearn_mtl.targets import infer_kind, read_targets


def column(labels):
    return read_targets({"price": labels}).columns["price"]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0.5, 1.5], "regression"),
        ([0.0, 1.0, 2.0], "regression"),
        ([0.5, None], "regression"),
        (pd.array([0.5, None], dtype="Float64"), "regression"),
        (np.arange(31), "regression"),
        (np.arange(14) % 3, "classification"),
        ([True, False], "classification"),
        ([True, None], "classification"),
        (pd.array([True, None], dtype="boolean"), "classification"),
        (["a", "b"], "classification"),
        (["a", None], "classification"),
        (np.array(["a", "b"]), "classification"),
        (pd.Series(["a", None], dtype="str"), "classification"),
        (pd.Categorical([0.5, 1.5]), "classification"),
        (pd.Categorical(np.arange(40)), "classification"),
        (pl.Series(["a", None], dtype=pl.Enum(["a"])), "classification"),
        (pl.Series([1, None]), "classification"),
        ([[0, 1], [1, 1]], "multilabel"),
        (np.eye(2, dtype=bool), "multilabel"),
        ([[0.0, np.nan], [1.0, 1.0]], "multilabel"),
        ([[0.5, 1.0], [1.5, np.nan]], "regression"),
    ],
    ids=str,
)
def test_kind_is_told_without_a_word(labels, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert infer_kind(column(labels)) == kind


@pytest.mark.parametrize(
    ("n_values", "kind", "other"),
    [
        (15, "classification", "regression"),
        (20, "classification", "regression"),
        (21, "regression", "classification"),
        (30, "regression", "classification"),
    ],
)
def test_a_close_guess_among_integers_warns(n_values, kind, other):
    with pytest.warns(UserWarning, match=f"'price'.*{n_values} distinct.*{other}"):
        assert infer_kind(column(np.arange(2 * n_values) % n_values)) == kind


def test_floats_of_zero_and_one_are_classes_with_a_warning():
    with pytest.warns(UserWarning, match="'price'.*only 0 and 1.*regression"):
        assert infer_kind(column([0.0, 1.0, np.nan])) == "classification"


@pytest.mark.parametrize(
    "labels",
    [
        ["a", 1],
        ["a", True, None],
        pd.to_datetime(["2020-01-01", None]),
        np.array([1, 2], dtype="m8[s]"),
        [["a", "b"], ["c", "d"]],
        [[1, 2], [3, 4]],
    ],
    ids=str,
)
def test_what_could_be_anything_is_refused(labels):
    with pytest.raises(ValueError, match=r"'price'.*tasks=\{'price':.*Found"):
        infer_kind(column(labels))


@pytest.mark.parametrize("n_rows", [1, 5])
def test_the_kind_ignores_the_order_of_rows(n_rows):
    labels = np.random.default_rng(0).permutation(np.repeat([1, 2, 7], n_rows))
    assert infer_kind(column(labels)) == infer_kind(column(labels[::-1])) == "classification"


def test_integers_far_from_zero_are_counted_by_their_values():
    few = np.array([2**62, 2**62 + 1] * 10)
    assert infer_kind(column(few)) == "classification"
    assert infer_kind(column(np.r_[few, np.arange(40)])) == "regression"
    apart = np.arange(14) * 10**6
    assert infer_kind(column(apart)) == "classification"


def test_text_and_bytes_together_are_classes():
    assert infer_kind(column(np.array(["a", b"b", None], dtype=object))) == "classification"
