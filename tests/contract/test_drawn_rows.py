"""Every sampler and every augmentation keeps what the package promises of any: a line each in the tables."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.augmentation import AUGMENTATIONS, Augmentation, FeatureDropout, ImageAugmentation, Mixup
from sklearn_mtl.data import WholeBatches
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.sampling import SAMPLERS, ClassBalanced, Sampler, SampleWeighted, TaskBalanced
from sklearn_mtl.tasks import Ordinal, Survival
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, TabM
from tests.training.stacking.nets import plans_of, stacked_as_alone

CASES = {
    "task_balanced": {"sampler": TaskBalanced()},
    "class_balanced": {"sampler": ClassBalanced("binary0")},
    "sample_weighted": {"sampler": SampleWeighted()},
    "mixup": {"augmentation": Mixup(0.5)},
    "feature_dropout": {"augmentation": FeatureDropout(0.2)},
    "zeros": {"augmentation": FeatureDropout(0.2, "zero")},
    "images": {"augmentation": ImageAugmentation(0.4, flip="both", crop=0.2, cutout=0.3)},
    "both": {"sampler": TaskBalanced(0.5), "augmentation": Mixup(1.0)},
}
every_case = pytest.mark.parametrize("params", CASES.values(), ids=CASES.keys())


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        90, 5, n_regression=1, n_binary=1, n_multiclass=1, noise=0.5, missing_labels=0.3, random_state=1
    )
    return X, Y, np.random.default_rng(0).uniform(0.5, 2, size=90)


def suited(data, params):
    """The data, whose rows are images where the augmentation is for these."""
    X, *others = data
    is_for_images = isinstance(params.get("augmentation"), ImageAugmentation)
    return (X.reshape(-1, 1, 5, 1) if is_for_images else X, *others)


def make(**params):
    settings = {
        "trunk": MLP((8,)),
        "n_bags": 1,
        "max_epochs": 3,
        "batch_size": 32,
        "linear_blend": False,
        "precision": "float64",
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


def assert_same(one, other, X):
    expected, found = one.predict_proba(X), other.predict_proba(X)
    for name in expected:
        np.testing.assert_array_equal(expected[name], found[name])


def test_every_short_name_is_in_the_table():
    assert {*SAMPLERS, *AUGMENTATIONS} <= CASES.keys()
    for name, recipe in {**SAMPLERS, **AUGMENTATIONS}.items():
        assert recipe in {type(value) for value in CASES[name].values()}


@every_case
@pytest.mark.parametrize("trunk", [MLP((8,), dropout=0.3), TabM((8,), members=2)], ids=["mlp", "tabm"])
def test_nets_in_a_stack_are_those_trained_alone(data, params, trunk):
    data = suited(data, params)
    if data[0].ndim > 2 and isinstance(trunk, TabM):
        pytest.skip("TabM takes tables alone.")
    told = {"trunk": trunk, "batch_size": 32, "max_epochs": 3, "calibrate": False}
    plans = [
        *plans_of(data, **params, **told, n_bags=2),
        *plans_of(data, **params, **told, task_weights={"binary0": 3.0}),
        # Fewer rows, another seed, and nets without all this.
        *plans_of(
            (data[0][:61], {name: y[:61] for name, y in data[1].items()}, data[2][:61]), **params, **told
        ),
        *plans_of(data, **told, random_state=1),
        *plans_of(data, **told),
    ]
    stacked_as_alone(plans)


def test_what_differs_in_sampler_and_augmentation_is_one_stack(data):
    told = {"batch_size": 32, "max_epochs": 2, "calibrate": False}
    of_tables = [params for params in CASES.values() if suited(data, params)[0] is data[0]]
    stacked_as_alone([plan for params in of_tables for plan in plans_of(data, **params, **told)])


class Noise(Augmentation):
    """A user's own, which sometimes gives a row several labels."""

    def augment(self, batch, generator):
        noise = torch.randn(batch.inputs["x"].shape, generator=generator).to(batch.y)
        batch = batch._replace(inputs={"x": batch.inputs["x"] + noise})
        return batch if torch.rand((), generator=generator) < 0.5 else Mixup(1.0).augment(batch, generator)


