"""Labels of another dtype than in fit: all that compares them agrees."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor
from sklearn_mtl.model_selection import multitask_scorer, task_scorer
from sklearn_mtl.tasks import Survival

X = np.random.default_rng(0).normal(size=(60, 3))
PRICE = X[:, 1] + 0.5
SOLD = (X[:, 0] > 0).astype(int)
TYPE = np.where(X[:, 0] > 0, "flat", "house")
OTHER_DTYPES = {
    "sold": {
        "bool": SOLD == 1,
        "float": SOLD.astype(float),
        "boolean": pd.array(SOLD == 1, dtype="boolean"),
        "Int64": pd.array(SOLD, dtype="Int64"),
        "category": pd.Categorical(SOLD == 1),
        "polars": pl.Series(SOLD == 1),
        "object": (SOLD == 1).astype(object),
    },
    "type": {
        "category": pd.Categorical(TYPE),
        "string": pd.array(TYPE, dtype="string"),
        "str": pd.Series(TYPE, dtype="str"),
        "polars": pl.Series(TYPE),
        "enum": pl.Series(TYPE, dtype=pl.Enum(["house", "flat"])),
        "object": TYPE.astype(object),
    },
}


@pytest.fixture(scope="module")
def fitted():
    est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=10, random_state=0)
    return est.fit(X, {"price": PRICE, "sold": SOLD, "type": TYPE})


def scores(est, name, y):
    """The score of one task on labels, by each way to it."""
    whole = {"price": PRICE, "sold": SOLD, "type": TYPE, name: y}
    return [
        est.score_tasks(X, whole)[name],
        est.score_tasks(X, {name: y})[name],
        est.score_tasks(X, {name: y}, metrics="accuracy").iloc[0],
        3 * est.score(X, whole) - est.score_tasks(X, whole).drop(name).sum(),
        est.task(name).score(X, y),
        task_scorer(name)(est, X, whole),
        task_scorer(name, "accuracy")(est, X, whole),
        multitask_scorer({name: "accuracy"})(est, X, whole),
    ]


@pytest.mark.parametrize(
    ("name", "labels"),
    [pytest.param(name, y, id=f"{name}-{i}") for name, of in OTHER_DTYPES.items() for i, y in of.items()],
)
def test_equal_labels_have_one_score_in_any_dtype(fitted, name, labels):
    expected = fitted.score_tasks(X, {"price": PRICE, "sold": SOLD, "type": TYPE})[name]
    assert expected > 0.5
    np.testing.assert_allclose(scores(fitted, name, labels), expected, rtol=1e-12)


def test_metrics_of_probabilities_take_booleans_for_classes(fitted):
    for metric in ("roc_auc", "neg_log_loss", "f1"):
        found = [task_scorer("sold", metric)(fitted, X, {"sold": y}) for y in (SOLD, SOLD == 1)]
        assert found[0] == found[1] != 0


@pytest.mark.parametrize(
    ("name", "labels"), [("sold", SOLD.astype(str)), ("type", SOLD), ("type", SOLD == 1)]
)
def test_text_against_numbers_is_refused_by_all(fitted, name, labels):
    whole = {"price": PRICE, "sold": SOLD, "type": TYPE, name: labels}
    for call in (
        lambda: fitted.score(X, whole),
        lambda: fitted.score_tasks(X, {name: labels}),
        lambda: fitted.score_tasks(X, {name: labels}, metrics="accuracy"),
        lambda: fitted.task(name).score(X, labels),
        lambda: task_scorer(name)(fitted, X, whole),
        lambda: task_scorer(name, "f1_macro")(fitted, X, whole),
        lambda: multitask_scorer({name: "accuracy"})(fitted, X, whole),
    ):
        with pytest.raises(ValueError, match=f"^Labels of task '{name}' must be"):
            call()


def test_numbers_as_text_are_no_numbers_to_a_regression(fitted):
    with pytest.raises(
        ValueError, match=r"'price' is a regression and needs numbers. Found labels such as \['"
    ):
        fitted.score_tasks(X, {"price": PRICE.astype(str)})


def test_labels_that_are_no_class_are_a_warning_by_all(fitted):
    labels = np.full(60, "castle")
    for call in (
        lambda: fitted.score_tasks(X, {"type": labels})["type"],
        lambda: fitted.task("type").score(X, labels),
        lambda: task_scorer("type")(fitted, X, {"type": labels}),
        lambda: task_scorer("type", "accuracy")(fitted, X, {"type": labels}),
    ):
        with pytest.warns(UserWarning, match=r"60 of 60 labels of task 'type'.*'castle'.*'flat', 'house'"):
            assert call() == 0.0


def test_many_labels_of_no_class_are_one_warning_for_all_tasks(fitted):
    y = {"price": PRICE, "sold": 2 * SOLD - 1, "type": np.where(X[:, 0] > 0, "flat", "House")}
    n = int((SOLD == 0).sum())
    words = rf"{n} of 60 labels of task 'sold', such as \[-1\].*; {n} of 60 labels of task 'type'.*'House'"
    for call in (
        lambda: fitted.score(X, y),
        lambda: fitted.score_tasks(X, {"sold": y["sold"], "type": y["type"]}, metrics="accuracy"),
        lambda: multitask_scorer({"sold": "accuracy", "type": "accuracy"})(fitted, X, y),
    ):
        with pytest.warns(UserWarning, match=words) as said:
            call()
        assert len(said) == 1


def test_rare_labels_of_no_class_are_wrong_without_a_word(fitted):
    labels = TYPE.astype(object)
    labels[:4], labels[4:8], labels[8:12] = "hut", "tent", "boat"
    assert fitted.score_tasks(X, {"type": labels})["type"] <= 0.8
    weight = np.where(labels == TYPE, 1.0, 0.0)
    labels[:12] = "hut"
    assert fitted.score_tasks(X, {"type": labels}, sample_weight=weight)["type"] > 0.5
    with pytest.warns(UserWarning, match="12 of 60 labels of task 'type', such as .'hut'"):
        fitted.score_tasks(X, {"type": labels})


def test_labels_of_another_shape_than_in_fit_are_told_so(fitted, quick):
    block = np.column_stack([X[:, 0], X[:, 1]])
    tags = (np.c_[block, X[:, 2]] > 0).astype(int)
    time = np.column_stack([np.exp(X[:, 0]), X[:, 1] > 0])
    y = {"sold": SOLD, "price": PRICE, "sizes": block, "tags": tags, "time": time}
    est = quick(MultiTaskClassifierRegressor, tasks={"time": Survival()}, max_epochs=1).fit(X, y)
    for name, other, shape in (
        ("sold", tags, r"\(n_rows,\). Found shape \(60, 3\)"),
        ("price", block, r"\(n_rows,\). Found shape \(60, 2\)"),
        ("sizes", PRICE, r"\(n_rows, 2\). Found shape \(60,\)"),
        ("tags", tags[:, :2], r"\(n_rows, 3\). Found shape \(60, 2\)"),
        ("time", time[:, 0], r"\(n_rows, 2\). Found shape \(60,\)"),
    ):
        for call in (
            lambda name=name, other=other: est.task(name).score(X, other),
            lambda name=name, other=other: est.score_tasks(X, {name: other}),
            lambda name=name, other=other: task_scorer(name)(est, X, {name: other}),
            lambda name=name, other=other: est.score(X, {**y, name: other}),
            lambda name=name, other=other: clone(est).fit(X, y, X_val=X, y_val={**y, name: other}),
            lambda name=name, other=other: est.partial_fit(X, {**y, name: other}),
        ):
            with pytest.raises(ValueError, match=f"^Labels of task '{name}' must have the shape.*{shape}"):
                call()


def test_validation_rows_are_compared_as_rows_to_score(quick):
    est = quick(MultiTaskClassifier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_given = est.fit(X, {"sold": SOLD}, X_val=X[:20], y_val={"sold": SOLD[:20]}).history_
        other = est.fit(X, {"sold": SOLD}, X_val=X[:20], y_val={"sold": SOLD[:20] == 1}).history_
    pd.testing.assert_frame_equal(as_given.filter(like="valid"), other.filter(like="valid"))
    with pytest.raises(ValueError, match=r"^Labels of task 'sold' must be numbers"):
        est.fit(X, {"sold": SOLD}, X_val=X[:20], y_val={"sold": SOLD[:20].astype(str)})
    y_val = {"sold": np.r_[SOLD[:19], 7], "type": np.r_[TYPE[:19], ["castle"]]}
    with pytest.warns(UserWarning, match=r"\[7\] of task 'sold', \['castle'\] of task 'type'") as said:
        est.fit(X, {"sold": SOLD, "type": TYPE}, X_val=X[:20], y_val=y_val)
    assert len(said) == 1


def test_training_on_takes_labels_of_equal_value(quick):
    est = quick(warm_start=True, max_epochs=1).fit(X, {"sold": SOLD})
    est.set_params(max_epochs=2).fit(X, {"sold": SOLD == 1})
    est.partial_fit(X, {"sold": SOLD.astype(float)})
    with pytest.raises(ValueError, match=r"^Labels of task 'sold' must be numbers"):
        est.partial_fit(X, {"sold": SOLD.astype(str)})


def test_declared_classes_make_a_classification(quick):
    labels = np.arange(60) % 30
    est = quick().partial_fit(X, {"id": labels}, classes={"id": np.arange(31)})
    assert est.tasks_["id"].kind == "classification"
    assert est.predict_proba(X)["id"].shape == (60, 31)
    both = quick(tasks={"y0": "regression"}).partial_fit(
        X, np.column_stack([labels, SOLD]), classes=[None, [0, 1]]
    )
    assert [task.kind for task in both.tasks_.values()] == ["regression", "classification"]


def test_declared_classes_are_predicted_as_declared(quick):
    est = quick(MultiTaskClassifier).partial_fit(X, TYPE, classes=["apartment", "flat", "house"])
    assert est.predict(X).dtype == object or est.predict(X).dtype.itemsize >= 4 * len("apartment")
    assert est.classes_.tolist() == ["apartment", "flat", "house"]


def test_one_warning_for_two_hundred_tasks(quick):
    rng = np.random.default_rng(0)
    Y = pd.DataFrame({f"assay{i}": rng.integers(0, 2, 60).astype(float) for i in range(206)})
    Y = Y.mask(rng.random(Y.shape) < 0.1)
    with pytest.warns(UserWarning, match="'assay9'.* and 196 more have floats of only 0 and 1") as said:
        est = quick(max_epochs=1).fit(X, Y)
    assert [warning.filename for warning in said] == [__file__]
    assert est.predict(X).dtypes.eq("float64").all()


def test_classes_with_gaps_are_classes_from_every_reader(quick):
    grades = [0, 1, 2, None] * 15
    for frame in (
        pd.DataFrame({"grade": pd.array(grades, dtype="Int64")}),
        pl.DataFrame({"grade": grades}),
        pd.DataFrame({"grade": pd.Series(grades, dtype=object)}),
    ):
        assert quick(max_epochs=1).fit(X, frame).tasks_["grade"].kind == "classification"
    with pytest.warns(UserWarning, match="'grade' has whole floats of few values with gaps"):
        est = quick(max_epochs=1).fit(X, pd.DataFrame({"grade": grades}))
    assert est.predict(X)["grade"].dtype == np.float64
    assert set(est.predict(X)["grade"]) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (SOLD.astype(str), "classification"),
        (np.array([f"house {i}" for i in range(60)]), "classification"),
        (SOLD.astype(float), "classification"),
        (np.where(np.arange(60) < 5, np.nan, SOLD + 1), "classification"),
        (SOLD + 1.0, "regression"),
        (np.random.default_rng(0).poisson(3, 60), "classification"),
        (np.arange(60) % 17, "classification"),
        (np.eye(3)[np.arange(60) % 3], "multilabel"),
    ],
    ids=["numbers as text", "distinct", "0 and 1", "gaps", "whole", "counts", "many", "one-hot"],
)
def test_nothing_is_said_of_a_kind_that_is_named(quick, labels, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = quick(max_epochs=1, tasks={"a": kind}).fit(X, {"a": labels})
        assert est.tasks_["a"].kind == kind
        if kind == "classification":
            quick(MultiTaskClassifier, max_epochs=1).fit(X, {"a": labels})
    refused = labels.dtype.kind == "U"
    told = (
        pytest.raises(ValueError, match="can't be told")
        if refused
        else pytest.warns(UserWarning, match="is taken as")
    )
    with told as found:
        quick(max_epochs=1).fit(X, {"a": labels})
    said = str(found.value) if refused else str(found[0].message)
    assert f"tasks={{'a': {kind!r}}}" in said
