import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import make_pipeline

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor
from tests.peers.loading import COUNTED, matches, run_with_ours
from tests.peers.stand_ins import CLASSIFIERS, REGRESSORS, STAND_INS


def test_every_stand_in_is_one_of_ours_under_a_name_of_theirs():
    for name in CLASSIFIERS:
        made = STAND_INS[name]()
        assert isinstance(made, MultiTaskClassifier)
        assert is_classifier(made)
    for name in REGRESSORS:
        made = STAND_INS[name]()
        assert isinstance(made, MultiTaskRegressor)
        assert is_regressor(made)
    assert list(make_pipeline(made).named_steps) == [type(made).__name__.lower()]


def test_what_is_searched_is_a_parameter_and_the_rest_is_dropped():
    made = STAND_INS["LogisticRegression"](C=2.0, solver="lbfgs", max_iter=5, random_state=3)
    again = clone(made).set_params(C=4.0)
    assert (made.C, again.C, again.random_state) == (2.0, 4.0, 3)
    assert "solver" not in made.get_params()


def test_an_entry_is_of_a_test_or_of_all_its_cases():
    assert matches("test_it[a-1]", "test_it")
    assert matches("test_it[a-1]", "test_it[a-1]")
    assert not matches("test_it[a-1]", "test_it[a-2]")
    assert not matches("test_it_all", "test_it")


def test_a_file_that_is_not_installed_or_of_another_release_is_skipped(monkeypatch):
    monkeypatch.setattr(sklearn, "__version__", f"{COUNTED}1")
    with pytest.raises(pytest.skip.Exception, match=r"installed without its tests: .*test_none\.py"):
        run_with_ours("tests/test_none.py", fail={}, n_run=0)
    monkeypatch.setattr(sklearn, "__version__", "1.6.1")
    with pytest.raises(pytest.skip.Exception, match=r"and this is 1\.6\.1"):
        run_with_ours("tests/test_multioutput.py", fail={}, n_run=0)
