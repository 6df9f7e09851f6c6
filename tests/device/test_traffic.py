"""Within an epoch, the steps of a training make a card wait for nothing, whatever part they have."""

import pytest
import torch
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import GramianBalancer
from sklearn_mtl.datasets import make_multitask
from tests.device.stand_in import card
from tests.device.test_parts import PARTS

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the stand-in notes it, a card does not")
X, Y = make_multitask(
    96, 4, n_regression=1, n_binary=1, n_multiclass=1, n_factors=2, missing_labels=0.2, random_state=0
)


def traffic(case, batch_size):
    """What a fit copies to the card and to the CPU, and how often it waits."""
    est = MultiTaskClassifierRegressor(
        trunk="mlp", n_bags=1, max_epochs=1, batch_size=batch_size, early_stopping=False, random_state=0
    )
    est.set_params(trunk__hidden_sizes=(6, 5), linear_blend=False, calibrate=False, device="cuda")
    if not case.of_texts:
        est.set_params(preprocessing=None)
    est.set_params(**{case.parameter: clone(case.recipe)})
    with card() as seen:
        est.fit(case.rows(X), Y)
    return len(seen.to_card), len(seen.to_cpu), len(seen.waits)


@pytest.mark.parametrize(
    "case", PARTS.values(), ids=[f"{number}-{of}" for number, of in enumerate(PARTS.values())]
)
def test_steps_make_a_card_wait_for_nothing(case):
    # Preparing and recording may wait, whatever the number of steps: 2 here, and then 6.
    few, many = (traffic(case, size) for size in (48, 16))
    assert few[0] > 0
    if isinstance(case.recipe, GramianBalancer):
        # The inner products of the gradients go to the CPU, and the weights come back.
        assert many[0] > few[0]
        assert many[1] >= few[1] + 4
        assert many[2] == few[2]
    else:
        assert many == few
