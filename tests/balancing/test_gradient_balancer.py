"""Where gradients are compared, and what is refused."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import BALANCERS, GradientBalancer, PCGrad, UPGrad
from sklearn_mtl.balancing.gradient_balancer import leaves_beside
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.trunks import MLP, ModuleTrunk

METHODS = [name for name, method in BALANCERS.items() if issubclass(method, GradientBalancer)]
# Of one representation for each task.
PER_TASK = ["mmoe", "cross_stitch", "ple", "task_attention"]


class SumOfAll(GradientBalancer):
    """What static weights do, by way of gradients."""

    def __init__(self, at="parameters"):
        super().__init__()
        self.at = at

    @property
    def at_representation(self):
        return self.at == "representation"

    def forward(self, gradients, losses, weights):
        return weights @ gradients


@pytest.fixture(scope="module")
def data():
    return make_multitask(60, 4, n_regression=2, n_binary=1, missing_labels=0.2, random_state=0)


def make(balancing, **params):
    settings = {
        "trunk": MLP((8, 6)),
        "n_bags": 1,
        "max_epochs": 3,
        "batch_size": 16,
        "linear_blend": False,
        "precision": "float64",
    }
    return MultiTaskClassifierRegressor(balancing=balancing, random_state=0, **{**settings, **params})


@pytest.mark.parametrize("at", ["parameters", "representation"])
@pytest.mark.parametrize("params", [{}, {"head_hidden_sizes": (5,)}, {"sharing": "cascade"}], ids=str)
def test_the_sum_of_gradients_is_static_weights(at, params, data):
    if params.get("sharing") == "cascade":
        if at == "representation":
            pytest.skip("each task has a representation of its own")
        params = {"sharing": SHARINGS["cascade"](["regression0", "binary0"])}
    expected, found = (
        make(balancing, task_weights={"regression1": 0.5}, **params).fit(*data)
        for balancing in (None, SumOfAll(at))
    )
    np.testing.assert_allclose(found.score_tasks(*data), expected.score_tasks(*data), rtol=1e-9)


@pytest.mark.parametrize(
    "sharing", [name for name in SHARINGS if name not in ("separate", "hierarchical", "cascade")]
)
def test_the_sum_of_gradients_is_static_weights_however_tasks_share(sharing, data):
    expected, found = (make(one, sharing=sharing, max_epochs=1).fit(*data) for one in (None, SumOfAll()))
    np.testing.assert_allclose(found.score_tasks(*data), expected.score_tasks(*data), rtol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_at_the_representation(name, data):
    at_parameters, at_representation = (
        make(BALANCERS[name](at=at)).fit(*data) for at in ("parameters", "representation")
    )
    assert np.isfinite(at_representation.score_tasks(*data)).all()
    assert (at_representation.score_tasks(*data) != at_parameters.score_tasks(*data)).any()


@pytest.mark.parametrize("sharing", PER_TASK)
def test_tasks_with_representations_of_their_own_have_nothing_to_compare_there(sharing, data):
    with pytest.raises(ValueError, match=r"`at` of UPGrad must be 'parameters' where each task has"):
        make(UPGrad(at="representation"), sharing=sharing).fit(*data)


@pytest.mark.parametrize(
    "params",
    [{"sharing": "separate"}, {"trunk": ModuleTrunk(nn.Linear(4, 6), frozen=True), "preprocessing": None}],
    ids=["separate", "frozen"],
)
def test_where_nothing_is_shared(params, data):
    with pytest.raises(
        ValueError, match=r"`balancing` PCGrad goes by gradients of parameters that tasks share"
    ):
        make(PCGrad(), **params).fit(*data)


def test_a_penalty_is_minimised_too(data):
    expected, found = (make(one, sharing="soft", max_epochs=1).fit(*data) for one in (None, SumOfAll()))
    np.testing.assert_allclose(found.score_tasks(*data), expected.score_tasks(*data), rtol=1e-9)


def test_half_precision(data):
    for at in ("parameters", "representation"):
        est = make(UPGrad(at=at), precision="bf16").fit(*data)
        assert np.isfinite(est.score_tasks(*data)).all()


def test_parameters_beside_what_is_shared():
    shared, own = nn.Linear(2, 3), nn.Linear(3, 1)
    hidden = shared(torch.ones(4, 2))
    raw = own(hidden)
    assert {id(leaf) for leaf in leaves_beside(raw, list(shared.parameters()))} == set(
        map(id, own.parameters())
    )
    assert {id(leaf) for leaf in leaves_beside(raw, [hidden])} == set(map(id, own.parameters()))


class Copying(Callback):
    def on_epoch_end(self, net, **kwargs):
        deepcopy(net)


def test_callbacks_may_copy_a_net_that_notes_its_representation(data):
    est = make(SumOfAll("representation"), callbacks=[Copying()]).fit(*data)
    assert np.isfinite(est.score_tasks(*data)).all()
