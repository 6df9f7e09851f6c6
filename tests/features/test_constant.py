"""Columns that vary but reach the network as a constant are named."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl.features import FeatureEncoder

N = 40
WORDS = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(N)]


@pytest.mark.parametrize(
    "lost",
    [
        pd.Series(WORDS),
        pd.Series(WORDS, dtype="category"),
        pd.Series([f"{i},5" for i in range(N)]),
        pd.Series([f"{i}.1.2024" for i in range(N)]),
        pd.Series([f"{i} %" for i in range(N)]),
        pd.Series([f"0{i}" for i in range(N)]),
        pd.Series([f"{i} days" for i in range(N)]),
        pd.Series([b"id" + word.encode() for word in WORDS]),
        pd.Series(pd.IntervalIndex.from_breaks(range(N + 1))),
        pd.Series([*WORDS[:-2], None, None]),
        # Their variance is 0 in double precision.
        pd.Series(np.arange(N) * 1e-300),
    ],
    ids=lambda lost: str(lost.iloc[1]),
)
def test_columns_of_rare_levels_are_named(lost):
    X = pd.DataFrame({"number": np.arange(N), "first": lost, "second": lost, "level": ["u", "v"] * (N // 2)})
    with pytest.warns(UserWarning, match=r"as a constant: \['first', 'second'\]") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "kept",
    [
        ["u"] * N,
        [None] * N,
        ["u"] * (N - 1) + [None],
        ["u"] * (N - 1) + ["v"],
        [3.5] * N,
        [3.5] * (N - 1) + [None],
        pd.date_range("2024", periods=N),
        pd.to_timedelta(np.arange(N), unit="s"),
        pd.Categorical(["u"] * N, ["u", "v"]),
        1e9 + np.arange(N) * 1e-3,
    ],
    ids=lambda kept: f"{kept[0]}, {kept[-1]}",
)
def test_what_is_constant_or_reaches_the_network_is_not(kept):
    FeatureEncoder("auto").fit(pd.DataFrame({"a": kept, "b": np.arange(N)}))


def test_only_the_fitted_rows_count():
    X = pd.DataFrame({"a": ["u"] * 20 + WORDS[:20], "b": np.arange(N)})
    FeatureEncoder("auto").fit(X, rows=np.arange(20))
    with pytest.warns(UserWarning, match=r"\['a'\]"):
        FeatureEncoder("auto").fit(X, rows=np.arange(20, N))


def test_free_text_is_named_once():
    X = pd.DataFrame({"note": [f"{word} by the sea" for word in WORDS], "b": np.arange(N)})
    with pytest.warns(UserWarning, match="free text") as caught:
        FeatureEncoder("auto").fit(X)
    assert len(caught) == 1


def test_free_text_in_the_only_column():
    with pytest.warns(UserWarning, match=r"free text.*\['note'\]"):
        encoder = FeatureEncoder("auto").fit(pd.DataFrame({"note": [f"{word} by the sea" for word in WORDS]}))
    assert encoder.spec.single.shape == (1,)


def test_columns_of_arrays_are_named_by_position():
    with pytest.warns(UserWarning, match=r"as a constant: \[1\]"):
        FeatureEncoder("auto").fit(np.array([list(range(N)), WORDS], dtype=object).T)


def test_numbers_that_single_precision_cannot_tell_apart():
    X = np.column_stack([1.7e9 + np.arange(30), np.arange(30.0)])
    with pytest.warns(UserWarning, match=r"as a constant: \[0\]"):
        FeatureEncoder(None).fit(X)
    FeatureEncoder(None, np.float64).fit(X)
    FeatureEncoder("auto").fit(X)


def test_a_transformer_of_the_users_is_trusted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FeatureEncoder(OneHotEncoder(min_frequency=5)).fit(pd.DataFrame({"a": WORDS}))