class OwnRates(Sampler):
    def rates(self, labels):
        return 1 + labels.has_label.sum(1)


class Careless(Augmentation):
    def augment(self, batch, generator):
        return batch._replace(inputs={"x": batch.inputs["x"] + torch.rand(1)})


def test_those_of_a_user_are_trained_as_ours(data):
    told = {"sampler": OwnRates(), "augmentation": Noise(), "batch_size": 32, "calibrate": False}
    stacked_as_alone([*plans_of(data, **told), *plans_of(data, **told, random_state=3)])


def test_an_augmentation_that_draws_elsewhere_is_trained_alone(data):
    outcomes = dict(train_nets([plans_of(data, augmentation=Careless())[0] for _ in range(2)]))
    reasons = {outcome.not_stacked_because for outcome in outcomes.values()}
    assert reasons == {"its augmentation draws random numbers other than from its generator"}
    one, other = (make(augmentation=Careless()).fit(*data[:2]) for _ in range(2))
    assert_same(one, other, data[0])


class Returns(Augmentation):
    """Returns what a function makes of a batch."""

    def __init__(self, make):
        self.make = make

    def augment(self, batch, generator):
        return self.make(batch)


@pytest.mark.parametrize(
    ("make_batch", "error", "found"),
    [
        (lambda batch: None, TypeError, "Found None, of type NoneType"),
        (lambda batch: batch._replace(inputs={}), ValueError, "Found inputs of {} rows"),
        (lambda batch: batch._replace(inputs={"x": batch.inputs["x"][:3]}), ValueError, "of {'x': 3} rows"),
        (lambda batch: batch._replace(y=batch.y[:3], weight=batch.weight[:3]), ValueError, "3 of labels"),
        (
            lambda batch: batch._replace(weight=batch.weight[:, :1]),
            ValueError,
            "labels and weights of shapes",
        ),
    ],
    ids=["nothing", "no inputs", "fewer rows", "fewer labels", "other weights"],
)
def test_what_an_augmentation_returns_is_checked(data, make_batch, error, found):
    with pytest.raises(error, match=f"`augment` of Returns must return a Batch .*{found}"):
        make(augmentation=Returns(make_batch)).fit(*data[:2])


@every_case
def test_a_seed_is_a_result_and_another_one_is_another(data, params):
    X, Y, weight = suited(data, params)
    before = torch.get_rng_state()
    one = make(**params).fit(X, Y, sample_weight=weight)
    assert torch.equal(torch.get_rng_state(), before)
    assert_same(one, clone(one).fit(X, Y, sample_weight=weight), X)
    plain = make().fit(X, Y, sample_weight=weight)
    assert np.abs(one.predict(X)["regression0"] - plain.predict(X)["regression0"]).max() > 1e-6
    assert one.get_params()["sampler"] is params.get("sampler")


@every_case
def test_pickles_and_files_predict_the_same_and_keep_the_parameters(data, params, tmp_path):
    X, Y, weight = suited(data, params)
    est = make(**params).fit(X, Y, weight)
    save(est, tmp_path / "est.zip")
    for other in (pickle.loads(pickle.dumps(est)), load(tmp_path / "est.zip")):
        assert_same(est, other, X)
        assert repr(other.get_params()) == repr(est.get_params())
    assert np.isfinite(
        load(tmp_path / "est.zip").partial_fit(X, Y, None, weight).predict(X)["regression0"]
    ).all()


@every_case
def test_epochs_in_two_parts_are_epochs_at_once(data, params):
    X, Y, weight = suited(data, params)
    params = {**params, "patience": 20}
    whole = make(**params, max_epochs=6).fit(X, Y, weight)
    halves = make(**params, max_epochs=2, warm_start=True).fit(X, Y, weight)
    assert_same(whole, halves.set_params(max_epochs=6).fit(X, Y, weight), X)


@every_case
def test_parts_of_the_data_one_after_the_other(data, params):
    X, Y, weight = suited(data, params)
    est = make(**params)
    for part in (slice(0, 60), slice(60, 90), slice(0, 90)):
        est.partial_fit(X[part], {name: y[part] for name, y in Y.items()}, sample_weight=weight[part])
    assert len(est.history_) == 3
    assert np.isfinite(est.predict(X)["regression0"]).all()


