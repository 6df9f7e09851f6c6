"""The default preprocessing is fitted to the same end as by its own `fit`, without what nobody takes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from sklearn_mtl.features import FeatureEncoder, default_preprocessing
from sklearn_mtl.features import encoder as encoder_module
from sklearn_mtl.features.levels import CountedLevels, fit_default

PLACE = np.arange(600)
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "area": np.sin(PLACE),
        "colour": pd.Series(np.array(["red", "blue", "rare", None], dtype=object)[(PLACE**2 % 7) % 4]),
        "many": [f"level {i}" for i in RNG.geometric(0.02, 600)],
        "kind": pd.Categorical(np.array(list("zyx"))[PLACE % 3]),
        "mixed": pd.Series(RNG.choice(np.array(["a", 3, 3.0, b"x"], dtype=object), 600)),
        "flag": PLACE % 5 == 0,
    }
)


@pytest.mark.parametrize("columns", [slice(None), slice(0, 1), slice(1, 3)])
def test_it_is_fitted_as_by_its_own_fit(columns):
    table = TABLE.iloc[:, columns]
    own, ours = default_preprocessing().fit(table), default_preprocessing()
    fit_default(ours, table)
    np.testing.assert_array_equal(ours.transform(table), own.transform(table))
    assert ours.get_feature_names_out().tolist() == own.get_feature_names_out().tolist()
    encoders = [pipeline[-1] for pipeline in (ours, own)]
    assert repr(encoders[0].get_params()) == repr(encoders[1].get_params())
    assert encoders[0].output_indices_ == encoders[1].output_indices_
    assert encoders[0].sparse_output_ == encoders[1].sparse_output_
    # What is saved is scikit-learn's own.
    levels = [encoder.named_transformers_["level"][-1] for encoder in encoders]
    assert type(levels[0]) is OneHotEncoder
    states = [{name: repr(value) for name, value in vars(one).items()} for one in levels]
    assert states[0].pop("feature_name_combiner", None) == states[1].pop("feature_name_combiner", None)
    assert states[0] == states[1]


def test_levels_are_in_the_order_of_scikit_learn():
    texts = np.array([["b", "x"], [None, "x"], ["a", "y"], ["b", "x"], ["Ä", "y"]], dtype=object)
    ours, own = CountedLevels(min_frequency=2).fit(texts), OneHotEncoder(min_frequency=2).fit(texts)
    assert [c.tolist() for c in ours.categories_] == [c.tolist() for c in own.categories_]
    assert [list(c) for c in ours.infrequent_categories_[:1]] == [
        list(c) for c in own.infrequent_categories_[:1]
    ]
    np.testing.assert_array_equal(ours.transform(texts).toarray(), own.transform(texts).toarray())


def test_what_fails_leaves_the_template_as_it_was():
    preprocessing = default_preprocessing()
    with pytest.raises(TypeError, match="single values"):
        fit_default(preprocessing, pd.DataFrame({"x": [[1], [2]]}))
    assert repr(preprocessing[-1].get_params()) == repr(default_preprocessing()[-1].get_params())


def test_a_fit_encodes_no_more_than_a_stretch_at_once(monkeypatch):
    sizes = []
    plain = FeatureEncoder("auto").fit(TABLE)
    original = FeatureEncoder._before_scaling
    monkeypatch.setattr(
        FeatureEncoder, "_before_scaling", lambda self, X: (sizes.append(len(X)), original(self, X))[1]
    )
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 250 * TABLE.shape[1])
    found = FeatureEncoder("auto").fit(TABLE)
    assert sizes == [250, 250, 100]
    assert found.spec == plain.spec
    np.testing.assert_array_equal(found.transform(TABLE)["x"], plain.transform(TABLE)["x"])
