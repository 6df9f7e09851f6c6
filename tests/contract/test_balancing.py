"""Every method of balancing keeps what the package promises of any: ``tests/balancing/cases.py`` has them."""

from __future__ import annotations

import pickle
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import BALANCERS, StaticWeights, WeightSchedule
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, TabM
from tests.balancing.cases import CASES, SHORT_NAMES

every_case = pytest.mark.parametrize("case", CASES, ids=str)
# They differ in what is shared: experts that each task weighs, a trunk that each task scales. The rest is
# about a trunk that all share, and ``test_sharing.py`` has all ways with two methods.
every_sharing = pytest.mark.parametrize("sharing", ["mmoe", "task_adapters"])

X, Y = make_multitask(
    90, 5, n_regression=2, n_binary=1, n_multiclass=1, noise=0.5, missing_labels=0.2, random_state=1
)
TASKS = list(Y)


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


def make(case, **params):
    """A net that trains in a blink, to the end, without the linear model beside it."""
    settings = {
        "trunk": MLP((8, 6)),
        "balancing": clone(case.recipe),
        "n_bags": 1,
        "max_epochs": 3,
        "lr": 0.01,
        "batch_size": 32,
        "early_stopping": False,
        "linear_blend": False,
        "precision": "float64",
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


@cache
def fitted(case):
    """A fit with two bags and early stopping, which nothing changes."""
    return make(case, n_bags=2, max_epochs=2, early_stopping=True, precision="float32").fit(X, Y)


def answers(est):
    """All that an estimator says of the rows."""
    probabilities = est.predict_proba(X)
    return {name: probabilities.get(name, values) for name, values in est.predict(X).items()}


def assert_same(one, other, rtol=0.0):
    ours, theirs = answers(one), answers(other)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=rtol, atol=rtol, err_msg=name)


def weights_of(est):
    """The recorded weights, a row for each epoch and a column for each task."""
    return est.history_[[f"weight_{name}" for name in TASKS]].to_numpy()


def short_name(case):
    if type(case.recipe) not in SHORT_NAMES:
        pytest.skip("it has no short name")
    return SHORT_NAMES[type(case.recipe)]


# What it takes


@every_case
@every_sharing
def test_it_learns_from_missing_labels_and_weighted_rows(case, sharing):
    weight = {"regression0": np.linspace(0, 2, len(X)), "binary0": np.ones(len(X))}
    est = make(case, sharing=sharing, precision="float32").fit(X, Y, sample_weight=weight)
    assert np.isfinite(est.score_tasks(X, Y)).all()
    assert np.isfinite(est.history_.to_numpy(dtype=float)).all()


@every_case
def test_nothing_shared(case):
    est = make(case, sharing="separate")
    if case.of_gradients:
        with pytest.raises(ValueError, match=rf"{type(case.recipe).__name__}.*share"):
            est.fit(X, Y)
    else:
        assert np.isfinite(est.fit(X, Y).score_tasks(X, Y)).all()


@every_case
def test_half_precision_members_and_the_linear_model_beside_it(case):
    trunk = TabM((8, 6), members=3, n_bins=6, embedding_size=3)
    est = make(case, trunk=trunk, precision="bf16", linear_blend=True, early_stopping=True).fit(X, Y)
    assert all(np.isfinite(values).all() for values in answers(est).values())


@every_case
def test_one_task(case):
    if case.of_gradients:
        pytest.skip("one task shares nothing")
    one = {"regression0": Y["regression0"]}
    est = make(case).fit(X, one)
    assert np.isfinite(est.score_tasks(X, one)).all()


# Parameters


@every_case
def test_it_is_cloned_with_its_parameters(case):
    copy = clone(case.recipe)
    assert repr(copy) == repr(case.recipe)
    params = make(case).get_params()
    for name, value in case.recipe.get_params(deep=False).items():
        assert repr(params[f"balancing__{name}"]) == repr(value)


@every_case
def test_its_parameters_are_set_from_its_short_name(case):
    short = short_name(case)
    given = {f"balancing__{name}": value for name, value in case.recipe.get_params(deep=False).items()}
    est = make(case, balancing=short, max_epochs=1).set_params(**given).fit(X, Y)
    assert type(est.net_.criterion_.balancer) is type(case.recipe)
    assert_same(est, make(case, max_epochs=1).fit(X, Y))


@every_case
def test_an_unknown_parameter_is_named(case):
    with pytest.raises(ValueError, match="Invalid parameter 'beyond'"):
        make(case, balancing=short_name(case)).set_params(balancing__beyond=1)


@pytest.mark.parametrize("wrong", ["dwaa", "", 3, StaticWeights, torch.nn.Linear(2, 2), "TorchJD"])
def test_what_is_no_balancer_is_named_with_those_there_are(wrong):
    names = ".*".join(map(repr, sorted(BALANCERS)))
    found = re.escape(wrong.__name__ if isinstance(wrong, type) else repr(wrong)[:20])
    with pytest.raises(ValueError, match=rf"`balancing` must be None, one of .*{names}.* Found .*{found}"):
        make(CASES[0], balancing=wrong).fit(X, Y)


class Never(Callback):
    """Training must not begin."""

    def on_train_begin(self, net, **kwargs):
        raise AssertionError


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        ({"regression0": -1.0}, "-1.0"),
        ({"regression0": [1.0, np.inf]}, "inf"),
        ({"regression0": lambda epoch: np.nan if epoch == 2 else 1.0}, "nan"),
        ({"prise": 1.0}, "prise"),
        (lambda epoch: {"regression0": 1.0, "prise": 1.0}, "prise"),
    ],
    ids=["negative", "infinite", "not a number, later", "unknown", "unknown, of a function"],
)
def test_a_bad_schedule_is_named_before_training(weights, found):
    est = make(CASES[0], balancing=WeightSchedule(weights), callbacks=[Never()])
    with pytest.raises(ValueError, match=rf"`weights` of WeightSchedule.*Found.*{found}"):
        est.fit(X, Y)


