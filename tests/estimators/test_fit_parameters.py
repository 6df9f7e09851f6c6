"""What is refused, in which words, and always before any training."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold
from skorch.callbacks import EarlyStopping

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor
from sklearn_mtl.estimators import fitting
from sklearn_mtl.estimators.fit_parameters import FitParameters, auto_batch_size
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification
from sklearn_mtl.trunks import MLP

RNG = np.random.RandomState(0)
X = RNG.normal(size=(40, 3))
Y = {"price": RNG.normal(size=40), "type": np.array(["flat", "house"] * 20, dtype=object)}


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*args, **kwargs):
        pytest.fail("training began")

    monkeypatch.setattr(fitting, "train_nets", refuse)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        (
            {"task_weights": {"prise": 1.0}},
            ValueError,
            r"`task_weights` names unknown tasks \['prise'\]; the tasks are \['price', 'type'\]",
        ),
        (
            {"tasks": {"prise": "regression"}},
            ValueError,
            r"`tasks` names unknown tasks \['prise'\]; the tasks are",
        ),
        (
            {"head_hidden_sizes": {"prise": (3,)}},
            ValueError,
            r"`head_hidden_sizes` names unknown tasks \['prise'\]",
        ),
        (
            {"tasks": ["regression", "classification"]},
            TypeError,
            r"`tasks` must be None or a mapping by task",
        ),
        (
            {"tasks": {"price": "regresion"}},
            ValueError,
            r"`tasks` must map to .*Found 'regresion' for task 'price'",
        ),
        ({"tasks": {"type": "regression"}}, ValueError, r"'type' is a regression and needs numbers.*flat"),
        ({"tasks": {"type": "multilabel"}}, ValueError, r"'type' is multilabel and needs a two-dimensional"),
        (
            {"tasks": {"type": Classification("hinge")}},
            ValueError,
            r"`loss` of Classification must be .*'hinge'",
        ),
        ({"task_weights": [1, 2]}, TypeError, r"`task_weights` must be None or a mapping"),
        (
            {"task_weights": {"price": -1}},
            ValueError,
            r"`task_weights` must hold finite non-negative .*-1 for task 'price'",
        ),
        ({"task_weights": {"price": np.nan}}, ValueError, r"`task_weights` must hold finite"),
        ({"task_weights": {"price": np.inf}}, ValueError, r"`task_weights` must hold finite"),
        ({"task_weights": {"price": "1"}}, ValueError, r"`task_weights` must hold finite .*'1'"),
        (
            {"task_weights": {"price": 0, "type": 0}},
            ValueError,
            r"`task_weights` must leave a task of positive weight",
        ),
        (
            {"head_hidden_sizes": (0,)},
            ValueError,
            r"`head_hidden_sizes` must be a sequence of positive integers",
        ),
        ({"head_hidden_sizes": {"price": (2.5,)}}, ValueError, r"`head_hidden_sizes` must be"),
        ({"head_hidden_sizes": "8"}, ValueError, r"`head_hidden_sizes` must be"),
        ({"lr": 0}, ValueError, r"`lr` must be a positive.* number. Found 0"),
        ({"lr": "fast"}, ValueError, r"`lr` must be .*Found 'fast'"),
        ({"lr": np.nan}, ValueError, r"`lr` must be"),
        ({"lr": np.inf}, ValueError, r"`lr` must be"),
        ({"weight_decay": -0.1}, ValueError, r"`weight_decay` must be a non-negative"),
        ({"batch_size": 0}, ValueError, r"`batch_size` must be 'auto' or a positive integer"),
        ({"batch_size": 32.0}, ValueError, r"`batch_size` must be"),
        ({"batch_size": "all"}, ValueError, r"`batch_size` must be"),
        ({"max_epochs": 0}, ValueError, r"`max_epochs` must be a positive integer"),
        ({"max_epochs": True}, ValueError, r"`max_epochs` must be a positive integer"),
        (
            {"patience": 0},
            ValueError,
            r"`patience` must be 'auto' or a positive integer, below 2.{,10}Found 0",
        ),
        ({"patience": None}, ValueError, r"`patience` must be 'auto' or a positive integer"),
        ({"validation_fraction": 0}, ValueError, r"`validation_fraction` must be a number between 0 and 1"),
        ({"validation_fraction": 0}, ValueError, "early_stopping=False holds out no rows. Found 0"),
        (
            {"validation_fraction": [(np.arange(500), np.arange(500, 600))]},
            ValueError,
            r"Found \[\(array.{,1100}$",
        ),
        ({"validation_fraction": 1.0}, ValueError, r"`validation_fraction` must be"),
        (
            {"validation_fraction": "0.1"},
            ValueError,
            r"or a splitter with split\(X, y, groups\); .*Found '0.1'",
        ),
        ({"validation_fraction": KFold}, ValueError, "Found <class '.*KFold'>"),
        ({"n_bags": 0}, ValueError, r"`n_bags` must be 'auto' or a positive integer"),
        ({"n_bags": 1.5}, ValueError, r"`n_bags` must be"),
        ({"ema_decay": 1.0}, ValueError, r"`ema_decay` must be None or a number in \[0, 1\)"),
        ({"ema_decay": -0.1}, ValueError, r"`ema_decay` must be"),
        ({"gradient_clip": 0}, ValueError, r"`gradient_clip` must be None or a positive"),
        ({"optimizer": "lion"}, ValueError, r"`optimizer` must be a torch optimizer class or one of"),
        ({"lr_schedule": "linear"}, ValueError, r"`lr_schedule` must be"),
        ({"precision": "float16"}, ValueError, r"`precision` must be one of"),
        ({"device": "gpu"}, ValueError, r"`device` must be 'auto' or a torch device"),
        ({"trunk": "resnext"}, ValueError, r"`trunk` must be None, one of .*'resnext'"),
        ({"trunk": MLP}, ValueError, r"`trunk` must be None, one of"),
        ({"sharing": "very"}, ValueError, r"`sharing` must be None, one of .*'very'"),
        ({"balancing": "uncertain"}, ValueError, r"`balancing` must be None, one of .*'uncertain'"),
        ({"balancing": MLP()}, ValueError, r"`balancing` must be None, one of"),
        ({"preprocessing": "scale"}, TypeError, r"`preprocessing` must be 'auto', None or"),
        (
            {"callbacks": EarlyStopping()},
            ValueError,
            r"`callbacks` must be None or a list of skorch callbacks",
        ),
        ({"callbacks": [print]}, (TypeError, ValueError), r"`callbacks`"),
        ({"random_state": "seed"}, ValueError, r"seed"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_parameters_are_refused_before_training(quick, params, error, words):
    est = quick(**params)
    with pytest.raises(error, match=words):
        est.fit(X, Y)
    assert not hasattr(est, "tasks_")


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (None, ValueError, r"requires y to be passed"),
        ({}, ValueError, r"y must have at least one task"),
        (pd.DataFrame(index=range(40)), ValueError, r"y must have at least one task"),
        ({**Y, "short": Y["price"][:30]}, ValueError, r"X has 40 rows, task 'short' has 30"),
        ({"price": Y["price"][:30]}, ValueError, r"X has 40 rows, task 'price' has 30"),
        (Y["price"][:30], ValueError, r"X has 40 rows, task 'y' has 30"),
        ({**Y, "gone": np.full(40, np.nan)}, ValueError, r"[Tt]ask 'gone'.* label"),
        ({"gone": np.full(40, np.nan)}, ValueError, r"at least one label"),
        ({**Y, "huge": np.where(Y["price"] > 1, np.inf, 0.5)}, ValueError, r"infinity.*task 'huge'"),
        ({"price": Y["price"] * 1j}, ValueError, r"[Cc]omplex data not supported.*'price'"),
        ({"a__b": Y["price"]}, ValueError, r"must not hold '__'.*'a__b'"),
        ({3: Y["price"]}, TypeError, r"Task names must be strings.*3"),
        (pd.DataFrame({0.5: Y["price"]}), TypeError, r"Task names must be strings"),
        ([Y["price"], Y["price"]], ValueError, r"list of 2 arrays of 40 labels.*\{'price': y\[0\]"),
        (np.where(Y["price"] > 1, np.nan, Y["price"]), ValueError, r"Input y contains NaN"),
        (csr_array(np.eye(40)), TypeError, r"[Ss]parse.*labels must be dense"),
        ({"cube": np.zeros((40, 2, 2))}, ValueError, r"kind of task 'cube' can't be told.*each position"),
        ({"when": pd.date_range("2020", periods=40)}, ValueError, r"The kind of task 'when' can't be told"),
        (
            {"mixed": np.array([1, "a"] * 20, dtype=object)},
            ValueError,
            r"The kind of task 'mixed' can't be told",
        ),
        ({"counts": np.arange(80).reshape(40, 2)}, ValueError, r"The kind of task 'counts' can't be told"),
    ],
)
def test_labels_are_refused_before_training(quick, y, error, words):
    with pytest.raises(error, match=words):
        quick().fit(X, y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ({"prise": np.ones(40)}, r"`sample_weight` names unknown tasks \['prise'\]"),
        (np.ones(30), r"`sample_weight` must hold one weight for each row.*\(30,\)"),
        ({"type": np.ones(30)}, r"`sample_weight\['type'\]` must hold one weight for each row"),
        (-np.ones(40), r"[Nn]egative values"),
        (np.full(40, np.nan), r"NaN"),
        (np.zeros(40), r"[Zz]ero|weight"),
        ({"price": np.zeros(40)}, r"weight"),
        (np.ones((40, 2)), r"`sample_weight`.*1D.*a DataFrame or mapping by task"),
        ({"price": np.ones((40, 2))}, r"`sample_weight\['price'\]`.*1D"),
    ],
)
def test_sample_weights_are_refused_before_training(quick, weight, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(X, Y, sample_weight=weight)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("features", "error", "words"),
    [
        (X[:, 0], ValueError, r"Expected 2D array"),
        (X[:0], ValueError, r"0 sample"),
        (X[:, :0], ValueError, r"0 feature"),
        (csr_array(X * np.nan), ValueError, r"Input X contains NaN"),
        (X * 1j, ValueError, r"[Cc]omplex"),
        (np.where(X > 2, np.inf, X), ValueError, r"infinity"),
    ],
)
def test_features_are_refused_before_training(quick, features, error, words):
    with pytest.raises(error, match=words):
        quick().fit(features, Y)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("validation", "words"),
    [
        ({"X_val": X}, r"`X_val` and `y_val` must be given together"),
        ({"y_val": Y}, r"`X_val` and `y_val` must be given together"),
        ({"X_val": X, "y_val": {"price": Y["price"]}}, r"`y_val` must have the tasks"),
        ({"X_val": X[:, :2], "y_val": Y}, r"X has 2 features"),
        ({"X_val": X[:10], "y_val": Y}, r"X.* has 10 rows, task 'price' has 40"),
        (
            {"X_val": X, "y_val": {name: np.full(40, None) for name in Y}},
            r"`?y_val`? must hold at least one label",
        ),
    ],
)
def test_validation_rows_are_refused_before_training(quick, validation, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(X, Y, **validation)


@pytest.mark.usefixtures("no_training")
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused(quick):
    with pytest.raises(ValueError, match=r"`device` must be a device of this machine. Found 'cuda'"):
        quick(device="cuda").fit(X, Y)


@pytest.mark.usefixtures("no_training")
def test_tasks_of_another_kind_are_refused_by_the_classes_of_one_kind(quick):
    with pytest.raises(ValueError, match=r"MultiTaskRegressor.*Found Classification\(\) for task 'type'"):
        quick(MultiTaskRegressor, tasks={"type": "classification"}).fit(X, Y)
    with pytest.raises(ValueError, match=r"MultiTaskClassifier.*Found Regression\(\) for task 'price'"):
        quick(MultiTaskClassifier, tasks={"price": "regression"}).fit(X, Y)
    with pytest.raises(ValueError, match=r"'type' is a regression and needs numbers"):
        quick(MultiTaskRegressor).fit(X, Y)
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*Task 'price'"):
        quick(MultiTaskClassifier).fit(X, Y)


def test_one_class_only_is_a_warning(quick):
    with pytest.warns(UserWarning, match=r"Task 'type' has one class only, 'flat', 'flag' has") as said:
        est = quick().fit(X, {**Y, "type": np.full(40, "flat"), "flag": np.ones(40, dtype=bool)})
    assert len(said) == 1
    assert set(est.predict(X)["type"]) == {"flat"}
    np.testing.assert_array_equal(est.predict_proba(X)["type"], np.ones((40, 1)))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform", "predict_interval"])
def test_nothing_is_predicted_before_fit(quick, method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(X)


def test_nothing_is_scored_or_viewed_before_fit(quick):
    for call in (
        lambda est: est.score(X, Y),
        lambda est: est.score_tasks(X, Y),
        lambda est: est.task("price"),
        lambda est: est.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError):
            call(quick())


@pytest.mark.parametrize(
    ("features", "error", "words"),
    [
        (X[:, :2], ValueError, r"X has 2 features, but .* is expecting 3 features"),
        (X[0], ValueError, r"Expected 2D array"),
        (X[:0], ValueError, r"0 sample"),
        (csr_array(X[:, :-1]), ValueError, r"features"),
    ],
)
def test_features_of_another_shape_are_refused_in_predict(quick, features, error, words):
    est = quick(max_epochs=1).fit(X, Y)
    with pytest.raises(error, match=words):
        est.predict(features)


def test_features_under_other_names_are_refused_in_predict(quick):
    est = quick(max_epochs=1).fit(pd.DataFrame(X, columns=list("abc")), Y)
    with pytest.raises(ValueError, match=r"feature names should match"):
        est.predict(pd.DataFrame(X, columns=list("abd")))


def test_a_task_that_is_not_there_is_refused(quick):
    with pytest.raises(
        ValueError, match=r"`name` must be one of the tasks \['price', 'type'\]. Found 'prise'"
    ):
        quick(max_epochs=1).fit(X, Y).task("prise")


@pytest.mark.parametrize(("n_rows", "size"), [(10, 32), (600, 32), (1000, 64), (2600, 128), (100_000, 128)])
def test_batches_grow_with_the_rows(n_rows, size):
    assert auto_batch_size(n_rows) == size


@pytest.mark.parametrize(("n_rows", "patience"), [(999, 12), (1000, 6), (49_999, 6), (50_000, 4)])
def test_patience_is_shorter_where_more_rows_are_held_out(n_rows, patience):
    def found(**params):
        return parameters_of(MultiTaskRegressor(**params)).training_settings(n_rows).patience

    assert found() == patience
    assert found(patience=3) == 3
    assert found(early_stopping=False) is None


# --------------------------------------------------------------------------- the value


def parameters_of(estimator, fold=None):
    return FitParameters.of(estimator, estimator._kind_rule, fold=fold)


def test_what_needs_no_data_is_resolved_at_once(quick):
    parameters = parameters_of(quick(sharing="hard", early_stopping=False, device="cpu"), fold="fold 2")
    assert (parameters.owner, parameters.fold) == ("MultiTaskClassifierRegressor", "fold 2")
    assert parameters.sharing.__class__.__name__ == "HardSharing"
    assert parameters.settings.device == torch.device("cpu")
    assert parameters.validation_fraction is None


def test_a_fit_that_leaves_tasks_out_has_parameters_without_them(quick):
    est = quick(task_weights={"price": 2.0, "gone": 3.0}, head_hidden_sizes={"gone": (4,)})
    parameters = parameters_of(est)
    with pytest.raises(ValueError, match=r"`task_weights` names unknown tasks \['gone'\]"):
        parameters.weights_of(["price", "type"])
    left = parameters.without(["gone"], ["price", "gone", "type"])
    assert left.weights_of(["price", "type"]) == (2.0, 1.0)
    assert left.hidden_sizes_of(["price", "type"]) == ((), ())
    assert est.task_weights == {"price": 2.0, "gone": 3.0}
    assert parameters.without([], ["price", "type"]) is parameters


def test_a_task_with_declared_classes_is_a_classification(quick):
    columns = read_targets({"code": np.arange(40.0), "price": Y["price"]}).columns
    parameters = parameters_of(quick())
    assert {name: kind.kind for name, kind in parameters.kinds_of(columns).items()} == {
        "code": "regression",
        "price": "regression",
    }
    declared = parameters.kinds_of(columns, {"code": np.arange(50.0)})
    assert [kind.kind for kind in declared.values()] == ["classification", "regression"]


@pytest.mark.parametrize(("n_bags", "n_rows", "n_nets"), [("auto", 999, 8), ("auto", 1000, 2), (3, 10, 3)])
def test_small_data_has_a_larger_bag(quick, n_bags, n_rows, n_nets):
    assert parameters_of(quick(n_bags=n_bags)).n_nets(n_rows, is_flat=True) == n_nets