@every_case
def test_rows_on_a_disk_and_groups(data, params, tmp_path):
    X, Y, weight = suited(data, params)
    X = np.ascontiguousarray(X, dtype=np.float32)
    np.save(tmp_path / "X.npy", X)
    told = {**params, "preprocessing": None, "precision": "float32"}
    fit_params = {"sample_weight": weight, "groups": np.arange(90) // 3}
    in_memory = make(**told).fit(X, Y, **fit_params)
    streamed = make(**told).fit(np.load(tmp_path / "X.npy", mmap_mode="r"), Y, **fit_params)
    assert_same(in_memory, streamed, X)


def test_a_grid_over_samplers_and_augmentations_is_that_of_scikit_learn(data):
    X, Y, _ = data
    est = make(augmentation="mixup", sampler="task_balanced", calibrate=False)
    grid = [
        {"sampler": ["task_balanced", None], "augmentation__alpha": [0.1, 1.0]},
        {"augmentation": [None, FeatureDropout()], "sampler__exponent": [0.0, 1.0]},
    ]
    stacked = StackedGridSearchCV(est, grid, cv=2).fit(X, Y)
    plain = GridSearchCV(est, grid, cv=2).fit(X, MultiTaskTarget(Y))
    for split in range(2):
        key = f"split{split}_test_score"
        np.testing.assert_allclose(stacked.cv_results_[key], plain.cv_results_[key], rtol=1e-6)
    assert len({*stacked.cv_results_["mean_test_score"].round(9)}) == 8


def test_parameters_of_what_is_not_there_are_refused():
    with pytest.raises(ValueError, match=r"`augmentation` must be one of .*'mixup'\], .* before \['alpha'\]"):
        make().set_params(augmentation__alpha=0.3)
    est = make(augmentation="mixup").set_params(augmentation__alpha=0.3)
    assert est.augmentation.alpha == 0.3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sampler": "balanced"}, "`sampler` must be None, one of .*'task_balanced'.* Found 'balanced'"),
        ({"sampler": Mixup()}, "`sampler` must be None"),
        (
            {"augmentation": "cutmix"},
            r"`augmentation` must be None, one of \['feature_dropout', 'images', 'mixup'\]",
        ),
        ({"augmentation": Mixup(-1)}, "`alpha` of Mixup must be a positive number"),
        ({"augmentation": ImageAugmentation(2)}, "`shift` of ImageAugmentation must be a number from 0"),
        ({"augmentation": "images"}, r"ImageAugmentation is for images.* rows of shape \(5,\)"),
        ({"augmentation": FeatureDropout(2)}, "`rate` of FeatureDropout must be a number from 0"),
        ({"sampler": ClassBalanced("colour")}, "`task` of ClassBalanced must be a task .* Found 'colour'"),
        ({"sampler": "class_balanced"}, r"\['binary0', 'multiclass0'\]\. Found None"),
        ({"sampler": TaskBalanced(2)}, "`exponent` of TaskBalanced must be a number from 0 to 1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_what_is_wrong_is_found_before_training(data, params, message, how, monkeypatch):
    monkeypatch.setattr("sklearn_mtl.training.net.MultiTaskNet.open_training", None)
    with pytest.raises(ValueError, match=message):
        getattr(make(**params), how)(*data[:2])


@pytest.mark.filterwarnings("ignore:These rows have too few labels")
def test_a_fold_without_the_task_of_the_sampler_is_trained_without_it():
    X = np.random.default_rng(0).normal(size=(60, 2))
    type_ = np.where(np.arange(60) < 30, np.where(X[:, 0] > 0, "a", "b"), None)
    Y = MultiTaskTarget({"price": X[:, 1], "type": type_})
    search = StackedGridSearchCV(make(sampler=ClassBalanced("type")), {"lr": [0.01, 0.02]}, cv=2, refit=False)
    with pytest.warns(UserWarning, match="have no label of the tasks"):
        search.fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_loss_of_a_mixed_row_is_the_mix_of_both_for_every_kind():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 3))
    Y = {
        "price": np.where(rng.random(64) < 0.2, np.nan, X[:, 0]),
        "type": np.array(["a", "b", "c"], dtype=object)[rng.integers(3, size=64)],
        "sold": X[:, 1] > 0,
        "tags": (rng.random((64, 3)) < 0.5).astype(int),
        "grade": rng.integers(1, 5, size=64),
        "life": np.c_[rng.exponential(size=64) + 0.1, rng.integers(2, size=64)],
        "mid": X[:, 2],
    }
    est = make(
        tasks={"grade": Ordinal(), "life": Survival(n_intervals=4), "tags": "multilabel"},
        early_stopping=False,
        augmentation=Mixup(1.0),
    )
    (plan,) = est._plan(FitData(X, Y, rng.uniform(0.5, 2, size=64)), Stages()).plans
    criterion = make_ready(plan).net.criterion_
    batch = plan.train.rows(slice(None))
    mixed = plan.train.augmentation.augment(batch, torch.Generator().manual_seed(0))
    raw = torch.randn(64, 2, plan.blueprint.tasks.raw_width, dtype=torch.float64, requires_grad=True)
    together = criterion.losses(mixed.for_labels(raw), mixed.y, mixed.weight)
    one, other = (criterion.losses(raw, mixed.y[i::2], mixed.weight[i::2]) for i in (0, 1))
    torch.testing.assert_close(together.total, one.total + other.total)
    torch.testing.assert_close(together.mass, one.mass + other.mass)
    # The gradient too, each by the mass of both.
    rates = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    criterion.balancer.backward(together, rates, None, ())
    expected = one.gradient(rates * one.mass / together.mass) + other.gradient(
        rates * other.mass / together.mass
    )
    torch.testing.assert_close(raw.grad, expected)


