"""What holds of every fit, whatever the data: symmetries, invariances, and what must be left alone."""

import copy
import random
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.data import Batch
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.inference import bag_responses
from sklearn_mtl.tasks import Classification, Ordinal, Regression, Survival
from sklearn_mtl.training import steps
from sklearn_mtl.training.stacking import joint_update
from sklearn_mtl.trunks import MLP


def quick(**params):
    """A small network, trained to the end on all rows in float64, with nothing random but its seed."""
    settings = {
        "trunk": MLP((16,)),
        "n_bags": 1,
        "max_epochs": 4,
        "batch_size": 32,
        "early_stopping": False,
        "precision": "float64",
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


def full_batch(**params):
    return quick(batch_size=10_000, preprocessing=None, max_epochs=10, lr=0.02, **params)


def trunk_state(estimator):
    return {k: v for k, v in estimator.net_.module_.state_dict().items() if k.startswith("sharing.")}


def assert_same_trunk(left, right):
    ours, theirs = trunk_state(left), trunk_state(right)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def assert_same_predictions(left, right, X):
    for name, values in left.predict(X).items():
        np.testing.assert_array_equal(values, right.predict(X)[name])
    if hasattr(left, "predict_proba"):
        for name, values in left.predict_proba(X).items():
            np.testing.assert_array_equal(values, right.predict_proba(X)[name])


class StartHeadsAtZero(Callback):
    """Heads that start alike in any order of the tasks."""

    def on_train_begin(self, net, **kwargs):
        for parameter in net.module_.heads.parameters():
            parameter.data.zero_()


@pytest.fixture
def four_tasks() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return make_multitask(
        n_samples=100, n_features=5, n_regression=2, n_binary=1, n_multiclass=1, n_factors=2, random_state=1
    )


def with_grades_and_times(Y):
    """Labels with an ordinal and a survival task besides, and what says so."""
    grade = np.digitize(Y["regression0"], [-0.5, 0.3, 1.0])
    relapse = np.column_stack([np.exp(Y["regression1"]), Y["binary0"]])
    return {**Y, "grade": grade, "relapse": relapse}, {"grade": Ordinal(), "relapse": Survival(8)}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


# Symmetries


@pytest.mark.parametrize(
    "order", [("multiclass0", "regression1", "binary0", "regression0"), ("regression1", "regression0")]
)
def test_permuting_the_tasks_permutes_the_outputs(four_tasks, order):
    X, Y = four_tasks
    Y = {name: Y[name] for name in sorted(order)}
    settings = {"callbacks": [StartHeadsAtZero()], "ema_decay": None, "task_weights": {"regression1": 0.3}}
    one = quick(**settings).fit(X, Y)
    other = quick(**settings).fit(X, {name: Y[name] for name in order})
    assert list(other.predict(X)) == list(order)
    for name in order:
        if name.startswith("regression"):
            np.testing.assert_allclose(one.predict(X)[name], other.predict(X)[name], rtol=1e-10, atol=1e-12)
        else:
            np.testing.assert_allclose(
                one.predict_proba(X)[name], other.predict_proba(X)[name], rtol=1e-10, atol=1e-12
            )
        for column in (f"train_loss_{name}", f"weight_{name}"):
            np.testing.assert_allclose(one.history_[column], other.history_[column], rtol=1e-10)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile", "gaussian_nll"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_rescaling_and_shifting_a_target_does_that_to_its_predictions_and_nothing_to_the_others(
    four_tasks, loss, early_stopping
):
    X, Y = four_tasks
    settings = {"tasks": {"regression0": Regression(loss)}, "early_stopping": early_stopping}
    one = quick(**settings).fit(X, Y)
    other = quick(**settings).fit(X, {**Y, "regression0": 1000 * Y["regression0"] - 77})
    expected = 1000 * one.predict(X)["regression0"] - 77
    np.testing.assert_allclose(other.predict(X)["regression0"], expected, rtol=1e-8)
    np.testing.assert_allclose(other.predict(X)["regression1"], one.predict(X)["regression1"], rtol=1e-8)
    np.testing.assert_allclose(
        other.predict_proba(X)["multiclass0"], one.predict_proba(X)["multiclass0"], rtol=1e-8
    )


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_rescaling_a_positive_target_rescales_its_predictions(four_tasks, loss):
    X, Y = four_tasks
    Y = {"count": np.exp(Y["regression0"]), "other": Y["regression1"]}
    settings = {"tasks": {"count": Regression(loss)}}
    one = quick(**settings).fit(X, Y)
    other = quick(**settings).fit(X, {**Y, "count": 250 * Y["count"]})
    np.testing.assert_allclose(other.predict(X)["count"], 250 * one.predict(X)["count"], rtol=1e-8)
    np.testing.assert_allclose(other.predict(X)["other"], one.predict(X)["other"], rtol=1e-8)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rescaling_times_rescales_predicted_times_and_nothing_else(four_tasks, early_stopping):
    X, Y = four_tasks
    Y, tasks = with_grades_and_times(Y)
    one = quick(tasks=tasks, early_stopping=early_stopping).fit(X, Y)
    other = quick(tasks=tasks, early_stopping=early_stopping)
    other.fit(X, {**Y, "relapse": Y["relapse"] * [365.25, 1]})
    np.testing.assert_allclose(other.predict(X)["relapse"], 365.25 * one.predict(X)["relapse"], rtol=1e-8)
    np.testing.assert_allclose(other.predict(X)["regression0"], one.predict(X)["regression0"], rtol=1e-8)
    assert other.score_tasks(X, {**Y, "relapse": Y["relapse"] * [365.25, 1]})["relapse"] == pytest.approx(
        one.score_tasks(X, Y)["relapse"]
    )


