"""Classification losses against other implementations."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.metrics import log_loss
from torch.nn import functional as F

from sklearn_mtl.tasks.losses.classification import (
    BinaryCrossEntropy,
    CrossEntropy,
    ShiftedBinaryCrossEntropy,
)

RNG = np.random.default_rng(0)
LOGIT = RNG.normal(scale=2, size=100)
LOGITS = RNG.normal(scale=2, size=(100, 4))
SECOND = RNG.integers(0, 2, 100)
CODES = RNG.integers(0, 4, 100)
WEIGHT = RNG.choice([0.5, 1.0, 2.0], 100)


def binary(loss):
    return loss(torch.tensor(LOGIT)[:, None, None], torch.tensor(SECOND[:, None], dtype=torch.float64))[:, 0]


def multiclass(loss):
    return loss(torch.tensor(LOGITS)[:, None], torch.tensor(CODES[:, None], dtype=torch.float64))[:, 0]


def test_weighted_binary_cross_entropy_is_scikit_learns():
    found = np.average(binary(BinaryCrossEntropy()), weights=WEIGHT)
    assert found == pytest.approx(log_loss(SECOND, expit(LOGIT), sample_weight=WEIGHT))


def test_weighted_cross_entropy_is_scikit_learns():
    found = np.average(multiclass(CrossEntropy(n_classes=4)), weights=WEIGHT)
    assert found == pytest.approx(log_loss(CODES, softmax(LOGITS, axis=1), sample_weight=WEIGHT))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothing_is_torchs(smoothing):
    expected = F.cross_entropy(
        torch.tensor(LOGITS), torch.tensor(CODES), label_smoothing=smoothing, reduction="none"
    )
    torch.testing.assert_close(multiclass(CrossEntropy(smoothing, n_classes=4)), expected)


@pytest.mark.parametrize("focusing", [0.5, 1.0, 2.0])
def test_focusing_is_the_focal_loss(focusing):
    right = np.where(SECOND == 1, expit(LOGIT), expit(-LOGIT))
    np.testing.assert_allclose(
        binary(BinaryCrossEntropy(focusing=focusing)), -((1 - right) ** focusing) * np.log(right)
    )
    right = softmax(LOGITS, axis=1)[np.arange(100), CODES]
    np.testing.assert_allclose(
        multiclass(CrossEntropy(n_classes=4, focusing=focusing)), -((1 - right) ** focusing) * np.log(right)
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("focusing", [0.0, 2.0])
def test_one_logit_is_as_good_as_two(smoothing, focusing):
    two = torch.tensor(np.column_stack([np.zeros(100), LOGIT]))[:, None]
    y = torch.tensor(SECOND[:, None], dtype=torch.float64)
    torch.testing.assert_close(
        binary(BinaryCrossEntropy(smoothing, focusing)),
        CrossEntropy(smoothing, focusing, n_classes=2)(two, y)[:, 0],
    )


def test_log_loss_of_the_response_is_the_cross_entropy():
    for loss, raw, y in [
        (BinaryCrossEntropy(), torch.tensor(LOGIT)[:, None, None], SECOND),
        (CrossEntropy(n_classes=4), torch.tensor(LOGITS)[:, None], CODES),
    ]:
        labels = torch.tensor(y[:, None], dtype=torch.float64)
        torch.testing.assert_close(loss.log_loss(loss.response(raw), labels), loss(raw, labels))


def test_constant_without_smoothing_is_the_prior():
    y = torch.tensor([[0.0], [1.0], [1.0], [1.0]], dtype=torch.float64)
    weight = torch.tensor([[2.0], [1.0], [1.0], [0.0]], dtype=torch.float64)
    for loss in (BinaryCrossEntropy(), CrossEntropy(n_classes=3)):
        response = loss.response(loss.constant(y, weight))[0]
        np.testing.assert_allclose(response, [0.5] if loss.width == 1 else [0.5, 0.5, 0], atol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        BinaryCrossEntropy(),
        BinaryCrossEntropy(0.1),
        BinaryCrossEntropy(focusing=2.0),
        ShiftedBinaryCrossEntropy(0.1, 1.0, shift=2.0),
        CrossEntropy(n_classes=4),
        CrossEntropy(0.1, n_classes=4),
        CrossEntropy(n_classes=4, focusing=2.0),
    ],
    ids=str,
)
def test_reference_is_the_summed_loss_of_the_constant(loss):
    rng = np.random.default_rng(0)
    y = torch.tensor(rng.integers(0, getattr(loss, "n_classes", 2), (60, 3)), dtype=torch.float64)
    weight = torch.tensor(rng.random((60, 3)))
    cells = loss(loss.constant(y, weight).expand(60, -1, -1), y)
    torch.testing.assert_close(loss.reference(y, weight), (cells * weight).sum(0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("focusing", [0.0, 2.0])
def test_a_shift_is_one_of_the_raw_outputs_and_not_of_the_responses(focusing):
    plain, shifted = BinaryCrossEntropy(0.1, focusing), ShiftedBinaryCrossEntropy(0.1, focusing, shift=1.5)
    raw, y = torch.tensor(LOGIT)[:, None, None], torch.tensor(SECOND[:, None], dtype=torch.float64)
    torch.testing.assert_close(shifted(raw - 1.5, y), plain(raw, y))
    for found, expected in zip(shifted.with_slope(raw - 1.5, y), plain.with_slope(raw, y), strict=True):
        torch.testing.assert_close(found, expected)
    weight = torch.tensor(WEIGHT[:, None])
    torch.testing.assert_close(shifted.constant(y, weight) + 1.5, plain.constant(y, weight))
    torch.testing.assert_close(shifted.reference(y, weight), plain.reference(y, weight))
    response, of_plain = shifted.response(raw - 1.5), plain.response(raw)
    torch.testing.assert_close(response, (raw - 1.5).sigmoid())
    assert torch.equal(shifted.decision(response), plain.decision(of_plain))
    torch.testing.assert_close(shifted.log_loss(response, y), plain.log_loss(of_plain, y))
    torch.testing.assert_close(shifted.score(response, y, weight), plain.score(of_plain, y, weight))
