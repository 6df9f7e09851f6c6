"""Every way of sharing keeps what the package promises of any: a line each in the table below."""

import pickle
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback
from torch import nn

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import UncertaintyWeighting
from sklearn_mtl.data import Batch
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.sharing import (
    PLE,
    SHARINGS,
    Cascade,
    CrossStitch,
    DSelectK,
    HardSharing,
    Hierarchical,
    MMoE,
    SeparateTrunks,
    Sharing,
    SoftSharing,
    TaskAdapters,
    TaskAttention,
)
from sklearn_mtl.tasks import Ordinal, Survival
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import CNN, MLP, Fusion, ModuleTrunk, TabM
from tests.balancing.methods import Projected
from tests.training.stacking.nets import plans_of, stacked_as_alone


@dataclass(frozen=True, eq=False)
class Case:
    """A way of sharing, with small parameters for four tasks.

    `grid` is one of its parameters with values that make a difference; `not_stacked` says why its nets are
    not trained as a stack, and `refuses_kinds` why not any kind of task takes part, where that is so.
    """

    recipe: Sharing
    grid: dict = field(default_factory=dict)
    not_stacked: str = ""
    refuses_kinds: str = ""
    needs_stages: bool = False
    names_tasks: bool = False
    shares_parameters: bool = True
    penalizes_weights: bool = False


CASES = [
    Case(HardSharing()),
    Case(
        Hierarchical([["regression0", "binary0"], ["regression1", "multiclass0"]]),
        {"common_stages": [0, 1]},
        needs_stages=True,
        names_tasks=True,
    ),
    Case(TaskAdapters(), {"rank": [1, 2]}, needs_stages=True),
    Case(TaskAttention(), {"hidden_size": [3, 9]}, needs_stages=True),
    Case(MMoE(3), {"experts": [2, 3]}),
    Case(Cascade(["regression0", "multiclass0", "binary0"]), {"detach": [False, True]}, names_tasks=True),
    Case(SeparateTrunks(), shares_parameters=False),
    Case(DSelectK(3, 2), {"k": [1, 2]}),
    Case(SoftSharing(), {"strength": [0.01, 10.0]}, penalizes_weights=True),
    Case(PLE(1, 2), {"levels": [1, 2]}),
    Case(CrossStitch(), needs_stages=True),
]
SHORT_NAMES = {of: name for name, of in SHARINGS.items()}
TRUNKS = [MLP((8, 6)), TabM((8, 6), members=3, dropout=0.2, n_bins=6, embedding_size=3)]
# No width within a net is the number of tasks, by which an axis of tasks is told from others.
N_TASKS = 4

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: SHORT_NAMES[type(case.recipe)])
every_trunk = pytest.mark.parametrize("trunk", TRUNKS, ids=lambda trunk: type(trunk).__name__)


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return make_multitask(
        90, 5, n_regression=2, n_binary=1, n_multiclass=1, noise=0.5, missing_labels=0.2, random_state=1
    )


def make(case, **params):
    """A net that trains in a blink, to the end, without the linear model beside it."""
    settings = {
        "trunk": MLP((8, 6)),
        "sharing": clone(case.recipe),
        "n_bags": 1,
        "max_epochs": 3,
        "lr": 0.01,
        "batch_size": 32,
        "early_stopping": False,
        "linear_blend": False,
        "precision": "float64",
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(**{**settings, **params})


def answers(est, X):
    """All that an estimator says of rows."""
    probabilities = est.predict_proba(X)
    return {name: probabilities.get(name, values) for name, values in est.predict(X).items()}


def assert_same(one, other, X, rtol=0.0):
    ours, theirs = answers(one, X), answers(other, X)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=rtol, atol=rtol, err_msg=name)


def test_the_table_has_every_way_of_sharing():
    assert set(SHARINGS) == {SHORT_NAMES[type(case.recipe)] for case in CASES}


# What it takes


@every_case
@every_trunk
def test_it_learns_from_missing_labels_and_weighted_rows(case, trunk, data):
    X, Y = data
    # Bags of two nets of each trunk are copied below.
    n_bags = 2 if isinstance(trunk, TabM) else 1
    weight = {"regression0": np.linspace(0, 2, len(X)), "binary0": np.ones(len(X))}
    est = make(case, trunk=trunk, n_bags=n_bags, early_stopping=True, precision="float32", calibrate=True)
    est.fit(X, Y, sample_weight=weight)
    assert np.isfinite(est.score_tasks(X, Y)).all()
    found = est.predict(X)
    assert list(found) == list(Y)
    assert {values.shape for values in found.values()} == {(len(X),)}
    np.testing.assert_allclose(est.predict_proba(X)["multiclass0"].sum(axis=1), 1, rtol=1e-6)
    representation = est.transform(X)
    assert representation.shape[0] == len(X)
    assert np.isfinite(representation).all()
    for name in Y:
        np.testing.assert_array_equal(est.task(name).predict(X), found[name])


