"""Many rows are predicted by chunks, decided where the network is, and checked on the way."""

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.data import to_gpu
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import accepted
from sklearn_mtl.inference import prediction
from sklearn_mtl.inference.to_host import sent
from sklearn_mtl.trunks import MLP
from tests.device.answers import answers, assert_alike

X, Y = make_multitask(300, 6, n_regression=1, n_binary=1, n_multiclass=1, n_factors=2, random_state=0)


@pytest.fixture
def in_chunks(monkeypatch):
    """Let 300 rows be many: in chunks of 64, in pieces of 16, and checked where they are read."""
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE_ON_GPU", 8 * 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 8 * 64)
    monkeypatch.setattr(to_gpu, "BYTES_OF_PIECE", 16 * 6 * 8)
    monkeypatch.setattr(accepted, "MANY_NUMBERS", 0)


def fitted(device):
    est = MultiTaskClassifierRegressor(trunk=MLP((8,)), n_bags=2, max_epochs=2, device=device, random_state=0)
    est.set_params(preprocessing=None, precision="float64", linear_blend=False, tree_blend=False)
    return est.fit(X, Y)


def test_predictions_are_those_of_the_cpu(in_chunks, on_card):
    expected = answers(fitted("cpu"), X)
    with on_card():
        assert_alike(answers(fitted("cuda"), X), expected)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("place", [0, 150, 299])
def test_a_number_that_is_not_finite_is_refused_wherever_it_is(device, place, in_chunks, on_card):
    bad = X.copy()
    bad[place, 3] = np.nan
    with on_card():
        est = fitted(device)
        for method in (est.predict, est.predict_proba, est.transform):
            with pytest.raises(ValueError, match="Input X contains NaN"):
                method(bad)
        # Their sum is infinite, and they are not.
        bad[place] = 1e308
        assert len(est.predict(bad)["binary0"]) == len(X)


def test_rows_with_gaps_are_still_no_error_where_they_may_have_some(in_chunks, on_card):
    bad = X.copy()
    bad[7, 3] = np.nan
    with on_card():
        est = fitted("cuda").set_params(preprocessing="auto").fit(X, Y)
        assert np.isfinite(est.predict(bad)["regression0"]).all()


def test_what_is_sent_arrives(on_card):
    with on_card():
        arrived = sent([torch.arange(3, device="cuda"), torch.ones(3, 2, device="cuda")])
        numbers, ones = arrived()
    assert numbers.device.type == ones.device.type == "cpu"
    assert numbers.tolist() == [0, 1, 2]
    assert ones.tolist() == [[1.0, 1.0]] * 3
