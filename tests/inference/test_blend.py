"""The linear model beside each net: what is blended, by which rows, and where there is none."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.export import load, save
from sklearn_mtl.inference.blend import LABELS_OF_ALL, best_choice
from sklearn_mtl.inference.linear_path import linear_path
from sklearn_mtl.tasks import Ordinal, Regression, Survival
from sklearn_mtl.trunks import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 20))
SIGNAL = X @ RNG.normal(size=(20, 3))
Y = {
    "number": SIGNAL[:, 0] + RNG.normal(size=160),
    "binary": np.where(SIGNAL[:, 1] > 0, "yes", "no"),
    "block": SIGNAL[:, [0, 2]] + RNG.normal(size=(160, 2)),
}


def quick(**params):
    settings = {"trunk": MLP((8,)), "n_bags": 2, "max_epochs": 3, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def parts(est):
    return [net.evaluated.linear for net in est.nets_]


def shares(est):
    return [None if part is None else part.share.tolist() for part in parts(est)]


def equal(some, others):
    assert list(some) == list(others)
    return all(np.array_equal(some[name], others[name]) for name in some)


@pytest.fixture(scope="module")
def blended():
    return quick().fit(X, Y)


def test_where_the_truth_is_linear_it_predicts_better_than_the_nets_alone(blended):
    alone = quick(linear_blend=False).fit(X, Y)
    assert parts(alone) == [None, None]
    new = RNG.normal(size=(500, 20))
    truth = new @ np.linalg.lstsq(X, SIGNAL, rcond=None)[0]
    for name, column in (("number", 0), ("block", [0, 2])):
        errors = [np.square(est.predict(new)[name] - truth[:, column]).mean() for est in (alone, blended)]
        assert errors[1] < 0.5 * errors[0]
    for part in parts(blended):
        assert part.share.min() > 0.5


def test_each_net_has_a_model_of_its_own_rows_and_all_have_the_same_shares(blended):
    first, second = parts(blended)
    assert not torch.equal(first.weight, second.weight)
    assert torch.equal(first.share, second.share)


def plan_of(labels, **params):
    (plan,) = quick(preprocessing=None, n_bags=1, **params)._plan(FitData(X, labels), Stages()).plans
    return plan


def test_labels_of_held_out_rows_change_none_of_the_models():
    plan = plan_of({"number": Y["number"]})
    held_out = plan.valid.blocks.index
    planted = Y["number"].copy()
    planted[held_out] += 100 * X[held_out, 0]
    other = plan_of({"number": planted})
    assert torch.equal(other.valid.blocks.index, held_out)
    paths = [[model.weight for model in linear_path(p.train, p.blueprint.tasks)] for p in (plan, other)]
    assert all(map(torch.equal, *paths))


def test_rows_that_are_known_by_heart_count_for_nothing():
    """Each row has a column of its own: a model of it explains all rows that it has seen, and no other."""
    own = np.eye(160)
    noise = {"number": np.random.RandomState(1).normal(size=160)}
    est = quick(preprocessing=None).fit(own, noise)
    for part in parts(est):
        if part is not None:
            explained = part({"x": torch.eye(160)}) * part.share
            assert explained.var() < 0.1


def test_tasks_of_few_labels_go_by_the_losses_of_all():
    losses = torch.tensor([[0.9, 0.5], [0.8, 0.7], [0.95, 0.9]])
    # Alone each task would choose its own.
    assert best_choice(losses, torch.tensor([10**6, 10**6])).tolist() == [1, 0]
    assert best_choice(losses, torch.tensor([0, 0])).tolist() == [0, 0]
    assert best_choice(losses, torch.tensor([LABELS_OF_ALL * 5, 0])).tolist() == [1, 0]
    # What differs by rounding is equal: the first is taken, which is the simplest.
    alike = torch.tensor([[0.7 + 1e-15], [0.7], [0.9]], dtype=torch.float64)
    assert best_choice(alike, torch.tensor([9000])).tolist() == [0]
    # One that takes no part chooses the first, and says nothing to the others.
    losses[2, 0] = torch.nan
    assert best_choice(losses, torch.tensor([0, 0])).tolist() == [0, 0]
    assert best_choice(losses, torch.tensor([0, 10**6]))[1] == 0


@pytest.mark.parametrize(
    "settings",
    [{"early_stopping": False}, {"linear_blend": False}, {"tasks": {}}],
    ids=lambda s: next(iter(s)),
)
def test_without_held_out_rows_or_where_it_is_switched_off_there_is_none(settings):
    est = quick(**settings)
    if "tasks" in settings:
        # Images.
        est.fit(RNG.normal(size=(60, 1, 5, 5)), {"number": Y["number"][:60]})
    else:
        est.fit(X, Y)
    assert parts(est) == [None, None]


def test_by_itself_it_is_for_fewer_than_a_thousand_rows():
    many = np.tile(X, (8, 1)), {"number": np.tile(Y["number"], 8)}
    assert parts(quick(max_epochs=1).fit(*many)) == [None, None]
    assert None not in parts(quick(max_epochs=1, linear_blend=True).fit(*many))


def test_a_task_of_weight_zero_has_no_part_in_it():
    both = {"number": Y["number"], "noise": RNG.normal(size=160)}
    est = quick(task_weights={"noise": 0}).fit(X, both)
    for part in parts(est):
        assert part.share[0] > 0
        assert part.share[1] == 0


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_it_goes_into_pickles_and_files(precision, tmp_path):
    est = quick(precision=precision).fit(X, Y)
    assert None not in parts(est)
    save(est, tmp_path / "model.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert shares(again) == shares(est)
        equal(again.predict(X), est.predict(X))


def test_a_file_whose_linear_part_has_another_shape_is_refused(tmp_path, blended):
    part = blended.nets_[0].evaluated.linear
    before = part.weight
    try:
        part.weight = torch.zeros(len(before), 7)
        save(blended, tmp_path / "model.mtl")
    finally:
        part.weight = before
    with pytest.raises(ValueError, match=r"linear\.weight"):
        load(tmp_path / "model.mtl")


def test_views_and_a_row_alone_predict_with_it(blended):
    every = blended.predict(X)
    for name in Y:
        assert np.array_equal(blended.task(name).predict(X), every[name])
        assert np.array_equal(blended.predict(X[5:6])[name], every[name][5:6])


def test_a_warm_start_chooses_anew():
    est = quick(warm_start=True, n_bags=1).fit(X, Y)
    first = parts(est)[0]
    assert est.set_params(max_epochs=4, linear_blend=False).fit(X, Y).nets_[0].evaluated.linear is None
    est.set_params(max_epochs=5, linear_blend="auto").fit(X, Y)
    again = parts(est)[0]
    assert again is not first
    # The rows are the same, and so are the models.
    assert torch.equal(again.weight, first.weight)


def test_after_partial_fit_the_network_is_alone(blended):
    est = pickle.loads(pickle.dumps(blended))
    est.partial_fit(X, Y)
    assert parts(est) == [None, None]


def test_rows_of_the_users_own_choose_the_share():
    def slopes(y_val):
        est = quick().fit(X, {"number": Y["number"]}, X_val=X, y_val={"number": y_val})
        return sum(float((part.weight * part.share[:, None]).abs().sum()) for part in parts(est) if part)

    assert slopes(RNG.normal(size=160)) < 0.1 * slopes(Y["number"])


def test_missing_labels_and_weights_of_zero_are_left_out():
    weight = np.r_[np.zeros(40), np.ones(120)]
    labels = Y["number"].copy()
    labels[:40] = 1e6
    missing = np.where(weight > 0, Y["number"], np.nan)
    for est in (
        quick(preprocessing=None).fit(X, {"number": labels}, sample_weight=weight),
        quick(preprocessing=None).fit(X, {"number": missing}),
    ):
        for part in parts(est):
            assert part.weight.abs().max() < 5


OF_KINDS = {
    "ordinal": (Ordinal(), np.digitize(SIGNAL[:, 0], [-3, 3])),
    "survival": (Survival(), np.c_[np.exp(-SIGNAL[:, 0] / 5), np.ones(160)]),
    "quantile": (Regression(loss="quantile"), SIGNAL[:, 0]),
    "gaussian": (Regression(loss="gaussian_nll"), SIGNAL[:, 0]),
    "count": (Regression(loss="poisson"), np.exp(SIGNAL[:, 0] / 5)),
}


@pytest.mark.parametrize("kind", OF_KINDS)
def test_tasks_of_every_kind_are_blended(kind):
    task, labels = OF_KINDS[kind]
    scores = [
        quick(tasks={"t": task}, linear_blend=how).fit(X, {"t": labels}).score(X, {"t": labels})
        for how in (False, "auto")
    ]
    assert scores[1] > scores[0] + 0.05


class Doubling(nn.Module):
    """A user's module that works in place on its inputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(20, 4)

    def forward(self, x):
        return self.layer(x.mul_(2))


