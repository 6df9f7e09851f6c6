"""Free text in a table."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.features import FeatureEncoder, default_preprocessing
from sklearn_mtl.features.free_text import FreeTextEncoder, is_free_text
from sklearn_mtl.features.levels import fit_default

PLACES = ["by the sea", "in the old town", "on a hill", "near the station"]
KINDS = ["small house", "large flat", "cottage with a garden"]
pytestmark = pytest.mark.filterwarnings("ignore:Columns of `X` hold free text")


def notes(n=120):
    """Texts that are all distinct, and made of few words."""
    return [f"{KINDS[i % 3]} {PLACES[i % 4]}, number {i}" for i in range(n)]


def table(n=120):
    return pd.DataFrame(
        {"area": np.arange(n) % 17 + 30.0, "note": notes(n), "colour": ["red", "blue"] * (n // 2)}
    )


def texts(*values):
    return np.array(values, dtype=object)


@pytest.mark.parametrize(
    ("values", "is_free"),
    [
        ([f"house {i} by the sea" for i in range(20)], True),
        ([f"house {i % 5} by the sea" for i in range(20)], False),
        ([f"house{i}" for i in range(20)], False),
        (["a house by the sea"] * 20, False),
        (["a house by the sea"], False),
        ([None] * 5, False),
    ],
)
def test_free_text(values, is_free):
    found = texts(*values)
    assert is_free_text(found, pd.factorize(found)[1]) == is_free


def test_a_text_is_so_many_numbers_as_there_are_texts_and_words_for():
    names = [FreeTextEncoder().fit(table(n)[["note"]]).get_feature_names_out(["note"]) for n in (8, 60, 2000)]
    assert [len(of) for of in names] == [1, 6, 19]
    assert names[0].tolist() == ["note_0"]
    many = pd.DataFrame({"note": [f"room {i % 97} of house {i % 89}" for i in range(600)]})
    assert FreeTextEncoder().fit_transform(many).shape == (600, 50)


def test_texts_of_the_same_words_are_near_each_other():
    X = table(300)[["note"]]
    encoder = FreeTextEncoder().fit(X)
    new = ["Large flat on a hill", "on a HILL: large flat", "cottage near the station"]
    one, same, other = encoder.transform(pd.DataFrame({"note": new}))
    np.testing.assert_allclose(same, one)
    assert one @ other < 0.1 < one @ one


def test_each_text_is_encoded_by_itself():
    encoder = FeatureEncoder("auto").fit(table())
    whole = encoder.transform(table())["x"]
    alone = np.vstack([encoder.transform(table()[i : i + 1])["x"] for i in range(5)])
    np.testing.assert_array_equal(alone, whole[:5])


def test_unknown_words_and_missing_texts():
    X = table()
    X.loc[::7, "note"] = None
    encoder = FeatureEncoder("auto").fit(X)
    names = encoder.get_feature_names_out().tolist()
    rows = encoder.transform(X[:2].assign(note=["xyzzy", None]))["x"]
    words = [name.startswith("words__note") for name in names]
    np.testing.assert_array_equal(rows[0, words], rows[1, words])
    assert rows[:, names.index("level__note_None")].tolist() == [0, 1]


def test_texts_that_repeat_are_levels_too():
    X = table()
    X.loc[:9, "note"] = "a flat"
    names = FeatureEncoder("auto").fit(X).get_feature_names_out().tolist()
    assert "level__note_a flat" in names
    assert "words__note_11" in names


def test_what_is_no_text_in_predict_is_text():
    encoder = FeatureEncoder("auto").fit(table())
    for note in ([7.0, 8.0], pd.Categorical(["a flat", "a house"]), [None, None]):
        assert np.isfinite(encoder.transform(table()[:2].assign(note=note))["x"]).all()


def test_words_that_come_once_say_nothing():
    X = pd.DataFrame({"note": [f"a{i} b{i} c{i}" for i in range(40)], "n": range(40)})
    encoder = FreeTextEncoder().fit(X[["note"]])
    np.testing.assert_array_equal(encoder.transform(X[["note"]]), np.zeros((40, 1)))
    with pytest.warns(UserWarning, match=r"as a constant: \['note'\]"):
        assert FeatureEncoder("auto").fit(X).spec.single.shape == (1,)


def test_several_columns_and_arrays():
    X = table().assign(other=notes()[::-1])
    names = FeatureEncoder("auto").fit(X).get_feature_names_out().tolist()
    assert [sum(name.startswith(f"words__{of}") for name in names) for of in ("note", "other")] == [12, 12]
    as_array = FeatureEncoder("auto").fit(X.to_numpy(dtype=object))
    np.testing.assert_array_equal(
        as_array.transform(X.to_numpy(dtype=object))["x"], FeatureEncoder("auto").fit(X).transform(X)["x"]
    )


def test_fitting_without_encoding_finds_the_same():
    plain, quick = default_preprocessing().fit(table()), default_preprocessing()
    fit_default(quick, table())
    np.testing.assert_array_equal(quick.transform(table()), plain.transform(table()))


def test_texts_of_a_category_are_levels():
    X = table().assign(note=pd.Categorical([note.partition(",")[0] for note in notes()]))
    names = FeatureEncoder("auto").fit(X).get_feature_names_out().tolist()
    assert not any(name.startswith("words") for name in names)


def test_texts_are_learned_from_saved_and_pickled(tmp_path):
    X = table(300)
    Y = pd.DataFrame(
        {"flat": X["note"].str.contains("flat"), "price": X["area"] + X["note"].str.contains("sea") * 30.0}
    )
    est = MultiTaskClassifierRegressor(n_bags=1, max_epochs=20, random_state=0).fit(X[:240], Y[:240])
    assert est.score(X[240:], Y[240:]) > 0.9
    found = est.predict(X)["price"]
    save(est, tmp_path / "model.mtl")
    for again in (load(tmp_path / "model.mtl"), pickle.loads(pickle.dumps(est))):
        np.testing.assert_array_equal(again.predict(X)["price"], found)
