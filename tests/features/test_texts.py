"""Texts as input: their tokens and codes."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import AcceptedInput, MultiInput, TextPreprocessing

FILMS = ["A good film!", "A bad film.", "Really good, really.", "What a film"]


def texts(*values):
    return np.array(values, dtype=object)


def fitted(*values, **parameters):
    return TextPreprocessing(**{"min_count": 1, **parameters}).fit(texts(*values))


def read(X):
    return TextPreprocessing().read(BaseEstimator(), X, reset=True)


def test_words_and_signs_are_tokens():
    assert list(fitted("Don't stop - 3.5 naïve, œuvres!").vocabulary_) == sorted(
        ["don", "'", "t", "stop", "-", "3", ".", "5", "naïve", ",", "œuvres", "!"]
    )


def test_the_most_frequent_tokens_come_first_whatever_the_order_of_the_rows():
    one, other = fitted(*FILMS), fitted(*FILMS[::-1])
    assert one.vocabulary_ == other.vocabulary_
    assert list(one.vocabulary_)[:2] == ["a", "film"]
    assert sorted(one.vocabulary_.values()) == list(range(2, 2 + len(one.vocabulary_)))


def test_codes_are_filled_up_at_the_end():
    preprocessing = fitted(*FILMS, min_count=2)
    assert preprocessing.vocabulary_ == {"a": 2, "film": 3, ".": 4, "good": 5, "really": 6}
    found = preprocessing.encode(texts("a good film", "really new"))
    assert found["x"].tolist() == [[2, 5, 3], [6, 1, 0]]
    assert found["x_lengths"].tolist() == [3, 2]
    codes, lengths = preprocessing.blocks()
    assert (codes.shape, codes.cardinalities, codes.varies) == ((5,), (7,), True)
    assert (lengths.name, lengths.kind) == ("x_lengths", "lengths")


def test_each_text_is_encoded_by_itself():
    preprocessing = fitted(*FILMS)
    whole = preprocessing.encode(texts(*FILMS))
    for row, text in enumerate(FILMS):
        alone = preprocessing.encode(texts(text))
        length = alone["x_lengths"][0]
        assert length == whole["x_lengths"][row]
        np.testing.assert_array_equal(alone["x"][0], whole["x"][row, :length])


def test_characters():
    preprocessing = fitted("aab", "abc d", tokens="characters")
    assert list(preprocessing.vocabulary_) == ["a", "b", " ", "c", "d"]
    assert preprocessing.encode(texts("da!"))["x"].tolist() == [[6, 2, 1]]


def test_tokens_of_a_users_own():
    preprocessing = fitted("a-b-c", "a-b", tokens=lambda text: text.split("-"))
    assert list(preprocessing.vocabulary_) == ["a", "b", "c"]
    # One that finds none in a text leaves it a token that is unknown.
    assert preprocessing.encode(texts(""))["x"].tolist() == [[1]]


@pytest.mark.parametrize("made", [np.array, iter, tuple], ids=["array", "generator", "tuple"])
def test_tokens_of_a_users_own_in_what_is_no_list(made):
    preprocessing = fitted("a-b-c", "a-b", tokens=lambda text: made(text.split("-")))
    assert preprocessing.vocabulary_ == {"a": 2, "b": 3, "c": 4}


@pytest.mark.parametrize("found", [None, 3, [1, 2], [b"a"]], ids=str)
def test_what_makes_no_tokens_is_refused(found):
    with pytest.raises(TypeError, match="`tokens` of TextPreprocessing must return a list of strings"):
        fitted("a", tokens=lambda _: found)


@pytest.mark.parametrize("gap", [None, float("nan"), 7])
def test_auto_names_the_row_that_holds_no_text(gap):
    for texts, row in (([*FILMS, gap], 4), ([gap, *FILMS], 0), (pd.Series([gap, *FILMS]), 0)):
        with pytest.raises(ValueError, match=f"`X` must hold texts.* Found (None|nan|7) in row {row}"):
            AcceptedInput.by("auto").read(BaseEstimator(), texts, reset=True)


def test_bounds():
    preprocessing = fitted("a a a b b c", "d", vocabulary_size=2, max_tokens=4)
    assert list(preprocessing.vocabulary_) == ["a", "b"]
    assert preprocessing.longest_ == 4
    assert preprocessing.encode(texts("c a b a a a"))["x"].tolist() == [[1, 2, 3, 2]]


def test_case():
    assert list(fitted("Film film").vocabulary_) == ["film"]
    assert list(fitted("Film film", lowercase=False).vocabulary_) == ["Film", "film"]


@pytest.mark.parametrize(
    "X",
    [
        FILMS,
        tuple(FILMS),
        np.array(FILMS),
        np.array(FILMS, dtype=object),
        pd.Series(FILMS),
        pd.Series(FILMS, dtype="category"),
        pd.Series(FILMS, dtype="string"),
        pd.DataFrame({"text": FILMS}),
        pd.array(FILMS, dtype="string"),
        pd.Index(FILMS),
        pl.Series(FILMS),
    ],
    ids=lambda X: f"{type(X).__name__}, {getattr(X, 'dtype', '')}",
)
def test_what_texts_may_be_in(X):
    assert read(X).tolist() == FILMS
    assert TextPreprocessing.takes(X) == (not isinstance(X, pd.DataFrame))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (["a", ""], ValueError, r"strings with more than spaces. Found '' in row 1"),
        (["a", " \n"], ValueError, "Found .* in row 1"),
        (["a", None], ValueError, "Found None in row 1"),
        (pd.Series([float("nan"), "a"]), ValueError, "Found nan in row 0"),
        (["a", 7], ValueError, "Found 7 in row 1"),
        ([], ValueError, r"Found array with 0 sample\(s\)"),
        ("a", TypeError, "must be a list or a column of texts. Found 'a'"),
        (np.array([["a", "b"]]), TypeError, "must be a list or a column of texts"),
        (None, TypeError, "must be a list or a column of texts. Found None"),
        ({FILMS[0]}, TypeError, "`X` must have its rows in an order. Found a set"),
        ({"notes": FILMS}, TypeError, "must be one input, not several by name. Found dict with keys"),
        (MultiInput({"notes": FILMS}), TypeError, "must be one input.* Found MultiInput with keys"),
    ],
    ids=str,
)
def test_other_input_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        read(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tokens": "letters"}, "`tokens` of TextPreprocessing must be 'words', 'characters' or a callable"),
        ({"tokens": np.array(["words"])}, "`tokens` of TextPreprocessing must be"),
        ({"lowercase": "yes"}, "`lowercase` of TextPreprocessing must be True or False. Found 'yes'"),
        ({"min_count": 0}, "`min_count` of TextPreprocessing must be a positive integer. Found 0"),
        ({"vocabulary_size": 1.5}, "`vocabulary_size` of TextPreprocessing must be a positive integer"),
        ({"max_tokens": None}, "`max_tokens` of TextPreprocessing must be a positive integer"),
    ],
)
def test_parameters_are_checked_before_training(parameters, message):
    est = MultiTaskClassifierRegressor(preprocessing=TextPreprocessing(**parameters), n_bags=1)
    with pytest.raises(ValueError, match=message):
        est.fit(FILMS * 5, {"good": [1, 0, 1, 0] * 5})


def test_the_keys_of_a_mapping_are_no_texts():
    est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=1, random_state=0)
    est.fit(FILMS * 5, {"good": [1, 0, 1, 0] * 5})
    for X in ({"notes": FILMS}, MultiInput({"notes": FILMS})):
        with pytest.raises(TypeError, match="must be one input, not several by name"):
            est.predict(X)


def test_a_vocabulary_without_tokens_is_warned_of():
    with pytest.warns(UserWarning, match="No token of the texts of `X` occurs 9 times"):
        preprocessing = fitted(*FILMS, min_count=9)
    assert preprocessing.blocks()[0].cardinalities == (2,)
    assert set(preprocessing.encode(texts(*FILMS))["x"].ravel().tolist()) == {0, 1}


def test_copies():
    preprocessing = fitted(*FILMS)
    again = pickle.loads(pickle.dumps(preprocessing))
    np.testing.assert_array_equal(again.encode(texts(*FILMS))["x"], preprocessing.encode(texts(*FILMS))["x"])
    assert not hasattr(clone(preprocessing), "vocabulary_")


def test_only_training_rows_count():
    X = ["a good film"] * 10 + ["another word entirely"] * 10
    est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=1, random_state=0)
    est.fit(X, {"y": np.arange(20) + 0.5}, sample_weight=[1.0] * 10 + [0.0] * 10)
    assert set(est._fitted.encoder.kind.vocabulary_) == {"a", "good", "film"}
