"""The loss of survival tasks is a likelihood."""

import numpy as np
import torch

from sklearn_mtl.tasks.losses.survival import DiscreteHazards


def test_the_loss_is_minus_the_log_likelihood_of_what_is_known():
    loss = DiscreteHazards(3)
    raw = torch.tensor(np.random.default_rng(0).normal(size=(1, 1, 3)))
    survival = np.concatenate([[1.0], loss.response(raw)[0, 0].numpy()])
    hazard = 1 - survival[1:] / survival[:-1]
    np.testing.assert_allclose(loss.link(loss.response(raw)), raw)
    for count in range(4):
        kept = np.log(1 - hazard[:count]).sum()
        found = loss(raw, torch.tensor([[2.0 * count]]))
        np.testing.assert_allclose(found[0, 0], -kept)
        if count < 3:
            found = loss(raw, torch.tensor([[2.0 * count + 1]]))
            np.testing.assert_allclose(found[0, 0], -kept - np.log(hazard[count]))
            np.testing.assert_allclose(found[0, 0], -np.log(survival[count] - survival[count + 1]))


def test_outputs_of_zero_are_the_event_as_probable_anywhere():
    np.testing.assert_allclose(DiscreteHazards(4).response(torch.zeros(1, 1, 4))[0, 0], [0.8, 0.6, 0.4, 0.2])
