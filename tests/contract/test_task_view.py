"""`est.task(name)` is a fitted regressor or classifier, that every tool for one takes."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.ensemble import (
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    partial_dependence,
    permutation_importance,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    DetCurveDisplay,
    PrecisionRecallDisplay,
    PredictionErrorDisplay,
    RocCurveDisplay,
    get_scorer,
    get_scorer_names,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    LearningCurveDisplay,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.trunks import MLP

mpl.use("Agg")


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    plt.close("all")


@pytest.fixture
def fitted(houses):
    X, Y = houses
    est = MultiTaskClassifierRegressor(
        trunk=MLP((16,)), n_bags=1, max_epochs=20, lr=0.02, early_stopping=False, random_state=0
    )
    return est.fit(X, Y.assign(price=np.exp(Y["price"] / 100)))


@pytest.fixture
def price(houses):
    return np.exp(houses[1]["price"].to_numpy() / 100)


def test_it_is_a_fitted_regressor_or_classifier(fitted, houses):
    X, _ = houses
    price, kind = fitted.task("price"), fitted.task("type")
    assert is_regressor(price)
    assert not is_classifier(price)
    assert is_classifier(kind)
    assert not hasattr(price, "predict_proba")
    assert kind.classes_.tolist() == ["flat", "house"]
    assert get_tags(kind).target_tags.required
    for view in (price, kind):
        assert view.n_features_in_ == 4
        assert view.feature_names_in_.tolist() == X.columns.tolist()
        np.testing.assert_array_equal(view.predict(X), fitted.predict(X)[view.name])
    np.testing.assert_array_equal(kind.predict_proba(X), fitted.predict_proba(X)["type"])


def test_it_scores_as_the_estimator_does(fitted, houses, price):
    X, Y = houses
    Y = Y.assign(price=price)
    scores = fitted.score_tasks(X, Y)
    for name in Y:
        assert fitted.task(name).score(X, Y[name]) == pytest.approx(scores[name])


@pytest.mark.parametrize("cls", [MultiTaskClassifier, MultiTaskRegressor])
def test_a_two_dimensional_target_has_views_too(cls, houses, quick):
    X, Y = houses
    if cls is MultiTaskClassifier:
        Y = np.column_stack([Y["quality"], Y["quality"] > 0])
    else:
        Y = 2 * X[["area", "age"]].to_numpy()
    est = quick(cls).fit(X, Y)
    view = est.task("y1")
    np.testing.assert_array_equal(view.predict(X), est.predict(X)[:, 1])
    if cls is MultiTaskClassifier:
        np.testing.assert_array_equal(view.classes_, est.classes_[1])
        np.testing.assert_array_equal(view.predict_proba(X), est.predict_proba(X)[1])


def test_it_is_made_of_a_fitted_estimator_and_a_known_task(fitted, quick):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        quick().task("price")
    with pytest.raises(ValueError, match=r"one of the tasks \['price', 'type', 'quality'\]. Found 'prise'"):
        fitted.task("prise")


def test_a_clone_is_not_fitted_and_says_so(fitted, houses):
    alone = clone(fitted.task("type"))
    assert is_classifier(alone)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        alone.predict(houses[0])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        alone.predict_proba(houses[0])
    assert not hasattr(alone, "classes_")
    assert not hasattr(alone, "n_features_in_")


def test_a_refit_learns_this_task_alone_and_leaves_the_estimator(fitted, houses):
    X, Y = houses
    before = fitted.predict(X)["type"]
    view = clone(fitted.task("type").set_params(estimator__max_epochs=2)).fit(X, Y["type"])
    assert list(view.estimator_.tasks_) == ["type"]
    assert fitted.max_epochs == 2  # `set_params` reaches the estimator itself, as scikit-learn's do
    np.testing.assert_array_equal(fitted.predict(X)["type"], before)


def test_a_refit_keeps_what_was_said_of_its_task_and_drops_the_others(quick, houses):
    X, Y = houses
    est = quick(
        tasks={"quality": "regression", "type": "classification"},
        task_weights={"price": 0.0, "quality": 2.0},
        head_hidden_sizes={"quality": (3,), "price": (4,)},
    ).fit(X, Y)
    view = est.task("quality").fit(X, Y["quality"])
    assert is_regressor(view)
    assert view.estimator_.tasks_["quality"].kind == "regression"
    assert est.task_weights == {"price": 0.0, "quality": 2.0}


def test_it_can_be_cross_validated(fitted, houses):
    X, Y = houses
    view = fitted.set_params(max_epochs=2).task("type")
    scores = cross_val_score(view, X, Y["type"], cv=2, scoring="roc_auc", error_score="raise")
    assert np.isfinite(scores).all()


def test_wrong_features_are_refused_as_by_the_estimator(fitted, houses):
    X, _ = houses
    view = fitted.task("price")
    with pytest.raises(ValueError, match="feature names should match"):
        view.predict(X.rename(columns={"area": "size"}))
    values = X.to_numpy()
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        view.predict(values)
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X has 3 features"),
    ):
        view.predict(values[:, :3])


# Each tool of scikit-learn.


def test_partial_dependence_display(fitted, houses):
    X, _ = houses
    PartialDependenceDisplay.from_estimator(
        fitted.task("price"), X, ["area", ("area", "age")], grid_resolution=4
    )
    PartialDependenceDisplay.from_estimator(fitted.task("type"), X, ["age"], kind="both", grid_resolution=4)
    PartialDependenceDisplay.from_estimator(fitted.task("quality"), X, ["rooms"], target=2, grid_resolution=4)


def test_partial_dependence_is_in_the_units_of_the_labels(fitted, houses):
    X, _ = houses
    found = partial_dependence(fitted.task("price"), X, ["area"], grid_resolution=5)
    assert found["average"].shape == (1, 5)
    predicted = fitted.predict(X)["price"]
    assert predicted.min() <= found["average"].min() <= found["average"].max() <= predicted.max()


@pytest.mark.parametrize(("name", "scoring"), [("price", "r2"), ("type", "roc_auc"), ("quality", None)])
def test_permutation_importance(fitted, houses, price, name, scoring):
    X, Y = houses
    y = price if name == "price" else Y[name]
    found = permutation_importance(fitted.task(name), X, y, scoring=scoring, n_repeats=2, random_state=0)
    best = {"price": "area", "type": "age", "quality": "rooms"}[name]
    assert X.columns[found.importances_mean.argmax()] == best


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibrated_classifier(fitted, houses, method):
    X, Y = houses
    for name in ("type", "quality"):
        calibrated = CalibratedClassifierCV(FrozenEstimator(fitted.task(name)), method=method, cv=2)
        probabilities = calibrated.fit(X, Y[name]).predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert calibrated.score(X, Y[name]) > 0.8


def test_tuned_threshold(fitted, houses):
    X, Y = houses
    tuned = TunedThresholdClassifierCV(
        fitted.task("type"), scoring="balanced_accuracy", cv="prefit", refit=False
    ).fit(X, Y["type"])
    assert 0 < tuned.best_threshold_ < 1
    assert tuned.score(X, Y["type"]) > 0.9


def test_fixed_threshold(fitted, houses):
    X, Y = houses
    fixed = FixedThresholdClassifier(FrozenEstimator(fitted.task("type")), threshold=0.0, pos_label="house")
    assert set(fixed.fit(X, Y["type"]).predict(X)) == {"house"}


def test_stacking_of_fitted_views(fitted, houses, price):
    X, Y = houses
    regressors = [("price", fitted.task("price"))]
    stack = StackingRegressor(regressors, final_estimator=Ridge(), cv="prefit").fit(X, price)
    assert stack.score(X, price) > 0.8
    classifiers = [("type", fitted.task("type")), ("logistic", LogisticRegression().fit(X, Y["type"]))]
    stack = StackingClassifier(classifiers, final_estimator=LogisticRegression(), cv="prefit")
    assert stack.fit(X, Y["type"]).score(X, Y["type"]) > 0.9


def test_ensembles_that_refit(fitted, houses, price):
    X, Y = houses
    fitted.set_params(max_epochs=2)
    assert VotingRegressor([("view", fitted.task("price"))]).fit(X, price).predict(X).shape == (80,)
    assert set(VotingClassifier([("view", fitted.task("type"))]).fit(X, Y["type"]).predict(X)) <= {
        "flat",
        "house",
    }
    assert BaggingRegressor(fitted.task("price"), n_estimators=2).fit(X, price).predict(X).shape == (80,)


AROUND = {
    "one against the rest": OneVsRestClassifier,
    "soft votes": lambda est: VotingClassifier(
        [("net", est), ("trees", DecisionTreeClassifier())], voting="soft"
    ),
    "stack": lambda est: StackingClassifier([("net", est)], final_estimator=LogisticRegression(), cv=2),
    "stack of log-odds": lambda est: StackingClassifier(
        [("net", est)], final_estimator=LogisticRegression(), stack_method="decision_function", cv=2
    ),
    "sigmoid": lambda est: CalibratedClassifierCV(est, method="sigmoid", cv=2),
    "isotonic": lambda est: CalibratedClassifierCV(est, method="isotonic", cv=2),
}


@pytest.mark.parametrize("target", ["type", "quality"])
@pytest.mark.parametrize("of_view", [False, True], ids=["classifier", "view"])
@pytest.mark.parametrize("around", AROUND)
def test_meta_estimators_that_refit_a_classifier(quick, houses, target, of_view, around):
    X, Y = houses
    est = quick(MultiTaskClassifier, max_epochs=30, lr=0.05)
    if of_view:
        est = est.fit(X, Y[["type", "quality"]]).task(target)
    y = Y[target]
    made = AROUND[around](est).fit(X, y)
    probabilities = made.predict_proba(X)
    np.testing.assert_array_equal(made.classes_, np.unique(y))
    assert probabilities.shape == (80, len(made.classes_))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    # A class always guessed is right for 0.5 at most.
    assert made.score(X, y) > 0.7


def test_it_goes_into_a_pipeline(fitted, houses):
    X, Y = houses
    fitted.set_params(max_epochs=2)
    pipeline = make_pipeline(StandardScaler(), fitted.task("type")).fit(X, Y["type"])
    assert is_classifier(pipeline)
    assert pipeline.predict_proba(X).shape == (80, 2)
    assert pipeline.classes_.tolist() == ["flat", "house"]


OF_CLUSTERS = {name for name in get_scorer_names() if "rand" in name or "mutual" in name} | {
    "completeness_score",
    "fowlkes_mallows_score",
    "homogeneity_score",
    "v_measure_score",
}
OF_NUMBERS = {
    name
    for name in get_scorer_names()
    if name.startswith(("neg_mean", "neg_median", "neg_max", "neg_root", "d2_absolute", "r2", "explained"))
    or name == "max_error"
}
OF_SEVERAL_CLASSES = {"accuracy", "balanced_accuracy", "neg_log_loss", "matthews_corrcoef"} | {
    name
    for name in get_scorer_names()
    if name.endswith(("_macro", "_micro", "_weighted", "_ovr", "_ovo")) and not name.startswith("neg_")
}
# Defined for several labels in each row only, or for the k best of many classes.
OF_MULTILABEL = {name for name in get_scorer_names() if name.endswith("_samples")}


OF_TWO_CLASSES = set(get_scorer_names()) - OF_CLUSTERS - OF_NUMBERS - OF_MULTILABEL


def test_scorers_by_name_are_all_looked_at():
    assert OF_TWO_CLASSES > OF_SEVERAL_CLASSES
    assert {"roc_auc", "f1", "average_precision", "neg_brier_score", "top_k_accuracy"} <= OF_TWO_CLASSES
    assert {"r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"} <= OF_NUMBERS


@pytest.fixture(scope="module")
def scored():
    """An estimator of three tasks, and the function that scores one of them."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 3))
    Y = {
        # Counts and amounts are positive, as some scorers ask.
        "price": np.exp(X[:, 0]),
        # Precision, recall and the like ask which class is meant, unless the classes are 0 and 1.
        "flat": X[:, 1] + rng.normal(size=60) > 0,
        "quality": np.digitize(X[:, 2], [-0.5, 0.5]),
    }
    est = MultiTaskClassifierRegressor(
        trunk=MLP((16,)), n_bags=1, max_epochs=20, lr=0.02, early_stopping=False, random_state=0
    ).fit(X, Y)
    assert (est.predict(X)["price"] > 0).all()
    return lambda scoring, task: get_scorer(scoring)(est.task(task), X, Y[task])