def test_grades_by_name_are_grades_by_number(four_tasks):
    X, Y = four_tasks
    Y, tasks = with_grades_and_times(Y)
    names = np.array(["poor", "fair", "good", "best"], dtype=object)
    one = quick(tasks=tasks).fit(X, Y)
    other = quick(tasks={**tasks, "grade": Ordinal(order=names)}).fit(X, {**Y, "grade": names[Y["grade"]]})
    assert (other.predict(X)["grade"] == names[one.predict(X)["grade"]]).all()
    # Columns are in sorted order of the classes.
    found = other.predict_proba(X)["grade"][:, np.argsort(np.argsort(names))]
    np.testing.assert_array_equal(found, one.predict_proba(X)["grade"])


def test_renaming_classes_renames_the_predictions(four_tasks):
    X, Y = four_tasks
    names = np.array(["a", "b", "c"], dtype=object)
    one = quick().fit(X, Y)
    other = quick().fit(X, {**Y, "multiclass0": names[Y["multiclass0"]]})
    assert (other.predict(X)["multiclass0"] == names[one.predict(X)["multiclass0"]]).all()
    np.testing.assert_array_equal(other.predict_proba(X)["multiclass0"], one.predict_proba(X)["multiclass0"])


# One task is a plain network


def plain_network(X, encoded, row_loss, *, epochs, batch_size, random_state):
    """Train one hidden layer by hand, with the seed and the order of draws that `fit` has."""
    seed = np.random.RandomState(random_state).randint(np.iinfo(np.int32).max, size=1)[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        hidden = nn.Linear(X.shape[1], 16)
        # The head draws weights, then biases, each uniform in ±1/√16; no others are drawn.
        head = nn.utils.skip_init(nn.Linear, 16, 1)
        head.weight.data = torch.empty(16, 1).uniform_(-1, 1).T / 4
        head.bias.data = torch.empty(1).uniform_(-1, 1) / 4
        network = nn.Sequential(hidden, nn.ReLU(), head).double()
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
        inputs, targets = torch.from_numpy(X), torch.from_numpy(encoded)
        for _ in range(epochs):
            order = torch.randperm(len(X))
            for batch in order.split(batch_size):
                optimizer.zero_grad()
                row_loss(network(inputs[batch])[:, 0], targets[batch]).backward()
                optimizer.step()
    with torch.no_grad():
        return network, network(inputs)[:, 0].numpy()


def test_one_regression_task_is_a_plain_network():
    X, Y = make_multitask(n_samples=96, n_features=4, n_factors=2, random_state=0)
    y = 3 + 10 * Y["regression0"]
    est = quick(
        preprocessing=None, lr=3e-3, lr_schedule=None, ema_decay=None, calibrate=False, random_state=5
    ).fit(X, {"y": y})
    network, raw = plain_network(
        X, (y - y.mean()) / y.std(), nn.MSELoss(), epochs=4, batch_size=32, random_state=5
    )
    np.testing.assert_allclose(
        est.net_.module_.sharing.trunk.stages[0][0].weight.detach(), network[0].weight.detach(), rtol=1e-6
    )
    inside = np.clip(raw * y.std() + y.mean(), y.min(), y.max())
    np.testing.assert_allclose(est.predict(X)["y"], inside, rtol=1e-6)


def test_one_binary_task_is_a_plain_network():
    X, Y = make_multitask(n_samples=96, n_features=4, n_regression=0, n_binary=1, n_factors=2, random_state=0)
    y = Y["binary0"]
    share = y.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))

    def loss(logit, target):
        return nn.functional.binary_cross_entropy_with_logits(logit, target) / entropy

    est = quick(preprocessing=None, lr=3e-3, lr_schedule=None, ema_decay=None, random_state=5).fit(
        X, {"y": y}
    )
    _, raw = plain_network(X, y.astype(float), loss, epochs=4, batch_size=32, random_state=5)
    np.testing.assert_allclose(est.predict_proba(X)["y"][:, 1], 1 / (1 + np.exp(-raw)), rtol=1e-6)