# What is recorded, and what is watched

COUNTED = {"regression0": 5.0, "regression1": 1.0, "binary0": 1.0, "multiclass0": 0.0}


@cache
def weighted(case):
    """A fit whose tasks count differently, one of them not at all, and whose weights decay fast."""
    return make(case, early_stopping=True, task_weights=COUNTED, weight_decay=0.5).fit(X, Y)


@every_case
def test_weights_are_recorded_by_epoch(case):
    found = weights_of(weighted(case))
    assert found.shape == (3, len(TASKS))
    assert np.isfinite(found).all()
    users = np.array([COUNTED[name] for name in TASKS])
    assert (found[:, users == 0] == 0).all()
    assert (np.abs(found - users) > 1e-6).any() == case.adapts


@every_case
def test_early_stopping_never_watches_a_balanced_loss(case):
    history = weighted(case).history_
    watched = [name for name in TASKS if COUNTED[name] > 0]
    for part in ("train_loss", "valid_loss"):
        mean = history[[f"{part}_{name}" for name in watched]].mean(axis=1)
        np.testing.assert_allclose(history[part], mean, rtol=1e-12)


@every_case
def test_learned_parameters_are_not_decayed(case):
    net = weighted(case).net_
    learned = {id(parameter) for parameter in net.criterion_.balancer.parameters()}
    groups = net.optimizer_.param_groups
    of_network, *own = [{id(parameter) for parameter in group["params"]} for group in groups]
    assert groups[0]["weight_decay"] == 0.5
    assert not learned & of_network
    assert learned == set().union(*own)
    assert all(group["weight_decay"] == 0 for group in groups[1:])


@every_case
def test_the_users_weights_multiply(case):
    # Nothing is learned, and one step sees all rows.
    still = {"lr": 1e-15, "optimizer": "sgd", "max_epochs": 1, "batch_size": 1_000}
    weights = {"regression0": 3.0, "binary0": 0.5}
    equal, weighted = (make(case, **still, task_weights=given).fit(X, Y) for given in (None, weights))
    factors = [weights.get(name, 1.0) for name in TASKS]
    np.testing.assert_allclose(weights_of(weighted)[0], factors * weights_of(equal)[0], rtol=1e-5)


@every_case
def test_a_time_without_labels_of_a_task(case):
    est = make(case).partial_fit(X, Y)
    est.partial_fit(X, {**Y, "regression1": np.full(len(X), np.nan)})
    est.partial_fit(X, Y)
    assert np.isfinite(est.score_tasks(X, Y)).all()
    assert np.isfinite(weights_of(est)[-1]).all()
    assert all(value.isfinite().all() for value in est.net_.criterion_.balancer.state_dict().values())


# Copies, and going on


@every_case
def test_copies_predict_as_it_does(case, tmp_path):
    est = fitted(case)
    save(est, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert_same(copy, est)
        assert repr(copy.balancing) == repr(est.balancing)


@every_case
def test_the_same_seed_gives_the_same_result_to_the_bit(case):
    est = fitted(case)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    again = clone(est).fit(X, Y)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same(again, est)
    pd.testing.assert_frame_equal(again.history_, est.history_, check_exact=True)


@every_case
def test_warm_start_and_partial_fit_go_on(case):
    # The third epoch is the first whose weights may depend on two before it.
    whole = make(case, max_epochs=3).fit(X, Y)
    parts = make(case, max_epochs=2, warm_start=True).fit(X, Y)
    assert_same(parts.set_params(max_epochs=3).fit(X, Y), whole)
    np.testing.assert_array_equal(weights_of(parts), weights_of(whole))
    again = make(case)
    for _ in range(3):
        again.partial_fit(X, Y)
    np.testing.assert_allclose(weights_of(again), weights_of(whole), rtol=1e-9)


# Searches


@every_case
def test_a_stacked_search_scores_it_as_a_plain_one(case):
    # Two candidates differ in the task weights alone and two in a parameter of the method alone.
    weights = {"task_weights__regression0": [0.2, 5.0]}
    own = {f"balancing__{name}": values for name, values in case.grid.items()}
    grid = [weights]
    if own:
        first, last = ({name: [values[i]] for name, values in own.items()} for i in (0, 1))
        grid = [weights | first, {"task_weights__regression0": [0.2]} | last]
    plain, stacked = (
        search(make(case), grid, cv=KFold(2), refit=False, error_score="raise").fit(X, MultiTaskTarget(Y))
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    scores = plain.cv_results_["mean_test_score"]
    np.testing.assert_allclose(stacked.cv_results_["mean_test_score"], scores, rtol=0, atol=1e-9)
    reasons = stacked.stacked_["reason"]
    if case.not_stacked:
        assert all(re.search(case.not_stacked, reason) for reason in reasons)
    else:
        assert set(reasons) == {""}
    # What is searched makes a difference, or the above would say nothing.
    assert len(set(scores.round(9))) == len(scores)


@every_case
@pytest.mark.filterwarnings("ignore:.*(no|too few) label")
def test_a_fold_without_labels_of_a_task_leaves_it_out(case):
    late = np.where(np.arange(len(X)) < len(X) // 2, np.nan, X[:, 0])
    target = MultiTaskTarget({**Y, "regression1": late})
    search = StackedGridSearchCV(
        make(case, max_epochs=1), {"lr": [0.01]}, cv=KFold(2), refit=False, error_score="raise"
    )
    assert np.isfinite(search.fit(X, target).cv_results_["mean_test_score"]).all()
