"""MultiTaskVoting: the weighted mean of its members, under the contract of the other estimators."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.ensemble import MultiTaskVoting, PerTask
from sklearn_mtl.export import save
from sklearn_mtl.model_selection import cross_val_predict_tasks, score_tasks, task_view
from sklearn_mtl.trunks import MLP

ORDINAL = {"grade": "ordinal"}
PAIR = (Ridge(), LogisticRegression())


@pytest.mark.parametrize("weights", [None, [3, 1]], ids=["equal", "given"])
def test_votes_are_the_weighted_mean_of_what_members_predict(numbers, network, weights):
    X, Y = numbers
    members = [("net", network), ("linear", PAIR)]
    est = MultiTaskVoting(members, weights=weights, tasks=ORDINAL, random_state=0).fit(X, Y)
    share = 0.5 if weights is None else 0.75
    net, linear = est.named_estimators_.net, est.named_estimators_.linear
    for method, names in {"predict": ["price", "both"], "predict_proba": ["kind", "grade", "labels"]}.items():
        first, second, both = (getattr(one, method)(X) for one in (net, linear, est))
        for name in names:
            mean = share * np.asarray(first[name]) + (1 - share) * np.asarray(second[name])
            assert np.asarray(both[name]) == pytest.approx(mean), name
    assert est.weights_.loc["price"].tolist() == [share, 1 - share]
    most_probable = est.predict_proba(X)["kind"].argmax(axis=1)
    assert est.predict(X)["kind"].tolist() == est.classes_["kind"][most_probable].tolist()
    assert est.predict(X)["grade"].dtype == Y["grade"].dtype


def test_weights_by_task_leave_out_what_they_weigh_0(numbers, network):
    X, Y = numbers
    weights = {"price": {"net": 1}, "kind": {"linear": 1}}
    est = MultiTaskVoting([("net", network), ("linear", PAIR)], weights=weights, tasks=ORDINAL).fit(X, Y)
    net, linear = est.estimators_
    assert est.predict(X)["price"] == pytest.approx(net.predict(X)["price"])
    assert est.predict_proba(X)["kind"] == pytest.approx(linear.predict_proba(X)["kind"])
    # It would have nothing to say.
    assert "price" not in linear.tasks_


def test_members_are_what_a_user_names(mixed):
    X, Y = mixed
    small = {"network__trunk": MLP((8,)), "network__n_bags": 1, "network__max_epochs": 2}
    small["network__linear_blend"] = False
    est = MultiTaskVoting(weights=[1, 1]).set_params(**small, trees__regressor__max_iter=3)
    est.set_params(trees__classifier__max_iter=3).fit(X, Y)
    assert list(est.named_estimators_) == ["network", "trees"]
    assert est.estimators_[0].get_params()["max_epochs"] == 2
    assert {type(model) for (model,) in est.named_estimators_.trees.models_.values()} == {
        HistGradientBoostingRegressor,
        HistGradientBoostingClassifier,
    }
    assert est.score(X, Y) > 0
    # A parameter of a short name does not change what others have under it.
    assert MultiTaskVoting().estimators is None
    assert est.get_params()["trees__regressor__max_iter"] == 3


@pytest.mark.parametrize(
    "member",
    [
        PAIR,
        {"regressor": Ridge(), "classifier": LogisticRegression()},
        PerTask(*PAIR, preprocessing=StandardScaler()),
        make_pipeline(StandardScaler(), PerTask(*PAIR)),
        "linear",
    ],
    ids=["pair", "mapping", "per task", "pipeline", "short name"],
)
def test_single_task_models_come_in_many_forms(member):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 2))
    Y = {"price": X[:, 0] * 3, "kind": np.where(X[:, 1] > 0, "a", "b")}
    est = MultiTaskVoting([("only", member)], weights=None).fit(X, Y)
    assert est.score(X, Y) > 0.8


def test_regressors_alone_take_whole_numbers_as_numbers():
    X, y = np.arange(30.0)[:, None], np.arange(30) % 5
    est = MultiTaskVoting([("a", Ridge()), ("b", Ridge(100))], weights=None).fit(X, y)
    assert est.tasks_["y"].kind == "regression"
    est = MultiTaskVoting([("a", LogisticRegression())], weights=None).fit(X, y)
    assert est.tasks_["y"].kind == "classification"


def test_kinds_that_a_member_names_are_those_of_all(numbers, network):
    X, Y = numbers
    network.set_params(tasks={"grade": "ordinal"})
    est = MultiTaskVoting([("linear", PAIR), ("net", network)], weights=None).fit(X, Y)
    assert est.tasks_["grade"].kind == "ordinal"
    assert est.named_estimators_.linear.tasks_["grade"].kind == "ordinal"


def test_drop_and_set_params_as_in_scikit_learn(numbers, network):
    X, Y = numbers
    est = MultiTaskVoting([("net", network), ("linear", PAIR)], weights=[1, 2], tasks=ORDINAL)
    est.set_params(net="drop").fit(X, Y)
    assert est.weights_.columns.tolist() == ["linear"]
    assert len(est.estimators_) == 1
    assert est.get_params()["net"] == "drop"
    with pytest.raises(ValueError, match="that is not 'drop'"):
        est.set_params(linear="drop").fit(X, Y)
    assert MultiTaskVoting().set_params(trees="drop").estimators[1] == ("trees", "drop")


def test_it_goes_through_what_takes_estimators(numbers, network):
    X, Y = numbers
    frame = pd.DataFrame({"price": Y["price"], "kind": Y["kind"]}, index=range(5, 65))
    X = pd.DataFrame(X, columns=list("abc"), index=frame.index)
    est = MultiTaskVoting([("net", network), ("linear", PAIR)], weights=None, random_state=0)
    grid = {"multitaskvoting__linear": [PAIR, "drop"], "multitaskvoting__net__max_epochs": [1]}
    search = GridSearchCV(make_pipeline("passthrough", est), grid, cv=2).fit(X, frame)
    assert search.best_params_["multitaskvoting__linear"] == PAIR
    assert search.predict(X).index.equals(X.index)
    assert score_tasks(search, X, frame).index.tolist() == ["price", "kind"]
    assert task_view(search, "kind").predict_proba(X).shape == (60, 2)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert again.predict(X).equals(search.predict(X))
    assert not hasattr(clone(est), "estimators_")


def test_one_seed_makes_two_fits_alike(numbers):
    X, Y = numbers
    network = MultiTaskClassifierRegressor(trunk=MLP((8,)), n_bags=1, max_epochs=2, linear_blend=False)
    fits = [
        MultiTaskVoting([("net", network), ("linear", PAIR)], weights=None, tasks=ORDINAL, random_state=seed)
        .fit(X, Y)
        .predict(X)["price"]
        for seed in (1, 1, 2)
    ]
    assert (fits[0] == fits[1]).all()
    assert (fits[0] != fits[2]).any()
    assert network.random_state is None


def test_it_is_kept_by_skops(numbers):
    skops = pytest.importorskip("skops.io")
    X, Y = numbers
    members = [("a", PAIR), ("b", (Ridge(9.0), LogisticRegression(C=0.1)))]
    est = MultiTaskVoting(members, weights=[3, 1]).fit(X, {"price": Y["price"], "kind": Y["kind"]})
    data = skops.dumps(est)
    again = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert (again.predict(X)["price"] == est.predict(X)["price"]).all()
    assert again.weights_.equals(est.weights_)


@pytest.mark.parametrize("container", ["array", "matrix"])
def test_arrays_come_out_as_arrays(container, network):
    X = np.random.RandomState(0).normal(size=(40, 3))
    y = X[:, 0] if container == "array" else X @ np.ones((3, 2))
    est = MultiTaskVoting([("net", network), ("ridge", Ridge())], weights=None).fit(X, y)
    assert est.predict(X).shape == y.shape
    assert est.n_features_in_ == 3


def test_sample_weights_and_groups_reach_the_members(network):
    rng = np.random.RandomState(0)
    X, y, weight = rng.normal(size=(40, 2)), rng.normal(size=40), rng.randint(0, 3, size=40)
    groups = np.arange(40) // 4
    est = MultiTaskVoting([("net", network), ("ridge", Ridge())], weights=None)
    est.fit(X, y, sample_weight=weight, groups=groups)
    alone = clone(network).fit(X, {"y": y}, sample_weight=weight, groups=groups)
    assert est.estimators_[0].predict(X) == pytest.approx(alone.predict(X)["y"])
    ridge = PerTask(Ridge()).fit(X, y, sample_weight=weight)
    assert est.named_estimators_.ridge.predict(X) == pytest.approx(ridge.predict(X))
    piped = MultiTaskVoting([("net", make_pipeline(StandardScaler(), network))], weights=None)
    assert piped.fit(X, y, sample_weight=weight).predict(X).shape == (40,)


def test_a_frozen_member_is_left_as_it_is(numbers, network):
    X, Y = numbers
    Y = {name: Y[name] for name in ("price", "kind")}
    frozen = FrozenEstimator(network.fit(X, Y))
    before = network.predict(X)["price"]
    est = MultiTaskVoting([("old", frozen), ("new", PAIR)], weights=[1, 0])
    est.fit(X[:50], MultiTaskTarget(Y)[:50])
    low, high = np.nanmin(Y["price"][:50]), np.nanmax(Y["price"][:50])
    assert est.predict(X)["price"] == pytest.approx(np.clip(before, low, high))
    assert network.tasks is None


def test_a_fold_without_a_label_leaves_the_task_out(network):
    X = np.random.RandomState(0).normal(size=(30, 2))
    Y = {"a": X[:, 0] + X[:, 1], "b": np.where(np.arange(30) < 10, X[:, 1] * 2, np.nan)}
    est = MultiTaskVoting([("net", network), ("ridge", Ridge())], weights=None)
    with pytest.warns(UserWarning, match=r"no label of the tasks \['b'\]"):
        found = cross_val_predict_tasks(est, X, Y, cv=3)
    assert np.isnan(found["b"][:10]).all()
    assert not np.isnan(found["a"]).any()


def test_fit_of_a_view_fits_the_task_alone(numbers, network):
    X, Y = numbers
    network.set_params(head_hidden_sizes={"price": (4,), "kind": (4,)})
    weights = pd.DataFrame(0.5, index=list(Y), columns=["net", "linear"])
    est = MultiTaskVoting([("net", network), ("linear", PAIR)], weights=weights, tasks=ORDINAL).fit(X, Y)
    view = est.task("kind").fit(X, Y["kind"])
    assert list(view.estimator_.tasks_) == ["kind"]
    assert network.head_hidden_sizes == {"price": (4,), "kind": (4,)}


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimators": []}, ValueError, "`estimators` must be None or a list of pairs"),
        ({"estimators": [Ridge()]}, ValueError, "`estimators` must be None or a list of pairs"),
        ({"estimators": [("a", Ridge), ("b", Ridge())]}, TypeError, "`estimators` must hold estimators"),
        ({"estimators": [("a", "forest")]}, ValueError, "Found 'forest' for 'a'"),
        ({"estimators": [("a", StandardScaler())]}, TypeError, "must be a multi-task estimator"),
        ({"estimators": [("a", Ridge()), ("a", Ridge())]}, ValueError, "not unique"),
        ({"estimators": [("weights", Ridge())]}, ValueError, "conflict with constructor arguments"),
        ({"weights": "best"}, ValueError, "`weights` must be None, 'learned'"),
        ({"tasks": {"y": "survival"}}, ValueError, "`tasks` of MultiTaskVoting must be of the kinds"),
    ],
    ids=["empty", "no names", "class", "unknown name", "transformer", "twice", "reserved", "weights", "kind"],
)
def test_parameters_are_refused_by_their_names(params, error, message):
    with pytest.raises(error, match=message):
        MultiTaskVoting(**{"estimators": [("a", Ridge())], **params}).fit(np.zeros((9, 1)), np.arange(9.0))


def test_a_file_is_refused_with_a_reason(tmp_path: Path):
    est = MultiTaskVoting([("a", Ridge())], weights=None).fit(np.arange(9.0)[:, None], np.arange(9.0))
    with pytest.raises(TypeError, match="`estimator` must be one of"):
        save(est, tmp_path / "vote.mtl")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "est",
    [
        PerTask(Ridge(), LogisticRegression(max_iter=10_000, tol=1e-12)),
        PerTask(Ridge(), LogisticRegression(), preprocessing="auto"),
        MultiTaskVoting([("a", PAIR), ("b", PerTask(*PAIR, preprocessing="auto"))], weights=None),
    ],
    ids=["as it is", "encoded", "voting"],
)
def test_checks_of_scikit_learn(est):
    results = check_estimator(est, on_fail=None)
    assert len(results) > 40
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    # What encodes columns goes by rows, not by their weights.
    for kind in ("dense", "sparse") if est.get_params().get("preprocessing", "auto") else ():
        failed.pop(f"check_sample_weight_equivalence_on_{kind}_data", None)
    assert failed == {}


def test_a_member_of_no_weight_says_that_it_is_fitted_to_nothing(numbers):
    X, Y = numbers
    Y = {name: Y[name] for name in ("price", "kind")}
    est = MultiTaskVoting([("a", PAIR), ("b", PAIR)], weights=[1, 0]).fit(X, Y)
    member = est.named_estimators_.b
    for ask in (lambda: member.predict(X), lambda: member.score_tasks(X, Y)):
        with pytest.raises(NotFittedError, match="fitted to no task: its weights are 0"):
            ask()


def test_linear_takes_sample_weights(numbers):
    X, Y = numbers
    Y = {name: Y[name] for name in ("price", "kind")}
    est = MultiTaskVoting([("linear", "linear")], weights=None).fit(X, Y, sample_weight=np.arange(60) + 1.0)
    assert set(est.predict(X)["kind"]) == {"flat", "house"}


def test_sample_weights_reach_a_network_in_a_pipeline_in_a_search(network):
    X = np.random.RandomState(0).normal(size=(40, 2))
    pipe = make_pipeline(StandardScaler(), network)
    search = GridSearchCV(pipe, {"multitaskclassifierregressor__max_epochs": [2]}, cv=2)
    est = MultiTaskVoting([("net", search)], weights=None)
    assert est.fit(X, X[:, 0], sample_weight=np.arange(40) + 1.0).predict(X).shape == (40,)


def test_learned_weights_are_refused_for_a_frozen_member(numbers, network):
    X, Y = numbers
    Y = {name: Y[name] for name in ("price",)}
    known = ~np.isnan(Y["price"])
    ridge = FrozenEstimator(Ridge().fit(X[known], Y["price"][known]))
    for frozen in (FrozenEstimator(network.fit(X, Y)), ridge):
        est = MultiTaskVoting([("old", frozen), ("new", Ridge())])
        with pytest.raises(ValueError, match=r"`weights` must be given.*the frozen member 'old'"):
            est.fit(X, Y)


def test_parameters_of_a_pair_are_set_by_their_names():
    est = MultiTaskVoting([("pair", (Ridge(), LogisticRegression())), ("other", PAIR)])
    est.set_params(pair__regressor__alpha=7.0)
    assert est.estimators[0][1].regressor.alpha == 7.0
    assert est.estimators[1] == ("other", PAIR)
