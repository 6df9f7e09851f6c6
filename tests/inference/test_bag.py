"""What a bag of nets predicts is the average of what its nets respond."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.inference import bag_log_responses, bag_predictions, bag_representation, bag_responses
from sklearn_mtl.network import Blueprint
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.targets import read_targets
from sklearn_mtl.tasks import Classification, Regression, TaskSet
from sklearn_mtl.trunks import TabM

N_ROWS = 70


@pytest.fixture(scope="module")
def bag():
    """Three nets of different weights, their tasks and some rows."""
    columns = read_targets(
        {"price": np.linspace(100.0, 900.0, N_ROWS), "type": np.repeat(["flat", "house"], N_ROWS // 2)}
    ).columns
    kinds, ones = {"price": Regression(), "type": Classification()}, np.ones(N_ROWS)
    tasks = TaskSet(tuple(kind.bind(columns[name], ones) for name, kind in kinds.items()))
    spec = FeatureSpec((Block("x", (3,), n_continuous=3),))
    trunk = TabM((6,), members=2, embedding=None)
    blueprint = Blueprint(spec, tasks, trunk, HardSharing(), StaticWeights(), ((), ()), (1.0, 1.0))
    y, weight = (torch.tensor(part) for part in tasks.encode(columns, np.ones((N_ROWS, 2))))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = [
            SimpleNamespace(evaluated=blueprint.build({}), criterion_=blueprint.build_loss(y, weight))
            for _ in range(3)
        ]
    rows = {"x": np.random.default_rng(0).normal(size=(N_ROWS, 3)).astype(np.float32)}
    return nets, tasks, rows


def test_responses_are_the_mean_of_those_of_each_net(bag):
    nets, tasks, rows = bag
    each = [bag_responses([net], tasks, rows) for net in nets]
    for name, response in bag_responses(nets, tasks, rows).items():
        assert response.dtype == np.float64
        np.testing.assert_allclose(response, np.mean([one[name] for one in each], axis=0), rtol=1e-12)
        assert not np.array_equal(each[0][name], each[1][name])


def test_log_responses_are_the_logarithms_of_the_mean_probabilities(bag):
    nets, tasks, rows = bag
    of_house = bag_responses(nets, tasks, rows)["type"][:, 0, 0]
    found = np.exp(bag_log_responses(nets, tasks, rows)["type"])
    assert min(np.abs(found[..., i].ravel() - of_house).max() for i in range(found.shape[-1])) < 1e-12


def test_predictions_are_decided_by_the_mean_in_the_units_of_the_labels(bag):
    nets, tasks, rows = bag
    responses, predictions = bag_responses(nets, tasks, rows), bag_predictions(nets, tasks, rows)
    of_house = responses["type"][:, 0, 0] > 0.5
    assert set(of_house) == {True, False}
    np.testing.assert_array_equal(predictions["type"], np.where(of_house, "house", "flat"))
    scale, center = np.polyfit(responses["price"].ravel(), predictions["price"], 1)
    np.testing.assert_allclose(predictions["price"], scale * responses["price"].ravel() + center, rtol=1e-9)
    assert predictions["price"].dtype == np.float64
    assert center == pytest.approx(500.0)


def test_the_representation_is_that_of_the_first_net_averaged_over_members(bag):
    nets, _, rows = bag
    found = bag_representation(nets, rows)
    assert found.shape == (N_ROWS, 6)
    np.testing.assert_array_equal(found, bag_representation(nets[:1], rows))
    assert not np.array_equal(found, bag_representation(nets[1:], rows))


class Reader:
    """Encodes rows when they are asked for."""

    is_streamed = False
    at_once = 1
    groups = None
    buffer_size = 0

    def __init__(self, blocks):
        self.blocks, self.asked = blocks, []

    def __len__(self):
        return N_ROWS

    def read(self, rows):
        self.asked.append(rows)
        return {name: block[rows] for name, block in self.blocks.items()}


def test_rows_may_come_from_a_reader(bag):
    nets, tasks, rows = bag
    reader = Reader(rows)
    expected = bag_responses(nets, tasks, rows)
    for name, response in bag_responses(nets, tasks, reader).items():
        np.testing.assert_array_equal(response, expected[name])
    assert reader.asked


def test_rows_are_left_as_they_are(bag):
    nets, tasks, rows = bag
    before = rows["x"].copy()
    bag_predictions(nets, tasks, rows)
    np.testing.assert_array_equal(rows["x"], before)
