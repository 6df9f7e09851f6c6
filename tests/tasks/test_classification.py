"""Classification tasks: labels to codes and back, class weights, scores, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.utils.class_weight import compute_class_weight

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification, Multilabel
from sklearn_mtl.tasks.losses.classification import (
    BinaryCrossEntropy,
    CrossEntropy,
    ShiftedBinaryCrossEntropy,
)

MIXED = np.array(["b", 1, "a", 2, "b"], dtype=object)
LABELS = {
    "int": np.array([5, -1, 5, 2, 2]),
    "uint8": np.array([200, 7, 7, 7, 200], dtype=np.uint8),
    "float": np.array([1.0, 3.0, 1.0, 2.0, 3.0], dtype=np.float32),
    "bool": np.array([True, False, True, True, False]),
    "str": np.array(["house", "flat", "flat", "villa", "house"]),
    "object": np.array(["house", "flat", "flat", "villa", "house"], dtype=object),
    "mixed": MIXED,
    "category": pd.Categorical(["low", "high", "low", "mid", "high"], categories=["low", "mid", "high"]),
    "category of int": pd.Categorical([3, 1, 3, 1, 1]),
    "Int64": pd.array([4, 2, 4, 9, 2], dtype="Int64"),
    "boolean": pd.array([True, False, True, True, False], dtype="boolean"),
    "string": pd.array(["x", "y", "x", "y", "z"], dtype="string"),
    "date": np.array(["2020-01-02", "2020-01-01", "2020-01-02", "2020-01-01", "2020-01-03"], dtype="M8[ns]"),
}
GAPS = {
    "float": np.array([2.0, np.nan, 2.0, 1.0, np.nan]),
    "object": np.array(["b", None, "b", "a", None], dtype=object),
    "category": pd.Categorical(["b", None, "b", "a", None]),
    "category of int": pd.Categorical([2, None, 2, 1, None]),
    "Int64": pd.array([2, None, 2, 1, None], dtype="Int64"),
    "boolean": pd.array([True, None, True, False, None], dtype="boolean"),
    "string": pd.array(["b", None, "b", "a", None], dtype="string"),
    "bool object": np.array([True, None, True, False, None], dtype=object),
}


def bind(values, weight=None, classes=None, **parameters):
    """Return the labels as a column, and the task they make."""
    column = read_column("type", values)
    return column, Classification(**parameters).bind(
        column, np.ones(len(column)) if weight is None else weight, classes
    )


def certain_response(task, codes):
    """Return the response that is certain of each code."""
    if task.loss.width == 1 and len(task.classes) == 2:
        return np.asarray(codes, dtype=float)[:, None, None]
    return np.eye(len(task.classes))[np.asarray(codes, dtype=int)][:, None]


@pytest.mark.parametrize("values", LABELS.values(), ids=LABELS)
def test_decoding_undoes_encoding(values):
    column, task = bind(values)
    found = task.predict(certain_response(task, task.encode(column)[:, 0]))
    assert found.dtype == values.dtype
    assert type(found) is type(values) or isinstance(found, np.ndarray)
    assert list(found) == list(values)


@pytest.mark.parametrize("values", GAPS.values(), ids=GAPS)
def test_missing_labels_are_nan_and_the_others_come_back(values):
    column, task = bind(values)
    encoded = task.encode(column)[:, 0]
    np.testing.assert_array_equal(encoded, [1, np.nan, 1, 0, np.nan])
    known = np.array([0, 2, 3])
    found = task.predict(certain_response(task, encoded[known]))
    assert found.dtype == values.dtype
    assert list(found) == list(values[known])


def test_classes_are_sorted_and_codes_are_their_places():
    column, task = bind(np.array(["c", "a", "b", "a"]))
    assert task.classes.tolist() == ["a", "b", "c"]
    assert task.encode(column)[:, 0].tolist() == [2, 0, 1, 0]


def test_classes_of_several_types_are_sorted_by_type():
    _, task = bind(MIXED)
    assert task.classes.tolist() == [1, 2, "a", "b"]


def test_two_classes_take_one_logit_and_more_take_one_each():
    assert bind([0, 1, 1], label_smoothing=0.1)[1].loss == BinaryCrossEntropy(0.1, 0.0)
    assert bind([0, 1, 2], loss="focal")[1].loss == CrossEntropy(0.0, 2.0, n_classes=3)


@pytest.mark.parametrize("values", [[0, 1, 1], [0, 1, 2]])
def test_probabilities_have_a_column_for_each_class(values):
    _, task = bind(values)
    response = np.random.default_rng(0).dirichlet(np.ones(len(task.classes)), size=6)[:, None]
    if task.loss.width == 1:
        response = response[..., 1:]
    found = task.predict_proba(response)
    assert found.shape == (6, len(task.classes))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_array_equal(task.predict(response), task.classes[found.argmax(axis=1)])


def test_labels_of_rows_without_weight_make_no_class():
    column, task = bind(["a", "b", "c", "b"], np.array([1.0, 1.0, 0.0, 1.0]))
    assert task.classes.tolist() == ["a", "b"]
    assert np.isnan(task.encode(column)[2, 0])


@pytest.mark.parametrize(
    ("values", "new"),
    [
        (np.array(["a", "b", "a"]), np.array(["b", "z", "a"])),
        (np.array([1, 2, 1]), np.array([2, 9, 1])),
        (np.array([1, 2, 1]), np.array([2.0, 9.0, 1.0])),
        (np.array(["a", 1, 2], dtype=object), np.array([2, "z", 1], dtype=object)),
        (pd.Categorical(["a", "b", "a"]), pd.Categorical(["b", "z", "a"])),
    ],
)
def test_class_not_seen_in_fit_is_nan_and_counts_as_wrong(values, new):
    _, task = bind(values)
    column = read_column("type", new)
    encoded = task.encode(column)[:, 0]
    assert np.isnan(encoded).tolist() == [False, True, False]
    response = certain_response(task, np.nan_to_num(encoded))
    assert task.score(column, response, np.ones(3)) == pytest.approx(2 / 3)
    assert task.score(column, response, np.array([1.0, 2.0, 1.0])) == pytest.approx(1 / 2)


def test_score_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels, weight = rng.choice(["a", "b", "c"], 50).astype(object), rng.choice([0.0, 1.0, 3.0], 50)
    labels[::9] = None
    column, task = bind(labels)
    response = rng.dirichlet(np.ones(3), size=50)[:, None]
    known = ~column.missing
    expected = accuracy_score(
        labels[known].astype(str), task.predict(response[known]).astype(str), sample_weight=weight[known]
    )
    assert task.score(column, response, weight) == pytest.approx(expected)
    assert np.isnan(task.score(column, response, np.zeros(50)))


def test_balanced_class_weight_is_scikit_learns():
    labels = np.array(["a"] * 7 + ["b"] * 2 + ["c"])
    column, task = bind(labels, class_weight="balanced")
    expected = compute_class_weight("balanced", classes=task.classes, y=labels)
    np.testing.assert_allclose(task.class_weight, expected)
    np.testing.assert_allclose(task.cell_weight(task.encode(column))[:, 0], np.repeat(expected, [7, 2, 1]))


def test_balanced_class_weight_counts_sample_weights_as_rows():
    labels, times = np.array(["a", "b", "a", "c", "b"]), np.array([1, 3, 2, 1, 0])
    _, weighted = bind(labels, times.astype(float), class_weight="balanced")
    _, repeated = bind(np.repeat(labels, times), class_weight="balanced")
    np.testing.assert_allclose(weighted.class_weight, repeated.class_weight)
    masses = np.bincount([0, 1, 0, 2, 1], weighted.class_weight[[0, 1, 0, 2, 1]] * times)
    np.testing.assert_allclose(masses, masses[0])


@pytest.mark.parametrize(
    ("labels", "class_weight", "expected"),
    [
        (["a", "b", "c"], {"b": 3.0}, [1, 3, 1]),
        ([0, 1, 2], {0: 0, 2: 2}, [0, 1, 2]),
        ([False, True], {True: 5}, [1, 5]),
    ],
)
def test_class_weight_of_a_mapping(labels, class_weight, expected):
    column, task = bind(labels, class_weight=class_weight)
    assert task.class_weight.tolist() == expected
    assert task.cell_weight(task.encode(column))[:, 0].tolist() == expected


def test_no_class_weight_costs_nothing():
    column, task = bind(["a", "b", None])
    assert task.cell_weight(task.encode(column)) == 1.0


def test_declared_classes_need_not_be_among_the_labels():
    column, task = bind(np.array(["b", "a"]), classes=["c", "b", "a", "d"])
    assert task.classes.tolist() == ["a", "b", "c", "d"]
    assert task.loss == CrossEntropy(n_classes=4)
    assert task.encode(column)[:, 0].tolist() == [1, 0]
    task.check_known(read_column("type", ["d", None]))


def test_single_label_of_declared_classes_is_no_warning():
    column, task = bind([True, True], classes=[False, True])
    assert task.encode(column)[:, 0].tolist() == [1, 1]


def test_declared_class_without_a_label_has_balanced_weight_1():
    _, task = bind(["a", "a", "b"], classes=["a", "b", "c"], class_weight="balanced")
    np.testing.assert_allclose(task.class_weight, [1 / 2, 1, 1])


def test_error_for_a_label_that_is_no_declared_class():
    message = r"'type' must be among the classes of the first fit, or .*Found \['x', 'z'\]"
    with pytest.raises(ValueError, match=message):
        bind(["a", "z", "x", "z"], classes=["a", "b"])
    _, task = bind(["a", "b"])
    with pytest.raises(ValueError, match=message):
        task.check_known(read_column("type", ["z", "x", None, "a"]))


@pytest.mark.parametrize(
    ("values", "others"),
    [
        ([0, 1, 1], ["0", "1", "1"]),
        (["0", "1", "1"], [0, 1, 1]),
        (["0", "1", "1"], [False, True, True]),
        (["a", "b", "a"], np.array([b"a", b"b", b"a"])),
        (["a", "b", "a"], np.array(["a", "b", 3], dtype=object)),
        (
            pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01"]),
            ["2020-01-01", "2020-01-02", "2020-01-01"],
        ),
        (pd.Categorical(["a", "b", "a"]), pd.Categorical([1, 2, 1])),
        (np.arange(12), np.arange(12).astype(str)),
    ],
    ids=["text", "numbers", "booleans", "bytes", "one number", "dates", "categories", "many"],
)
def test_labels_of_another_type_are_refused_wherever_they_are_compared(values, others):
    _, task = bind(values)
    column = read_column("type", others)
    for compare in (
        task.encode,
        task.unknown_labels,
        task.check_known,
        lambda column: task.matched(column.values),
        lambda column: task.score(
            column, certain_response(task, np.zeros(len(column))), np.ones(len(column))
        ),
    ):
        with pytest.raises(ValueError, match=r"task 'type' must be .*Found .* such as .*dtype of `fit`"):
            compare(column)


@pytest.mark.parametrize(
    "others",
    [
        np.array([True, False, True]),
        np.array([1.0, 0.0, 1.0], dtype=np.float32),
        pd.array([1, 0, 1], dtype="UInt8"),
        pd.array([True, False, True], dtype="boolean"),
        pd.Categorical([1, 0, 1]),
        pd.Categorical([1.0, 0.0, 1.0]),
        np.array([1, False, 1.0], dtype=object),
    ],
    ids=lambda labels: str(labels.dtype),
)
@pytest.mark.parametrize("values", [[0, 1], [0, 1, 2]], ids=["two classes", "three"])
def test_equal_numbers_are_the_same_class(values, others):
    _, task = bind(values)
    column = read_column("type", others)
    assert task.score(column, certain_response(task, [1, 0, 1]), np.ones(3)) == 1.0
    assert task.encode(column)[:, 0].tolist() == [1, 0, 1]
    assert task.matched(column.values).tolist() == [1, 0, 1]
    assert task.matched(column.values).dtype == task.classes.dtype
    assert task.unknown_labels(column) == []


def test_declared_classes_of_another_type_are_refused():
    with pytest.raises(ValueError, match=r"task 'type' must be text.*Found numbers such as"):
        bind([0, 1], classes=["0", "1"])


def test_labels_of_no_class_are_wrong():
    _, task = bind(["a", "b", "b"])
    column = read_column("type", ["x", "y", None])
    assert task.score(column, certain_response(task, [0, 1, 0]), np.ones(3)) == 0.0
    assert task.matched(column.known).tolist() == ["x", "y"]
    assert task.unknown(np.array(["x", "a"], dtype=object)).tolist() == ["x"]
    assert task.matched(np.array(["x", "a"], dtype=object)).tolist() == ["x", "a"]


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.array(["a", "b"]), ["a", "b", "long"]),
        (pd.Categorical(["a", "b"]), ["a", "b", "long"]),
        (np.array([True, False]), [0, 1, 2]),
        (np.array([1, 2], dtype=np.uint8), [1, 2, 300]),
        (pd.array([1, 2], dtype="Int8"), [1, 2, 300]),
        (np.array([1, 2], dtype=np.uint8), [1, 2, 3]),
    ],
    ids=["text", "category", "bool", "uint8", "Int8", "all fit"],
)
def test_declared_classes_come_back_as_they_were_declared(values, classes):
    _, task = bind(values, classes=classes)
    found = task.predict(certain_response(task, [0, 1, 2]))
    assert list(found) == classes
    assert found.dtype == values.dtype or classes[-1] != 3


def test_categories_may_be_numbers_with_fractions():
    column, task = bind(pd.Categorical([0.5, 1.5, 0.5]))
    assert list(task.predict(certain_response(task, task.encode(column)[:, 0]))) == [0.5, 1.5, 0.5]


def test_a_quantity_is_refused_with_the_name_of_the_task():
    with pytest.raises(ValueError, match=r"Unknown label type: continuous.*Task 'type'.*Found \[1.5\]"):
        bind([1.0, 1.5])


@pytest.mark.parametrize("values", LABELS.values(), ids=LABELS)
def test_task_survives_pickling(values):
    column, task = bind(values)
    twin = pickle.loads(pickle.dumps(task))
    encoded = twin.encode(column)
    np.testing.assert_array_equal(encoded, task.encode(column))
    found = twin.predict(certain_response(twin, encoded[:, 0]))
    assert found.dtype == values.dtype
    assert list(found) == list(values)


def test_single_class_is_named_and_predicted():
    column, task = bind(np.array(["a", "a", "a"]))
    assert task.only_class == "'a'"
    assert task.predict_proba(np.ones((2, 1, 1))).tolist() == [[1.0], [1.0]]
    assert task.predict(np.ones((2, 1, 1))).tolist() == ["a", "a"]
    assert task.score(column, np.ones((3, 1, 1)), np.ones(3)) == 1.0


@pytest.mark.parametrize(
    ("values", "parameters", "message"),
    [
        ([0, 1], {"loss": "hinge"}, "`loss` of Classification must be 'cross_entropy' or 'focal'.*'hinge'"),
        ([0, 1], {"label_smoothing": 1.0}, r"`label_smoothing` .*\[0, 1\). Found 1.0"),
        ([0, 1], {"label_smoothing": -0.1}, r"`label_smoothing` .*\[0, 1\). Found -0.1"),
        ([0, 1], {"label_smoothing": "0.1"}, r"`label_smoothing` .*\[0, 1\). Found '0.1'"),
        ([0, 1], {"class_weight": "even"}, "`class_weight` of task 'type' must be None.*Found 'even'"),
        ([0, 1], {"class_weight": {0: 1, 7: 2}}, r"unknown classes \[7\]; the classes are \[0, 1\]"),
        ([0, 1], {"class_weight": {0: -1.0}}, "finite non-negative numbers.*Found {0: -1.0}"),
        ([0, 1], {"class_weight": {0: np.inf}}, "finite non-negative numbers"),
        ([0, 1], {"class_weight": {0: 0, 1: 0}}, "not all 0"),
        ([[0, 1], [1, 0]], {}, r"one label for each row. Found labels of shape \(2, 2\).*multilabel"),
        ([0.5, 1.7], {}, "Unknown label type"),
        ([None, None], {}, "'type' needs at least one label. Found 2 rows to train on, and no label"),
    ],
)
def test_errors(values, parameters, message):
    with pytest.raises(ValueError, match=message):
        bind(values, **parameters)


def test_error_where_all_weights_are_zero():
    with pytest.raises(ValueError, match=r"positive weight\. Found 1 labelled rows, all of weight 0"):
        bind(["a", None], np.array([0.0, 1.0]))


def test_parameters_are_kept_as_given_and_cloned():
    kind = Classification(class_weight={"a": 2}, label_smoothing=0.1)
    assert clone(kind).get_params() == {
        "loss": "cross_entropy",
        "class_weight": {"a": 2},
        "label_smoothing": 0.1,
    }


@pytest.mark.parametrize(
    "labels",
    [
        np.array([5, -3, 5, 9]),
        np.array([2**62 + 1, -(2**62) - 1, 0, 0]),
        np.array([2**64 - 1, 0, 2**64 - 1, 2**63], dtype=np.uint64),
        np.array([127, -128, 0, 127], dtype=np.int8),
        np.array([True, True, False, True]),
        np.array([2.0, -0.0, 0.0, 2.0]),
        np.array(["b", "a", "b", "ä"], dtype=object),
        np.arange(30)[::-1] * 3,
    ],
    ids=lambda labels: f"{labels.dtype} {labels[0]}",
)
def test_classes_are_the_sorted_distinct_labels_and_codes_their_places(labels):
    column = read_column("type", labels)
    task = Classification().bind(column, np.ones(len(labels)))
    expected, codes = np.unique(labels, return_inverse=True)
    assert task.classes.dtype == labels.dtype
    np.testing.assert_array_equal(task.classes, expected)
    np.testing.assert_array_equal(task.codes(labels), codes)
    np.testing.assert_array_equal(task.encode(column)[:, 0], codes)


# Weights of classes and probabilities


def rare(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    label = (X[:, 0] + rng.logistic(size=n_rows) * 0.7 > 2.5).astype(int)
    return X, {"label": label, "tags": np.column_stack([label, 1 - label])}


@pytest.fixture(scope="module")
def weighted():
    """Fits to a rare class of balanced weights, calibrated and not, and other rows."""
    tasks = {"label": Classification(class_weight="balanced"), "tags": Multilabel(pos_weight="balanced")}
    fits = [
        MultiTaskClassifierRegressor(
            tasks=tasks, trunk="mlp", n_bags=1, max_epochs=20, calibrate=calibrate, random_state=0
        ).fit(*rare(1500, 0))
        for calibrate in (True, False)
    ]
    return (*fits, *rare(3000, 1))


def test_probabilities_are_those_of_the_data_and_predictions_those_of_the_weights(weighted):
    calibrated, plain, X, Y = weighted
    share = Y["label"].mean()
    assert share < 0.12
    found = calibrated.predict_proba(X)["label"][:, 1]
    assert abs(found.mean() - share) < 0.02 < abs(plain.predict_proba(X)["label"][:, 1].mean() - share)
    losses = [log_loss(Y["label"], est.predict_proba(X)["label"]) for est in (calibrated, plain)]
    assert losses[0] < 0.7 * losses[1]
    assert balanced_accuracy_score(Y["label"], calibrated.predict(X)["label"]) > 0.72
    # The class predicted is that of the largest weighted probability.
    weight = calibrated.tasks_["label"].class_weight
    assert (calibrated.predict(X)["label"] == (found * weight[1] > (1 - found) * weight[0])).all()
    assert (calibrated.predict(X)["label"] != (found > 0.5)).any()


def test_so_they_are_of_several_labels(weighted):
    calibrated, plain, X, Y = weighted
    for column in range(2):
        share = Y["tags"][:, column].mean()
        found, raw = (est.predict_proba(X)["tags"][:, column] for est in (calibrated, plain))
        assert abs(found.mean() - share) < 0.02 < abs(raw.mean() - share)
    right = balanced_accuracy_score(Y["tags"][:, 0], calibrated.predict(X)["tags"][:, 0])
    assert right > 0.72


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_weights_are_undone_by_the_prior(n_classes):
    rng = np.random.default_rng(0)
    codes = np.minimum(rng.geometric(0.6, 200) - 1, n_classes - 1)
    column = read_column("a", codes)
    weight = {0: 1.0, 1: 3.0}
    task = Classification(class_weight=weight).bind(column, np.ones(200)).calibrated_by(True)
    p = rng.dirichlet(np.ones(n_classes), size=50)
    q = p * [weight.get(k, 1.0) for k in range(n_classes)]
    q /= q.sum(axis=1, keepdims=True)
    response = q[:, None, 1:] if n_classes == 2 else q[:, None]
    np.testing.assert_allclose(task.predict_proba(response), p)
    np.testing.assert_allclose(task.calibrated_by(False).predict_proba(response), q)
    assert (task.predict(response) == q.argmax(axis=1)).all()


# Log-odds in the data


def test_a_task_of_weighted_classes_becomes_one_of_log_odds_in_the_data():
    _, weighted = bind([0, 1, 1], class_weight={0: 2.0, 1: 8.0}, label_smoothing=0.1)
    weighted = weighted.calibrated_by(True)
    task = weighted.as_log_odds()
    assert task.loss == ShiftedBinaryCrossEntropy(0.1, shift=np.log(8) - np.log(2))
    assert task.as_log_odds() is task
    # Of weighted classes q = 0.5 is the border, of the data 0.2.
    response = np.array([0.1, 0.19, 0.21, 0.9])[:, None, None]
    weighted_response = 4 * response / (4 * response + 1 - response)
    np.testing.assert_allclose(task.predict_proba(response), weighted.predict_proba(weighted_response))
    assert task.predict(response).tolist() == weighted.predict(weighted_response).tolist() == [0, 0, 1, 1]
    logs = np.log(np.concatenate([1 - response, response], axis=-1))
    weighted_logs = np.log(np.concatenate([1 - weighted_response, weighted_response], axis=-1))
    for method in ("predict_log_proba", "decision_function"):
        found = getattr(task, method)(logs)
        np.testing.assert_allclose(found, getattr(weighted, method)(weighted_logs), err_msg=method)


def test_other_tasks_of_two_classes_have_log_odds_as_they_are():
    for parameters, calibrate in [({}, True), ({"class_weight": {1: 3.0}}, False)]:
        task = bind([0, 1, 1], **parameters)[1].calibrated_by(calibrate)
        assert task.as_log_odds() is task
    assert bind([0, 1, 2])[1].as_log_odds() is None
