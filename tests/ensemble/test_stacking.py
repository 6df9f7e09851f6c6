"""MultiTaskStacking: final models that learn from what members predict of rows they have not seen."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor
from sklearn.utils.estimator_checks import check_estimator

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.ensemble import MultiTaskStacking, PerTask
from sklearn_mtl.model_selection import cross_val_predict_tasks, score_tasks, task_view
from sklearn_mtl.trunks import MLP

ORDINAL = {"grade": "ordinal"}
LINEAR = (Ridge(), LogisticRegression())
NEIGHBOURS = (KNeighborsRegressor(3), KNeighborsClassifier(3))
MEMBERS = [("linear", LINEAR), ("near", NEIGHBOURS)]


def some(Y, *names):
    return {name: Y[name] for name in names}


def rows_and_labels(n_rows=60):
    rng = np.random.RandomState(1)
    X = rng.normal(size=(n_rows, 3))
    return X, X[:, 0] * 2 - X[:, 1] ** 2 + 0.3 * rng.normal(size=n_rows), rng


@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_regression_is_that_of_scikit_learn(passthrough, weighted):
    X, y, rng = rows_and_labels()
    weight = rng.rand(60) + 0.5 if weighted else None
    members = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    theirs = StackingRegressor(members, cv=KFold(4), passthrough=passthrough).fit(X, y, sample_weight=weight)
    ours = MultiTaskStacking(members, cv=KFold(4), passthrough=passthrough).fit(X, y, sample_weight=weight)
    assert ours.predict(X) == pytest.approx(np.clip(theirs.predict(X), y.min(), y.max()), abs=1e-10)
    (model,) = ours.final_estimators_["y"].models_["y"]
    assert model.coef_ == pytest.approx(theirs.final_estimator_.coef_, abs=1e-10)
    assert ours.transform(X) == pytest.approx(theirs.transform(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_classification_is_that_of_scikit_learn(n_classes):
    X, y, _ = rows_and_labels(90)
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [0, 1][: n_classes - 1])]
    members = [
        ("linear", LogisticRegression()),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ]
    splits = list(KFold(3).split(X))
    theirs = StackingClassifier(members, cv=splits).fit(X, labels)
    ours = MultiTaskStacking(members, cv=splits).fit(X, labels)
    assert ours.predict_proba(X) == pytest.approx(theirs.predict_proba(X), abs=1e-9)
    assert ours.predict(X).tolist() == theirs.predict(X).tolist()
    assert ours.transform(X) == pytest.approx(theirs.transform(X))


def test_it_is_out_of_fold_predictions_and_a_final_model_for_each_task(numbers):
    X, Y = numbers
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    est = MultiTaskStacking(MEMBERS, cv=folds, tasks=ORDINAL).fit(X, Y)
    members = [PerTask(*pair, tasks=ORDINAL) for _, pair in MEMBERS]
    proba = [cross_val_predict_tasks(one, X, Y, cv=folds, method="predict_proba") for one in members]
    fitted = [clone(one).fit(X, Y) for one in members]

    known = np.array([label is not None for label in Y["kind"]])
    by_hand = LogisticRegression().fit(
        np.column_stack([one["kind"][:, 1] for one in proba])[known], Y["kind"][known].astype(str)
    )
    seen = np.column_stack([one.predict_proba(X)["kind"][:, 1] for one in fitted])
    assert est.predict_proba(X)["kind"] == pytest.approx(by_hand.predict_proba(seen))

    by_hand = LogisticRegression().fit(np.hstack([one["grade"] for one in proba]), np.asarray(Y["grade"]))
    seen = np.hstack([one.predict_proba(X)["grade"] for one in fitted])
    order = [by_hand.classes_.tolist().index(label) for label in est.classes_["grade"]]
    assert est.predict_proba(X)["grade"] == pytest.approx(by_hand.predict_proba(seen)[:, order])

    by_hand = LogisticRegression().fit(np.hstack([one["labels"] for one in proba]), Y["labels"][:, 1])
    seen = np.hstack([one.predict_proba(X)["labels"] for one in fitted])
    assert est.predict_proba(X)["labels"][:, 1] == pytest.approx(by_hand.predict_proba(seen)[:, 1])

    # Predicted numbers are those of scikit-learn's models; only the last are clipped to the labels.
    known = ~np.isnan(Y["both"])
    unseen, seen = np.zeros((60, 4)), np.zeros((60, 4))
    for column, (model, output) in enumerate(
        (model, i) for model in (Ridge(), NEIGHBOURS[0]) for i in (0, 1)
    ):
        of, labels = known[:, output], Y["both"][:, output]
        seen[:, column] = clone(model).fit(X[of], labels[of]).predict(X)
        for train, test in folds:
            rows = train[of[train]]
            unseen[test, column] = clone(model).fit(X[rows], labels[rows]).predict(X[test])
    by_hand = RidgeCV().fit(unseen[known[:, 1]], Y["both"][known[:, 1], 1])
    low, high = np.nanmin(Y["both"][:, 1]), np.nanmax(Y["both"][:, 1])
    assert est.predict(X)["both"][:, 1] == pytest.approx(np.clip(by_hand.predict(seen), low, high))
    assert est.score_tasks(X, Y).min() > 0.7


def test_rows_that_are_predicted_are_never_learned_from():
    X, _, rng = rows_and_labels()
    y = rng.normal(size=60)
    # One neighbour knows the label of each row that it has seen: the final model must not trust it.
    est = MultiTaskStacking([("same", KNeighborsRegressor(1)), ("mean", KNeighborsRegressor(40))], cv=5)
    coefficients = est.fit(X, y).final_estimators_["y"].models_["y"][0].coef_
    assert KNeighborsRegressor(1).fit(X, y).score(X, y) == 1
    assert abs(coefficients[0]) < 0.5


def test_a_joint_final_estimator_learns_all_tasks_from_all_predictions(numbers):
    X, Y = numbers
    joint = MultiTaskClassifierRegressor(
        trunk=MLP((8,)), n_bags=1, lr=0.02, max_epochs=20, early_stopping=False, linear_blend=False
    )
    est = MultiTaskStacking(MEMBERS, joint, tasks=ORDINAL, cv=3, random_state=0).fit(X, Y)
    final = est.final_estimators_["price"]
    assert all(of is final for of in est.final_estimators_.values())
    assert list(final.tasks_) == list(Y)
    assert final.n_features_in_ == est.transform(X).shape[1] == len(est.get_feature_names_out())
    assert est.predict_proba(X)["kind"] == pytest.approx(final.predict_proba(est.transform(X))["kind"])
    assert est.predict(X)["price"] == pytest.approx(final.predict(est.transform(X))["price"])
    assert est.score(X, Y) > 0.6
    assert not hasattr(joint, "tasks_")
    assert joint.random_state is None


def test_across_tasks_final_models_learn_from_what_is_predicted_of_other_tasks():
    X, _, _ = rows_and_labels(200)
    # What a straight line says of the second task is nothing; of the first it says a part of the second.
    Y = {"a": X[:, 0], "b": np.abs(X[:, 0])}
    neighbours = KNeighborsRegressor(5)
    alone, across = (
        MultiTaskStacking([("line", Ridge())], neighbours, across_tasks=is_across, random_state=0).fit(X, Y)
        for is_across in (False, True)
    )
    assert alone.score_tasks(X, Y)["b"] < 0.5 < 0.9 < across.score_tasks(X, Y)["b"]
    assert alone.final_estimators_["b"].n_features_in_ == 1
    assert across.final_estimators_["b"].n_features_in_ == 2
    assert across.final_estimators_["b"] is across.final_estimators_["a"]
    assert across.get_feature_names_out().tolist() == ["line_a", "line_b"]


def test_across_tasks_large_numbers_are_no_louder_than_probabilities():
    X, _, rng = rows_and_labels(200)
    Y = {"kind": X[:, 0] + 0.3 * rng.normal(size=200) > 0, "price": X[:, 1] + X[:, 0]}
    large = {**Y, "price": 1e6 * (Y["price"] + 5)}
    fits = [
        MultiTaskStacking([("linear", LINEAR)], across_tasks=True, cv=KFold(2)).fit(X, of)
        for of in (Y, large)
    ]
    assert fits[0].score_tasks(X, Y)["kind"] > 0.85
    first, second = (est.predict_proba(X)["kind"][:, 1] for est in fits)
    assert first == pytest.approx(second, abs=0.003)
    numbers = [est.predict(X)["price"] for est in fits]
    assert 1e6 * (numbers[0] + 5) == pytest.approx(numbers[1], rel=0.01)


@pytest.mark.parametrize("container", ["frame", "sparse", "array"])
def test_features_are_passed_through_as_they_are(container):
    X, y, _ = rows_and_labels()
    make = {
        "frame": lambda: pd.DataFrame(X, columns=list("abc"), index=range(7, 67)),
        "sparse": lambda: csr_array(X),
    }
    X = make.get(container, lambda: X)()
    est = MultiTaskStacking([("ridge", Ridge())], Ridge(), cv=3, passthrough=True).fit(X, {"price": y})
    names = est.get_feature_names_out().tolist()
    assert names == ["ridge_price", *(["a", "b", "c"] if container == "frame" else ["x0", "x1", "x2"])]
    assert est.final_estimators_["price"].n_features_in_ == 4
    assert type(est.transform(X)) is type(X)
    assert est.predict(X)["price"].shape == (60,)


def test_a_feature_that_is_named_like_a_prediction_is_not_passed_through(monkeypatch):
    X, y, _ = rows_and_labels()
    X, Y = pd.DataFrame(X[:, :2], columns=["ridge_price", 1]), {"price": y}
    est = MultiTaskStacking([("ridge", Ridge())], Ridge(), cv=3, passthrough=True)
    assert est.fit(X[[1]], Y).transform(X[[1]]).columns.tolist() == ["ridge_price", "1"]
    monkeypatch.setattr(Ridge, "fit", None)  # found before any training
    with pytest.raises(ValueError, match=r"`passthrough` must be False where .* \['ridge_price'\]"):
        est.fit(X, Y)


def test_text_is_passed_through_to_what_takes_it(mixed):
    X, Y = mixed
    final = PerTask(Ridge(), LogisticRegression(), preprocessing="auto")
    est = MultiTaskStacking([("linear", PerTask(*LINEAR, preprocessing="auto"))], final, passthrough=True)
    assert est.fit(X, Y).score(X, Y) > 0.4


def test_folds_keep_groups_together_and_spread_labels():
    X, _, rng = rows_and_labels()
    groups = np.arange(60) // 6
    y = rng.normal(size=10)[groups]
    X = np.column_stack([groups, rng.normal(size=60)])
    same = [("same", KNeighborsRegressor(1))]
    by_rows = MultiTaskStacking(same, Ridge(), random_state=0).fit(X, y)
    by_groups = MultiTaskStacking(same, Ridge(), random_state=0).fit(X, y, groups=groups)
    given = MultiTaskStacking(same, Ridge(), cv=GroupKFold(5)).fit(X, y, groups=groups)
    weights = [
        abs(est.final_estimators_["y"].models_["y"][0].coef_[0]) for est in (by_rows, by_groups, given)
    ]
    assert weights[0] > 0.5
    assert max(weights[1:]) < weights[0]
    # In the order of the rows, the first of five folds would have all labels of a class.
    kind = np.repeat(["a", "b", "c", "d", "e"], 12)
    assert MultiTaskStacking([("near", KNeighborsClassifier(3))]).fit(X, kind).score(X, kind) > 0.9


def test_groups_reach_what_is_in_pipelines_and_around_them(network):
    X, y, _ = rows_and_labels()
    groups, Y = np.arange(60) // 6, {"a": y, "b": X[:, 0] > 0}
    piped = make_pipeline(StandardScaler(), network.set_params(validation_fraction=0.3))
    est = MultiTaskStacking(
        [("net", piped), ("linear", LINEAR)], make_pipeline(StandardScaler(), network), cv=2
    )
    outer = make_pipeline(StandardScaler(), est).fit(X, Y, multitaskstacking__groups=groups)
    Z, of = outer[:-1].transform(X), "multitaskclassifierregressor__groups"
    member, without = clone(piped).fit(Z, Y, **{of: groups}), clone(piped).fit(Z, Y)
    found = outer[-1].estimators_[0].predict(Z)["a"]
    assert found == pytest.approx(member.predict(Z)["a"], abs=1e-6)
    assert found != pytest.approx(without.predict(Z)["a"], abs=1e-3)


def test_it_goes_through_what_takes_estimators(numbers):
    X, Y = numbers
    Y = MultiTaskTarget(some(Y, "price", "kind"))
    est = MultiTaskStacking(MEMBERS, cv=2, random_state=0)
    grid = {
        "multitaskstacking__near": [NEIGHBOURS, "drop"],
        "multitaskstacking__final_estimator__regressor__alphas": [[1.0]],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), est), grid, cv=2).fit(X, Y)
    assert score_tasks(search, X, Y).index.tolist() == ["price", "kind"]
    assert task_view(search, "kind").predict_proba(X).shape == (60, 2)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert (again.predict(X)["price"] == search.predict(X)["price"]).all()
    assert search.best_estimator_[-1].final_estimator.regressor.alphas == [1.0]
    assert est.final_estimator is None
    assert not hasattr(clone(est), "estimators_")
    found = cross_val_predict_tasks(est, X, Y, cv=2, method="predict_proba")
    assert found["kind"].shape == (60, 2)


def test_it_is_kept_by_skops(numbers):
    skops = pytest.importorskip("skops.io")
    X, Y = numbers
    est = MultiTaskStacking([("linear", LINEAR)], cv=2, random_state=0).fit(X, some(Y, "price", "kind"))
    data = skops.dumps(est)
    again = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert (again.predict(X)["price"] == est.predict(X)["price"]).all()


def test_what_comes_out_has_the_container_of_y(numbers):
    X, Y = numbers
    X = pd.DataFrame(X, columns=list("abc"), index=range(5, 65))
    frame = pd.DataFrame(some(Y, "price", "kind"), index=X.index)
    est = MultiTaskStacking(MEMBERS, cv=2, random_state=0).fit(X, frame)
    assert est.predict(X).index.equals(X.index)
    assert est.feature_names_in_.tolist() == list("abc")
    assert est.predict_proba(X)["kind"].sum(axis=1) == pytest.approx(1)
    assert est.set_output(transform="pandas").transform(X).columns.tolist() == [
        "linear_price",
        "linear_kind_house",
        "near_price",
        "near_kind_house",
    ]
    matrix = MultiTaskStacking([("ridge", Ridge())], cv=2).fit(X.to_numpy(), X.to_numpy() @ np.ones((3, 2)))
    assert matrix.predict(X.to_numpy()).shape == (60, 2)


def test_one_seed_makes_two_fits_alike():
    X, y, _ = rows_and_labels()
    fits = [
        MultiTaskStacking([("tree", ExtraTreeRegressor())], random_state=seed).fit(X, y).predict(X)
        for seed in (1, 1, 2)
    ]
    assert (fits[0] == fits[1]).all()
    assert (fits[0] != fits[2]).any()


def test_a_task_that_a_fold_can_not_learn_is_learned_from_the_others():
    X, y, _ = rows_and_labels()
    few = np.where(np.arange(60) < 20, y, np.nan)
    folds = [
        (np.arange(20, 60), np.arange(20)),
        *((np.setdiff1d(np.arange(60), of), of) for of in np.split(np.arange(20, 60), 2)),
    ]
    Y = {"a": y, "b": few}
    with (
        pytest.warns(UserWarning, match=r"no label of the tasks \['b'\]"),
        pytest.raises(ValueError, match=r"`cv` must leave labels of every task .* \['b'\]"),
    ):
        MultiTaskStacking(
            [("net", MultiTaskClassifierRegressor(trunk=MLP((4,)), n_bags=1, max_epochs=1))], cv=folds
        ).fit(X, Y)
    est = MultiTaskStacking([("ridge", Ridge())], cv=3, random_state=0).fit(X, Y)
    assert est.score_tasks(X, Y)["b"] > 0


def test_fit_of_a_view_fits_the_task_alone(numbers):
    X, Y = numbers
    joint = MultiTaskClassifierRegressor(
        trunk=MLP((4,)),
        n_bags=1,
        max_epochs=1,
        linear_blend=False,
        head_hidden_sizes={"price": (4,), "kind": (4,)},
    )
    est = MultiTaskStacking(MEMBERS, joint, cv=2).fit(X, some(Y, "price", "kind"))
    view = est.task("kind").fit(X, Y["kind"])
    assert list(view.estimator_.tasks_) == ["kind"]
    assert joint.head_hidden_sizes == {"price": (4,), "kind": (4,)}


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"cv": "five"}, ValueError, "`cv` must be None, the number of folds"),
        ({"cv": 1}, ValueError, "`cv` must be at least 2 folds"),
        ({"cv": [(np.arange(5), np.arange(5, 9))]}, ValueError, "`cv` must test every row once"),
        ({"final_estimator": "linear"}, TypeError, "`final_estimator` must be None, a regressor"),
        ({"final_estimator": StandardScaler()}, TypeError, "`final_estimator` must be None, a regressor"),
        ({"final_estimator": LogisticRegression()}, ValueError, "`regressor` must be an estimator"),
        (
            {"final_estimator": FrozenEstimator(Ridge())},
            ValueError,
            "`final_estimator` of MultiTaskStacking must be",
        ),
        ({"passthrough": "yes"}, ValueError, "`passthrough` must be True or False"),
        ({"estimators": [("cv", Ridge())]}, ValueError, "conflict with constructor arguments"),
        ({"estimators": [("a", FrozenEstimator(Ridge()))]}, ValueError, "`estimators` of MultiTaskStacking"),
        ({"tasks": {"y": "survival"}}, ValueError, "`tasks` of MultiTaskStacking must be of the kinds"),
    ],
    ids=[
        "cv",
        "one fold",
        "no partition",
        "name",
        "transformer",
        "kind",
        "frozen final",
        "flag",
        "reserved",
        "frozen",
        "survival",
    ],
)
def test_parameters_are_refused_by_their_names(params, error, message):
    est = MultiTaskStacking(**{"estimators": [("a", Ridge())], **params})
    with pytest.raises(error, match=message):
        est.fit(np.zeros((9, 1)), np.arange(9.0))


def test_features_that_are_no_table_are_not_passed_through():
    est = MultiTaskStacking([("a", MultiTaskClassifierRegressor())], passthrough=True)
    for X in (np.zeros((9, 2, 2)), MultiInput({"a": np.zeros((9, 2)), "b": np.zeros((9, 2))})):
        with pytest.raises(ValueError, match="`passthrough` must be False"):
            est.fit(X, np.arange(9.0))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_checks_of_scikit_learn():
    results = check_estimator(MultiTaskStacking([("a", LINEAR)], cv=2, random_state=0), on_fail=None)
    assert len(results) > 45
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    # A row that is repeated may be in two folds, as in scikit-learn's stacking.
    for kind in ("dense", "sparse"):
        failed.pop(f"check_sample_weight_equivalence_on_{kind}_data", None)
    assert failed == {}
