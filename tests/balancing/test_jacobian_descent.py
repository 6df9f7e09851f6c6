"""Any aggregator of TorchJD is a balancing method, as an object too."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torchjd import aggregation

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import BALANCERS, PCD, CAGrad, GradDrop, GradVac, JacobianDescent, NashMTL, PCGrad
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.recipes import resolve
from sklearn_mtl.trunks import MLP

GRADIENTS = torch.tensor([[1.0, 0.5, -1.0, 0.2], [-0.5, 2.0, 1.0, 0.0], [0.3, -1.0, 1.0, 3.0]])
ONES = torch.ones(3)
SMOOTHED = aggregation.GramianWeightedAggregator(aggregation.CRMOGMWeighting(aggregation.UPGradWeighting()))
OBJECTS = [
    aggregation.Mean(),
    aggregation.Sum(),
    aggregation.Random(),
    aggregation.Constant(torch.tensor([1.0, 2.0, 3.0])),
    aggregation.Krum(n_byzantine=0),
    aggregation.TrimmedMean(1),
    aggregation.ExcessMTL(),
    aggregation.UPGrad(pref_vector=torch.tensor([1.0, 2.0, 3.0])),
    aggregation.GradDrop(leak=torch.tensor([0.0, 0.5, 1.0])),
    SMOOTHED,
]
every_object = pytest.mark.parametrize("aggregator", OBJECTS, ids=lambda one: type(one).__name__)


@pytest.fixture(scope="module")
def data():
    return make_multitask(60, 4, n_regression=2, n_binary=1, missing_labels=0.2, random_state=0)


def make(balancing, **params):
    settings = {"trunk": MLP((6,)), "n_bags": 2, "max_epochs": 3, "batch_size": 16, "linear_blend": False}
    return MultiTaskClassifierRegressor(balancing=balancing, random_state=0, **{**settings, **params})


@every_object
def test_as_torchjd_has_it(aggregator):
    balancer = JacobianDescent(aggregator).fresh(3)
    for step in range(2):
        torch.manual_seed(step)
        found = balancer(GRADIENTS, ONES, ONES)
        torch.manual_seed(step)
        if step == 0:
            theirs = clone(JacobianDescent(aggregator)).aggregator
            torch.manual_seed(step)
        torch.testing.assert_close(found, theirs(GRADIENTS))


@every_object
def test_fits_and_copies(aggregator, data):
    est = make(aggregator).fit(*data)
    scores = est.score_tasks(*data)
    assert np.isfinite(scores).all()
    assert np.isfinite(est.history_.filter(like="weight_")).all(axis=None)
    assert (clone(est).fit(*data).score_tasks(*data) == scores).all()
    assert (pickle.loads(pickle.dumps(est)).score_tasks(*data) == scores).all()
    first, second = (net.criterion_.balancer for net in est.nets_)
    assert first.running[0] is not second.running[0]
    est.partial_fit(*data)


def test_the_users_object_is_left_as_it_is(data):
    aggregator = aggregation.GradVac(beta=0.3, eps=1e-6)
    make(aggregator).fit(*data)
    assert aggregator.gramian_weighting._phi_t is None


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [
        (aggregation.PCGrad(), PCGrad()),
        (aggregation.CAGrad(c=0.2), CAGrad(c=0.2)),
        (aggregation.GradVac(beta=0.1), GradVac(beta=0.1)),
        (aggregation.GradDrop(), GradDrop()),
        (aggregation.PCD(tau=0.1, beta=0.9), PCD(tau=0.1, beta=0.9)),
        (aggregation.NashMTL(n_tasks=3, max_norm=2.0), NashMTL(max_norm=2.0)),
        *(
            (THEIRS(), method())
            for THEIRS, method in (
                (getattr(aggregation, method.__name__), method)
                for name, method in BALANCERS.items()
                if name in ("aligned_mtl", "config", "dualproj", "imtl_g", "mgda", "upgrad")
            )
        ),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_object_is_the_method_of_its_name(aggregator, expected):
    assert repr(resolve(BALANCERS, aggregator)) == repr(expected)


@pytest.mark.parametrize(
    "aggregator",
    [
        aggregation.CAGrad(c=0.2, norm_eps=1e-3),
        aggregation.PCD(tau=torch.tensor([0.1, 0.2])),
        aggregation.GradDrop(f=torch.sqrt),
        aggregation.NashMTL(n_tasks=3, update_weights_every=2),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_object_with_more_to_it_is_taken_as_it_is(aggregator):
    assert type(resolve(BALANCERS, aggregator)) is JacobianDescent


def test_parameters_of_an_object_are_searched_by_name():
    est = make(aggregation.CAGrad(c=0.2)).set_params(balancing__c=0.5)
    assert est.balancing.c == 0.5
    assert make("cagrad").set_params(balancing__c=0.5).get_params()["balancing__c"] == 0.5


def test_rows_of_tasks_that_take_no_part():
    weights = torch.tensor([1.0, 0.0, 1.0])
    left_out = JacobianDescent(aggregation.Mean()).fresh(3)
    torch.testing.assert_close(left_out(GRADIENTS, ONES, weights), GRADIENTS[[0, 2]].mean(0))
    for aggregator in (aggregation.TrimmedMean(1), aggregation.ExcessMTL()):
        of_zeros = JacobianDescent(aggregator).fresh(3)
        expected = clone(JacobianDescent(aggregator)).aggregator(GRADIENTS * weights[:, None])
        torch.testing.assert_close(of_zeros(GRADIENTS * weights[:, None], ONES, weights), expected)
    assert (left_out(GRADIENTS, ONES, torch.zeros(3)) == 0).all()


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (3, r"`aggregator` of JacobianDescent must be an Aggregator of TorchJD\. Found 3\."),
        (aggregation.UPGradWeighting(), r"must be an Aggregator of TorchJD\. Found UPGradWeighting"),
        (aggregation.Krum(n_byzantine=2), r"must take the gradients of all tasks, 3\. Found Krum\(.*and: "),
        (aggregation.Constant(torch.ones(2)), r"must take the gradients of all tasks, 3\. Found Constant"),
    ],
)
def test_what_is_no_aggregator_of_these_tasks(aggregator, message, data):
    with pytest.raises(ValueError, match=message):
        make(JacobianDescent(aggregator)).fit(*data)


def test_without_torchjd_all_else_works_and_the_extra_is_named():
    code = """