# Missing labels and weights


def test_what_lies_under_a_missing_label_does_not_matter(four_tasks):
    X, _ = four_tasks
    gaps = np.arange(100) % 7 == 0
    values = np.random.RandomState(0).randint(0, 3, size=100)
    fits = []
    for hidden in (0, 2, 10**6):
        under = pd.arrays.IntegerArray(np.where(gaps, hidden, values), gaps)
        flag = pd.arrays.BooleanArray(np.where(gaps, hidden > 0, values > 0), gaps)
        number = pd.arrays.FloatingArray(np.where(gaps, float(hidden), X[:, 0]), gaps)
        fits.append(quick(early_stopping=True).fit(X, {"int": under, "bool": flag, "float": number}))
    for other in fits[1:]:
        for name in ("int", "bool", "float"):
            assert (np.asarray(fits[0].predict(X)[name]) == np.asarray(other.predict(X)[name])).all()
        for name in ("int", "bool"):
            np.testing.assert_array_equal(fits[0].predict_proba(X)[name], other.predict_proba(X)[name])


def test_a_missing_label_has_no_gradient(mixed):
    X, Y = mixed
    est = quick().fit(X, Y)
    net, table = est.net_, est._encoded(X)[0].read(slice(None))
    inputs = {name: torch.as_tensor(block, dtype=torch.float64) for name, block in table.items()}
    n_columns = len(est.tasks_)
    gradients = []
    for hidden in (0.0, 1.0):
        y = torch.zeros(len(X), n_columns, dtype=torch.float64)
        weight = torch.ones_like(y)
        weight[:, 1] = 0
        weight[::2, 0] = 0
        y[:, 1] = hidden
        y[::2, 0] = 1e9 * hidden
        net.module_.zero_grad()
        net.train_step_single(Batch(inputs, y, weight))
        gradients.append({name: p.grad.clone() for name, p in net.module_.named_parameters()})
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])
    # The task without a label in the batch: its head stays where it is.
    (head,) = net.module_.heads.branches
    columns = est._fitted.tasks.groups[1].raw
    assert (gradients[0]["heads.branches.0.weight"][:, columns] == 0).all()
    assert (gradients[0]["heads.branches.0.weight"][:, :1] != 0).any()
    assert head.weight.shape[1] == est._fitted.tasks.raw_width


@pytest.mark.parametrize("settings", [{}, {"preprocessing": "auto", "early_stopping": True}])
def test_a_row_without_any_label_changes_nothing(four_tasks, settings):
    X, Y = four_tasks
    gaps = np.arange(100) % 9 == 4
    with_gaps = {
        "number": np.where(gaps, np.nan, Y["regression0"]),
        "class": np.where(gaps, None, Y["multiclass0"].astype(object)),
    }
    without = {name: values[~gaps] for name, values in with_gaps.items()}
    one = quick(batch_size=1000, **settings).fit(X, with_gaps)
    other = quick(batch_size=1000, **settings).fit(X[~gaps], without)
    assert_same_predictions(one, other, X)
    pd.testing.assert_frame_equal(one.history_, other.history_)


