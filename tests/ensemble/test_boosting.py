"""MultiTaskBoosting: each round learns what all tasks still lack, by the definition of gradient boosting."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, logit, softmax
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from sklearn_mtl import MultiTaskRegressor, MultiTaskTarget
from sklearn_mtl.ensemble import MultiTaskBoosting, PerTask
from sklearn_mtl.ensemble.boosted_losses import boosted_loss
from sklearn_mtl.model_selection import cross_val_predict_tasks, score_tasks, task_view
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.trunks import MLP

TREE = DecisionTreeRegressor(max_depth=2, random_state=0)


def network(**parameters):
    """A network that is quickly trained, alike each time."""
    small = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 3, "early_stopping": False}
    return MultiTaskRegressor(**{**small, "linear_blend": False, "random_state": 0, **parameters})


def fitted(estimator):
    """What a user has fitted before."""
    return estimator.fit(np.zeros((9, 1)), {"y": np.arange(9.0)})


def rows(n_rows=80):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=n_rows), rng


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_trees_on_residuals_are_scikit_learns_gradient_boosting(weighted, n_outputs):
    X, y, rng = rows()
    Y = np.column_stack([y, X[:, 2] ** 2])[:, :n_outputs]
    weight = rng.rand(80) + 0.5 if weighted else None
    how = {"n_estimators": 15, "learning_rate": 0.3}
    ours = MultiTaskBoosting(TREE, early_stopping=False, **how).fit(X, {"y": Y}, sample_weight=weight)
    found = np.asarray(ours.predict(X)["y"]).reshape(80, -1)
    for i, labels in enumerate(Y.T):
        theirs = GradientBoostingRegressor(max_depth=2, random_state=0, **how).fit(
            X, labels, sample_weight=weight
        )
        assert found[:, i] == pytest.approx(np.clip(theirs.predict(X), labels.min(), labels.max()))


def test_one_round_is_the_model_on_residuals_of_the_constant():
    X, y, _ = rows()
    other = np.where(np.arange(80) % 3 == 0, np.nan, 100 + 5 * X[:, 0])
    Y = {"a": y, "b": other}
    est = MultiTaskBoosting(network(), n_estimators=1, learning_rate=1.0, early_stopping=False).fit(X, Y)
    constants = {"a": y.mean(), "b": np.nanmean(other)}
    base = network().fit(X, {name: Y[name] - constants[name] for name in Y})
    for name, constant in constants.items():
        expected = np.clip(constant + base.predict(X)[name], np.nanmin(Y[name]), np.nanmax(Y[name]))
        assert est.predict(X)[name] == pytest.approx(expected, abs=1e-9)
    assert est.constants_["b"] == pytest.approx([constants["b"]])
    # The joint model is one, and has both tasks.
    (only,) = est.estimators_
    assert list(only.tasks_) == ["a", "b"]


def test_classes_and_labels_are_boosted_by_the_definition(numbers):
    X, Y = numbers
    Y = {"kind": Y["kind"], "three": np.array(list("cab"))[Y["grade"].codes], "labels": Y["labels"]}
    rate, n_rounds = 0.5, 4
    est = MultiTaskBoosting(TREE, n_estimators=n_rounds, learning_rate=rate, early_stopping=False).fit(X, Y)

    known = np.array([label is not None for label in Y["kind"]])
    is_house, Z = (Y["kind"][known] == "house").astype(float), X[known]
    scores, new = (np.full(n, logit(is_house.mean())) for n in (known.sum(), 60))
    for _ in range(n_rounds):
        p = expit(scores)
        tree = clone(TREE).fit(Z, is_house - p)
        grown = tree.predict(Z)
        step = rate * ((is_house - p) @ grown) / (p * (1 - p) * grown**2).sum()
        scores, new = scores + step * grown, new + step * tree.predict(X)
    assert est.predict_proba(X)["kind"][:, 1] == pytest.approx(expit(new))
    assert est.history_["step_kind"].iloc[-1] == pytest.approx(step)

    one_hot = (Y["three"][:, None] == np.array(["a", "b", "c"])).astype(float)
    logits = np.tile(np.log(one_hot.mean(axis=0)), (60, 1))
    for _ in range(n_rounds):
        p = softmax(logits, axis=1)
        grown = np.column_stack([clone(TREE).fit(X, of).predict(X) for of in (one_hot - p).T])
        bend = (p * grown**2).sum(axis=1) - (p * grown).sum(axis=1) ** 2
        logits = logits + rate * ((one_hot - p) * grown).sum() / bend.sum() * grown
    assert est.predict_proba(X)["three"] == pytest.approx(softmax(logits, axis=1))
    assert est.predict(X)["three"].tolist() == np.array(list("abc"))[logits.argmax(axis=1)].tolist()
    assert est.history_["train_loss_three"].iloc[-1] == pytest.approx(
        log_loss(Y["three"], softmax(logits, axis=1))
    )

    odds = np.tile(logit(Y["labels"].mean(axis=0)), (60, 1))
    for _ in range(n_rounds):
        p = expit(odds)
        grown = np.column_stack([clone(TREE).fit(X, of).predict(X) for of in (Y["labels"] - p).T])
        odds = odds + rate * ((Y["labels"] - p) * grown).sum() / (p * (1 - p) * grown**2).sum() * grown
    assert est.predict_proba(X)["labels"] == pytest.approx(expit(odds))


@pytest.mark.parametrize("kind", ["price", "kind", "grade", "labels", "both"])
def test_residuals_are_the_negative_gradient_of_the_loss(kind, numbers):
    X, Y = numbers
    est = MultiTaskBoosting(TREE, n_estimators=1, early_stopping=False).fit(X, {kind: Y[kind]})
    loss = boosted_loss(est.tasks_[kind])
    rng = np.random.RandomState(0)
    n_scores = len(est.constants_[kind])
    scores, direction = rng.normal(size=(2, 6, n_scores))
    targets = rng.randint(0, 2, size=(6, 1 if kind in ("price", "kind", "grade") else n_scores)).astype(float)
    scale = est.tasks_[kind].scale if kind in ("price", "both") else 1.0

    def total(at):
        return (loss.cells(targets, at) * np.square(scale)).sum()

    slope = (total(scores + 1e-6 * direction) - total(scores - 1e-6 * direction)) / 2e-6
    assert -(loss.residuals(targets, scores) * direction).sum() == pytest.approx(slope, rel=1e-5)
    # The constant is where the gradient of all labels vanishes.
    everything = np.tile(loss.constant(targets, np.ones(6)), (6, 1))
    assert loss.residuals(targets, everything).sum(axis=0) == pytest.approx(0, abs=1e-4)


def test_a_task_stops_by_itself_and_the_others_go_on():
    X, _, rng = rows(400)
    Y = {"good": X[:, 0], "noise": rng.normal(size=400)}
    how = {"learning_rate": 0.1, "patience": 3, "validation_fraction": 0.5, "random_state": 0}
    est = MultiTaskBoosting(TREE, n_estimators=40, **how).fit(X, Y)
    good, noise = est.n_estimators_["good"], est.n_estimators_["noise"]
    assert noise < 10 < good
    assert len(est.estimators_) == good
    history = est.history_
    # It takes no part after `patience` rounds without a gain, and is predicted by its best number of rounds.
    assert history["valid_loss_noise"].count() == noise + 3
    assert [list(one.tasks_) for one in est.estimators_[noise + 2 : noise + 4]] == [
        ["good", "noise"],
        ["good"],
    ]
    best = history["valid_loss_noise"].min()
    assert noise == 0 or history["valid_loss_noise"].iloc[noise - 1] == best
    if noise == 0:
        assert np.ptp(est.predict(X)["noise"]) == 0
    alone = MultiTaskBoosting(TREE, n_estimators=good, **how)
    assert alone.fit(X, Y).predict(X)["good"] == pytest.approx(est.predict(X)["good"])


class Remembering(DecisionTreeRegressor):
    """A tree that remembers which rows it was given."""

    def fit(self, X, y, sample_weight=None):
        """Fit the tree."""
        self.rows_ = np.asarray(X)[:, 0]
        return super().fit(X, y, sample_weight)


def test_held_out_rows_are_not_learned_from():
    X, y, _ = rows(60)
    groups = np.arange(60) // 6
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    train, held_out = next(splitter.split(X, y, groups))
    other = y.copy()
    other[held_out] = y[held_out][::-1] + 1
    est = MultiTaskBoosting(Remembering(max_depth=2, random_state=0), n_estimators=4, learning_rate=0.5)
    fits = [
        clone(est)
        .set_params(validation_fraction=splitter)
        .fit(X, {"y": labels, "high": labels > 0.5, "two": X[:, 0]}, groups=groups)
        for labels in (y, other)
    ]
    for fitted in fits:
        assert len(fitted.estimators_) > 0
        for one in fitted.estimators_:
            assert one.models_["two"][0].rows_.tolist() == X[train, 0].tolist()
    # Other labels in them leave the start, each model, and each step as they were.
    for name in ("y", "high"):
        assert fits[0].constants_[name] == pytest.approx(fits[1].constants_[name])
        assert fits[0].history_[f"valid_loss_{name}"][1] != fits[1].history_[f"valid_loss_{name}"][1]
    for column in ("step_high", "train_loss_high"):
        assert fits[0].history_[column].tolist() == pytest.approx(fits[1].history_[column].tolist())

    by_share = clone(est).set_params(random_state=0).fit(X, {"y": X[:, 0]}, groups=groups)
    learned = np.isin(X[:, 0], by_share.estimators_[0].models_["y"][0].rows_)
    assert 0 < learned.sum() < 60
    assert set(groups[learned]).isdisjoint(groups[~learned])
    all_rows = clone(est).set_params(early_stopping=False).fit(X, y).estimators_[0]
    assert all_rows.models_["y"][0].rows_.tolist() == X[:, 0].tolist()


def test_groups_reach_a_network_in_a_pipeline():
    X, y, _ = rows()
    groups, Y = np.arange(80) // 8, {"a": y, "b": X[:, 0]}
    stopping = network(early_stopping=True, validation_fraction=0.3)
    piped = make_pipeline(StandardScaler(), stopping)
    how = {"n_estimators": 1, "learning_rate": 1.0, "early_stopping": False}
    est = MultiTaskBoosting(piped, **how).fit(X, Y, groups=groups)
    residuals = {name: labels - labels.mean() for name, labels in Y.items()}
    one, alone = est.estimators_[0], clone(piped)
    alone.fit(X, residuals, multitaskregressor__groups=groups)
    assert one.predict(X)["a"] == pytest.approx(alone.predict(X)["a"], abs=1e-6)
    without = clone(piped).fit(X, residuals)
    assert one.predict(X)["a"] != pytest.approx(without.predict(X)["a"], abs=1e-3)


def test_a_joint_network_takes_all_kinds_with_missing_labels(numbers):
    X, Y = numbers
    base = network(random_state=None, lr=0.03, max_epochs=5)
    how = {"early_stopping": False, "tasks": {"grade": "ordinal"}, "random_state": 1}
    est = MultiTaskBoosting(base, n_estimators=10, learning_rate=0.5, **how)
    scores = est.fit(X, Y).score_tasks(X, Y)
    assert scores.index.tolist() == list(Y)
    assert scores.min() > 0.2
    assert scores.mean() > 0.5
    proba = est.predict_proba(X)
    assert proba["grade"].sum(axis=1) == pytest.approx(1)
    assert np.exp(est.predict_log_proba(X)["kind"]) == pytest.approx(proba["kind"])
    first = clone(est).set_params(n_estimators=1).fit(X, Y).estimators_[0]
    assert (first.predict(X)["price"] == est.estimators_[0].predict(X)["price"]).all()
    assert est.task("kind").predict_proba(X) == pytest.approx(proba["kind"])


def test_a_default_network_is_put_in_place_to_set_its_parameters():
    X, y, _ = rows()
    est = MultiTaskBoosting(n_estimators=2, early_stopping=False, random_state=0)
    est.set_params(estimator__max_epochs=1, estimator__trunk__hidden_sizes=(4,))
    assert est.estimator.max_epochs == 1
    assert MultiTaskBoosting().estimator is None
    assert len(est.fit(X, {"a": y, "b": y > 0}).estimators_) == 2
    # Seeds differ between the rounds, and are the user's to set.
    assert len({one.random_state for one in est.estimators_}) == 2


def test_it_goes_through_what_takes_estimators(numbers):
    X, Y = numbers
    Y = MultiTaskTarget({name: Y[name] for name in ("price", "kind")})
    est = MultiTaskBoosting(TREE, n_estimators=3, random_state=0)
    grid = {"multitaskboosting__estimator__max_depth": [1, 2], "multitaskboosting__learning_rate": [0.5]}
    search = GridSearchCV(make_pipeline(StandardScaler(), est), grid, cv=2).fit(X, Y)
    assert score_tasks(search, X, Y).index.tolist() == ["price", "kind"]
    assert task_view(search, "kind").predict_proba(X).shape == (60, 2)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (again.predict(X)["price"] == search.predict(X)["price"]).all()
    assert not hasattr(clone(est), "estimators_")
    found = cross_val_predict_tasks(est, X, Y, cv=2, method="predict_proba")
    assert found["kind"].shape == (60, 2)
    view = search.best_estimator_[-1].task("kind").fit(X, Y["kind"])
    assert list(view.estimator_.tasks_) == ["kind"]


@pytest.mark.parametrize("base", [Ridge(), TREE], ids=["ridge", "tree"])
def test_it_is_kept_by_skops(base, numbers):
    skops = pytest.importorskip("skops.io")
    X, Y = numbers
    est = MultiTaskBoosting(base, n_estimators=2, random_state=0).fit(
        X, {"price": Y["price"], "kind": Y["kind"]}
    )
    data = skops.dumps(est)
    again = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert (again.predict(X)["price"] == est.predict(X)["price"]).all()


@pytest.mark.parametrize("container", ["frame", "sparse", "array"])
def test_containers_come_out_as_they_went_in(container):
    X, y, _ = rows()
    frame = pd.DataFrame(X, columns=list("abc"), index=range(7, 87))
    X = {"frame": frame, "sparse": csr_array(X), "array": X}[container]
    Y = {"frame": pd.DataFrame({"price": y, "kind": y > 0}, index=frame.index)}.get(
        container, np.column_stack([y, 2 * y])
    )
    est = MultiTaskBoosting(TREE, n_estimators=3, random_state=0).fit(X, Y, groups=np.arange(80) // 4)
    found = est.predict(X)
    assert type(found) is type(Y)
    assert found.shape == (80, 2)
    if container == "frame":
        assert found.index.equals(frame.index)
        with pytest.raises(ValueError, match="feature names should match"):
            est.predict(frame.rename(columns={"a": "z"}))


@pytest.mark.filterwarnings("ignore:Task 'only' has one class only:UserWarning")
def test_nothing_to_learn_takes_no_round():
    X, y, _ = rows()
    est = MultiTaskBoosting(TREE, n_estimators=2, early_stopping=False)
    est.fit(X, {"only": ["a"] * 80, "same": np.full(80, 3.5), "price": y})
    assert est.n_estimators_ == {"only": 0, "same": 0, "price": 2}
    assert est.predict(X)["same"].tolist() == [3.5] * 80
    assert set(est.predict(X)["only"]) == {"a"}


def test_a_fold_without_a_label_leaves_the_task_out():
    X, y, _ = rows(60)
    Y = {"a": y, "b": np.where(np.arange(60) < 20, y, np.nan)}
    with pytest.warns(UserWarning, match=r"no label of the tasks \['b'\]"):
        found = cross_val_predict_tasks(MultiTaskBoosting(TREE, n_estimators=2, random_state=0), X, Y, cv=3)
    assert np.isnan(found["b"][:20]).all()
    assert not np.isnan(found["a"]).any()


def test_a_task_without_held_out_labels_goes_as_far_as_the_others():
    X, y, rng = rows(120)
    held_out = np.arange(120) >= 80
    Y = {"a": y, "noise": rng.normal(size=120), "few": np.where(held_out, np.nan, 5 * X[:, 1])}
    how = {"n_estimators": 30, "patience": 2, "learning_rate": 0.5}
    est = MultiTaskBoosting(TREE, validation_fraction=PredefinedSplit(np.where(held_out, 0, -1)), **how)
    with pytest.warns(UserWarning, match=r"Found none of the tasks \['few'\], which get as many rounds as"):
        est.fit(X, Y)
    assert est.n_estimators_["few"] == est.n_estimators_["a"] < 28
    assert len(est.history_) == est.n_estimators_["a"] + 2
    assert est.n_estimators_["noise"] < est.n_estimators_["a"]
    with pytest.warns(UserWarning, match=r"\['few'\], which get all `n_estimators` rounds"):
        assert clone(est).fit(X, {"few": Y["few"]}).n_estimators_ == {"few": 30}


@pytest.mark.parametrize("given", ["trees", Ridge])
def test_what_is_no_estimator_is_refused_by_fit_alone(given):
    est = MultiTaskBoosting(given)
    assert not get_tags(est).input_tags.sparse
    with pytest.raises(ValueError, match="`estimator` must be None, or an estimator that can be fitted"):
        cross_val_score(est, np.zeros((9, 1)), np.arange(9.0), cv=2, error_score="raise")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_estimators": 0}, "`n_estimators` must be a whole number of at least 1"),
        ({"patience": 1.5}, "`patience` must be a whole number of at least 1"),
        ({"learning_rate": -1}, "`learning_rate` must be a positive number"),
        ({"early_stopping": "yes"}, "`early_stopping` must be True or False"),
        ({"validation_fraction": 2}, "`validation_fraction` must be a number between 0 and 1"),
        ({"estimator": LogisticRegression()}, "`estimator` must be None, or an estimator that can be fitted"),
        ({"estimator": Ridge}, "`estimator` must be None, or an estimator that can be fitted"),
        (
            {"estimator": FrozenEstimator(Ridge())},
            "`estimator` must be None, or an estimator that can be fitted",
        ),
        ({"estimator": MultiTaskRegressor(tasks={"y": "regression"})}, "`estimator` must leave `tasks` to"),
        (
            {"estimator": fitted(PerTask(Ridge(), tasks={"y": "regression"}))},
            "`estimator` must leave `tasks`",
        ),
        ({"estimator": PerTask(classifier=LogisticRegression())}, "`regressor` must be an estimator"),
        ({"tasks": {"y": "survival"}}, "`tasks` of MultiTaskBoosting must be of the kinds"),
        ({"tasks": {"y": Regression(loss="huber")}}, "`tasks` of MultiTaskBoosting must hold kinds with the"),
        ({"tasks": {"y": Classification(class_weight="balanced")}}, "`tasks` of MultiTaskBoosting must hold"),
    ],
)
def test_parameters_are_refused_by_their_names(params, message):
    est = MultiTaskBoosting(**{"estimator": Ridge(), **params})
    with pytest.raises(ValueError, match=message):
        est.fit(np.zeros((20, 1)), np.arange(20) % 3)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_checks_of_scikit_learn():
    est = MultiTaskBoosting(Ridge(), n_estimators=1, early_stopping=False)
    results = check_estimator(est, on_fail=None)
    assert len(results) > 40
    assert {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"} == {}