@pytest.mark.parametrize("scoring", sorted(OF_NUMBERS))
def test_every_scorer_of_regressions(scored, scoring):
    assert np.isfinite(scored(scoring, "price"))


@pytest.mark.filterwarnings("ignore:'k' .2. greater:sklearn.exceptions.UndefinedMetricWarning")  # top 2 of 2
@pytest.mark.parametrize(
    "scoring", sorted(set(get_scorer_names()) - OF_CLUSTERS - OF_NUMBERS - OF_MULTILABEL)
)
def test_every_scorer_of_two_classes(scored, scoring):
    assert np.isfinite(scored(scoring, "flat"))


@pytest.mark.parametrize("scoring", sorted(OF_SEVERAL_CLASSES))
def test_every_scorer_of_several_classes(scored, scoring):
    assert np.isfinite(scored(scoring, "quality"))


def test_decision_boundary_display(quick, houses):
    X, Y = houses
    est = quick().fit(X[["area", "age"]], Y)
    for method in ("predict_proba", "predict", "auto"):
        DecisionBoundaryDisplay.from_estimator(
            est.task("type"), X[["area", "age"]], response_method=method, grid_resolution=5
        )
    DecisionBoundaryDisplay.from_estimator(est.task("quality"), X[["area", "age"]], grid_resolution=5)
    DecisionBoundaryDisplay.from_estimator(est.task("price"), X[["area", "age"]], grid_resolution=5)


