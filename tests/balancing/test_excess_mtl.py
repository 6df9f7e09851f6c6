"""ExcessMTL: the equations of its paper, TorchJD on the same gradients, and noisy tasks."""

import pickle

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import BALANCERS, ExcessMTL
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.trunks import MLP


def fresh(n_tasks=3, **params):
    return ExcessMTL(**params).fresh(n_tasks).double()


def drawn(n_steps, n_tasks=3, n_parameters=5, seed=0):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=(n_tasks, n_parameters))) for _ in range(n_steps)]


def run(balancer, gradients, weights=None, warm=4):
    """The weights of each step, of which the first few are an epoch of warming up."""
    found = []
    for number, of_step in enumerate(gradients):
        if number == warm:
            for _ in range(balancer.warmup_epochs):
                balancer.end_epoch(torch.ones(len(of_step)))
        ones = torch.ones(len(of_step), dtype=of_step.dtype)
        found.append(balancer(of_step, ones, ones if weights is None else weights[number]).numpy())
    return np.array(found)


def test_equations_of_the_paper():
    gradients = drawn(12)
    squares, share, before = np.zeros((3, 5)), np.ones(3) / 3, []
    for number, (own, found) in enumerate(zip(gradients, run(fresh(step_size=0.3), gradients), strict=True)):
        g = own.numpy()
        squares += g**2
        risk = (g**2 / np.sqrt(squares + 1e-7)).sum(1)
        if number < 4:
            before.append(risk)
        else:
            share = share * np.exp(0.3 * risk / np.mean(before, axis=0))
            share /= share.sum()
        np.testing.assert_allclose(found, 3 * share, rtol=1e-5)


@pytest.mark.parametrize("step_size", [0.01, 1.0])
@pytest.mark.parametrize("warm", [1, 4])
def test_weights_are_those_of_torchjd_times_the_number_of_tasks(step_size, warm):
    aggregation = pytest.importorskip("torchjd.aggregation")
    gradients = drawn(20)
    theirs = aggregation.ExcessMTLWeighting(step_size, n_warmup_steps=warm)
    ours = run(fresh(step_size=step_size, warmup_epochs=2), gradients, warm=warm)
    for own, of_step in zip(ours, gradients, strict=True):
        np.testing.assert_allclose(own / 3, theirs(of_step).numpy(), rtol=1e-6)


def test_weights_sum_to_the_number_of_tasks_and_are_equal_at_first():
    found = run(fresh(step_size=0.5), drawn(10))
    np.testing.assert_allclose(found.sum(1), 3)
    assert (found[:4] == 1).all()
    assert (found[5:] != 1).all()


def test_rescaling_a_loss_changes_nothing():
    gradients = drawn(20)
    scale = torch.tensor([[1e3], [1.0], [0.1]])
    scaled = run(fresh(step_size=0.3), [scale * of_step for of_step in gradients])
    np.testing.assert_allclose(scaled, run(fresh(step_size=0.3), gradients), rtol=1e-3)


def test_permuting_the_tasks_permutes_the_weights():
    gradients, order = drawn(10), [2, 0, 1]
    permuted = run(fresh(step_size=0.3), [of_step[order] for of_step in gradients])
    np.testing.assert_allclose(permuted, run(fresh(step_size=0.3), gradients)[:, order], rtol=1e-12)


def test_a_task_that_is_never_there_takes_no_part():
    gradients = drawn(12)
    out = [torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)] * 12
    found = run(fresh(step_size=0.3), gradients, out)
    two = run(fresh(2, step_size=0.3), [of_step[[0, 2]] for of_step in gradients])
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found[:, [0, 2]], two, rtol=1e-12)


def test_a_task_that_is_not_in_a_batch_keeps_its_share():
    gradients = drawn(12)
    weights = torch.ones(12, 3, dtype=torch.float64)
    weights[8, 1] = 0
    balancer = fresh(step_size=0.3)
    found = run(balancer, gradients[:8])
    before = balancer.log_share.softmax(0)
    gradients[8][1] = 0
    used = balancer(gradients[8], torch.ones(3), weights[8])
    after = balancer.log_share.softmax(0)
    assert used[1] == 0
    assert used.sum() == pytest.approx(2)
    torch.testing.assert_close(after[1], before[1])
    assert not torch.equal(after[0], before[0])
    assert len(found) == 8


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e15, 1e30], ids=str)
def test_zero_and_huge_gradients_are_finite(scale):
    gradients = [scale * of_step.float() for of_step in drawn(8)]
    gradients[6] = 1e6 * gradients[6]
    balancer = ExcessMTL(step_size=1.0).fresh(3)
    assert np.isfinite(run(balancer, gradients)).all()
    balancer(torch.full((3, 5), 1e30), torch.ones(3), torch.ones(3))
    found = balancer(drawn(1)[0].float(), torch.ones(3), torch.ones(3))
    assert (found > 0).all()
    assert found.sum() == pytest.approx(3, rel=1e-5)


def test_one_task_has_weight_1():
    np.testing.assert_allclose(run(fresh(1, step_size=0.3), drawn(8, 1)), 1)


# In a fit.


@pytest.fixture(scope="module")
def data():
    return make_multitask(80, 4, n_regression=2, n_binary=1, n_factors=2, missing_labels=0.3, random_state=0)


def make(**params):
    settings = {"trunk": MLP((6, 5)), "n_bags": 1, "max_epochs": 5, "lr": 0.01, "batch_size": 16}
    balancing = ExcessMTL(step_size=0.1, warmup_epochs=2)
    return MultiTaskClassifierRegressor(random_state=0, **{"balancing": balancing, **settings, **params})


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_weights_of_a_fit(precision, data):
    est = make(precision=precision).fit(*data)
    weights = est.history_.filter(like="weight_").to_numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 3, rtol=1e-5)
    assert (weights[:2] == 1).all()
    assert (weights[2:] != 1).all()


def test_what_it_sums_up_is_in_no_file(data, tmp_path):
    est = make().fit(*data)
    balancer = est.net_.criterion_.balancer
    assert balancer.root.shape[0] == 3
    assert list(balancer.state_dict()) == ["log_share"]
    save(est, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        own = copy.net_.criterion_.balancer
        torch.testing.assert_close(own.log_share, balancer.log_share)
        copy.partial_fit(*data)
        assert np.isfinite(copy.score_tasks(*data)).all()


@pytest.mark.parametrize("params", [{"sharing": "separate"}, {"trunk": MLP(())}], ids=str)
def test_where_nothing_is_shared_it_is_refused(params, data):
    with pytest.raises(ValueError, match=r"`balancing` .*ExcessMTL.* Found none"):
        make(**params).fit(*data)


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"step_size": 0}, "`step_size` of ExcessMTL must be a number above 0. Found 0"),
        ({"step_size": "1"}, "`step_size` of ExcessMTL must be a number above 0"),
        ({"warmup_epochs": 0}, "`warmup_epochs` of ExcessMTL must be an integer of at least 1. Found 0"),
        ({"warmup_epochs": 1.5}, "`warmup_epochs` of ExcessMTL must be an integer of at least 1"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(params, rule, data):
    with pytest.raises(ValueError, match=rule):
        make(balancing=ExcessMTL(**params)).fit(*data)


def test_its_short_name():
    assert BALANCERS["excess_mtl"] is ExcessMTL
