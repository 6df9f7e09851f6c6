"""Every container of targets goes through every splitter and search of scikit-learn, or fails loudly."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mtl import (
    MultiTaskClassifier,
    MultiTaskClassifierRegressor,
    MultiTaskRegressor,
    MultiTaskTarget,
)
from sklearn_mtl.model_selection import (
    TaskStratifiedGroupKFold,
    TaskStratifiedKFold,
    TaskStratifiedShuffleSplit,
)
from sklearn_mtl.trunks import MLP

N_ROWS = 60
CV = KFold(2, shuffle=True, random_state=0)


def features():
    return np.random.RandomState(0).normal(size=(N_ROWS, 4))


def price(with_gaps=True):
    values = 10.0 * features()[:, 0]
    if with_gaps:
        values[::7] = np.nan
    return values


def kind(with_gaps=True):
    values = np.where(features()[:, 1] > 0, "flat", "house").astype(object)
    if with_gaps:
        values[::5] = None
    return values


def flags():
    return (features()[:, 2:] > 0).astype(int)


def level():
    return np.digitize(features()[:, 2], [-0.5, 0.5])


# The column of prices comes first in each, so that rows can be told apart by it.
CONTAINERS = {
    "pandas": lambda: pd.DataFrame({"price": price(), "type": kind()}),
    "polars": lambda: pl.DataFrame({"price": price(), "type": pl.Series(kind().tolist())}),
    "MultiTaskTarget": lambda: MultiTaskTarget(
        {"price": price(), "type": kind(), "flags": flags(), "sizes": features()[:, :2]}
    ),
    "1-D array": lambda: price(with_gaps=False),
    "2-D array": lambda: np.column_stack([price(), features()[:, 1]]),
}
OF_CLASSES = {
    "pandas": lambda: pd.DataFrame({"type": kind(), "level": level()}),
    "MultiTaskTarget": lambda: MultiTaskTarget({"type": kind(), "level": level(), "flags": flags()}),
    "2-D array": lambda: np.column_stack([level(), flags()]),
}
OF_NUMBERS = {
    "pandas": lambda: pd.DataFrame({"price": price(), "size": features()[:, 1]}),
    "MultiTaskTarget": lambda: MultiTaskTarget({"price": price(), "sizes": features()[:, :2]}),
    "2-D array": CONTAINERS["2-D array"],
}
# Arrays of one dimension are what scikit-learn's own checks go through.
TYPES = kind(with_gaps=False).astype(str)


def estimator(cls=MultiTaskClassifierRegressor, *, piped=False):
    est = cls(trunk=MLP((8,)), n_bags=1, max_epochs=2, early_stopping=False, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("net", est)]) if piped else est


def lr(est, values):
    return {("net__lr" if isinstance(est, Pipeline) else "lr"): values}


def r2_or_accuracy_of_the_first_task(est, X, y):
    if isinstance(est, Pipeline):
        return est[-1].score_tasks(est[:-1].transform(X), y).iloc[0]
    return est.score_tasks(X, y).iloc[0]


def default_score(est, X, y):
    return est.score(X, y)


METRICS = {"first": r2_or_accuracy_of_the_first_task, "all": default_score}


def splits(est, X, Y):
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, random_state=0)
    assert type(Y_train) is type(Y) is type(Y_test)
    assert np.isfinite(clone(est).fit(X_train, Y_train).score(X_test, Y_test))


def scores_by(splitter, groups=None):
    def run(est, X, Y):
        assert all(len(train) and len(test) for train, test in splitter.split(X, Y, groups))
        scores = cross_val_score(est, X, Y, cv=splitter, groups=groups, error_score="raise")
        assert np.isfinite(scores).all()

    return run


def cross_val_scores(est, X, Y):
    # An integer never stratifies, since neither the estimator nor a container of tasks is one of classes.
    cv = 2 if isinstance(est, MultiTaskClassifierRegressor | Pipeline) else CV
    assert np.isfinite(cross_val_score(est, X, Y, cv=cv, error_score="raise")).all()


def cross_validates(est, X, Y):
    found = cross_validate(
        est, X, Y, cv=CV, scoring=METRICS, error_score="raise", return_train_score=True, return_estimator=True
    )
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in METRICS)


def cross_val_predicts(est, X, Y):
    predicted = cross_val_predict(est, X, Y, cv=CV)
    if isinstance(Y, MultiTaskTarget):
        assert isinstance(predicted, MultiTaskTarget)
        assert list(predicted.keys()) == list(Y.keys())
    else:
        assert isinstance(predicted, np.ndarray)
        assert predicted.shape == Y.shape


def searches(make, **params):
    def run(est, X, Y):
        search = make(est, lr(est, [1e-3, 1e-2]), cv=CV, error_score="raise", **params).fit(X, Y)
        assert len(search.predict(X)) == N_ROWS
        assert np.isfinite(search.score(X, Y))

    return run


def learning_curves(est, X, Y):
    sizes, _, scores = learning_curve(est, X, Y, train_sizes=[0.5, 1.0], cv=CV, error_score="raise")
    assert sizes.tolist() == [15, 30]
    assert np.isfinite(scores).all()


def validation_curves(est, X, Y):
    ((name, values),) = lr(est, [1e-3, 1e-2]).items()
    _, scores = validation_curve(est, X, Y, param_name=name, param_range=values, cv=CV, error_score="raise")
    assert np.isfinite(scores).all()


def permutation_tests(est, X, Y):
    score, permuted, _ = permutation_test_score(est, X, Y, cv=CV, n_permutations=2, random_state=0)
    assert np.isfinite([score, *permuted]).all()


def permutation_importances(est, X, Y):
    fitted = clone(est).fit(X, Y)
    found = permutation_importance(fitted, X, Y, n_repeats=2, max_samples=0.5, random_state=0)
    assert np.isfinite(found.importances).all()


CONSUMERS = {
    "train_test_split": splits,
    "KFold": scores_by(KFold(2)),
    "GroupKFold": scores_by(GroupKFold(2), groups=np.arange(N_ROWS) // 10),
    "TimeSeriesSplit": scores_by(TimeSeriesSplit(2)),
    "TaskStratifiedKFold": scores_by(TaskStratifiedKFold(2)),
    "TaskStratifiedShuffleSplit": scores_by(TaskStratifiedShuffleSplit(2, test_size=0.3, random_state=0)),
    "TaskStratifiedGroupKFold": scores_by(TaskStratifiedGroupKFold(2), groups=np.arange(N_ROWS) // 5),
    "cross_val_score": cross_val_scores,
    "cross_validate, multi-metric": cross_validates,
    "cross_val_predict": cross_val_predicts,
    "GridSearchCV": searches(GridSearchCV),
    "GridSearchCV, multi-metric": searches(GridSearchCV, scoring=METRICS, refit="first"),
    "RandomizedSearchCV": searches(RandomizedSearchCV, n_iter=2, random_state=0),
    "HalvingGridSearchCV": searches(HalvingGridSearchCV, factor=2, min_resources=30, random_state=0),
    "learning_curve": learning_curves,
    "validation_curve": validation_curves,
    "permutation_test_score": permutation_tests,
    "permutation_importance": permutation_importances,
}

consumers = pytest.mark.parametrize("consumer", CONSUMERS)


# Pairs of a consumer with a pipeline or with a class of tasks: each once with our own container, and once
# more with one of the others in turn. Mixed targets go with every container.
def pairs(containers):
    others = [name for name in containers if name != "MultiTaskTarget"]
    in_turn = [(consumer, others[i % len(others)]) for i, consumer in enumerate(CONSUMERS)]
    found = [*((consumer, "MultiTaskTarget") for consumer in CONSUMERS), *in_turn]
    return pytest.mark.parametrize(("consumer", "container"), found)


def table(containers, cls=MultiTaskClassifierRegressor, *, piped=False):
    """Return a frame of consumers × containers that says "ok", or what was raised."""

    def outcome(consumer, container):
        try:
            CONSUMERS[consumer](estimator(cls, piped=piped), features(), containers[container]())
        except Exception as error:
            return f"{type(error).__name__}: {error}".split("\n")[0][:60]
        return "ok"

    return pd.DataFrame({y: {c: outcome(c, y) for c in CONSUMERS} for y in containers})


@consumers
@pytest.mark.parametrize("container", CONTAINERS)
def test_mixed_targets_go_through(consumer, container):
    CONSUMERS[consumer](estimator(), features(), CONTAINERS[container]())


@pairs(CONTAINERS)
def test_mixed_targets_go_through_in_a_pipeline(consumer, container):
    CONSUMERS[consumer](estimator(piped=True), features(), CONTAINERS[container]())


@pairs(OF_CLASSES)
def test_targets_of_classes_go_through(consumer, container):
    CONSUMERS[consumer](estimator(MultiTaskClassifier), features(), OF_CLASSES[container]())


@pairs(OF_NUMBERS)
def test_targets_of_numbers_go_through(consumer, container):
    CONSUMERS[consumer](estimator(MultiTaskRegressor), features(), OF_NUMBERS[container]())


@pytest.mark.parametrize("container", CONTAINERS)
def test_rows_of_x_and_y_stay_together(container):
    Y = CONTAINERS[container]()
    _, X_test, _, Y_test = train_test_split(features(), Y, random_state=0)
    prices = Y_test["price"] if hasattr(Y_test, "columns") or isinstance(Y, MultiTaskTarget) else Y_test
    prices = np.asarray(prices)[:, 0] if np.ndim(prices) == 2 else np.asarray(prices)
    known = ~np.isnan(prices)
    assert known.any()
    np.testing.assert_array_equal(prices[known], 10.0 * X_test[known, 0])


@pytest.mark.parametrize(
    ("cls", "peer", "Y"),
    [
        (MultiTaskClassifier, DecisionTreeClassifier(), TYPES),
        (MultiTaskClassifier, DecisionTreeClassifier(), OF_CLASSES["2-D array"]()),
        (MultiTaskRegressor, DecisionTreeRegressor(), CONTAINERS["1-D array"]()),
        (MultiTaskRegressor, DecisionTreeRegressor(), features()[:, :2]),
    ],
    ids=["classes 1-D", "classes 2-D", "numbers 1-D", "numbers 2-D"],
)
def test_arrays_come_back_as_from_scikit_learns_own(cls, peer, Y):
    X, ours = features(), estimator(cls)
    expected, found = (cross_val_predict(est, X, Y, cv=2) for est in (peer, ours))
    assert found.shape == expected.shape
    assert found.dtype.kind == expected.dtype.kind


@pytest.mark.parametrize("Y", [TYPES, OF_CLASSES["2-D array"]()], ids=["1-D", "2-D"])
def test_probabilities_of_arrays_come_back_as_from_scikit_learns_own(Y):
    expected, found = (
        cross_val_predict(est, features(), Y, cv=CV, method="predict_proba")
        for est in (DecisionTreeClassifier(), estimator(MultiTaskClassifier))
    )
    if Y.ndim == 1:
        expected, found = [expected], [found]
    assert [part.shape for part in found] == [part.shape for part in expected]
    assert all(np.allclose(part.sum(axis=1), 1) for part in found)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_cross_val_predict_of_a_frame_is_an_unnamed_object_array(container):
    predicted = cross_val_predict(estimator(), features(), CONTAINERS[container](), cv=CV)
    assert type(predicted) is np.ndarray
    assert predicted.dtype == object
    assert all(isinstance(value, float) for value in predicted[:, 0])
    assert set(predicted[:, 1]) <= {"flat", "house"}


# scikit-learn makes integer codes of the prices before we see them.
@pytest.mark.filterwarnings("ignore:Number of classes in training fold:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Task 'y0' has integers:UserWarning")
@pytest.mark.parametrize("container", ["pandas", "polars", "MultiTaskTarget"])
def test_cross_val_predict_of_probabilities_is_refused_for_several_tasks(container):
    with pytest.raises((TypeError, ValueError, IndexError)):
        cross_val_predict(estimator(), features(), CONTAINERS[container](), cv=CV, method="predict_proba")


def test_a_dict_can_not_be_split():
    Y = dict(CONTAINERS["MultiTaskTarget"]())
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 4\]"):
        train_test_split(features(), Y)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 4\]"):
        cross_val_score(estimator(), features(), Y)


def test_stratified_folds_of_one_task_split_all():
    Y = MultiTaskTarget({"price": price(), "level": level()})
    cv = list(StratifiedKFold(3).split(features(), Y["level"]))
    assert np.isfinite(cross_val_score(estimator(), features(), Y, cv=cv, error_score="raise")).all()
    with pytest.raises(TypeError, match=r"take est.task\('price'\)"):
        next(StratifiedKFold(3).split(features(), Y))


def single_target_tools(est):
    named = [("net", est)]
    return {
        "BaggingRegressor": BaggingRegressor(est, n_estimators=2),
        "BaggingClassifier": BaggingClassifier(est, n_estimators=2),
        "VotingRegressor": VotingRegressor(named),
        "VotingClassifier": VotingClassifier(named),
        "StackingRegressor": StackingRegressor(named),
        "StackingClassifier": StackingClassifier(named),
        "TransformedTargetRegressor": TransformedTargetRegressor(est),
    }


TOOLS = list(single_target_tools(estimator()))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("cls", [MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor])
def test_tools_for_one_target_point_at_the_view_of_a_task(tool, cls):
    Y = {
        MultiTaskClassifierRegressor: CONTAINERS,
        MultiTaskClassifier: OF_CLASSES,
        MultiTaskRegressor: OF_NUMBERS,
    }[cls]["MultiTaskTarget"]()
    with pytest.raises(TypeError, match=rf"take est\.task\({next(iter(Y))!r}\) of a fitted estimator"):
        single_target_tools(estimator(cls))[tool].fit(features(), Y)


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_for_one_target_refuse_a_frame_of_mixed_tasks(tool):
    # Their own text: scikit-learn makes an array of the frame, or asks for one dimension, before we see it.
    with pytest.raises((TypeError, ValueError)):
        single_target_tools(estimator())[tool].fit(features(), CONTAINERS["pandas"]()).predict(features())


@pytest.mark.parametrize("scoring", ["r2", "accuracy", "neg_mean_squared_error", "balanced_accuracy"])
def test_a_scorer_by_name_never_scores_several_tasks(scoring):
    with pytest.raises(TypeError, match="task_scorer"):
        cross_val_score(
            estimator(),
            features(),
            CONTAINERS["MultiTaskTarget"](),
            cv=CV,
            scoring=scoring,
            error_score="raise",
        )


if __name__ == "__main__":
    with pd.option_context("display.width", 250, "display.max_columns", None, "display.max_colwidth", 62):
        for piped in (False, True):
            print(f"\nMultiTaskClassifierRegressor{' in a Pipeline' if piped else ''}")
            print(table(CONTAINERS, piped=piped))
        print("\nMultiTaskClassifier", table(OF_CLASSES, MultiTaskClassifier), sep="\n")
        print("\nMultiTaskRegressor", table(OF_NUMBERS, MultiTaskRegressor), sep="\n")