@every_case
def test_it_takes_images(case, data, tmp_path):
    pytest.importorskip("safetensors")
    X, Y = data
    images = X.reshape(len(X), 1, 1, 5)
    est = make(case, trunk=CNN((3,), pooled_size=2, hidden_sizes=(8, 6)), preprocessing=None).fit(images, Y)
    assert np.isfinite(est.score_tasks(images, Y)).all()
    save(est, tmp_path / "images.mtl")
    for again in (pickle.loads(pickle.dumps(est)), load(tmp_path / "images.mtl")):
        assert_same(est, again, images)


@every_case
def test_it_shares_the_trunks_of_several_inputs(case, data):
    X, Y = data
    several = MultiInput({"table": X[:, :2], "image": X[:, 2:].reshape(-1, 1, 3, 1)})
    trunk = Fusion(
        {"table": TabM((8,), members=3, n_bins=6, embedding_size=3), "image": "mlp"}, fusion="gated"
    )
    trunk.set_params(hidden_sizes=(8, 6), width=7, image__hidden_sizes=(9,))
    est = make(case, trunk=trunk).fit(several, Y)
    assert np.isfinite(est.score_tasks(several, Y)).all()
    before = answers(est, several)
    shuffled = answers(est, MultiInput({**several, "image": several["image"][::-1].copy()}))
    assert all((values != shuffled[name]).any() for name, values in before.items())
    one = answers(est, several[4:5])
    for name, values in before.items():
        np.testing.assert_allclose(one[name], values[4:5], rtol=1e-9)


@every_case
@pytest.mark.parametrize("balancer", [UncertaintyWeighting(), Projected()], ids=lambda of: type(of).__name__)
def test_it_is_balanced_by_losses_and_by_gradients(case, balancer, data):
    X, Y = data
    est = make(case, balancing=balancer)
    if not case.shares_parameters and isinstance(balancer, Projected):
        with pytest.raises(ValueError, match="share"):
            est.fit(X, Y)
        return
    est.fit(X, Y)
    assert np.isfinite(est.history_["train_loss"]).all()
    plain = make(case).fit(X, Y)
    assert (est.predict(X)["regression0"] != plain.predict(X)["regression0"]).any()


@every_case
@every_trunk
def test_any_kind_of_task_takes_part(case, trunk, data):
    X, Y = data
    grade = np.digitize(np.nan_to_num(Y["regression0"]), [-0.5, 0.5])
    relapse = np.column_stack([np.exp(X[:, 0]), X[:, 1] > 0])
    tasks = {"binary0": Ordinal(), "regression1": Survival(8)}
    Y = {**Y, "binary0": grade, "regression1": relapse}
    est = make(case, trunk=trunk, tasks=tasks)
    if case.refuses_kinds:
        with pytest.raises(ValueError, match=case.refuses_kinds):
            est.fit(X, Y)
        return
    est.fit(X, Y)
    assert np.isfinite(est.score_tasks(X, Y)).all()


@every_case
def test_half_precision_and_the_linear_model_beside_it(case, data):
    X, Y = data
    est = make(case, precision="bf16", linear_blend=True, early_stopping=True).fit(X, Y)
    assert all(np.isfinite(values).all() for values in answers(est, X).values())


@every_case
def test_heads_have_hidden_layers(case, data):
    X, Y = data
    est = make(case, head_hidden_sizes={"regression0": (3,), "binary0": (3, 3)}).fit(X, Y)
    assert np.isfinite(est.score_tasks(X, Y)).all()


@every_case
def test_two_tasks_are_enough(case, data):
    X, Y = data
    if case.names_tasks:
        pytest.skip("its parameters name four tasks")
    two = {name: Y[name] for name in ("regression0", "binary0")}
    assert np.isfinite(make(case).fit(X, two).score_tasks(X, two)).all()