def weight_case(four_tasks):
    X, Y = four_tasks
    weight = np.random.RandomState(0).randint(0, 3, size=100).astype(float)
    return X, Y, weight, np.repeat(np.arange(100), weight.astype(int))


def test_a_weight_of_two_is_the_row_twice(four_tasks):
    X, Y, weight, repeated = weight_case(four_tasks)
    Y, tasks = with_grades_and_times(Y)
    settings = {"tasks": {**tasks, "multiclass0": Classification(class_weight="balanced")}}
    one = full_batch(**settings).fit(X, Y, sample_weight=weight)
    other = full_batch(**settings).fit(X[repeated], {name: y[repeated] for name, y in Y.items()})
    for name in ("regression0", "regression1", "relapse"):
        np.testing.assert_allclose(one.predict(X)[name], other.predict(X)[name], rtol=1e-7, atol=1e-9)
    for name in ("binary0", "multiclass0", "grade"):
        np.testing.assert_allclose(
            one.predict_proba(X)[name], other.predict_proba(X)[name], rtol=1e-7, atol=1e-9
        )


@pytest.mark.parametrize("settings", [{}, {"preprocessing": "auto", "early_stopping": True}])
def test_a_weight_of_zero_leaves_the_row_out(four_tasks, settings):
    X, Y = four_tasks
    weight = (np.arange(100) % 4 > 0).astype(float)
    keep = weight > 0
    Y, tasks = with_grades_and_times(Y)
    settings = {**settings, "tasks": tasks}
    one = quick(**settings).fit(X, Y, sample_weight=weight)
    other = quick(**settings).fit(X[keep], {name: y[keep] for name, y in Y.items()})
    assert_same_predictions(one, other, X)


def test_a_weight_of_zero_for_one_task_is_a_missing_label(four_tasks):
    X, Y = four_tasks
    Y = {name: Y[name] for name in ("regression0", "multiclass0")}
    out = np.arange(100) % 4 == 0
    one = quick().fit(X, Y, sample_weight={"regression0": (~out).astype(float)})
    other = quick().fit(X, {**Y, "regression0": np.where(out, np.nan, Y["regression0"])})
    assert_same_predictions(one, other, X)


def test_all_sample_weights_times_a_constant_change_nothing(four_tasks):
    X, Y, weight, _ = weight_case(four_tasks)
    one, other = (quick(early_stopping=True).fit(X, Y, sample_weight=c * weight) for c in (1.0, 8.0))
    np.testing.assert_allclose(one.predict(X)["regression0"], other.predict(X)["regression0"], rtol=1e-9)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_task_of_weight_zero_leaves_the_trunk_alone(four_tasks, early_stopping):
    X, Y = four_tasks
    shuffled = {**Y, "binary0": np.random.RandomState(0).permutation(Y["binary0"])}
    settings = {"task_weights": {"binary0": 0.0}, "early_stopping": early_stopping, "max_epochs": 6}
    # Held-out rows are stratified by the first classification task, so that one must be another.
    first = {"multiclass0": Y["multiclass0"]}
    one = quick(**settings).fit(X, {**first, **Y})
    other = quick(**settings).fit(X, {**first, **shuffled})
    assert_same_trunk(one, other)
    assert (one.history_["valid_loss"] == other.history_["valid_loss"]).all() if early_stopping else True
    np.testing.assert_array_equal(one.predict(X)["regression0"], other.predict(X)["regression0"])


def test_a_weight_that_is_not_zero_moves_the_trunk(four_tasks):
    X, Y = four_tasks
    one, other = (quick(task_weights={"binary0": weight}).fit(X, Y) for weight in (0.0, 1.0))
    assert not torch.equal(*(next(iter(trunk_state(est).values())) for est in (one, other)))


