"""Within an epoch a GPU is not made to wait: nothing is copied from the host, and nothing asked back."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import GradientBalancer
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.tasks import Classification, Regression

# Tensors made of Python's numbers, numbers and sizes read from tensors.
WAITS = ("lift_fresh", "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique")


class Waits(TorchDispatchMode):
    """Counts the operations for which host and GPU wait for each other."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.overloadpacket.__name__, kwargs or {}
        if name in WAITS or (name == "_to_copy" and kwargs.get("device") is not None):
            self.counts[name] += 1
        return func(*args, **kwargs)


class Sum(GradientBalancer):
    """The sum of the gradients."""

    def forward(self, gradients, losses, weights):
        return weights @ gradients


def waits_of_a_fit(batch_size, settings):
    X, Y = make_multitask(
        160, 6, n_regression=1, n_binary=1, n_multiclass=1, missing_labels=0.1, random_state=0
    )
    est = MultiTaskClassifierRegressor(
        **{"trunk": "mlp", "n_bags": 1, "early_stopping": False, "calibrate": False, **settings},
        preprocessing=None,
        max_epochs=1,
        batch_size=batch_size,
        random_state=0,
    )
    with Waits() as seen:
        est.fit(X, Y)
    return seen.counts


ALONE = {
    "mlp": {},
    "tabm": {"trunk": "tabm"},
    "clipped": {"gradient_clip": 1.0},
    "cosine": {"lr_schedule": "cosine"},
    "average": {"ema_decay": 0.9},
    "gradients": {"balancing": Sum()},
    "gradnorm": {"balancing": "gradnorm"},
    "excess_mtl": {"balancing": "excess_mtl"},
    "conflict": {"gradient_conflict": 1},
    "losses": {"tasks": {"regression0": Regression("quantile"), "multiclass0": Classification("focal")}},
    "smoothed": {
        "tasks": {"multiclass0": Classification(label_smoothing=0.1), "regression0": Regression("huber")}
    },
}


@pytest.mark.parametrize("n_bags", [1, 8], ids=["alone", "stacked"])
@pytest.mark.parametrize("settings", ALONE.values(), ids=ALONE.keys())
def test_steps_wait_for_nothing(settings, n_bags):
    # Preparing and recording may wait, whatever the number of steps.
    few, many = (waits_of_a_fit(size, {**settings, "n_bags": n_bags}) for size in (80, 16))
    assert sum(few.values()) > 0
    assert many == few


def test_waiting_is_seen():
    class Asks(Sum):
        def forward(self, gradients, losses, weights):
            assert losses.sum().item() > 0
            return super().forward(gradients, losses, weights) + torch.tensor(0.0)

    few, many = (waits_of_a_fit(size, {"balancing": Asks()}) for size in (80, 16))
    assert many["_local_scalar_dense"] == few["_local_scalar_dense"] + 8
    assert many["lift_fresh"] == few["lift_fresh"] + 8
