"""Codes of columns of many levels: which columns have them, and what each code stands for."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.features import FeatureEncoder, LevelCodes
from sklearn_mtl.features.table import MOST_LEVELS, RAREST_LEVEL


def levels(n, times=RAREST_LEVEL, prefix="u"):
    """Each of some levels so many times, in a made-up order."""
    texts = np.array([f"{prefix}{i:04d}" for i in range(n)] * times, dtype=object)
    return np.random.default_rng(0).permutation(texts)


def fitted(X, **kwargs):
    return FeatureEncoder("auto").fit(X, **kwargs)


@pytest.mark.parametrize(("n", "coded"), [(MOST_LEVELS, False), (MOST_LEVELS + 1, True)])
def test_columns_of_more_than_fifty_levels_have_codes(n, coded):
    encoder = fitted(pd.DataFrame({"user": levels(n)}))
    assert (encoder.spec.codes is not None) == coded
    if coded:
        assert encoder.spec.codes.cardinalities == (n + 2,)
        assert encoder.spec.codes.shape == (1,)


def test_levels_that_are_rare_do_not_count():
    X = pd.DataFrame({"user": [*levels(MOST_LEVELS), *levels(200, RAREST_LEVEL - 1, "rare")]})
    more = pd.DataFrame({"user": [*X["user"], *["one more"] * RAREST_LEVEL]})
    with pytest.warns(UserWarning, match="rare levels: 'user'"):
        assert fitted(X).spec.codes is None
    with pytest.warns(UserWarning, match="rare levels: 'user'"):
        assert fitted(more).spec.codes.cardinalities == (MOST_LEVELS + 3,)


def test_the_numbers_are_those_of_before(monkeypatch):
    X = pd.DataFrame({"user": levels(80), "age": np.arange(400.0)})
    with_codes = fitted(X)
    monkeypatch.setattr("sklearn_mtl.features.codes.MOST_LEVELS", 10**6)
    without = fitted(X)
    assert without.spec.codes is None
    assert without.spec.blocks == with_codes.spec.blocks[:1]
    np.testing.assert_array_equal(without.transform(X)["x"], with_codes.transform(X)["x"])


def test_a_table_without_such_columns_is_one_block():
    X = pd.DataFrame({"age": np.arange(400.0), "colour": levels(4, 100)})
    encoder = fitted(X)
    assert [block.name for block in encoder.spec.blocks] == ["x"]
    assert list(encoder.transform(X)) == ["x"]


def test_each_level_has_its_code_and_rare_unknown_and_missing_have_their_own():
    known = [f"u{i:04d}" for i in range(60)]
    X = pd.DataFrame({"user": [*levels(60), None, np.nan, "rare", "rare"]})
    encoder = fitted(X)
    new = pd.DataFrame({"user": [*known, "rare", "never met", None, pd.NA]})
    codes = encoder.transform(new)["x_codes"]
    assert codes.dtype == np.int64
    assert codes.ravel().tolist() == [*range(2, 62), 0, 0, 1, 1]


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_codes_do_not_depend_on_the_dtype_of_the_column(dtype):
    texts = pd.Series([*levels(60), None])
    encoder = fitted(pd.DataFrame({"user": texts.astype(dtype)}))
    codes = encoder.transform(pd.DataFrame({"user": texts}))["x_codes"]
    np.testing.assert_array_equal(
        codes, encoder.transform(pd.DataFrame({"user": texts.astype(dtype)}))["x_codes"]
    )
    expected = LevelCodes((0,), (np.unique(levels(60)),)).of(pd.DataFrame({"user": texts}))
    np.testing.assert_array_equal(codes, expected)


def test_integers_are_levels_where_the_dtype_says_so():
    users = np.tile(np.arange(100, 170), 6)
    numbers = fitted(pd.DataFrame({"user": users}))
    assert numbers.spec.codes is None
    categories = fitted(pd.DataFrame({"user": users}).astype("category"))
    assert categories.spec.codes.cardinalities == (72,)
    # The same level as a number with gaps, as a number, and as text.
    for column in ([100, 169], [100.0, 169.0], ["100", "169"]):
        assert categories.transform(pd.DataFrame({"user": column}))["x_codes"].ravel().tolist() == [2, 71]


def test_an_array_of_objects_is_coded_like_a_frame():
    frame = pd.DataFrame({"age": np.arange(360.0), "user": levels(60, 6)})
    array = frame.to_numpy(dtype=object)
    of_frame, of_array = fitted(frame), fitted(array)
    assert of_frame.spec == of_array.spec
    np.testing.assert_array_equal(of_frame.transform(frame)["x_codes"], of_array.transform(array)["x_codes"])


def test_rows_are_encoded_each_by_itself_in_any_order():
    X = pd.DataFrame({"user": levels(80), "film": levels(60, 7, "f")[:400], "age": np.arange(400.0)})
    encoder = fitted(X)
    whole, rows = encoder.transform(X)["x_codes"], np.array([7, 3, 399, 7])
    np.testing.assert_array_equal(encoder.transform(X, rows)["x_codes"], whole[rows])
    np.testing.assert_array_equal(encoder.transform(X, slice(5, 9))["x_codes"], whole[5:9])
    for row in (0, 123):
        np.testing.assert_array_equal(encoder.transform(X[row : row + 1])["x_codes"], whole[row : row + 1])


def test_only_the_rows_that_are_fitted_and_have_weight_count():
    X = pd.DataFrame({"user": [*levels(60), *levels(60, prefix="v"), *levels(60, prefix="w")]})
    weight = np.ones(len(X))
    weight[:300] = 0
    encoder = fitted(X, sample_weight=weight[:600], rows=np.arange(600))
    known = encoder.transform(pd.DataFrame({"user": ["u0001", "v0001", "w0001"]}))["x_codes"]
    assert (known.ravel() > 1).tolist() == [False, True, False]


def test_levels_are_counted_in_all_rows_of_a_long_table(monkeypatch):
    monkeypatch.setattr("sklearn_mtl.features.encoder.ROWS_FOR_STATISTICS", 200)
    X = pd.DataFrame({"user": levels(100, 10)})
    encoder = fitted(X)
    assert encoder.spec.codes.cardinalities == (102,)


def test_free_text_has_no_codes():
    texts = [f"a house in street {i}" for i in range(400)]
    with pytest.warns(UserWarning, match="free text"):
        encoder = fitted(pd.DataFrame({"text": [*texts, *texts[:60] * 4], "n": range(640)}))
    assert encoder.spec.codes is None


def test_what_has_codes_is_no_constant_for_the_network(monkeypatch):
    # In the sample, each level is rare.
    monkeypatch.setattr("sklearn_mtl.features.encoder.ROWS_FOR_STATISTICS", 120)
    fitted(pd.DataFrame({"user": levels(100, 10), "age": np.arange(1000.0)}))


def test_codes_are_pickled():
    X = pd.DataFrame({"user": levels(60)})
    encoder = fitted(X)
    encoder.transform(X)
    copy = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(copy.transform(X)["x_codes"], encoder.transform(X)["x_codes"])
