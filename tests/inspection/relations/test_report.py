"""Whether sharing pays: the same network for all tasks, and for each task alone, on the same folds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.inspection import sharing_report
from sklearn_mtl.inspection.relations.report import SharingReport, differences_of
from sklearn_mtl.inspection.relations.resampled_t import corrected_resampled_t
from sklearn_mtl.sharing import Hierarchical

QUICK = {"trunk": "mlp", "n_bags": 1, "max_epochs": 2, "linear_blend": False, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_multitask(120, 6, n_regression=2, n_binary=1, random_state=0)


@pytest.fixture(scope="module")
def est():
    return MultiTaskClassifierRegressor(**QUICK)


@pytest.fixture(scope="module")
def report(est, data):
    return sharing_report(est, *data, cv=3, baselines=True)


def test_scores_are_those_of_fits_one_by_one(report, est, data):
    X, Y = data
    assert list(report.scores) == ["joint", "alone", "boosting"]
    assert list(report.scores.loc[0].index) == list(Y)
    for fold, (train, test) in enumerate(KFold(3).split(X)):
        known, new = ({name: y[rows] for name, y in Y.items()} for rows in (train, test))
        joint = clone(est).fit(X[train], known).score_tasks(X[test], new)
        np.testing.assert_allclose(report.scores.loc[fold, "joint"], joint, atol=1e-5)
        for name in Y:
            alone = clone(est).fit(X[train], {name: known[name]}).score_tasks(X[test], {name: new[name]})
            assert report.scores.loc[(fold, name), "alone"] == pytest.approx(alone[name], abs=1e-5)


def test_boosting_is_that_of_scikit_learn(report, data):
    from sklearn.ensemble import HistGradientBoostingRegressor

    X, Y = data
    expected = cross_val_score(
        HistGradientBoostingRegressor(early_stopping=False), X, Y["regression1"], cv=KFold(3)
    )
    found = report.scores["boosting"].xs("regression1", level="task")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_differences_are_those_of_the_scores_with_a_test(report):
    scores = report.scores.xs("regression0", level="task")
    row = report.differences.loc[("regression0", "alone")]
    by_fold = scores["joint"] - scores["alone"]
    assert row["metric"] == "r2"
    assert row["difference"] == pytest.approx(row["joint"] - row["other"])
    assert row["difference"] == pytest.approx(by_fold.mean())
    assert row["std"] == pytest.approx(by_fold.std())
    error = by_fold.std() * np.sqrt(1 / 3 + 1 / 2)
    assert row["p_value"] == pytest.approx(2 * student.sf(abs(by_fold.mean()) / error, 2))
    assert row["high"] - row["low"] == pytest.approx(2 * student.ppf(0.975, 2) * error)
    assert row["n_folds"] == 3
    assert set(report.differences.index.get_level_values("against")) == {"alone", "boosting"}
    assert report.differences.loc[("binary0", "alone"), "metric"] == "accuracy"
    assert repr(report) == "SharingReport(3 tasks, 3 folds, ['joint', 'alone', 'boosting'])"


def test_the_estimator_is_left_as_it_is(report, est):
    assert report is not None
    assert not hasattr(est, "tasks_")
    assert est.tasks is None


def made(joint, alone, boosting=None):
    scores = pd.DataFrame({"joint": joint, "alone": alone})
    if boosting is not None:
        scores["boosting"] = boosting
    scores.index = pd.MultiIndex.from_product([range(len(scores)), ["price"]], names=["fold", "task"])
    return SharingReport(scores, differences_of(scores, {"price": "r2"}, 0.25))


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            ([0.8, 0.81, 0.8], [0.7, 0.71, 0.71]),
            "learn it with the others, which is better than alone (r2 0.803",
        ),
        (([0.7, 0.71, 0.71], [0.8, 0.81, 0.8]), "learn it alone or with fewer tasks, as the others harm it"),
        (([0.7, 0.8, 0.71], [0.8, 0.7, 0.8]), "or alone, as the difference is within chance"),
        (
            ([0.8, 0.81, 0.8], [0.7] * 3, [0.9] * 3),
            "use gradient boosting, which is better than the network of",
        ),
        (
            ([0.8, 0.81, 0.8], [0.7] * 3, [0.6] * 3),
            "learn it with the others, which is better than alone (r2",
        ),
        (([0.8], [0.7]), "score it on more than one fold before you choose"),
        (([np.nan] * 3, [0.7] * 3), "no fold has enough labels to compare, so nothing can be said"),
    ],
)
def test_the_summary_says_what_to_do_with_each_task(models, words):
    summary = made(*models).summary()
    assert summary.startswith("price: ")
    assert words in summary
    assert summary.endswith(".")
    assert summary.count("\n") == 0


def test_folds_without_a_score_are_left_out_of_the_differences():
    found = made([0.8, np.nan, 0.9, 0.8], [0.7, 0.8, np.nan, 0.75]).differences.loc[("price", "alone")]
    assert found["n_folds"] == 2
    assert found["difference"] == pytest.approx(0.075)
    assert found["joint"] == pytest.approx(0.8)


def test_one_fold_has_neither_spread_nor_test(est, data):
    with pytest.warns(UserWarning, match="One fold does not tell differences from chance"):
        found = sharing_report(est, *data, cv=ShuffleSplit(1, random_state=0))
    assert found.differences[["std", "p_value", "low", "high"]].isna().all(axis=None)
    assert found.differences["difference"].notna().all()
    assert "score it on more than one fold" in found.summary()


def test_a_fold_without_labels_of_a_task_is_a_gap(est, data):
    X, Y = data
    gaps = {**Y, "regression1": np.where(np.arange(120) < 40, Y["regression1"], np.nan)}
    with pytest.warns(UserWarning, match="regression1"):
        found = sharing_report(est, X, gaps, cv=3)
    of_task = found.scores.xs("regression1", level="task")
    assert of_task.isna().all(axis=None)
    assert "regression1: no fold has enough labels" in found.summary()
    assert found.scores.xs("regression0", level="task").notna().all(axis=None)


def test_metrics_for_all_tasks_or_for_each(est, data):
    X, Y = data
    of_each = dict.fromkeys(Y, "neg_mean_absolute_error") | {"binary0": "neg_log_loss"}
    found = sharing_report(est, X, Y, cv=2, metrics=of_each)
    assert (found.scores < 0).all(axis=None)
    assert found.differences.loc[("binary0", "alone"), "metric"] == "neg_log_loss"
    two = {name: Y[name] for name in ("regression0", "regression1")}
    one = sharing_report(est, X, two, cv=2, metrics="neg_mean_absolute_error")
    assert set(one.differences["metric"]) == {"neg_mean_absolute_error"}


def test_pipelines_frames_groups_and_sharing_by_name(data):
    X, Y = data
    frame = pd.DataFrame({name: Y[name] for name in ("regression0", "regression1")})
    sharing = Hierarchical([["regression0"], ["regression1"]])
    est = make_pipeline(
        StandardScaler(), MultiTaskRegressor(**QUICK, sharing=sharing, task_weights={"regression0": 2})
    )
    found = sharing_report(est, pd.DataFrame(X), frame, cv=GroupKFold(2), groups=np.arange(120) // 10)
    assert found.scores.notna().all(axis=None)


def test_bad_input_is_named(est, data):
    X, Y = data
    with pytest.raises(ValueError, match="y must have at least two tasks, of which each is learned alone"):
        sharing_report(est, X, {"regression0": Y["regression0"]})
    with pytest.raises(ValueError, match="`metrics` must be one metric, or one for each of the tasks"):
        sharing_report(est, X, Y, metrics={"regression0": "r2"})
    with pytest.raises(TypeError, match="`estimator` must be a multi-task estimator"):
        sharing_report(StandardScaler(), X, Y)


def test_the_test_is_that_of_nadeau_and_bengio():
    differences = np.array([0.1, 0.3, 0.2, 0.25])
    found = corrected_resampled_t(differences, 0.5)
    # Without test rows that are shared it is the paired t-test.
    plain = corrected_resampled_t(differences, 0.0)
    from scipy.stats import ttest_1samp

    assert plain["p_value"] == pytest.approx(ttest_1samp(differences, 0).pvalue)
    assert found["p_value"] > plain["p_value"]
    assert corrected_resampled_t(np.zeros(4), 0.5)["p_value"] == 1
    assert corrected_resampled_t(np.ones(4), 0.5)["p_value"] == 0
    assert np.isnan(corrected_resampled_t(np.empty(0), 0.5)["difference"])