@every_case
def test_a_trunk_without_stages_is_refused_where_they_are_needed(case, data):
    X, Y = data
    for trunk in (MLP(()), nn.Linear(5, 6)):
        est = make(case, trunk=trunk, preprocessing=None)
        if case.needs_stages:
            with pytest.raises(ValueError, match=rf"{type(case.recipe).__name__}.*stage"):
                est.fit(X, Y)
        else:
            assert np.isfinite(est.fit(X, Y).score_tasks(X, Y)).all()


class Doubling(nn.Module):
    """A trunk that doubles what it is given, in place or not; vmap has no rule for its recurrent layer."""

    def __init__(self, *, in_place):
        super().__init__()
        self.in_place = in_place
        self.gru = nn.GRU(5, 6, batch_first=True)

    def forward(self, x):
        x = x.mul_(2) if self.in_place else x * 2
        return self.gru(x.unsqueeze(1))[0][:, -1]


@every_case
@pytest.mark.parametrize("frozen", [False, True])
def test_a_trunk_may_work_in_place_on_its_input(case, frozen, data):
    if case.needs_stages:
        pytest.skip("a module has no stages")
    found = []
    for in_place in (True, False):
        torch.manual_seed(0)
        trunk = ModuleTrunk(Doubling(in_place=in_place), frozen=frozen)
        found.append(make(case, trunk=trunk, preprocessing=None, max_epochs=2).fit(*data))
    assert_same(*found, data[0], rtol=1e-9)


class Twice(nn.Module):
    """A trunk that goes through a layer two times."""

    def __init__(self, first, layer):
        super().__init__()
        self.first = first
        self.layer = layer

    def forward(self, x):
        return self.layer(self.layer(self.first(x).relu()).relu())


@every_case
@pytest.mark.parametrize("tied", ["layers", "weights"])
def test_a_trunk_may_have_the_same_weights_twice(case, tied, data):
    if case.needs_stages:
        pytest.skip("a module has no stages")
    torch.manual_seed(0)
    first, layer = nn.Linear(5, 6), nn.Linear(6, 6)
    again = layer
    if tied == "weights":
        again = nn.Linear(6, 6)
        again.weight, again.bias = layer.weight, layer.bias
    one, other = (
        make(case, trunk=trunk, preprocessing=None).fit(*data)
        for trunk in (nn.Sequential(first, nn.ReLU(), layer, nn.ReLU(), again), Twice(first, layer))
    )
    assert_same(one, other, data[0], rtol=1e-9)


# Parameters


@every_case
def test_it_is_cloned_with_its_parameters(case):
    copy = clone(case.recipe)
    assert repr(copy) == repr(case.recipe)
    assert list(copy.get_params(deep=False)) == list(case.recipe.get_params(deep=False))
    params = make(case).get_params()
    for name, value in case.recipe.get_params(deep=False).items():
        assert repr(params[f"sharing__{name}"]) == repr(value)


@every_case
def test_its_parameters_are_set_from_its_short_name(case, data):
    X, Y = data
    short = SHORT_NAMES[type(case.recipe)]
    given = {f"sharing__{name}": value for name, value in case.recipe.get_params(deep=False).items()}
    est = make(case, sharing=short).set_params(**given).fit(X, Y)
    assert type(est._fitted.blueprint.sharing) is type(case.recipe)
    assert_same(est, make(case).fit(X, Y), X)


@every_case
def test_an_unknown_parameter_is_named(case):
    with pytest.raises(ValueError, match="Invalid parameter 'beyond'"):
        make(case, sharing=SHORT_NAMES[type(case.recipe)]).set_params(sharing__beyond=1)


@pytest.mark.parametrize("wrong", ["mmoee", "", 3, HardSharing])
def test_an_unknown_way_of_sharing_is_named_with_those_there_are(wrong, data):
    names = ".*".join(map(repr, sorted(SHARINGS)))
    found = re.escape("HardSharing" if isinstance(wrong, type) else repr(wrong))
    with pytest.raises(ValueError, match=rf"`sharing` must be None, one of .*{names}.* Found .*{found}"):
        make(CASES[0], sharing=wrong).fit(*data)


# Copies, and going on