import sys
sys.modules["torchjd"] = None
from sklearn_mtl.balancing import BALANCERS, DWA
DWA().fresh(2)
for name in ("pcgrad", "graddrop"):
    try:
        BALANCERS[name]().fresh(2)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count('pip install "sklearn-mtl[gradient]"') == 2


def test_files_hold_the_method_that_was_made_of_an_object(tmp_path, data):
    est = make(aggregation.CAGrad(c=0.2), n_bags=1).fit(*data)
    save(est, tmp_path / "est.mtl")
    found = load(tmp_path / "est.mtl")
    assert repr(found.balancing) == repr(CAGrad(c=0.2))
    assert isinstance(est.balancing, aggregation.CAGrad)
    np.testing.assert_array_equal(found.predict(data[0])["regression0"], est.predict(data[0])["regression0"])


def test_files_of_other_objects_are_given_an_instance(tmp_path, data):
    est = make(aggregation.TrimmedMean(1), n_bags=1).fit(*data)
    save(est, tmp_path / "est.mtl")
    with pytest.raises(ValueError, match="it lacks 'TrimmedMean'"):
        load(tmp_path / "est.mtl")
    found = load(tmp_path / "est.mtl", modules={"TrimmedMean": aggregation.TrimmedMean(1)})
    assert repr(found.balancing) == repr(JacobianDescent(aggregation.TrimmedMean(1)))
    assert np.isfinite(found.partial_fit(*data).predict(data[0])["regression0"]).all()
