import copy
import inspect
import pickle

import pytest
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.estimators.constructor import SYNONYMS


@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor])
@pytest.mark.parametrize(
    ("unknown", "nearest"), [("task_weigths", "task_weights"), ("Trunk", "trunk"), ("learning_rate", "lr")]
)
def test_an_unknown_parameter_names_the_class_and_the_nearest(cls, unknown, nearest):
    with pytest.raises(TypeError) as raised:
        cls(**{unknown: None})
    assert str(raised.value).startswith(
        f"{cls.__name__} has no parameter {unknown!r}; the nearest is {nearest!r}. It has ['tasks', "
    )


def test_a_parameter_like_no_other_gets_the_list():
    with pytest.raises(TypeError, match=r"^MultiTaskRegressor has no parameter 'xyzzy'\. It has \['tasks', "):
        MultiTaskRegressor(xyzzy=1)


def test_a_parameter_without_a_name_is_refused():
    with pytest.raises(TypeError, match="MultiTaskClassifier takes its parameters by name, such as tasks=…"):
        MultiTaskClassifier({"type": "classification"})


def test_what_parameters_are_called_elsewhere_leads_to_parameters_there_are():
    assert set(SYNONYMS.values()) <= set(MultiTaskRegressor().get_params())
    assert not set(SYNONYMS) & set(MultiTaskRegressor().get_params())


def test_a_subclass_has_a_constructor_of_its_own():
    class Named(MultiTaskRegressor):
        def __init__(self, title, *, lr=0.1, **others):
            super().__init__(lr=lr, **others)
            self.title = title

    assert (Named("first").title, Named("first").lr) == ("first", 0.1)
    with pytest.raises(TypeError, match="Named has no parameter 'patients'; the nearest is 'patience'"):
        Named("first", patients=1)


def test_the_constructor_keeps_its_signature():
    assert "random_state" in inspect.signature(MultiTaskRegressor).parameters
    assert MultiTaskRegressor._get_param_names() == sorted(MultiTaskRegressor().get_params(deep=False))


def test_an_estimator_is_copied_and_pickled_as_before():
    est = MultiTaskRegressor(lr=0.5)
    for again in (clone(est), copy.copy(est), copy.deepcopy(est), pickle.loads(pickle.dumps(est))):
        assert again.lr == 0.5