def test_sample_weights_are_the_same_loss_on_average():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    weight = rng.exponential(size=400)
    Y = {"price": X[:, 0], "sold": X[:, 1] > 0}
    told = {"early_stopping": False, "max_epochs": 1, "calibrate": False}
    drawn, weighed = (
        make(sampler=s, **told)._plan(FitData(X, Y, weight), Stages()) for s in ("sample_weighted", None)
    )
    one, other = drawn.plans[0], weighed.plans[0]
    np.testing.assert_array_equal(one.train.weight, other.train.weight)
    torch.testing.assert_close(
        make_ready(one).net.criterion_.losses.baseline, make_ready(other).net.criterion_.losses.baseline
    )
    batches = [batch for _ in range(50) for batch in WholeBatches(one.train, 400, shuffle=True)]
    drawn_mean = np.mean([(batch.weight * batch.y).sum(0) / batch.weight.sum(0) for batch in batches], axis=0)
    expected = (other.train.weight * other.train.y).sum(0) / other.train.weight.sum(0)
    np.testing.assert_allclose(drawn_mean, expected, atol=0.01)


@pytest.mark.parametrize("sampler", ["sample_weighted", SampleWeighted()], ids=["name", "object"])
def test_there_must_be_weights_to_draw_by(data, sampler):
    X, Y, weight = data
    rule = r"`sample_weight` must be given where `sampler` draws .* as SampleWeighted does\. Found None\."
    est = make(sampler=sampler, warm_start=True)
    for fit in (est.fit, est.partial_fit):
        with pytest.raises(ValueError, match=rule):
            fit(X, Y)
    assert not hasattr(est, "history_")
    est.fit(X, Y, weight).set_params(max_epochs=5)
    for fit in (est.fit, est.partial_fit):
        with pytest.raises(ValueError, match=rule):
            fit(X, Y)
    assert len(est.history_) == 3


def test_searches_hand_weights_to_the_sampler_or_say_that_there_are_none(data):
    X, Y, weight = data
    grid = {"sampler": ["sample_weighted", "task_balanced"]}
    search = StackedGridSearchCV(make(calibrate=False), grid, cv=2)
    assert np.isfinite(search.fit(X, Y, sample_weight=weight).cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="`sample_weight` must be given where `sampler` draws"):
        search.set_params(error_score="raise").fit(X, Y)
