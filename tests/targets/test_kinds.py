import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import load_digits

from sklearn_mtl.targets import guess_kind, infer_kind, infer_kinds, read_targets

MARKS = {"question": "?", "empty": "", "nan": "nan", "na": "NA", "slash": "N/A", "null": "null"}
MARKS["none"] = "None"


def column(labels):
    return read_targets({"price": labels}).columns["price"]


def warned(columns):
    """The kinds of several tasks, and what was said about them."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        kinds = infer_kinds(read_targets(columns).columns)
    return kinds, [str(warning.message) for warning in said]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([0.5, 1.5], "regression"),
        ([0.0, 1.0, 2.0], "regression"),
        ([0.5, None], "regression"),
        (np.r_[np.arange(26.0), np.nan], "regression"),
        (np.arange(26.0).repeat(9), "regression"),
        (pd.array([0.5, None], dtype="Float64"), "regression"),
        (np.arange(26), "regression"),
        (np.arange(14) % 3, "classification"),
        ([True, False], "classification"),
        ([True, None], "classification"),
        (pd.array([True, None], dtype="boolean"), "classification"),
        (["a", "b"], "classification"),
        (["a", None], "classification"),
        (["1a", "2", "b"] * 5, "classification"),
        (["+", "-"] * 5, "classification"),
        (["none", "mild", "severe", "unknown", "Na"] * 5, "classification"),
        (pd.Categorical(["a", "b"], categories=["a", "b", "?"]), "classification"),
        (np.array(["a", "b"]), "classification"),
        (pd.Series(["a", None], dtype="str"), "classification"),
        (pd.Categorical([0.5, 1.5]), "classification"),
        (pd.Categorical(np.arange(40)), "classification"),
        (pd.Categorical(np.arange(40).astype(str)), "classification"),
        (pl.Series(["a", None], dtype=pl.Enum(["a"])), "classification"),
        (pl.Series(["1", None], dtype=pl.Enum(["2", "1"])), "classification"),
        (pl.Series([str(i) for i in range(40)], dtype=pl.Categorical), "classification"),
        (pl.Series([1, None]), "classification"),
        ([[0, 1], [1, 1]], "multilabel"),
        (np.tri(3, dtype=bool), "multilabel"),
        ([[0.0, np.nan], [1.0, 1.0]], "multilabel"),
        ([[0.5, 1.0], [1.5, np.nan]], "regression"),
    ],
    ids=str,
)
def test_kind_is_told_without_a_word(labels, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert infer_kind(column(labels)) == kind
        assert guess_kind(column(labels)).kind == kind


@pytest.mark.parametrize(
    ("n_values", "kind", "other"),
    [
        (15, "classification", "regression"),
        (20, "classification", "regression"),
        (21, "regression", "classification"),
        (25, "regression", "classification"),
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
        pd.Series([0, 1, 2, None]),
        pd.Series([0, 1, 2, None], dtype="Float64"),
        pl.Series([0.0, 1.0, 2.0, None]),
        [0, 1, 2, np.nan],
        [0.0, 1.0, 2.0, None],
    ],
    ids=lambda labels: f"{type(labels).__module__.partition('.')[0]}",
)
def test_whole_floats_with_gaps_are_the_integers_that_other_readers_give(labels):
    with pytest.warns(UserWarning, match="'price'.*whole floats of few values with gaps.*'regression'"):
        assert infer_kind(column(labels)) == "classification"
    for whole in (pd.array([0, 1, 2, None], dtype="Int64"), pl.Series([0, 1, 2, None])):
        assert infer_kind(column(whole)) == "classification"


@pytest.mark.parametrize(("n_values", "kind"), [(20, "classification"), (21, "regression")])
def test_the_rule_of_twenty_holds_for_integers_with_gaps(n_values, kind):
    with pytest.warns(UserWarning, match="'price'"):
        assert infer_kind(column(np.r_[np.arange(float(n_values)), np.nan])) == kind


def test_few_whole_floats_that_repeat_are_a_regression_with_a_word():
    labels = np.arange(3.0).repeat(5)
    with pytest.warns(UserWarning, match="'price'.*few values, all of them whole.*'classification'"):
        assert infer_kind(column(labels)) == "regression"
    assert guess_kind(column(labels[1:])).doubt == ""
    assert guess_kind(column(labels + 0.5)).doubt == ""


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "labels",
    [
        RNG.poisson(1.5, 200),
        RNG.poisson(3, 200),
        RNG.poisson(3, 200).astype(np.uint8),
        RNG.geometric(0.5, 200),
        RNG.binomial(8, 0.4, 500) - 100,
        10 - RNG.geometric(0.4, 300).clip(1, 9),
        np.r_[RNG.poisson(2, 500), 15],
    ],
    ids=["rare", "usual", "uint8", "from 1", "below 0", "ratings", "one far out"],
)
def test_counts_are_taken_for_classes_with_a_word(labels):
    with pytest.warns(UserWarning, match="'price'.*counts.*'regression'"):
        assert infer_kind(column(labels)) == "classification"


@pytest.mark.parametrize(
    "labels",
    [
        load_digits().target,
        RNG.integers(0, 8, 200),
        np.repeat([1, 2, 3, 5, 6, 7], [70, 76, 17, 13, 9, 29]),
        np.repeat([1, 2, 3, 4, 5, 6, 7], [2118, 2833, 357, 27, 95, 174, 205]),
        np.repeat([0, 1, 2, 3], [100, 50, 20, 5]),
        [0, 0, 0, 1, 1, 2, 3, 4],
    ],
    ids=["digits", "even", "glass", "covtype", "four", "few rows"],
)
def test_codes_of_classes_are_no_counts(labels):
    assert guess_kind(column(labels)).doubt == ""


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["a", 1], "neither numbers nor text"),
        (["a", True, None], "neither numbers nor text"),
        (pd.to_datetime(["2020-01-01", None]), "neither numbers nor text"),
        (np.array([1, 2], dtype="m8[s]"), "neither numbers nor text"),
        ([[1, 2], [3, 4]], "block"),
        ([f"house {i}" for i in range(10)], "nearly all is distinct"),
        (pd.Series([f"house {i}" for i in range(10)] + [None] * 5, dtype="str"), "nearly all is distinct"),
        (["1", "2", None], "reads as numbers"),
        (["1.5", "-2e3", "1.5"], "reads as numbers"),
        (np.array([b"1", b"2"]), "reads as numbers"),
        (["3", "4"] * 10 + ["?"], "reads as numbers"),
        ([str(i % 30) for i in range(60)] + ["?", "NA", "n/a", "unknown", "", "nan"] * 9, "reads as numbers"),
        ([f"house {i}" for i in range(10)] + ["unknown", ""] * 9, "nearly all is distinct"),
    ],
    ids=str,
)
def test_what_could_be_anything_is_refused(labels, found):
    with pytest.raises(ValueError, match=rf"'price'.*tasks=\{{'price':.*Found.*{found}"):
        infer_kind(column(labels))
    assert guess_kind(column(labels)).kind is None


def test_a_block_is_only_offered_what_it_can_be():
    with pytest.raises(
        ValueError, match=r"tasks=\{'price': 'regression'\}, 'tokens' where .*, or make a task of each"
    ):
        infer_kind(column([[1, 2], [3, 4]]))
    with pytest.raises(ValueError, match=r"Task 'price' must be a task for each column. Found .*block"):
        infer_kind(column([["a", 1], ["c", 2]]))


def test_all_refused_tasks_are_named_at_once():
    names = [f"house {i}" for i in range(20)]
    y = {"name": names, "street": names[::-1], "age": ["10", "20"] * 10, "price": np.arange(20.5)[:20]}
    with pytest.raises(ValueError, match=r"'name', 'street'") as raised:
        infer_kinds(read_targets(y).columns)
    assert "tasks={'name': 'classification', 'street': 'classification'}" in str(raised.value)
    assert "tasks={'age': 'classification'}" in str(raised.value)
    assert "price" not in str(raised.value)


def test_one_warning_for_each_kind_of_guess():
    binary = {f"assay{i}": np.array([0.0, 1.0, np.nan, 1.0]) for i in range(206)}
    kinds, said = warned({**binary, "n": np.array([3.0, 5.0, np.nan, 4.0])})
    assert set(kinds.values()) == {"classification"}
    assert len(said) == 2
    assert "'assay9'] and 196 more" in said[0]
    assert "tasks={'n': 'regression'}" in said[1]


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_what_a_warning_says_to_write_can_be_pasted(kind):
    _, (said,) = warned({"n": np.arange(16).repeat(2), "m": np.arange(18).repeat(2)[:32]})
    assert "16, 18 distinct" in said or "16 distinct" in said
    pasted = [eval(found) for found in re.findall(r"tasks=(\{.*?\})", said)]
    assert {"n": kind, "m": kind} in pasted


def test_a_block_in_one_hot_form_says_that_it_is_multilabel():
    _, (said,) = warned({"type": np.eye(3)[[0, 1, 2, 0]]})
    assert "numpy.argmax(y['type'], axis=1)" in said
    assert "tasks={'type': 'multilabel'}" in said
    gap = np.array([[0.0, 1.0], [1.0, 0.0], [np.nan, 1.0]])
    assert guess_kind(column(gap)).doubt == guess_kind(column(np.eye(2))).doubt != ""


def test_columns_in_one_hot_form_say_that_they_are_separate():
    hot = np.eye(4, dtype=int)[RNG.integers(0, 4, 30)]
    kinds, (said,) = warned(hot)
    assert set(kinds.values()) == {"classification"}
    assert "numpy.argmax(y, axis=1)" in said
    hot[-1] = 1
    assert warned(hot)[1] == []


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


def test_values_that_come_late_are_counted():
    late = np.r_[np.zeros(5000, dtype=int), np.arange(40)]
    assert infer_kind(column(late)) == infer_kind(column(late[::-1])) == "regression"


def test_text_and_bytes_together_are_classes():
    assert infer_kind(column(np.array(["a", b"b", None], dtype=object))) == "classification"


def test_numbers_as_text_are_told_to_be_made_numbers_also_where_they_are_all_distinct():
    with pytest.raises(ValueError, match=r"pandas\.to_numeric"):
        infer_kind(column([f"{i}.5" for i in range(100)]))


# pandas 2 warns that a category which is replaced will stay one in pandas 3.
@pytest.mark.filterwarnings("ignore:The behavior of Series.replace:FutureWarning")
def test_text_that_marks_a_gap_is_a_class_with_a_word():
    y = pd.DataFrame({name: pd.Series(["a", "b", mark] * 4) for name, mark in MARKS.items()})
    y["level"] = pd.Categorical(y["question"])
    y["type"], y["size"] = ["flat", "house", "unknown"] * 4, y["question"].replace("?", None)
    kinds, (said,) = warned(y)
    assert set(kinds.values()) == {"classification"}
    assert f"Tasks {[*MARKS, 'level']}" in said
    assert "missing labels are None or NaN" in said
    pasted = eval(re.search(r"y\.replace\((\[.*?\]), None\)", said)[1])
    assert set(pasted) == set(MARKS.values())
    assert warned(y.replace(pasted, None))[1] == []


def test_bytes_mark_a_gap_as_text_does():
    _, (said,) = warned({"type": np.array([b"a", b"b", b"?"], dtype=object)})
    assert "y.replace(b'?', None)" in said


GAP = [1.0, float("nan"), 0.0]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([["up", "down"], ["up", "up"]], "tokens"),
        ([["up"], ["up", "down"]], "tokens"),
        ([GAP, [0, 1]], "tokens"),
        ([float("nan"), ["up", "down"], ["up"]], "tokens"),
        ([pd.NA, ["up", "down"], ["up"]], "tokens"),
        ([pd.Series(["up", "down"], index=[4, 5]), pd.Series(["up"])], "tokens"),
        ([pd.array([1, None]), pd.array([0])], "tokens"),
        ([torch.tensor([1, 0]), torch.tensor([1])], "tokens"),
        (np.array([[GAP, GAP], [GAP, GAP]]), "segmentation"),
    ],
    ids=["even", "uneven", "floats", "nan", "na", "series", "nullable", "tensors", "pixels"],
)
def test_labels_of_positions(labels, kind):
    column = read_targets({"y": labels}).columns["y"]
    assert infer_kind(column) == kind


@pytest.mark.parametrize("labels", [[[1.5, 2.0], [1.0]], np.full((2, 2, 2), 2.0)], ids=["steps", "pixels"])
def test_other_numbers_of_positions_are_refused(labels):
    with pytest.raises(ValueError, match="neither text nor whole numbers"):
        infer_kind(read_targets({"y": labels}).columns["y"])
