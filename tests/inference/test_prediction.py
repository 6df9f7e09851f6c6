import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.features import encoder as encoder_module
from sklearn_mtl.inference import bag_responses, prediction
from sklearn_mtl.trunks import MLP


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(n_samples=200, n_features=4, n_factors=2, random_state=0)
    return X, Y["regression0"]


def quick(**params):
    settings = {"trunk": MLP((16,), dropout=0.5), "n_bags": 1, "max_epochs": 2, "random_state": 0}
    return MultiTaskRegressor(**{**settings, **params})


def test_chunks_bound_memory_and_change_nothing(data, monkeypatch):
    X, y = data
    est = quick().fit(X, y)
    whole = est.predict(X)
    # The first time that few rows are predicted, sizes are tried.
    est.predict(X[:1])
    seen = []
    original = type(est.net_.module_).calibrated
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 16 * 140)
    monkeypatch.setattr(
        type(est.net_.module_),
        "calibrated",
        lambda self, inputs: (seen.append(len(inputs["x"])), original(self, inputs))[1],
    )
    np.testing.assert_allclose(est.predict(X), whole, rtol=1e-6)
    assert seen == [128, 128]


def test_a_chunk_for_which_memory_is_short_is_halved(data, monkeypatch):
    X, y = data
    est = quick().fit(X, y)
    whole, inner = est.predict(X), est.transform(X)
    est.predict(X[:1])
    seen = []
    original = type(est.net_.module_).represent

    def represent(self, inputs):
        seen.append(len(inputs["x"]))
        # The first half of the rows is gone when memory is short.
        rows = inputs["x"].clone()
        inputs["x"].zero_()
        if len(rows) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, {"x": rows})

    monkeypatch.setattr(type(est.net_.module_), "represent", represent)
    np.testing.assert_allclose(est.transform(X), inner, rtol=1e-6)
    assert seen[:6] == [256, 128, 64, 64, 128, 64]
    monkeypatch.setattr(type(est.net_.module_), "represent", original)
    np.testing.assert_array_equal(est.predict(X), whole)


def test_what_is_short_for_the_fewest_rows_is_an_error(data, monkeypatch):
    X, y = data
    est = quick().fit(X, y)
    est.transform(X)
    seen = []

    def short(self, inputs):
        seen.append(len(inputs["x"]))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(type(est.net_.module_), "represent", short)
    with pytest.raises(torch.OutOfMemoryError, match=r"CUDA out of memory\."):
        est.transform(X)
    assert seen == [256, 128, 64]


@pytest.mark.parametrize("at_once", [40, 64, 200])
def test_several_chunks_are_encoded_at_once_and_to_the_same_bits(at_once, monkeypatch):
    place = np.arange(300)
    X = pd.DataFrame({"area": np.sin(place), "colour": np.array(list("abc"))[place % 3]})
    est = quick().fit(X, {"price": np.cos(place)})
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 16 * 64)
    expected, sizes = est.predict(X)["price"], []
    original = FeatureEncoder.transform

    def transform(self, X, rows=None):
        sizes.append(rows.stop - rows.start)
        return original(self, X, rows)

    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", at_once * X.shape[1])
    monkeypatch.setattr(FeatureEncoder, "transform", transform)
    np.testing.assert_array_equal(est.predict(X)["price"], expected)
    # A stretch is a whole number of chunks; the first read is to measure a row.
    assert sizes[-2:] == {40: [64, 44], 64: [64, 44], 200: [192, 108]}[at_once]


@pytest.mark.parametrize(
    "settings", [{}, {"calibrate": False}, {"early_stopping": False}, {"ema_decay": None}]
)
def test_after_fit_the_network_is_in_evaluation_mode_and_gradients_are_off_in_predict(data, settings):
    X, y = data
    est = quick(**settings).fit(X, y)
    assert not any(module.training for module in est.net_.module_.modules())
    np.testing.assert_array_equal(est.predict(X), est.predict(X))
    assert torch.is_grad_enabled()


class Scaled(nn.Module):
    """Has a parameter without any dimension, as learned scales often are."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.layer = nn.Linear(4, 8)

    def forward(self, x):
        return self.scale * self.layer(x).relu()


def test_parameters_of_no_dimension_are_no_hindrance(data):
    X, y = data
    assert quick(trunk=Scaled(), preprocessing=None).fit(X, y).predict(X).shape == (200,)


class BatchNormed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("n_rows", [33, 65, 97])
def test_batch_normalisation_meets_no_batch_of_one_row(data, n_rows):
    X, y = data
    est = quick(trunk=BatchNormed(), batch_size=32, early_stopping=False).fit(X[:n_rows], y[:n_rows])
    np.testing.assert_allclose(est.predict(X[:1]), est.predict(X)[:1], rtol=1e-5)


class InPlace(nn.Module):
    """Changes what it is given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, x):
        return self.layer(x.mul_(-1))


@pytest.mark.parametrize("settings", [{}, {"early_stopping": False, "n_bags": 2}])
def test_a_module_that_works_in_place_changes_nothing_but_its_own_rows(data, settings):
    X, y = data
    X = X.astype(np.float32)
    before = X.copy()
    est = quick(trunk=InPlace(), preprocessing=None, **settings)
    est.fit(X, y, X_val=X[:50], y_val=y[:50])
    alone = [bag_responses([net], est._fitted.tasks, {"x": X})["y"] for net in est.nets_]
    together = bag_responses(est.nets_, est._fitted.tasks, {"x": X})["y"]
    np.testing.assert_array_equal(together, sum(alone[1:], alone[0]) / len(alone))
    est.predict(X[:3])
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_no_more_rows_are_encoded_at_once_than_a_stretch_or_a_chunk(data, preprocessing, monkeypatch):
    X, y = data
    est = quick(preprocessing=preprocessing).fit(X, y)
    whole = est.predict(X)
    encoded = []
    original = FeatureEncoder._encode
    monkeypatch.setattr(
        FeatureEncoder, "_encode", lambda *given: (encoded.append(len(given[1])), original(*given))[1]
    )
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 16 * 70)
    monkeypatch.setattr(encoder_module, "NUMBERS_AT_ONCE", 70 * X.shape[1])
    np.testing.assert_allclose(est.predict(X), whole, rtol=1e-6)
    assert encoded == [64, 64, 64, 8]


def test_a_transformer_of_the_users_encodes_all_rows_at_once(data, monkeypatch):
    X, y = data
    est = quick(preprocessing=FunctionTransformer(lambda X: X - X.mean(axis=0))).fit(X, y)
    whole = est.predict(X)
    monkeypatch.setattr(prediction, "FEWEST_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(prediction, "NUMBERS_AT_ONCE", 16 * 70)
    np.testing.assert_allclose(est.predict(X), whole, rtol=1e-6)
