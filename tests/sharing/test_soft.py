"""Trunks tied by penalties: between separate trunks and one."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.export import load, save
from sklearn_mtl.sharing import SHARINGS, SeparateTrunks, SoftSharing
from sklearn_mtl.sharing.task_relations import laplacian_root, read_graph, tied_groups
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, ModuleTrunk
from tests.training.stacking.nets import plans_of, stacked_as_alone

PENALTIES = ("l2", "trace_norm", "orthogonal")
NAMES = ["price", "type", "sold"]
CHAIN = [("price", "type"), ("type", "sold")]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def network_of(problem, *args, **kwargs):
    return problem.build(SoftSharing(*args, **kwargs))


def penalty_of(problem, network):
    """The penalty of a network."""
    return network.sharing.penalty(problem.inputs, problem.weight)


def weights_of(sharing):
    """The weights of the trunks by name, tasks first."""
    return {**dict(sharing.trunks.named_parameters()), **getattr(sharing, "weights", dict)()}


def draw_anew(sharing, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in sharing.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))


# Laws


@every_penalty
def test_without_strength_or_ties_it_is_separate_trunks(penalty, problem):
    separate, _ = problem.build(SeparateTrunks())
    for recipe in (SoftSharing(penalty, 0), SoftSharing(penalty, graph=np.zeros((3, 3)))):
        network, _ = problem.build(recipe)
        assert network.sharing.penalty(problem.inputs, problem.weight) is None
        torch.testing.assert_close(network(problem.inputs), separate(problem.inputs), rtol=0, atol=0)


class StartAsOneTrunk(Callback):
    """One trunk, or what several have in common, begins with the same weights."""

    def on_train_begin(self, net, **kwargs):
        sharing = net.module_.sharing
        for parameter in net.module_.heads.parameters():
            parameter.data.zero_()
        for parameter in [*sharing.shared_parameters()]:
            start = torch.linspace(-1, 2, parameter.numel(), dtype=parameter.dtype).sin()
            parameter.data.copy_(start.view_as(parameter))


def test_the_stronger_the_penalty_the_nearer_is_the_fit_to_that_of_one_trunk():
    X, Y = make_multitask(100, 4, n_regression=2, n_binary=1, noise=0.3, random_state=0)
    settings = {
        "trunk": MLP((12,)),
        "n_bags": 1,
        "max_epochs": 60,
        "batch_size": 100,
        "ema_decay": None,
        "early_stopping": False,
        "linear_blend": False,
        "random_state": 0,
        "callbacks": [StartAsOneTrunk()],
    }
    hard, *soft = (
        MultiTaskClassifierRegressor(**settings, sharing=sharing).fit(X, Y).predict(X)
        for sharing in ("hard", *map(strong, (1e-9, 0.1, 100.0, 1e6)))
    )
    of_numbers = [name for name in Y if name.startswith("regression")]
    distances = [np.mean([np.abs(found[t] - hard[t]).mean() for t in of_numbers]) for found in soft]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * distances[0]


def strong(strength):
    return SoftSharing(strength=strength)


def test_trunks_that_are_tied_start_alike_and_as_one_trunk_would(problem):
    network, _ = network_of(problem, strength=1.0)
    found = network.sharing(problem.inputs, heads=None)
    for task in (1, 2):
        torch.testing.assert_close(found[:, :, task], found[:, :, 0])
    assert penalty_of(problem, network).item() == pytest.approx(0, abs=1e-10)
    tied, _ = network_of(problem, strength=1.0, graph=[("price", "sold")])
    found = tied.sharing(problem.inputs, heads=None)
    torch.testing.assert_close(found[:, :, 2], found[:, :, 0])
    assert (found[:, :, 1] != found[:, :, 0]).any()


# The penalties in plain numpy.


@every_penalty
@pytest.mark.parametrize("graph", [None, CHAIN], ids=["all", "chain"])
def test_penalties_are_those_of_the_papers(penalty, graph, problem):
    network, _ = network_of(problem, penalty, 0.5, graph)
    draw_anew(network.sharing)
    weights = {name: part.detach().numpy() for name, part in weights_of(network.sharing).items()}
    matrices = [part for name, part in weights.items() if name.endswith("weight") and part.ndim > 2]
    adjacency = read_graph(graph, NAMES)
    if penalty == "l2":
        # The mean of the eigenvalues of the Laplacian is 1, but for that of what tasks have in common.
        scale = (adjacency.sum() / 2) ** -1
        expected = scale * sum(
            adjacency[one, other] * ((part[one] - part[other]) ** 2).sum()
            for part in weights.values()
            for one in range(3)
            for other in range(one)
        )
    elif penalty == "trace_norm":
        expected = sum(
            part.shape[1] ** 0.5 * np.linalg.svd(part.reshape(3, -1), compute_uv=False).sum()
            for part in matrices
        )
    else:
        scale = 3 / adjacency.sum()
        expected = scale * sum(
            adjacency[one, other]
            * ((part[one].reshape(len(part[one]), -1) @ part[other].reshape(len(part[one]), -1).T) ** 2).sum()
            for part in matrices
            for one in range(3)
            for other in range(3)
        )
    # The eigenvalues of the root are those of single precision; singular values are smoothed a little.
    assert penalty_of(problem, network).item() == pytest.approx(0.5 * expected, rel=1e-3)


def test_tasks_alike_are_drawn_to_their_mean_by_one_strength():
    """The penalty of a task far from the others is about that of its distance, whatever their number."""
    for n_tasks in (2, 30):
        root = laplacian_root(np.ones((n_tasks, n_tasks)) - np.eye(n_tasks))
        weights = np.random.default_rng(0).normal(size=(n_tasks, 7))
        np.testing.assert_allclose(root @ weights, weights - weights.mean(0), atol=1e-9)


def test_only_the_ratios_of_a_graph_count(problem):
    graph = np.array([[5.0, 1, 2], [1, 0, 0], [2, 0, 7]])
    found = []
    for penalty in PENALTIES:
        for factor in (1, 40):
            network, _ = network_of(problem, penalty, 1.0, factor * graph)
            draw_anew(network.sharing)
            found.append(penalty_of(problem, network).item())
    np.testing.assert_allclose(found[::2], found[1::2], rtol=1e-5)


@every_penalty
def test_a_task_that_is_tied_to_none_has_no_penalty(penalty, problem):
    network, _ = network_of(problem, penalty, 1.0, [("price", "sold")])
    draw_anew(network.sharing)
    if penalty == "trace_norm":
        # It is a matrix of its own, the length of which is penalized.
        return
    penalty_of(problem, network).backward()
    for name in network.sharing.penalized:
        gradient = network.sharing.trunks.get_parameter(name).grad
        # Tasks are in the order of their columns.
        assert float(gradient[1].abs().max()) < 1e-4 * float(gradient[0].abs().max())


@every_penalty
def test_the_gradient_is_finite_where_weights_are_equal_or_zero(penalty, problem):
    network, loss = network_of(problem, penalty, 1.0)
    problem.backward(network, loss)
    assert all(part.grad.isfinite().all() for part in network.sharing.parameters())
    for parameter in network.sharing.parameters():
        parameter.data.zero_()
    problem.backward(network, loss)
    assert all(part.grad.isfinite().all() for part in network.sharing.parameters())


def test_a_task_trains_what_is_common_and_its_own_weights(problem):
    network, loss = network_of(problem, strength=1.0)
    shared = list(network.sharing.shared_parameters())
    assert {id(part) for part in shared} == {id(part) for part in network.sharing.common}
    for task in range(3):
        gradients = problem.gradient(network, loss, task, network.sharing.trunks)
        others = [other for other in range(3) if other != task]
        assert all((gradient[others] == 0).all() for gradient in gradients)
        assert any(
            (gradient != 0).any()
            for gradient in problem.gradient(network, loss, task, network.sharing.common)
        )


@pytest.mark.parametrize("penalty", ["trace_norm", "orthogonal"])
def test_nothing_is_trained_by_several_tasks_where_nothing_is_common(penalty, problem):
    assert list(network_of(problem, penalty, 1.0)[0].sharing.shared_parameters()) == []


def test_frozen_weights_are_not_penalized(problem):
    frozen = ModuleTrunk(torch.nn.Linear(4, 5), frozen=True)
    sharing = SoftSharing().build(lambda: frozen.build(problem.spec, {}), tasks_of(problem), problem.spec)
    assert float(sharing.penalty(problem.inputs, problem.weight)) == 0
    assert not list(sharing.shared_parameters())


def tasks_of(problem):
    return problem.make_blueprint(SoftSharing(), None, ((), (), ())).tasks.ordered


# Graphs


@pytest.mark.parametrize(
    "graph",
    [
        CHAIN,
        [["price", "type"], ["type", "sold"]],
        {"type": ["price", "sold"]},
        {"price": ("type",), "sold": {"type"}},
        pd.DataFrame([[0, 0, 1], [0, 0, 1], [1, 1, 0]], ["price", "sold", "type"], ["price", "sold", "type"]),
    ],
    ids=["pairs", "lists", "mapping", "other way", "frame"],
)
def test_ways_to_write_a_graph(graph):
    expected = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(read_graph(graph, NAMES), expected)
    assert tied_groups(expected) == [0, 0, 0]


@pytest.mark.parametrize("graph", [None, CHAIN, {"type": ["price", "sold"]}, "frame"], ids=str)
def test_a_fold_may_leave_tasks_out(graph):
    if isinstance(graph, str):
        graph = pd.DataFrame(read_graph(CHAIN, NAMES), NAMES, NAMES)
    left = SoftSharing(graph=graph).without(["sold"])
    np.testing.assert_array_equal(read_graph(left.graph, NAMES[:2]), [[0, 1], [1, 0]])
    assert left.strength == SoftSharing().strength
    if isinstance(graph, list | dict):
        alone = SoftSharing(graph=graph).without(["type"])
        assert (alone.graph, alone.strength) == (None, 0)


@pytest.mark.parametrize("as_list", [True, False])
def test_an_array_is_in_the_order_of_the_users_tasks(as_list, problem):
    blueprint = problem.make_blueprint(SoftSharing(), None, ((), (), ()))
    names = blueprint.tasks.names
    weights = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])
    recipe = SoftSharing(graph=weights.tolist() if as_list else weights).of_tasks(names)
    found = read_graph(recipe.graph, names[::-1])
    np.testing.assert_array_equal(found, weights[::-1, ::-1])


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (np.ones((2, 2)), r"a row and a column for each of 3 tasks. Found shape \(2, 2\)"),
        (np.ones(3), r"for each of 3 tasks. Found shape \(3,\)"),
        (-np.ones((3, 3)), "symmetric, with finite weights that are not negative"),
        (np.triu(np.ones((3, 3))), "symmetric"),
        (np.full((3, 3), np.nan), "symmetric"),
        ([("price", "prise")], r"must relate tasks, which are \['price', 'type', 'sold'\]. Found 'prise'"),
        ({"prise": ["type"]}, "Found 'prise'"),
        ({"price": "type"}, "must be None, a table"),
        ([("price", "type", "sold")], "a sequence of pairs of tasks. Found"),
        ([], "must be None, a table"),
        ("price", "must be None, a table"),
        (3, "must be None, a table"),
        (pd.DataFrame(np.ones((2, 2)), ["price", "type"], ["price", "type"]), "as rows and columns. Found"),
    ],
)
def test_graphs_that_are_none(graph, message, problem):
    with pytest.raises(ValueError, match=message):
        network_of(problem, graph=graph)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"penalty": "l1"}, r"`penalty` of SoftSharing must be one of \['l2', 'orthogonal', 'trace_norm'\]"),
        ({"penalty": None}, "Found None"),
        ({"strength": -1}, "`strength` of SoftSharing must be a number of at least 0. Found -1"),
        ({"strength": "much"}, "Found 'much'"),
        ({"strength": np.inf}, "Found inf"),
    ],
)
def test_bad_parameters(parameters, message, problem):
    with pytest.raises(ValueError, match=message):
        network_of(problem, **parameters)


def test_recipe_is_an_estimator():
    assert clone(SoftSharing("trace_norm", 3.0, CHAIN)).get_params() == {
        "penalty": "trace_norm",
        "strength": 3.0,
        "graph": CHAIN,
    }
    assert SHARINGS["soft"] is SoftSharing


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    "graph",
    [
        [[0.0, 1.0], [1.0, 0.0]],
        np.array([[0.0, 1.0], [1.0, 0.0]]),
        {"regression0": ["binary0"]},
        [("regression0", "binary0")],
    ],
    ids=["lists", "array", "mapping", "pairs"],
)
def test_an_estimator_with_a_graph_is_copied_and_saved(penalty, graph, tmp_path):
    X, Y = make_multitask(60, 4, n_regression=1, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(
        trunk=MLP((6,)), sharing=SoftSharing(penalty, 0.1, graph), n_bags=1, max_epochs=2, random_state=0
    )
    est.fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for copy in (clone(est).fit(X, Y), pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        np.testing.assert_array_equal(copy.predict(X)["regression0"], est.predict(X)["regression0"])


@every_penalty
def test_nets_of_several_strengths_are_one_stack(penalty, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = make_multitask(70, 5, n_regression=3, n_binary=1, noise=0.3, random_state=0)
    plans = [
        plan
        for strength in (0.01, 1.0)
        for plan in plans_of((X, Y, np.ones(70)), sharing=SoftSharing(penalty, strength))
    ]
    stacked_as_alone(plans)


# What it is for


def test_it_learns_tasks_that_are_alike_better_than_one_trunk_or_separate_ones():
    """Each task has its own version of every factor; the difference is more than the spread over seeds."""
    scores = {
        sharing if isinstance(sharing, str) else sharing.penalty: [score(sharing, seed) for seed in range(2)]
        for sharing in (
            "hard",
            "separate",
            SoftSharing(strength=0.03),
            SoftSharing("trace_norm"),
            SoftSharing("orthogonal", strength=0.1),
        )
    }
    best = max(max(scores[name]) for name in ("hard", "separate"))
    for penalty in PENALTIES:
        assert min(scores[penalty]) > best, scores


def score(sharing, seed):
    X, Y = make_multitask(
        2000, 10, n_regression=4, n_factors=3, correlation=0.9, difficulty=1.5, noise=0.3, random_state=seed
    )
    train, test = slice(0, 1000), slice(1000, None)
    est = MultiTaskRegressor(
        trunk=MLP((32, 32)),
        sharing=sharing,
        n_bags=1,
        linear_blend=False,
        max_epochs=60,
        random_state=seed,
    )
    est.fit(X[train], {name: y[train] for name, y in Y.items()})
    return est.score(X[test], {name: y[test] for name, y in Y.items()})