@every_case
@every_trunk
def test_copies_and_fits_of_the_same_seed_predict_as_it_does(case, trunk, data, tmp_path):
    X, Y = data
    torch.manual_seed(1)
    # A linear model beside the network is the same whatever the trunk is, and takes longer than it.
    linear_blend = isinstance(trunk, MLP)
    est = make(case, trunk=trunk, n_bags=2, max_epochs=2, early_stopping=True, linear_blend=linear_blend)
    est.fit(X, Y)
    save(est, tmp_path / "model.mtl")
    torch.manual_seed(2)
    again = clone(est).fit(X, Y)
    pd.testing.assert_frame_equal(again.history_, est.history_, check_exact=True)
    for copy in (again, pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert_same(copy, est, X)
        np.testing.assert_array_equal(copy.transform(X), est.transform(X))


@every_case
def test_warm_start_and_partial_fit_go_on(case, data):
    X, Y = data
    whole = make(case, max_epochs=4).fit(X, Y)
    parts = make(case, max_epochs=2, warm_start=True).fit(X, Y)
    assert_same(parts.set_params(max_epochs=4).fit(X, Y), whole, X)
    before = parts.predict(X)["regression1"]
    parts.partial_fit(X, {**Y, "regression1": Y["regression1"] + 5})
    assert (parts.predict(X)["regression1"] != before).any()
    again = make(case).partial_fit(X, Y)
    again.partial_fit(X, Y)
    assert np.isfinite(again.score_tasks(X, Y)).all()


# Searches


@every_case
@every_trunk
def test_nets_in_a_stack_are_those_nets_alone(case, trunk, data):
    X, Y = data
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    if case.not_stacked:
        pytest.skip(case.not_stacked)
    settings = {"trunk": trunk, "sharing": case.recipe, "batch_size": 32, "max_epochs": 3}
    plans = [plan for seed in (0, 1) for plan in plans_of((X, Y, weight), random_state=seed, **settings)]
    shorter = (X[:70], {name: values[:70] for name, values in Y.items()}, weight[:70])
    stacked_as_alone([*plans, *plans_of(shorter, **settings, lr=0.02)])


@every_case
def test_a_stacked_search_scores_it_as_a_plain_one(case, data):
    X, Y = data
    # Its own parameter is searched, and beside it another way of sharing.
    own = {f"sharing__{name}": values for name, values in case.grid.items()} or {"lr": [0.01, 0.02]}
    grid = [own, {"sharing": ["hard"], "lr": [0.02]}]
    plain, stacked = (
        search(make(case), grid, cv=KFold(2), refit=False, error_score="raise").fit(X, MultiTaskTarget(Y))
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    scores = plain.cv_results_["mean_test_score"]
    np.testing.assert_allclose(stacked.cv_results_["mean_test_score"], scores, rtol=0, atol=1e-9)
    of_hard = [params.get("sharing") == "hard" for params in stacked.cv_results_["params"]]
    reasons = stacked.stacked_["reason"][~np.repeat(of_hard, len(stacked.stacked_) // len(of_hard))]
    if case.not_stacked:
        assert all(re.search(case.not_stacked, reason) for reason in reasons)
    else:
        assert set(reasons) == {""}
    # What is searched makes a difference, or the above would say nothing.
    assert len(set(scores.round(9))) == (2 if type(case.recipe) is HardSharing else 3)


@every_case
@pytest.mark.filterwarnings("ignore:.*(no|too few) label")
def test_a_fold_without_labels_of_a_task_leaves_it_out(case, data):
    X, Y = data
    late = np.where(np.arange(len(X)) < len(X) // 2, np.nan, X[:, 0])
    Y = MultiTaskTarget({**Y, "regression1": late})
    est = make(case, max_epochs=1)
    search = StackedGridSearchCV(est, {"lr": [0.01]}, cv=KFold(2), refit=False, error_score="raise")
    assert np.isfinite(search.fit(X, Y).cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings("ignore:.*(no|too few) label")
@pytest.mark.parametrize("as_given", [np.asarray, np.ndarray.tolist], ids=["array", "lists"])
def test_a_fold_without_labels_of_a_task_leaves_its_row_of_a_graph_out(as_given, data):
    X, Y = data
    early = np.where(np.arange(len(X)) < len(X) // 2, np.nan, X[:, 0])
    # The task is not the last, and no two ties are alike.
    Y = MultiTaskTarget({"early": early, **Y})
    weights = np.triu(np.arange(25.0).reshape(5, 5), 1)
    weights += weights.T
    by_name = pd.DataFrame(weights, list(Y), list(Y))
    scores = []
    for graph in (as_given(weights), by_name):
        est = make(Case(SoftSharing(strength=10.0, graph=graph)))
        search = StackedGridSearchCV(est, {"lr": [0.01]}, cv=KFold(2), error_score="raise", refit=False)
        scores.append(search.fit(X, Y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)


# Laws


class Rearrange(Callback):
    """Heads that start alike, and what is each task's own in the order of another net's tasks."""

    def __init__(self, order):
        self.order = order

    def on_train_begin(self, net, **kwargs):
        for parameter in net.module_.heads.parameters():
            parameter.data.zero_()
        for parameter in net.module_.sharing.parameters():
            for axis in range(parameter.ndim):
                if parameter.shape[axis] == N_TASKS:
                    parameter.data.copy_(parameter.data.index_select(axis, torch.tensor(self.order)))


@every_case
@every_trunk
def test_permuting_the_tasks_permutes_the_outputs(case, trunk, data):
    X, Y = data
    other_way = {name: Y[name] for name in ("binary0", "regression1", "multiclass0", "regression0")}
    trunk = clone(trunk).set_params(dropout=0.0)
    # The columns of a net are in an order of its own.
    columns = [
        [task.name for task in make(case, trunk=trunk, max_epochs=1).fit(X, of)._fitted.tasks.ordered]
        for of in (Y, other_way)
    ]
    assert columns[0] != columns[1]
    order = [columns[0].index(name) for name in columns[1]]
    # An average of weights begins with those before they are rearranged.
    settings = {"trunk": trunk, "ema_decay": None}
    one = make(case, **settings, callbacks=[Rearrange(range(N_TASKS))]).fit(X, Y)
    other = make(case, **settings, callbacks=[Rearrange(order)]).fit(X, other_way)
    assert_same(one, other, X, rtol=1e-9)


def batch_of(est, X, y=0.0, weight=1.0):
    """A batch of all rows with labels and weights of all columns."""
    table = est._encoded(X)[0].read(slice(None))
    inputs = {name: torch.as_tensor(block, dtype=torch.float64) for name, block in table.items()}
    full = torch.ones(len(X), len(est.tasks_), dtype=torch.float64)
    return Batch(inputs, full * y, full * torch.as_tensor(weight, dtype=torch.float64))


def gradients(est, batch):
    est.net_.module_.zero_grad()
    # Dropout, where there is any, draws the same.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        est.net_.train_step_single(batch)
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in est.net_.module_.named_parameters()
    }


@every_case
def test_a_missing_label_has_no_gradient(case, data):
    X, Y = data
    est = make(case).fit(X, Y)
    unlabelled = [1.0, 0.0, 1.0, 1.0]
    hidden = torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    one, other = (gradients(est, batch_of(est, X, value * hidden, unlabelled)) for value in (0.0, 1e9))
    assert all(torch.equal(one[name], other[name]) for name in one)
    # Where no task but one has a label, only its head learns.
    alone = gradients(est, batch_of(est, X, weight=[1.0, 0.0, 0.0, 0.0]))
    biases = [gradient for name, gradient in alone.items() if re.fullmatch(r"heads\..*bias", name)]
    assert sum(int((gradient != 0).sum()) for gradient in biases) == 1
    unlabelled = gradients(est, batch_of(est, X, weight=0.0))
    assert case.penalizes_weights or all((gradient == 0).all() for gradient in unlabelled.values())


@every_case
def test_a_row_of_no_weight_and_one_of_twice_the_weight(case, data):
    X, Y = data
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    rows = np.repeat(np.arange(len(X)), weight.astype(int))
    full_batch = {"batch_size": 10_000, "preprocessing": None}
    one = make(case, **full_batch).fit(X, Y, sample_weight=weight)
    other = make(case, **full_batch).fit(X[rows], {name: y[rows] for name, y in Y.items()})
    assert_same(one, other, X, rtol=1e-7)


@every_case
def test_a_row_is_predicted_alone_as_among_others(case, data):
    X, Y = data
    est = make(case, precision="float32").fit(X, Y)
    together = answers(est, X)
    for rows in (slice(0, 1), slice(89, 90), slice(3, 20), slice(0, 64)):
        for name, values in answers(est, X[rows]).items():
            np.testing.assert_array_equal(values, together[name][rows], err_msg=name)


@every_case
def test_more_tasks_are_no_more_modules(case):
    if case.names_tasks:
        pytest.skip("its parameters name four tasks")
    X = np.random.default_rng(0).normal(size=(40, 5))
    counts = []
    for n_tasks in (3, 30):
        Y = {f"t{i}": X[:, i % 5] * (1 + i) for i in range(n_tasks)}
        module = make(case, max_epochs=1).fit(X, Y).net_.module_
        counts.append((sum(1 for _ in module.modules()), sum(1 for _ in module.parameters())))
    assert counts[0] == counts[1]
