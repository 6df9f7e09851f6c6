"""Parameters of `preprocessing`, set by name."""

import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import ImagePreprocessing, TextPreprocessing


def after(preprocessing, **parameters):
    est = MultiTaskClassifierRegressor(preprocessing=preprocessing)
    return est.set_params(**{f"preprocessing__{name}": value for name, value in parameters.items()})


def test_of_one_input_it_is_copied():
    for given, name in ((ImagePreprocessing(), "normalize"), (StandardScaler(), "with_mean")):
        found = after(given, **{name: False}).preprocessing
        assert found is not given
        assert (getattr(found, name), getattr(given, name)) == (False, True)


def test_auto_is_the_kind_of_input_that_has_the_parameter():
    assert after("auto", channels="first").preprocessing.channels == "first"
    assert isinstance(after("auto", tokens="characters", max_tokens=9).preprocessing, TextPreprocessing)


def test_of_several_inputs_it_is_set_by_the_name_of_the_input():
    photo = ImagePreprocessing()
    given = {"photo": photo, "table": None}
    est = after(given, photo__channels="first", notes__tokens="characters", table="auto")
    assert est.preprocessing["photo"].channels == "first"
    assert est.preprocessing["notes"].tokens == "characters"
    assert (est.preprocessing["table"], photo.channels, given) == (
        "auto",
        "auto",
        {"photo": photo, "table": None},
    )
    parameters = est.get_params()
    assert parameters["preprocessing__photo__channels"] == "first"
    assert parameters["preprocessing__table"] == "auto"
    assert MultiTaskClassifierRegressor().set_params(**parameters).get_params().keys() == parameters.keys()


def test_auto_becomes_a_mapping_where_an_input_is_named():
    assert list(after("auto", photo=ImagePreprocessing()).preprocessing) == ["photo"]
    assert after("auto", photo__channels="first").preprocessing["photo"].channels == "first"


@pytest.mark.parametrize(
    ("given", "parameters", "message"),
    [
        (
            "auto",
            {"channel": 1},
            r"`preprocessing` must be an object before .*\['channel'\].*\['channels', 'norm",
        ),
        ("auto", {"channels": "first", "tokens": "words"}, r"not all of one kind of input"),
        ("auto", {"photo__channel": 1}, r"`preprocessing__photo` must be an object before .*\['channel'\]"),
        (
            None,
            {"channels": 1},
            r"`preprocessing` must be an object with parameters, 'auto' or .* Found None",
        ),
        ({"photo": None}, {"photo__channels": 1}, r"`preprocessing__photo` must be .* Found None"),
        (ImagePreprocessing(), {"tokens": 1}, "Invalid parameter 'tokens' for estimator ImagePreprocessing"),
    ],
)
def test_what_cannot_be_set_is_named(given, parameters, message):
    with pytest.raises(ValueError, match=message):
        after(given, **parameters)
