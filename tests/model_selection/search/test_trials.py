"""A trial is planned, trained and scored as scikit-learn fits and scores."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import check_scoring
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.fitting import train_together
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import (
    Scoring,
    Trial,
    check_writes_nothing,
    last_step,
    task_scores,
    why_left_to_scikit_learn,
)

TRAIN, TEST = np.arange(60), np.arange(60, 90)


class OwnFit(MultiTaskClassifierRegressor):
    def fit(self, X, y):
        return super().fit(X, y)


@pytest.fixture
def fold(drawn, target):
    return Fold(drawn[0], target, {}, TRAIN, TEST)


def scoring(error_score=np.nan, train=False, params=None):
    return Scoring(lambda est, X, y, **_: est.score(X, y), params or {}, train, error_score)


def trained(trial):
    ((_, fit),) = train_together([trial.fit])
    return trial.with_fit(fit)


@pytest.mark.parametrize("before", [(), (StandardScaler(),)], ids=["alone", "pipeline"])
def test_a_trial_gives_what_a_fit_gives(fold, target, cheap, before):
    estimator = make_pipeline(*before, cheap()) if before else cheap()
    trial = Trial(fold, estimator).planned(AllTargets(target), "fold 1 of 1")
    assert (trial.error, trial.seconds > 0) == (None, True)
    found = trained(trial).scored(scoring(train=True))

    alone = (make_pipeline(*before, cheap()) if before else cheap()).fit(*fold.fit_call.args)
    test, train = (fold.to_score(part, make_pipeline("passthrough")) for part in ("test", "train"))
    assert found.collected["test_scores"] == pytest.approx(alone.score(*test), abs=1e-6)
    assert found.collected["train_scores"] == pytest.approx(alone.score(*train), abs=1e-6)
    assert (found.failed, found.n_nets, found.collected["n_test_samples"]) == (False, 1, 30)
    np.testing.assert_allclose(found.task_scores.mean(), found.collected["test_scores"], atol=1e-6)
    assert {"fit_time", "score_time"} <= found.collected.keys()


def test_what_planning_raises_is_a_fit_that_failed(fold, target, cheap):
    trial = Trial(fold, cheap(lr=-1.0)).planned(AllTargets(target), "fold 1 of 1")
    assert isinstance(trial.error, ValueError)
    assert trial.fit is None
    found = trial.scored(scoring(error_score=0.5))
    assert found.failed
    assert (found.collected["test_scores"], found.task_scores, found.n_nets) == (0.5, None, 0)
    assert found.reasons[0].startswith("the fit failed before training: ValueError: `lr` must be")
    with pytest.raises(ValueError, match="`lr` must be"):
        trial.scored(scoring(error_score="raise"))


def test_what_scikit_learn_fits(fold, target, cheap):
    estimator = OwnFit(**cheap().get_params(deep=False))
    left = why_left_to_scikit_learn(estimator)
    trial = Trial(fold, estimator, left_alone=left).planned(AllTargets(target), "fold 1 of 1")
    assert trial.fit is None
    found = trial.to_send().fitted_and_scored(scoring(), 0)
    assert found.reasons == ["OwnFit has a fit of its own"]
    assert list(found.task_scores.index) == ["price", "type", "sold", "tags"]
    # `cv_results_` has no column of estimators.
    assert "estimator" not in found.collected

    numbers = Fold(fold.X, fold.X[:, 0], {}, TRAIN, TEST)
    trial = Trial(numbers, Ridge(), left_alone="Ridge").planned(AllTargets(numbers.y), "fold 1 of 1")
    found = trial.fitted_and_scored(Scoring(check_scoring(Ridge()), {}, False, "raise"), 0)
    assert found.collected["test_scores"] == pytest.approx(1.0, abs=0.01)
    assert found.task_scores is None


def test_who_is_left_to_scikit_learn(cheap):
    assert why_left_to_scikit_learn(cheap()) is None
    assert why_left_to_scikit_learn(Ridge()).startswith("Ridge is neither a multi-task estimator")


def test_the_last_step():
    ridge = Ridge()
    assert last_step(ridge) is ridge
    assert last_step(make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), ridge))) is ridge


def test_callbacks_that_write_to_one_place_are_refused(cheap):
    check_writes_nothing(cheap())
    with pytest.raises(ValueError, match=r"must not write to one place.*Checkpoint"):
        check_writes_nothing(cheap(callbacks=[Checkpoint()]))


def test_task_scores_are_weighted_as_the_scores_are(fold, cheap):
    estimator = cheap(max_epochs=1).fit(*fold.fit_call.args)
    weight = np.linspace(0.1, 1, 90)
    X, y = fold.to_score("test", estimator)
    weighted = task_scores(estimator, fold, scoring(params={"sample_weight": weight}))
    np.testing.assert_allclose(weighted, estimator.score_tasks(X, y, weight[60:]))
    assert task_scores(estimator, fold, scoring())["price"] != weighted["price"]
    assert task_scores(Ridge(), fold, scoring()) is None