def test_a_thousand_tasks_are_as_many_modules_as_ten():
    X, _ = make_multitask(n_samples=60, n_features=4, n_factors=2, random_state=0)
    labels = np.random.RandomState(0).randint(0, 2, size=(60, 1000))
    counts = []
    for n_tasks in (10, 1000):
        est = quick(max_epochs=1).fit(X, {f"t{i}": labels[:, i] for i in range(n_tasks)})
        counts.append(sum(1 for _ in est.net_.module_.modules()))
        assert len(est.predict(X[:3])["t9"]) == 3
    assert counts[0] == counts[1]


def test_more_tasks_of_mixed_kinds_are_no_more_modules_or_parameter_tensors():
    X, _ = make_multitask(n_samples=60, n_features=4, n_factors=2, random_state=0)
    rng = np.random.RandomState(0)
    gaps = np.where(rng.random_sample((60, 300)) < 0.2, np.nan, rng.normal(size=(60, 300)))
    codes = rng.randint(0, 3, size=(60, 300))
    counts = []
    for n_tasks in (2, 300):
        y = {f"{kind}{i}": block[:, i] for i in range(n_tasks) for kind, block in (("r", gaps), ("c", codes))}
        module = quick(max_epochs=1).fit(X, y).net_.module_
        counts.append((sum(1 for _ in module.modules()), sum(1 for _ in module.parameters())))
    assert counts[0] == counts[1]


# Rows are predicted by themselves


@pytest.fixture(scope="module", params=["default", "mlp"])
def predictor(request) -> tuple[MultiTaskClassifierRegressor, np.ndarray]:
    X, Y = make_multitask(
        n_samples=1000, n_features=12, n_regression=2, n_binary=1, n_multiclass=1, random_state=0
    )
    trunk = None if request.param == "default" else MLP()
    Y, tasks = with_grades_and_times(Y)
    return MultiTaskClassifierRegressor(tasks=tasks, trunk=trunk, n_bags=1, max_epochs=1, random_state=0).fit(
        X, Y
    ), X


def assert_rows_alone(predictor):
    est, X = predictor
    values, probabilities, representation = est.predict(X), est.predict_proba(X), est.transform(X)
    for n_rows in (1, 2, 3, 63, 64, 65, 127, 500, 999):
        for start in (0, 1, len(X) - n_rows):
            rows = slice(start, start + n_rows)
            part, part_probabilities = est.predict(X[rows]), est.predict_proba(X[rows])
            for name in values:
                np.testing.assert_array_equal(part[name], values[name][rows], err_msg=f"{name} {n_rows}")
            for name in probabilities:
                np.testing.assert_array_equal(
                    part_probabilities[name], probabilities[name][rows], err_msg=f"{name} {n_rows}"
                )
            np.testing.assert_array_equal(
                est.transform(X[rows]), representation[rows], err_msg=f"transform {n_rows}"
            )


def test_a_row_is_predicted_alone_as_among_others(predictor):
    assert_rows_alone(predictor)


@pytest.mark.usefixtures("two_threads")
def test_a_row_is_predicted_alone_as_among_others_with_two_threads(predictor):
    assert_rows_alone(predictor)


# Seeds and bags