def test_beside_a_module_that_works_in_place_it_sees_the_rows_as_they_are():
    est = quick(trunk=Doubling()).fit(X, {"number": Y["number"]})
    module = est.nets_[0].evaluated
    assert module.linear is not None
    rows = torch.ones(4, 20)
    expected = module.linear.weight.sum(1) + module.linear.bias
    module.linear.share.fill_(1.0)
    with torch.no_grad():
        assert torch.allclose(module.calibrated({"x": rows})[0, 0], expected, atol=1e-5)


def test_stacked_nets_have_the_parts_of_nets_trained_alone():
    """Four nets of a bag are one stack; a bag whose nets can't be stacked trains them one by one."""
    stacked = quick(n_bags=4).fit(X, Y)
    alone = quick(n_bags=4, optimizer=SlowAdamW).fit(X, Y)
    for one, other in zip(parts(stacked), parts(alone), strict=True):
        assert torch.allclose(one.weight, other.weight)
        assert torch.equal(one.share, other.share)


class SlowAdamW(torch.optim.AdamW):
    """An optimizer that no stack takes."""


def test_ctrl_c_while_it_is_fitted_leaves_the_nets_without_it(monkeypatch):
    import sklearn_mtl.estimators.fitting as fitting

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "blend", interrupt)
    est = quick()
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, Y)
    assert est.interrupted_
    assert parts(est) == [None, None]
    est.predict(X)


def test_an_array_of_one_target_is_blended_too():
    est = MultiTaskRegressor(trunk=MLP((8,)), n_bags=1, max_epochs=3, random_state=0).fit(X, Y["number"])
    assert est.nets_[0].evaluated.linear.share.shape == (1,)