@pytest.mark.parametrize("display", [RocCurveDisplay, PrecisionRecallDisplay, DetCurveDisplay])
def test_curves_of_two_classes(fitted, houses, display):
    X, Y = houses
    display.from_estimator(fitted.task("type"), X, Y["type"])
    display.from_estimator(fitted.task("type"), X, Y["type"], pos_label="flat")


def test_calibration_display(fitted, houses):
    X, Y = houses
    CalibrationDisplay.from_estimator(fitted.task("type"), X, Y["type"], n_bins=3)


def test_prediction_error_display(fitted, houses, price):
    X, _ = houses
    for kind in ("actual_vs_predicted", "residual_vs_predicted"):
        PredictionErrorDisplay.from_estimator(fitted.task("price"), X, price, kind=kind)


def test_confusion_matrix_display(fitted, houses):
    X, Y = houses
    display = ConfusionMatrixDisplay.from_estimator(fitted.task("quality"), X, Y["quality"])
    assert display.display_labels.tolist() == [0, 1, 2]


def test_learning_curve_display(fitted, houses):
    X, Y = houses
    fitted.set_params(max_epochs=2)
    LearningCurveDisplay.from_estimator(fitted.task("type"), X, Y["type"], cv=2, train_sizes=[0.5, 1.0])


def test_a_display_of_classes_refuses_a_regression_as_any_regressor(fitted, houses, price):
    X, _ = houses
    with pytest.raises(ValueError, match="Expected 'estimator' to be a binary classifier"):
        RocCurveDisplay.from_estimator(fitted.task("price"), X, price > 1)
    with pytest.raises(ValueError, match="must be an object implementing 'fit' and 'predict_proba'"):
        CalibratedClassifierCV(FrozenEstimator(fitted.task("price"))).fit(X, price)
