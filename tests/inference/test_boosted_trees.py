"""The trees beside each net: what they predict, by which rows they are chosen, and where there are none."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.export import load, save
from sklearn_mtl.inference import MOST_OUTPUTS, TreeModels
from sklearn_mtl.inference.boosted_trees import COUNTS
from sklearn_mtl.inference.scikit_learn_trees import MOST_ITERATIONS, SETTINGS
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.network import TreePart, tree_part
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.trunks import MLP

RNG = np.random.default_rng(0)
N = 400
X = pd.DataFrame(RNG.normal(size=(N, 4)), columns=list("abcd"))
STEPS = np.floor(2 * X["a"]) * np.sign(X["b"])
X["level"] = pd.Categorical(RNG.choice(["u", "v", "w"], N))
X.loc[::7, "c"] = np.nan
Y = {
    "number": STEPS.to_numpy() + 0.3 * RNG.normal(size=N),
    "binary": np.where(STEPS + 0.5 * RNG.normal(size=N) > 0, "yes", "no"),
    "class": np.digitize(STEPS + 0.5 * RNG.normal(size=N), [-1, 1]),
    "block": np.c_[STEPS, -STEPS] + 0.3 * RNG.normal(size=(N, 2)),
}


def quick(**params):
    settings = {"trunk": MLP((8,)), "n_bags": 2, "max_epochs": 3, "random_state": 0}
    settings |= {"linear_blend": False, "tree_blend": True}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def parts(est):
    return [net.evaluated.trees for net in est.nets_]


def plan_of(labels, **params):
    (plan,) = quick(n_bags=1, **params)._plan(FitData(X, labels), Stages()).plans
    return plan


def path_of(plan):
    tasks = plan.blueprint.tasks
    return TreeModels().path(tasks, plan.train, plan.valid, torch.ones(len(tasks), dtype=torch.bool))


@pytest.fixture(scope="module")
def blended():
    return quick().fit(X, Y)


def test_where_the_truth_has_steps_it_predicts_better_than_the_nets_alone(blended):
    alone = quick(tree_blend=False).fit(X, Y)
    assert parts(alone) == [None, None]
    new = pd.DataFrame(RNG.normal(size=(500, 4)), columns=list("abcd")).assign(level="u")
    truth = np.floor(2 * new["a"]) * np.sign(new["b"])
    errors = [np.square(est.predict(new)["number"] - truth).mean() for est in (alone, blended)]
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_all_their_trees_give_what_scikit_learn_predicts(precision):
    plan = plan_of({"number": Y["number"], "class": Y["class"], "binary": Y["binary"]}, precision=precision)
    path = path_of(plan)
    every = torch.full((plan.blueprint.tasks.raw_width,), len(COUNTS) - 1)
    part = path.part(every, torch.ones(len(every))).to(plan.train.stored_y.dtype)
    inputs = plan.train.inputs
    raw = part(inputs)
    x, y = inputs["x"].numpy(), plan.train.y.numpy()
    assert np.allclose(path.raw(inputs["x"].double())[-1], raw, atol=1e-5)
    held_out, labels = plan.valid.inputs["x"].numpy(), plan.valid.y.numpy()
    settings = {**SETTINGS, "early_stopping": True, "n_iter_no_change": 10, "max_iter": MOST_ITERATIONS}
    for group in plan.blueprint.tasks.groups:
        column, is_number = group.columns.start, group.loss.metric == "r2"
        kind = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
        theirs = kind(**settings).fit(x, y[:, column], X_val=held_out, y_val=labels[:, column])
        response = group.loss.response(raw[:, group.raw].unsqueeze(1).double())[:, 0].numpy()
        expected = (
            theirs.predict(x)[:, None] if is_number else theirs.predict_proba(x)[:, -group.loss.width :]
        )
        assert np.allclose(response, expected, atol=1e-5)


def test_held_out_rows_are_walked_through_in_pieces_of_bounded_memory(monkeypatch):
    plan = plan_of({"number": Y["number"], "class": Y["class"]})
    path, x = path_of(plan), plan.train.inputs["x"][:50].double()
    together, walked = path.raw(x), []
    pieces = TreePart._leaf_numbers
    monkeypatch.setattr(TreePart, "_leaf_numbers", lambda self, x: walked.append(len(x)) or pieces(self, x))
    monkeypatch.setattr(tree_part, "MOST_PLACES", 8 * sum(len(own) for own in path.trees))
    assert torch.equal(path.raw(x), together)
    assert walked == [8] * 6 + [2]


def test_labels_of_held_out_rows_change_no_tree_but_how_many_there_are():
    plan = plan_of({"number": Y["number"]})
    planted = Y["number"].copy()
    planted[plan.valid.blocks.index] = RNG.normal(size=len(plan.valid))
    trees, others = (path_of(one).trees[0] for one in (plan, plan_of({"number": planted})))
    assert len(others) < len(trees)
    for one, other in zip(trees, others, strict=False):
        assert np.array_equal(one.column, other.column)
        assert np.allclose(one.number, other.number, atol=1e-6)


def test_noise_that_is_known_by_heart_counts_for_little():
    est = quick().fit(X, {"noise": np.random.default_rng(1).normal(size=N)})
    for part in parts(est):
        if part is not None:
            assert part.share.max() * part.n_trees.max() < 10


def test_each_net_has_trees_of_its_own_rows_and_all_have_the_same_shares(blended):
    first, second = parts(blended)
    assert not torch.equal(first.number[:5], second.number[:5])
    assert torch.equal(first.share, second.share)
    assert first.share.max() > 0.3


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_they_go_into_pickles_and_files(precision, tmp_path):
    est = quick(precision=precision).fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert [part.share.tolist() for part in parts(again)] == [part.share.tolist() for part in parts(est)]
        for name, values in est.predict(X).items():
            assert np.array_equal(again.predict(X)[name], values)


def test_a_file_with_trees_of_other_columns_is_refused(tmp_path):
    est = quick(n_bags=1).fit(X, {"number": Y["number"]})
    est.nets_[0].evaluated.trees.column.fill_(100)
    save(est, tmp_path / "model.mtl")
    with pytest.raises(ValueError, match="not there"):
        load(tmp_path / "model.mtl")


def test_views_and_a_row_alone_predict_with_them(blended):
    every = blended.predict(X)
    for name in Y:
        assert np.array_equal(blended.task(name).predict(X), every[name])
        assert np.array_equal(blended.predict(X[5:6])[name], every[name][5:6])


def test_a_warm_start_grows_them_anew_and_partial_fit_leaves_the_network_alone():
    est = quick(warm_start=True, n_bags=1).fit(X, {"number": Y["number"]})
    first = parts(est)[0]
    est.set_params(max_epochs=4).fit(X, {"number": Y["number"]})
    assert parts(est)[0] is not first
    assert torch.equal(parts(est)[0].number[:5], first.number[:5])
    est.partial_fit(X, {"number": Y["number"]})
    assert parts(est) == [None]


def test_stacked_nets_have_the_trees_of_nets_trained_alone():
    class SlowAdamW(torch.optim.AdamW):
        """An optimizer that no stack takes."""

    one, other = (
        quick(n_bags=4, **how).fit(X, {"number": Y["number"]}) for how in ({}, {"optimizer": SlowAdamW})
    )
    for mine, theirs in zip(parts(one), parts(other), strict=True):
        assert torch.equal(mine.number, theirs.number)
        assert torch.equal(mine.share, theirs.share)


WITHOUT = {
    "early_stopping": quick(early_stopping=False),
    "switched off": quick(tree_blend=False),
    "few labels": quick(tree_blend="auto"),
    "another loss": quick(tasks={"number": Regression(loss="huber")}),
    "smoothed": quick(tasks={"binary": Classification(label_smoothing=0.1)}),
    "weight 0": quick(task_weights={"number": 0, "binary": 1}),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_there_are_none_without_held_out_rows_or_for_other_losses(case):
    labels = {"number": Y["number"], "binary": Y["binary"]}
    est = WITHOUT[case].fit(X, labels)
    without = {"smoothed": "binary", "another loss": "number", "weight 0": "number"}.get(case)
    if without is None:
        assert parts(est) == [None, None]
        return
    order = [task.name for task in est._fitted.tasks.ordered]
    for part in parts(est):
        assert part.share[order.index(without)] == 0
        assert part.n_trees[order.index(without)] == 0
        assert part.share.max() > 0


def test_by_themselves_they_are_for_tasks_of_a_thousand_labels():
    many = pd.concat([X] * 4, ignore_index=True)
    few = np.where(np.arange(4 * N) % 4 == 0, np.tile(Y["number"], 4), np.nan)
    est = quick(tree_blend="auto", n_bags=1).fit(many, {"many": np.tile(Y["number"], 4), "few": few})
    assert parts(est)[0].n_trees[0] > 0
    assert parts(est)[0].n_trees[1] == 0


def test_by_themselves_they_are_for_few_outputs_of_the_tasks_that_have_them(monkeypatch):
    assert MOST_OUTPUTS > 3
    monkeypatch.setattr("sklearn_mtl.estimators.models_beside.MOST_OUTPUTS", 3)
    many = pd.concat([X] * 4, ignore_index=True)
    number = np.tile(Y["number"], 4)
    few = np.where(np.arange(4 * N) % 4 == 0, number, np.nan)
    for width, has_trees in ((2, True), (3, False)):
        labels = {"number": number, "block": np.tile(number[:, None], width), "few": few}
        trees = parts(quick(tree_blend="auto", n_bags=1).fit(many, labels))[0]
        assert (trees is not None) == has_trees


def test_those_that_lower_the_loss_by_next_to_nothing_are_left_out(monkeypatch):
    before, after = torch.tensor([1.0, 1.0, 0.01, 0.01]), torch.tensor([0.997, 0.99, 0.00997, 0.0099])
    assert TreeModels().is_worth(before, after).tolist() == [False, True, False, True]
    labels = {"number": Y["number"], "other": Y["number"] + 1}
    assert (parts(quick(n_bags=1).fit(X, labels))[0].share > 0).all()
    monkeypatch.setattr(TreeModels, "is_worth", lambda *_: torch.tensor([True, False]))
    trees = parts(quick(n_bags=1).fit(X, labels))[0]
    assert trees.share[0] > 0
    assert trees.share[1] == trees.n_trees[1] == 0


def test_beside_a_linear_model_all_shares_add_up_to_one():
    labels = {"number": Y["number"] + 5 * X["d"].to_numpy()}
    est = quick(linear_blend=True, n_bags=1).fit(X, labels)
    module = est.nets_[0].evaluated
    assert module.linear.share > 0
    assert module.trees.share > 0
    rows = {"x": torch.randn(5, module.linear.weight.shape[1])}
    with torch.no_grad():
        network, linear, trees = module(rows)[:, 0], module.linear(rows), module.trees(rows)
        before = (1 - module.linear.share) * network + module.linear.share * linear
        expected = (1 - module.trees.share) * before + module.trees.share * trees
        assert torch.allclose(module.calibrated(rows)[:, 0], expected, atol=1e-5)


def test_weights_and_missing_labels_of_rows_count():
    labels = Y["number"].copy()
    labels[:100] = 1e3
    weight = np.r_[np.zeros(100), np.ones(N - 100)]
    missing = np.where(weight > 0, Y["number"], np.nan)
    for est in (
        quick(n_bags=1).fit(X, {"number": labels}, sample_weight=weight),
        quick(n_bags=1).fit(X, {"number": missing}),
    ):
        assert parts(est)[0].number.abs().max() < 5
        assert np.abs(est.predict(X)["number"]).max() < 10


def test_the_unit_of_weights_does_not_matter():
    weight = RNG.uniform(0.5, 2, N)
    one, other = (
        quick(n_bags=1).fit(X, {"number": Y["number"]}, sample_weight=unit * weight) for unit in (1, 2.0**20)
    )
    assert torch.equal(parts(one)[0].column, parts(other)[0].column)
    assert torch.allclose(parts(one)[0].number, parts(other)[0].number, atol=1e-5)


def test_a_stacked_search_scores_as_fits_alone():
    labels = {"number": Y["number"] + 3 * X["d"].to_numpy()}
    est = quick(precision="float64", max_epochs=20)
    search = StackedGridSearchCV(est, {"lr": [1e-3, 1e-2]}, cv=KFold(2), refit=False).fit(X, labels)
    for fold, (train, test) in enumerate(KFold(2).split(X)):
        for candidate, lr in enumerate([1e-3, 1e-2]):
            alone = clone(est).set_params(lr=lr).fit(X.iloc[train], {"number": labels["number"][train]})
            assert 0 < parts(alone)[0].share < 1
            score = alone.score(X.iloc[test], {"number": labels["number"][test]})
            assert search.cv_results_[f"split{fold}_test_score"][candidate] == pytest.approx(score, abs=1e-6)
