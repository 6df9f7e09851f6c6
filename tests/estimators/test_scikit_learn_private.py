"""What scikit-learn keeps private and the package uses, exists and behaves as it is used."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.utils import estimator_html_repr

from sklearn_mtl.estimators.scikit_learn_private import (
    BaseSearchCV,
    best_index,
    check_refit,
    check_sample_weight,
    checks_parameters,
    constraints_of,
    cv_results,
    fit_and_score,
    has_callbacks,
    metric_arguments,
    metric_of,
    n_rows_of,
    params_of_rows,
    report_failures,
    response_method_of,
    routed_params,
    scorers_by_name,
    scores_of,
    search_scorers,
    take_rows,
    with_arguments,
)

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 1, 1])


def test_rows():
    rows = np.array([4, 1])
    np.testing.assert_array_equal(take_rows(X, rows), X[rows])
    assert take_rows(list("abcdef"), rows) == ["e", "b"]
    assert n_rows_of(X) == n_rows_of(list(X)) == n_rows_of(sparse.csr_array(X)) == 6
    params = params_of_rows(X, {"weight": Y, "rate": 0.5}, rows)
    assert (params["weight"].tolist(), params["rate"]) == (Y[rows].tolist(), 0.5)


def test_sample_weights_are_checked_in_scikit_learns_words():
    found = check_sample_weight([1, 2, 0, 1, 1, 1], X, dtype=np.float64, ensure_non_negative=True)
    assert (found.dtype, found.tolist()) == (np.float64, [1, 2, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        check_sample_weight([-1] * 6, X, ensure_non_negative=True)
    with pytest.raises(ValueError, match="Sample weights must be 1D"):
        check_sample_weight(X, X)


def test_what_scorers_are_made_of():
    assert metric_of(get_scorer("neg_log_loss")) is log_loss
    assert metric_of(lambda estimator, X, y: 0.0) is None
    assert response_method_of(get_scorer("accuracy")) == "predict"
    assert "predict_proba" in response_method_of(get_scorer("roc_auc"))
    assert response_method_of(lambda estimator, X, y: 0.0) == "predict"
    assert metric_arguments(make_scorer(accuracy_score, normalize=False)) == {"normalize": False}


def test_a_scorer_with_further_arguments():
    model = DummyClassifier().fit(X, Y)
    scorer = with_arguments(get_scorer("neg_log_loss"), labels=[0, 1])
    assert scorer(model, X[:1], Y[:1]) == pytest.approx(np.log(1 / 3))
    assert metric_arguments(scorer) == {"labels": [0, 1]}


def search(**settings):
    return GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, **settings)


def test_what_a_search_is_asked():
    one, name = search_scorers(search(scoring="accuracy"))
    assert (name, metric_of(scorers_by_name(one))) == ("score", accuracy_score)
    several = search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss")
    scorer, name = search_scorers(several)
    assert (name, list(scorers_by_name(scorer))) == ("neg_log_loss", ["accuracy", "neg_log_loss"])
    routed = routed_params(several, X, {"sample_weight": Y, "groups": Y})
    assert list(routed.estimator.fit) == ["sample_weight"]
    assert list(routed.splitter.split) == ["groups"]
    assert not has_callbacks(several)
    with pytest.raises(ValueError, match="refit"):
        check_refit(search(scoring=dict, refit="other"), {"accuracy": 1.0})


def test_fits_become_the_results_of_a_search():
    theirs = search().fit(X, Y)
    ours, results = search(), []
    ours.n_splits_ = 2
    scorer, _ = search_scorers(ours)
    splits = list(StratifiedKFold(2).split(X, Y))
    for C in (0.1, 1.0):
        for train, test in splits:
            one = fit_and_score(
                LogisticRegression(C=C), X, Y, scorer=scorer, train=train, test=test, verbose=0,
                parameters=None, fit_params={}, score_params={}, error_score=np.nan,
            )  # fmt: skip
            model = LogisticRegression(C=C).fit(X[train], Y[train])
            assert one["test_scores"] == scores_of(model, X[test], Y[test], scorer, {}, np.nan)
            results.append(one)
    report_failures(results, np.nan, callable_scoring=False)
    found = cv_results(ours, [{"C": 0.1}, {"C": 1.0}], results, {"more": [1, 2]})
    assert set(found) == {*theirs.cv_results_, "more"}
    for key in ("mean_test_score", "rank_test_score", "param_C"):
        np.testing.assert_array_equal(found[key], theirs.cv_results_[key])
    assert best_index(True, "score", found) == theirs.best_index_
    assert best_index(lambda found: 1, "score", found) == 1


def test_failures_are_reported():
    failed = {"fit_error": "Traceback: no", "test_scores": np.nan}
    with pytest.raises(ValueError, match="All the 1 fits failed"):
        report_failures([failed], np.nan, callable_scoring=False)
    results = [dict(failed), {"fit_error": None, "test_scores": {"a": 1.0, "b": 2.0}}]
    with pytest.warns(match="1 fits failed out of a total of 2"):
        report_failures(results, 0.5, callable_scoring=True)
    assert results[0]["test_scores"] == {"a": 0.5, "b": 0.5}


def test_types_of_parameters_are_checked_in_fit():
    class Search(GridSearchCV):
        _parameter_constraints = constraints_of(GridSearchCV, extra=[int])

        def __init__(self, estimator, param_grid, extra=1):
            super().__init__(estimator, param_grid)
            self.extra = extra

        @checks_parameters
        def fit(self, X, y=None):
            return self

    assert Search(LogisticRegression(), {"C": [1.0]}).fit(X)
    with pytest.raises(ValueError, match="The 'extra' parameter of Search must be an instance of 'int'"):
        Search(LogisticRegression(), {"C": [1.0]}, extra="one").fit(X)


def test_every_search_is_of_the_base():
    assert issubclass(GridSearchCV, BaseSearchCV)
    assert issubclass(RandomizedSearchCV, BaseSearchCV)


def test_a_scorer_is_asked_whether_it_takes_weights():
    class Scorer:
        weighted = False

        def __call__(self, estimator, X, y, sample_weight=None):
            Scorer.weighted = sample_weight is not None
            return 0.0

        def _accept_sample_weight(self):
            return True

    search(scoring={"own": Scorer(), "accuracy": "accuracy"}, refit=False).fit(X, Y, sample_weight=Y + 1.0)
    assert Scorer.weighted


def test_the_picture_of_an_estimator_can_be_added_to():
    class Shown(BaseEstimator):
        def _html_repr(self):
            return estimator_html_repr(self) + "<p>more</p>"

    assert Shown()._repr_html_().endswith("<p>more</p>")
