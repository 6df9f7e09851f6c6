import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, StepLR

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.training import (
    check_lr_schedule,
    resolve_optimizer,
)
from sklearn_mtl.training.settings import TrainingSettings
from sklearn_mtl.trunks import MLP


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(n_samples=64, n_features=4, n_regression=2, n_factors=2, random_state=0)
    return X, Y


def quick(**params):
    defaults = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 4, "batch_size": 16, "lr": 0.01}
    return MultiTaskRegressor(early_stopping=False, ema_decay=None, random_state=0, **{**defaults, **params})


RATES: list[float] = []
NORMS: list[float] = []


class Rates(Callback):
    """Notes the learning rate of each step; in a global list, since callbacks are copied."""

    def on_batch_begin(self, net, batch, training, **kwargs):
        if training:
            RATES.append(net.optimizer_.param_groups[0]["lr"])


class Norms(Callback):
    """Notes the gradient's norm as the optimizer is about to see it."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        NORMS.append(float(torch.cat([p.grad.flatten() for _, p in named_parameters]).norm()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw", torch.optim.AdamW),
        ("AdamW", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        (torch.optim.NAdam, torch.optim.NAdam),
        (torch.optim.Adagrad, torch.optim.Adagrad),
    ],
)
def test_optimizers_by_name_and_class(data, name, expected):
    assert resolve_optimizer(name) is expected
    est = quick(optimizer=name, lr=0.003, lr_schedule=None, weight_decay=0.02, max_epochs=1).fit(*data)
    assert isinstance(est.net_.optimizer_, expected)
    (group,) = est.net_.optimizer_.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.003, 0.02)


@pytest.mark.parametrize(
    ("optimizer", "on_cpu", "on_cuda"),
    [
        (torch.optim.SGD, True, True),
        (torch.optim.Adam, True, True),
        (torch.optim.Adagrad, True, False),
        (torch.optim.RMSprop, False, False),
    ],
)
def test_one_kernel_for_all_where_torch_has_it(optimizer, on_cpu, on_cuda):
    for device, expected in (("cpu", on_cpu), ("cuda", on_cuda), ("meta", False)):
        settings = TrainingSettings(optimizer=optimizer, device=torch.device(device))
        assert settings.optimizer_options().get("optimizer__fused", False) == expected


@pytest.mark.parametrize("optimizer", ["lion", None, torch.optim.AdamW([torch.zeros(1)]), torch.nn.Linear])
def test_what_is_no_optimizer_is_refused(optimizer):
    with pytest.raises(ValueError, match=r"`optimizer` must be a torch optimizer class or one of"):
        resolve_optimizer(optimizer)


NAMES = ("Optimizer", "SparseAdam", "Muon")
UNFIT = [getattr(torch.optim, name) for name in NAMES if hasattr(torch.optim, name)]


@pytest.mark.parametrize("optimizer", UNFIT)
def test_an_optimizer_that_no_net_can_take_is_refused(optimizer):
    with pytest.raises(ValueError, match=rf"`optimizer` must be .* Found {optimizer.__name__}, which "):
        resolve_optimizer(optimizer)


def test_a_schedule_without_a_policy_is_refused():
    with pytest.raises(ValueError, match=r"`lr_schedule` must be .* LRScheduler: its policy must .* not 'x'"):
        check_lr_schedule(LRScheduler(policy="x"))


@pytest.mark.parametrize("schedule", ["linear", 0.1, CosineAnnealingLR, LRScheduler])
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(ValueError, match=r"`lr_schedule` must be None, .*cosine.*one_cycle.* Found"):
        check_lr_schedule(schedule)


def reference(policy):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.01)
    scheduler, rates = policy(optimizer), []
    for _ in range(16):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "policy"),
    [
        (None, lambda optimizer: StepLR(optimizer, 1000)),
        ("cosine", lambda optimizer: CosineAnnealingLR(optimizer, T_max=16)),
        (LRScheduler(StepLR, step_size=5, step_every="batch"), lambda optimizer: StepLR(optimizer, 5)),
    ],
)
def test_the_learning_rate_follows_the_schedule(data, schedule, policy):
    RATES.clear()
    quick(lr_schedule=schedule, callbacks=[Rates()]).fit(*data)
    np.testing.assert_allclose(RATES, reference(policy), rtol=1e-10)


def test_one_cycle_rises_and_falls_as_that_of_torch(data):
    RATES.clear()
    quick(lr_schedule="one_cycle", callbacks=[Rates()], max_epochs=50, patience=50).fit(*data)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    with warnings.catch_warnings():
        # torch counts steps of an optimizer that is never used here.
        warnings.simplefilter("ignore")
        scheduler = OneCycleLR(optimizer, max_lr=0.01, total_steps=200)
        expected = [scheduler.get_last_lr()[0]] + [
            (scheduler.step(), scheduler.get_last_lr()[0])[1] for _ in range(199)
        ]
    assert RATES[0] == pytest.approx(0.01 / 25)
    # Their peaks are less than one step apart.
    np.testing.assert_allclose(RATES, expected, atol=3e-4)


def test_a_schedule_of_the_users_is_copied(data):
    schedule = LRScheduler(StepLR, step_size=1)
    before = set(vars(schedule))
    quick(lr_schedule=schedule).fit(*data)
    assert set(vars(schedule)) == before


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_schedules_go_with_early_stopping_and_bags(data, schedule):
    X, Y = data
    est = quick(lr_schedule=schedule, n_bags=2).set_params(early_stopping=True).fit(X, Y)
    assert len(est.nets_) == 2


def test_one_cycle_leaves_momentum_as_it_was(data):
    est = quick(lr_schedule="one_cycle", optimizer="sgd").fit(*data)
    assert est.net_.optimizer_.param_groups[0]["momentum"] == 0


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_gradients_are_clipped(data, clip):
    NORMS.clear()
    quick(gradient_clip=clip, callbacks=[Norms()]).fit(*data)
    assert len(NORMS) == 16
    assert (max(NORMS) <= 1.001e-3) is (clip is not None)


def test_float64_is_float64_throughout(data):
    X, Y = data
    est = quick(precision="float64").fit(X, Y)
    assert {p.dtype for p in est.net_.module_.parameters()} == {torch.float64}
    assert est.net_.criterion_.losses.baseline.dtype == torch.float64


def test_bfloat16_is_near_float32_with_weights_of_float32(data):
    X, Y = data
    half, full = (quick(precision=name, max_epochs=30).fit(X, Y) for name in ("bf16", "float32"))
    assert {p.dtype for p in half.net_.module_.parameters()} == {torch.float32}
    assert (half.predict(X)["regression0"] != full.predict(X)["regression0"]).any()
    np.testing.assert_allclose(half.predict(X)["regression0"], full.predict(X)["regression0"], atol=0.1)


def test_the_defaults_of_compile_compile_nothing(data):
    est = quick().fit(*data)
    assert not hasattr(est.net_.module_, "_orig_mod")