@pytest.mark.parametrize("n_bags", [1, 4])
@pytest.mark.parametrize("trunk", [None, "mlp"])
def test_what_others_draw_from_torch_while_training_changes_nothing(trunk, n_bags, monkeypatch):
    X, Y = make_multitask(n_samples=120, n_features=5, n_regression=1, n_binary=1, random_state=0)
    settings = {"trunk": trunk, "n_bags": n_bags, "max_epochs": 3, "random_state": 0}
    est = MultiTaskClassifierRegressor(**settings).set_params(trunk__dropout=0.3)
    expected = clone(est).fit(X, Y).predict_proba(X)["binary0"]
    step = steps.fused_step

    def with_another_thread(*args):
        torch.manual_seed(7)
        torch.rand(3)
        step(*args)

    for module in (steps, joint_update):
        monkeypatch.setattr(module, "fused_step", with_another_thread)
    with torch.random.fork_rng():
        found = est.fit(X, Y).predict_proba(X)["binary0"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("settings", [{}, {"trunk": None, "early_stopping": True, "precision": "float32"}])
def test_the_same_seed_gives_the_same_result_to_the_bit(mixed, settings):
    X, Y = mixed
    settings = {"n_bags": 2, "max_epochs": 2, **settings}
    one, again = quick(**settings).fit(X, Y), quick(**settings).fit(X, Y)
    assert_same_predictions(one, again, X)
    pd.testing.assert_frame_equal(one.history_, again.history_, check_exact=True)


def test_another_seed_gives_another_result(mixed):
    X, Y = mixed
    one, other = quick().fit(X, Y), quick(random_state=1).fit(X, Y)
    assert (one.predict(X)["regression0"] != other.predict(X)["regression0"]).any()


def test_the_global_seed_plays_no_part(mixed):
    X, Y = mixed
    torch.manual_seed(1)
    one = quick(trunk=None).fit(X, Y)
    torch.manual_seed(2)
    assert_same_predictions(one, quick(trunk=None).fit(X, Y), X)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_bag_is_the_mean_of_its_members(mixed, early_stopping):
    X, Y = mixed
    est = quick(n_bags=2, early_stopping=early_stopping, max_epochs=8).fit(X, Y)
    inputs, _ = est._encoded(X)
    alone = [bag_responses([net], est._fitted.tasks, inputs) for net in est.nets_]
    regression, binary = est.tasks_["regression0"], est.tasks_["binary0"]
    mean = {name: (alone[0][name] + alone[1][name]) / 2 for name in alone[0]}
    assert (alone[0]["regression0"] != alone[1]["regression0"]).any()
    np.testing.assert_allclose(est.predict(X)["regression0"], regression.predict(mean["regression0"]))
    np.testing.assert_allclose(est.predict_proba(X)["binary0"], binary.predict_proba(mean["binary0"]))
    np.testing.assert_allclose(
        est.predict_proba(X)["multiclass0"], np.squeeze(mean["multiclass0"]), rtol=1e-12
    )


# Nothing of the user's is touched


class Counting(Callback):
    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


def test_nothing_of_the_users_is_touched(mixed):
    X, Y = mixed
    module = nn.Sequential(nn.Linear(len(X.columns), 8), nn.BatchNorm1d(8))
    weight = pd.DataFrame({"regression0": np.linspace(0, 1, len(X))})
    mine = {
        "tasks": {"multiclass0": Classification(class_weight={"class0": 2.0})},
        "task_weights": {"binary0": 0.5},
        "trunk": MLP([8], dropout=0.2),
        "head_hidden_sizes": {"binary0": [4]},
        "callbacks": [Counting()],
    }
    before = copy.deepcopy((X, Y, weight))
    words = {name: repr(value) for name, value in mine.items() if name != "callbacks"}
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 it is the global generator that is watched
    torch.manual_seed(0)
    states = [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]  # noqa: NPY002
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()

    est = quick(**mine, n_bags=2, early_stopping=True)
    est.fit(X, Y, sample_weight=weight).predict(X)
    est.score(X, Y)

    assert states == [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]  # noqa: NPY002
    assert (threads, deterministic) == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    assert (grad, dtype) == (torch.is_grad_enabled(), torch.get_default_dtype())
    pd.testing.assert_frame_equal(X, before[0])
    for name in Y:
        assert pd.Series(Y[name]).equals(pd.Series(before[1][name]))
    pd.testing.assert_frame_equal(weight, before[2])
    assert mine["callbacks"][0].epochs == 0
    assert {name: repr(value) for name, value in mine.items() if name != "callbacks"} == words
    for name, value in mine.items():
        assert getattr(est, name) is value
    assert len(module) == 2


def test_a_module_of_the_users_is_not_trained(four_tasks):
    X, Y = four_tasks
    module = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU())
    before = copy.deepcopy(module.state_dict())
    est = quick(trunk=module).fit(X, Y)
    est.predict(X)
    assert module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_labels_and_inputs_in_memory_are_not_written_to(four_tasks):
    X, Y = four_tasks
    X.setflags(write=False)
    for values in Y.values():
        values.setflags(write=False)
    before = X.copy()
    for preprocessing in ("auto", None):
        quick(preprocessing=preprocessing, early_stopping=True).fit(X, Y).predict(X)
    np.testing.assert_array_equal(X, before)
