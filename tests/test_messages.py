"""Messages show values of the user's, and are never long."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection import TaskStratifiedKFold, multitask_scorer, task_scorer
from sklearn_mtl.tasks import Classification, Multilabel, Ordinal, Regression, Survival
from sklearn_mtl.trunks import MLP, TabM

LONG = "x" * 1_000_000
MOST = 5_000
X = np.random.default_rng(0).normal(size=(40, 3))
FEW = np.repeat(["a", "b"], 20)


class Unprintable:
    """An object of a user's that can't be written."""

    def __repr__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("flat", "'flat'"),
        (None, "None"),
        ([1, "x"], "[1, 'x']"),
        ((1,), "(1,)"),
        ({"a": 1}, "{'a': 1}"),
        (Unprintable(), "<Unprintable whose repr raises RuntimeError>"),
        ([Unprintable()], "[<Unprintable whose repr raises RuntimeError>]"),
        (MLP(), "MLP()"),
    ],
    ids=["text", "none", "list", "tuple", "dict", "unprintable", "within", "estimator"],
)
def test_what_is_short_is_shown_as_python_writes_it(value, expected):
    assert shown(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        LONG,
        LONG.encode(),
        [LONG] * 20,
        {LONG: LONG},
        {LONG},
        [[LONG] * 20] * 20,
        list(range(10**6)),
        10**4000,
    ],
    ids=["text", "bytes", "list", "dict", "set", "nested", "numbers", "integer"],
)
def test_what_is_long_is_shortened(value):
    assert len(shown(value)) < 1_200


def test_an_integer_that_python_does_not_write_is_named():
    assert "ValueError" in shown(10 ** (sys.get_int_max_str_digits() + 1))


def fitted(Y=None, **params):
    est = MultiTaskClassifierRegressor(trunk=MLP((4,)), n_bags=1, max_epochs=1, **params)
    return est.fit(X, {"type": FEW, "price": X[:, 0]} if Y is None else Y)


def unfitted(cls=MultiTaskClassifierRegressor, Y=None, X=X, **params):
    y = {"type": FEW, "price": np.arange(40) / 7} if Y is None else Y
    return lambda: cls(trunk=params.pop("trunk", MLP((4,))), n_bags=1, max_epochs=1, **params).fit(X, y)


distinct = np.array([f"{LONG}{i}" for i in range(40)], dtype=object)
long_classes = np.array([f"{LONG}{i}" for i in (0, 1)], dtype=object).repeat(20)
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).rename(columns={"a": LONG})
PARAMETERS = [
    name for name in MultiTaskClassifierRegressor().get_params(deep=False) if name not in ("tasks", "trunk")
]
CASES = {
    **{f"parameter {name}": unfitted(**{name: LONG}) for name in PARAMETERS},
    "parameter trunk": unfitted(trunk=LONG),
    "parameter tasks": unfitted(tasks=LONG),
    "kind": unfitted(tasks={"type": LONG}),
    "unknown task": unfitted(tasks={LONG: "regression"}),
    "weight of an unknown task": unfitted(task_weights={LONG: 1.0}),
    "weight": unfitted(task_weights={"price": LONG}),
    "sizes by task": unfitted(head_hidden_sizes={"price": LONG}),
    "sizes": unfitted(trunk=MLP(LONG)),
    "activation": unfitted(trunk=MLP(activation=LONG)),
    "dropout": unfitted(trunk=MLP(dropout=LONG)),
    "normalization": unfitted(trunk=MLP(normalization=LONG)),
    "embedding": unfitted(trunk=TabM(embedding=LONG)),
    "loss": unfitted(tasks={"price": Regression(loss=LONG)}),
    "quantiles": unfitted(tasks={"price": Regression(loss="quantile", quantiles=LONG)}),
    "delta": unfitted(tasks={"price": Regression(loss="huber", delta=LONG)}),
    "class loss": unfitted(tasks={"type": Classification(loss=LONG)}),
    "class_weight": unfitted(tasks={"type": Classification(class_weight=LONG)}),
    "class_weight of a class": unfitted(tasks={"type": Classification(class_weight={LONG: 1})}),
    "label_smoothing": unfitted(tasks={"type": Classification(label_smoothing=LONG)}),
    "pos_weight": unfitted(Y={"m": np.eye(2)[[0, 1] * 20]}, tasks={"m": Multilabel(pos_weight=LONG)}),
    "order": unfitted(tasks={"type": Ordinal(order=LONG)}),
    "order of labels": unfitted(tasks={"type": Ordinal(order=[LONG])}),
    "labels without an order": unfitted(Y={"t": long_classes}, tasks={"t": "ordinal"}),
    "intervals": unfitted(
        Y={"s": np.c_[np.arange(1, 41), np.ones(40)]}, tasks={"s": Survival(n_intervals=LONG)}
    ),
    "survival labels": unfitted(Y={"s": np.c_[distinct, distinct]}, tasks={"s": "survival"}),
    "task name with __": unfitted(Y={f"{LONG}__": FEW}),
    "name of a task that is no text": unfitted(Y={LONG.encode(): FEW}),
    "task of other length": unfitted(Y={LONG: FEW[:3]}),
    "tasks of other lengths": unfitted(Y={LONG: FEW, "b": FEW[:3]}),
    "task of no label": unfitted(Y={LONG: np.full(40, np.nan), "b": FEW}),
    "no label": unfitted(Y={LONG: np.full(40, np.nan)}),
    "infinite labels": unfitted(Y={LONG: np.full(40, np.inf)}),
    "complex labels": unfitted(Y={LONG: np.full(40, 1j)}),
    "nested labels": unfitted(Y={LONG: [{}] * 40}),
    "distinct text": unfitted(Y={LONG: distinct}),
    "numbers in text": unfitted(Y={LONG: [f"{'0' * 10_000}{i}" for i in range(40)]}),
    "mixed labels": unfitted(Y={LONG: [LONG, 1.5] * 20}),
    "single class": unfitted(Y={LONG: [LONG] * 40}),
    "close guess": unfitted(Y={LONG: np.arange(40) % 19}),
    "floats of 0 and 1": unfitted(Y={LONG: np.arange(40) % 2.0}),
    "gap among classes": unfitted(Y={LONG: ["NA", LONG] * 20}),
    "text for numbers": unfitted(MultiTaskRegressor, Y={LONG: long_classes}),
    "numbers for text": unfitted(MultiTaskClassifier, Y={LONG: X[:, 0]}),
    "another kind": unfitted(MultiTaskClassifier, Y={LONG: X[:, 0]}, tasks={LONG: "regression"}),
    "block": unfitted(Y={LONG: np.c_[FEW, FEW]}),
    "integer block": unfitted(Y={LONG: np.arange(80).reshape(40, 2)}),
    "no weight": unfitted(task_weights={"type": 0, "price": 0}),
    "infinite column": unfitted(X=TABLE * np.inf),
    "complex column": unfitted(X=TABLE * 1j),
    "nested column": unfitted(X=TABLE.assign(**{LONG: [[]] * 40})),
    "gaps": unfitted(X=TABLE * np.nan, preprocessing=None),
    "text without preprocessing": unfitted(X=TABLE.assign(**{LONG: long_classes}), preprocessing=None),
    "numbers as text": unfitted(X=TABLE.assign(**{LONG: [f"{i}.5" for i in range(40)]})),
    "labels in X": unfitted(X=TABLE.assign(**{LONG: X[:, 0]}), Y={LONG: X[:, 0]}),
    "other tasks to score": lambda: fitted().score(X, {LONG: FEW}),
    "unknown labels": lambda: fitted().score(X, {"type": distinct, "price": X[:, 0]}),
    "labels of another dtype": lambda: fitted({"t": np.arange(40) % 2}).score(X, {"t": long_classes}),
    "other columns": lambda: fitted().predict(TABLE.assign(d=1)),
    "view": lambda: fitted().task(LONG),
    "metric": lambda: fitted().score_tasks(X, {"type": FEW, "price": X[:, 0]}, metrics={"type": LONG}),
    "metric of a task": lambda: fitted().score_tasks(X, {"type": FEW}, metrics={LONG: "r2"}),
    "coverage": lambda: fitted(tasks={"price": Regression(loss="gaussian_nll")}).predict_interval(X, LONG),
    "other tasks": lambda: fitted().partial_fit(X, {LONG: FEW}),
    "new class": lambda: fitted().partial_fit(X, {"type": long_classes, "price": X[:, 0]}),
    "other classes": lambda: fitted().partial_fit(
        X, {"type": FEW, "price": X[:, 0]}, classes={"type": [LONG, "a"]}
    ),
    "classes of an unknown task": lambda: MultiTaskClassifierRegressor().partial_fit(
        X, {"type": FEW}, classes={LONG: ["a"]}
    ),
    "weights": lambda: fitted().fit(X, {"type": FEW}, sample_weight={LONG: X[:, 0]}),
    "target": lambda: fitted().predict(X)[LONG],
    "scorer": lambda: task_scorer(LONG, "r2")(fitted(), X, {"type": FEW}),
    "scorers": lambda: multitask_scorer({LONG: "r2"})(fitted(), X, {"type": FEW, "price": X[:, 0]}),
    "metric of a scorer": lambda: multitask_scorer({"type": LONG})(fitted(), X, {"type": FEW}),
    "splitter": lambda: next(TaskStratifiedKFold(task=LONG).split(X, {"type": FEW})),
    "splits": lambda: next(TaskStratifiedKFold(LONG).split(X, {"type": FEW})),
    "nested parameter": lambda: MultiTaskClassifierRegressor().set_params(**{f"tasks__type__{LONG}": 1}),
    "no parameter": lambda: MultiTaskClassifierRegressor(**{LONG: 1}),
    "entry of a mapping": lambda: MultiTaskClassifierRegressor(task_weights=LONG).set_params(
        task_weights__a=1
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_message_is_long(case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            CASES[case]()
        except Exception as error:
            messages = [str(error)]
        else:
            messages = []
    messages += [str(warning.message) for warning in caught]
    assert messages, "the case has nothing to say"
    assert max(map(len, messages)) < MOST
