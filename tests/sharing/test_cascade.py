"""What is predicted of a task feeds later ones, or is the condition of one."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import KFold
from torch.nn import functional as F

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import StaticWeights
from sklearn_mtl.datasets import make_click_purchase, make_dependent_tasks
from sklearn_mtl.export import load, save
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.network import shapes_of
from sklearn_mtl.sharing import Cascade, HardSharing
from sklearn_mtl.targets import read_column
from sklearn_mtl.tasks import Classification
from sklearn_mtl.training.runs import make_ready
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import MLP, ModuleTrunk
from sklearn_mtl.trunks.layers import MemberLinear
from tests.training.stacking.nets import plans_of, stacked_as_alone

ESMM = {"purchase": "click"}
CHAIN = {**ESMM, "return": "purchase"}
HIDDEN = {"linear": ((), (), ()), "hidden": ((3,), (), (3, 2))}


def bound(name, labels):
    labels = np.asarray(labels)
    return Classification().bind(read_column(name, labels), np.ones(len(labels)))


def heads_in_numpy(network, representation, task, outputs):
    """The raw outputs of one task, given what it alone reads, (rows, members, width)."""
    heads = network.heads
    (number,) = [number for number, tasks in enumerate(heads.tasks) if task in tasks]
    branch, place = heads.branches[number], heads.tasks[number].index(task)
    if isinstance(branch, MemberLinear):
        start = sum(outputs[other] for other in heads.tasks[number][:place])
        own = slice(start, start + outputs[task])
        return np.einsum("rmi,moi->rmo", representation, branch.weight[:, own].detach().numpy()) + (
            branch.bias[:, own].detach().numpy()
        )
    for layer in branch:
        if isinstance(layer, torch.nn.ReLU):
            representation = np.maximum(representation, 0)
        else:
            weight, bias = layer.weight[:, place].detach().numpy(), layer.bias[:, place].detach().numpy()
            representation = np.einsum("rmi,moi->rmo", representation, weight) + bias
    return representation


def softmax(raw):
    return np.exp(raw) / np.exp(raw).sum(-1, keepdims=True)


# What is fed


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_the_forward_rule_in_plain_numpy(problem, hidden):
    network, _ = problem.build(Cascade({"type": "price", "sold": ["type", "price"]}), hidden=hidden)
    trunk = network.sharing.trunk(problem.inputs).detach().numpy()
    names = [task.name for task in problem.make_blueprint(Cascade(), None, hidden).tasks.ordered]
    place = {name: names.index(name) for name in names}
    outputs = [{"price": 1, "type": 3, "sold": 1}[name] for name in names]
    zeros = np.zeros((*trunk.shape[:2], 4))
    # Of what is read the columns are those of the price and of the three classes, as the tasks lie.
    start = {"price": 0, "type": 1} if place["price"] < place["type"] else {"type": 0, "price": 3}
    of_price, of_type = start["price"], slice(start["type"], start["type"] + 3)
    price = heads_in_numpy(network, np.concatenate([trunk, zeros], -1), place["price"], outputs)
    fed = zeros.copy()
    fed[..., of_price] = price[..., 0] * np.sqrt(5 / 1)
    kind = heads_in_numpy(network, np.concatenate([trunk, fed], -1), place["type"], outputs)
    fed[..., of_price] = price[..., 0] * np.sqrt(5 / 4)
    fed[..., of_type] = softmax(kind) * np.sqrt(5 / 4)
    sold = heads_in_numpy(network, np.concatenate([trunk, fed], -1), place["sold"], outputs)
    expected = {"price": price, "type": kind, "sold": sold}
    found = network(problem.inputs).detach().numpy()
    np.testing.assert_allclose(found, np.concatenate([expected[name] for name in names], -1), rtol=1e-5)


def test_an_order_is_the_mapping_in_which_each_reads_all_before_it(problem):
    networks = [
        problem.build(Cascade(order))[0]
        for order in (["sold", "price", "type"], {"price": "sold", "type": ["sold", "price"]})
    ]
    assert torch.equal(*(network(problem.inputs) for network in networks))


@pytest.mark.parametrize("order", [[], {}, ["price"], {"price": []}], ids=repr)
def test_where_nothing_is_fed_it_is_hard_sharing(problem, order):
    network, hard = problem.build(Cascade(order))[0], problem.build(HardSharing())[0]
    assert torch.equal(network(problem.inputs), hard(problem.inputs))
    assert not network.sharing.per_task


def test_tasks_of_a_level_are_computed_at_once(problem):
    network, _ = problem.build(Cascade({"type": "price", "sold": "price"}))
    calls = []
    network.heads.register_forward_hook(lambda *_: calls.append(1))
    network(problem.inputs)
    assert len(calls) == 2


# Gradients


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("detach", [False, True])
def test_losses_of_later_tasks_train_earlier_heads_unless_detached(problem, hidden, detach):
    network, loss = problem.build(Cascade(["price", "sold"], detach=detach), hidden=hidden)
    tasks = problem.make_blueprint(Cascade(), None, hidden).tasks
    place = [task.name for task in tasks.ordered].index("price")
    (number,) = [number for number, of in enumerate(network.heads.tasks) if place in of]
    branch = network.heads.branches[number]
    # The first head of its branch is the price's, and a row of one output where heads are one matrix.
    assert network.heads.tasks[number][0] == place
    later, earlier = tasks.names.index("sold"), tasks.names.index("price")
    reached = [
        any((part[:, 0] != 0).any() for part in problem.gradient(network, loss, task, branch))
        for task in (earlier, later)
    ]
    assert reached == [True, not detach]
    # The trunk is shared in any case.
    assert any((part != 0).any() for part in problem.gradient(network, loss, later, network.sharing.trunk))


def trained_price(problem, order, weights, *, detach=True):
    """Raw outputs of the price after steps of AdamW on a trunk that stays as it is."""
    blueprint = problem.make_blueprint(Cascade(order, detach=detach), StaticWeights(), ((), (), ()))
    blueprint = replace(blueprint, task_weights=weights)
    torch.manual_seed(0)
    network = blueprint.build(blueprint.fit_statistics(problem.inputs)).double()
    network.sharing.trunk.requires_grad_(requires_grad=False)
    loss = blueprint.build_loss(problem.y, problem.weight)
    optimizer = torch.optim.AdamW(network.heads.parameters(), lr=0.1)
    for _ in range(10):
        problem.backward(network, loss)
        optimizer.step()
    start = [task.name for task in blueprint.tasks.ordered].index("price")
    columns = torch.tensor([task.width for task in blueprint.tasks.ordered]).cumsum(0)
    return network(problem.inputs)[..., columns[start] - 1].detach()


def test_an_earlier_task_does_not_change_when_a_later_one_is_added(problem):
    order = ["price", "type", "sold"]
    alone = trained_price(problem, order, (1.0, 0.0, 0.0))
    assert torch.equal(trained_price(problem, order, (1.0, 1.0, 3.0)), alone)
    assert not torch.equal(trained_price(problem, order, (1.0, 1.0, 3.0), detach=False), alone)


def test_of_the_same_weights_an_earlier_task_is_the_same_without_the_later_one(problem):
    # The last task reads nothing in the one, and both others in the other: it feeds none.
    one, other = (
        problem.build(Cascade(order))[0] for order in ({"type": "price"}, {"type": "price", "sold": "price"})
    )
    names = [task.name for task in problem.make_blueprint(Cascade(), None, ((), (), ())).tasks.ordered]
    widths = {"price": 1, "type": 3, "sold": 1}
    last = sum(widths[name] for name in names[: names.index("sold")])
    of_earlier = [column for column in range(5) if column != last]
    assert torch.equal(one(problem.inputs)[..., of_earlier], other(problem.inputs)[..., of_earlier])
    assert not torch.equal(one(problem.inputs)[..., last], other(problem.inputs)[..., last])


def test_whole_fits_of_a_frozen_trunk_and_an_earlier_task():
    X, Y = make_dependent_tasks(120, 5, n_dependent=1, n_classes=3, random_state=0)
    trunk = ModuleTrunk(torch.nn.Linear(5, 6), frozen=True)
    found = [
        MultiTaskClassifier(
            trunk=trunk,
            sharing=Cascade(["origin", "dependent0"], detach=True),
            task_weights={"dependent0": weight},
            preprocessing=None,
            n_bags=1,
            max_epochs=4,
            early_stopping=False,
            random_state=0,
        )
        .fit(X, Y)
        .predict_proba(X)
        for weight in (0.0, 1.0)
    ]
    np.testing.assert_array_equal(found[0]["origin"], found[1]["origin"])
    assert (found[0]["dependent0"] != found[1]["dependent0"]).any()


# The order that is found


@pytest.fixture(scope="module")
def dependent():
    return make_dependent_tasks(400, 6, n_dependent=2, n_classes=4, random_state=0)


def quick(sharing, **params):
    settings = {
        "trunk": MLP((16, 16)),
        "n_bags": 1,
        "max_epochs": 5,
        "linear_blend": False,
        "random_state": 0,
    }
    return MultiTaskClassifierRegressor(sharing=sharing, **{**settings, **params})


def reads_of(est, number=0):
    names = [task.name for task in est._fitted.tasks.ordered]
    found = est.nets_[number].statistics_["sharing.reads"]
    return {
        task: [names[place] for place in row.nonzero()[:, 0]] for task, row in zip(names, found, strict=True)
    }


def test_functions_of_a_task_read_it_and_it_reads_none(dependent):
    X, Y = dependent
    est = quick(Cascade()).fit(X, Y)
    assert reads_of(est) == {"origin": [], "dependent0": ["origin"], "dependent1": ["origin"]}
    given = quick(Cascade({"dependent0": ["origin"], "dependent1": "origin"})).fit(X, Y)
    for name in Y:
        np.testing.assert_array_equal(est.predict_proba(X)[name], given.predict_proba(X)[name])


def test_held_out_rows_do_not_decide_the_order(dependent):
    X, Y = dependent
    plans = [plans_of((X, Y, None), sharing=Cascade(), early_stopping=True)[0]]
    labels = {name: values.copy() for name, values in Y.items()}
    held_out = np.setdiff1d(np.arange(len(X)), plans[0].train.blocks.index.cpu().numpy())
    assert len(held_out) > 20
    # Which classes are held out, by which the rows are split, stays; which of the tasks go together does not.
    for name in ("dependent0", "dependent1"):
        labels[name][held_out] = 1 - labels[name][held_out]
    plans += plans_of((X, labels, None), sharing=Cascade(), early_stopping=True)
    same_rows = np.array_equal(*(plan.train.blocks.index.cpu().numpy() for plan in plans))
    reads = [plan.fit_statistics()["sharing.reads"] for plan in plans]
    assert torch.equal(*reads) or not same_rows


def test_a_found_order_is_kept_in_copies_and_files(dependent, tmp_path):
    X, Y = dependent
    est = quick(Cascade(), n_bags=2).fit(X, Y)
    save(est, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(est)), load(tmp_path / "model.mtl")):
        assert reads_of(copy) == reads_of(est)
        for name in Y:
            np.testing.assert_array_equal(copy.predict_proba(X)[name], est.predict_proba(X)[name])
    further = {name: values[::-1] for name, values in Y.items()}
    before = reads_of(est)
    assert reads_of(est.partial_fit(X, further)) == before


def test_shapes_of_a_found_order_are_known_without_building(dependent):
    X, Y = dependent
    ready = make_ready(plans_of((X, Y, None), sharing=Cascade())[0])
    found = shapes_of(ready.plan.blueprint, ready.net.statistics_, most=10_000)
    assert found == {name: tuple(value.shape) for name, value in ready.net.network.state_dict().items()}


@pytest.mark.parametrize(
    "sharing", [Cascade(), Cascade(["origin", "dependent0"], detach=True)], ids=["found", "given"]
)
def test_nets_in_a_stack_are_those_nets_alone(sharing, dependent, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = dependent
    plans = [plan for seed in (0, 1) for plan in plans_of((X, Y, None), sharing=sharing, random_state=seed)]
    stacked_as_alone(plans)


def test_found_orders_that_differ_are_trained_in_stacks_of_their_own(dependent, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = dependent
    noise = {name: np.random.default_rng(0).permutation(values) for name, values in Y.items()}
    plans = [
        plan
        for labels in (Y, noise)
        for seed in (0, 1)
        for plan in plans_of((X, labels, None), sharing=Cascade(), random_state=seed)
    ]
    stacked_as_alone(plans)


def test_missing_labels_of_an_earlier_task(dependent):
    X, Y = dependent
    gaps = {**Y, "origin": np.where(np.arange(len(X)) % 2, Y["origin"].astype(object), None)}
    est = quick(Cascade(["origin", "dependent0"])).fit(X, gaps)
    assert np.isfinite(est.score_tasks(X, Y)).all()


# Bad input


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (
            {"order": ["origin", "other"]},
            r"`order` names unknown tasks \['other'\]; the tasks are \['origin'",
        ),
        ({"order": {"origin": "dependent0", "dependent0": "origin"}}, "`order` must have no cycle"),
        ({"order": "origin"}, "`order` must be a list"),
        ({"detach": "yes"}, "`detach` of Cascade must be True or False. Found 'yes'"),
        ({"conditional": {"dependent0": "other"}}, r"`conditional` names unknown tasks \['other'\]"),
        ({"conditional": {"dependent0": "origin"}}, "two classes.* Found task 'origin', classification"),
        ({"conditional": {"dependent0": "dependent0"}}, "`conditional` must have no cycle"),
        (
            {"order": {"dependent0": "dependent1"}, "conditional": {"dependent1": "dependent0"}},
            "`order` and `conditional` must have no cycle",
        ),
    ],
    ids=repr,
)
def test_bad_input_is_refused_before_training(params, told, dependent, monkeypatch):
    X, Y = dependent
    monkeypatch.setattr("sklearn_mtl.estimators.fitting.train_bag", None)
    with pytest.raises(ValueError, match=told):
        quick(Cascade(**params)).fit(X, Y)


def test_recipe_is_an_estimator():
    assert clone(Cascade(["a"], detach=True)).get_params() == {
        "order": ["a"],
        "detach": True,
        "conditional": None,
    }


def test_tasks_without_a_label_in_a_fold_are_left_out():
    cascade = Cascade({"c": ["a", "b"], "a": "b"}, conditional={"d": "c", "e": "d"}).without(["b", "d"])
    assert cascade.order == {"c": ["a"], "a": []}
    assert cascade.conditional == {"e": "c"}
    assert Cascade().without(["a"]).get_params() == Cascade().get_params()


class Own(Cascade):
    """A recipe of a user's."""


def test_a_subclass_stays_one_in_a_fold_and_with_the_order_that_is_found():
    tasks = [bound(name, [0, 1]) for name in "ab"]
    assert type(Own(["a", "b"]).without(["a"])) is Own
    found = Own(detach=True).with_statistics(tasks, {"reads": np.array([[0, 0], [1, 0]])})
    assert type(found) is Own
    assert found.get_params() == {"order": {"a": [], "b": ["a"]}, "detach": True, "conditional": None}


@pytest.mark.parametrize(
    "sharing", [Cascade(conditional=ESMM).without(["purchase"]), Cascade(conditional={})]
)
def test_a_conditional_cascade_without_its_tasks_is_no_chain_of_the_others(sharing, dependent):
    X, Y = dependent
    found, unfed = (quick(way).fit(X, Y).predict_proba(X) for way in (sharing, Cascade(order=[])))
    for name in Y:
        np.testing.assert_array_equal(found[name], unfed[name])


# Conditional tasks


@pytest.fixture(scope="module")
def clicks():
    X, Y = make_click_purchase(500, 6, click_rate=0.4, purchase_rate=0.4, random_state=0)
    gap = np.random.default_rng(0).random((2, 500)) < 0.2
    Y["return"] = Y["purchase"] & (X[:, 0] > 0)
    Y["click"] = np.where(gap[0], None, Y["click"])
    Y["purchase"] = np.where(gap[1], None, Y["purchase"])
    return X, {**Y, "price": X[:, 1]}


WEIGHTED = {
    "click": Classification(class_weight="balanced"),
    "purchase": Classification("focal", class_weight={1: 9}),
}
FITS = {
    "plain": {},
    "bag": {"n_bags": 3, "trunk": "tabm"},
    "uncalibrated": {"calibrate": False},
    "linear": {"linear_blend": True},
    "weighted": {"tasks": WEIGHTED},
    "weighted bag": {"tasks": WEIGHTED, "n_bags": 3, "linear_blend": True},
    "fed": {"sharing": Cascade(["price", "click", "return"], conditional=CHAIN)},
    "hidden": {"head_hidden_sizes": (4,)},
    "no row held out": {"early_stopping": False},
    "double": {"precision": "float64"},
}


def chance(est, X, name):
    return est.predict_proba(X)[name][:, 1]


@pytest.fixture(scope="module", params=FITS.values(), ids=FITS)
def fitted(request, clicks):
    return quick(Cascade(conditional=CHAIN)).set_params(max_epochs=8, **request.param).fit(*clicks)


def test_a_purchase_is_no_more_probable_than_a_click(fitted, clicks):
    far = 30 * clicks[0]
    for X in (clicks[0], far):
        click, purchase, back = (chance(fitted, X, name) for name in ("click", "purchase", "return"))
        assert (purchase <= click).all()
        assert (back <= purchase).all()
        logs = fitted.predict_log_proba(X)
        assert all(np.isfinite(logs[name]).all() for name in CHAIN)
        assert (logs["purchase"][:, 1] <= logs["click"][:, 1]).all()


def test_every_face_gives_the_same_product(fitted, clicks):
    X, _ = clicks
    for name in ("click", "purchase", "return"):
        view = fitted.task(name)
        np.testing.assert_array_equal(view.predict_proba(X)[:, 1], chance(fitted, X, name))
        np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)[name][:, 1]), chance(fitted, X, name))
        second = view.decision_function(X) > 0
        np.testing.assert_array_equal(fitted.predict(X)[name], view.classes_[second.astype(int)])


def test_copies_and_files_keep_the_product(fitted, clicks, tmp_path):
    X, _ = clicks
    save(fitted, tmp_path / "model.mtl")
    for copy in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "model.mtl")):
        for name in ("click", "purchase", "return"):
            np.testing.assert_array_equal(chance(copy, X, name), chance(fitted, X, name))


def factors(net, X):
    """Probabilities of the outputs of the heads, blended and divided by temperatures, by task."""
    module = net.evaluated
    inputs = {"x": torch.tensor(X, dtype=module.raw_scale.dtype, device=module.raw_scale.device)}
    raw = module.of_heads(inputs) * module.raw_scale
    for part in module.beside:
        raw = part.blended(raw, part(inputs))
    return raw.detach().cpu().double().sigmoid().numpy()


@pytest.mark.parametrize("params", [{}, {"tasks": WEIGHTED}, {"n_bags": 2, "linear_blend": True}], ids=repr)
def test_it_is_the_product_to_rounding(params, clicks):
    X, Y = clicks
    est = quick(Cascade(conditional=CHAIN), preprocessing=None, precision="float64", **params).fit(X, Y)
    names = [task.name for task in est._fitted.tasks.ordered]
    assert (est.net_.evaluated.raw_scale != 1).sum() == 3
    of_nets = [
        {name: factors(net, X)[..., names.index(name)] for name in ("click", "purchase", "return")}
        for net in est.nets_
    ]
    for number, name in enumerate(("click", "purchase", "return")):
        products = [np.prod([*found.values()][: number + 1], axis=0).mean(1) for found in of_nets]
        np.testing.assert_allclose(chance(est, X, name), np.mean(products, axis=0), rtol=1e-12)


def test_only_tasks_without_a_condition_have_a_linear_part(clicks):
    X, Y = clicks
    est = quick(Cascade(conditional=ESMM), linear_blend=True).fit(X, Y)
    names = [task.name for task in est._fitted.tasks.ordered]
    share = dict(zip(names, est.net_.evaluated.linear.share.tolist(), strict=True))
    assert share["purchase"] == 0
    assert share["click"] > 0


def test_the_losses_are_those_of_click_and_purchase_on_all_rows(clicks):
    X, Y = clicks
    plan = plans_of(
        (X, {name: Y[name] for name in ("click", "purchase")}, None), sharing=Cascade(conditional=ESMM)
    )[0]
    net = make_ready(plan).net
    raw = net.network(plan.train.inputs)[:, 0]
    step = net.criterion_.losses(raw.unsqueeze(1), plan.train.y, plan.train.weight)
    of_heads = net.network.of_heads(plan.train.inputs)[:, 0]
    names = [task.name for task in plan.blueprint.tasks.ordered]
    a, b = (of_heads[:, names.index(name)].sigmoid() for name in ("click", "purchase"))
    for name, p in {"click": a, "purchase": a * b}.items():
        column = names.index(name)
        known = plan.train.weight[:, column] > 0
        expected = F.binary_cross_entropy(p[known], plan.train.y[known, column])
        position = plan.blueprint.tasks.names.index(name)
        torch.testing.assert_close(step.values[position] * net.criterion_.losses.baseline[position], expected)


def test_class_weights_are_taken_out_of_each_factor(clicks):
    X, Y = clicks
    weights = {name: Classification(class_weight={1: 9}) for name in ("click", "purchase")}
    weighted, plain = (
        quick(Cascade(conditional=ESMM), tasks=tasks, max_epochs=20).fit(X, Y) for tasks in (weights, None)
    )
    for name in ESMM:
        assert chance(weighted, X, name).mean() == pytest.approx(chance(plain, X, name).mean(), abs=0.06)
        assert weighted.predict(X)[name].astype(float).mean() > plain.predict(X)[name].astype(float).mean()


def test_class_weights_of_nothing_are_refused(clicks):
    X, Y = clicks
    tasks = {"click": Classification(class_weight={0: 0.0})}
    with pytest.raises(ValueError, match=r"`class_weight` of task 'click' must be positive .* Found"):
        quick(Cascade(conditional=ESMM), tasks=tasks).fit(X, Y)


def test_warm_starts_and_batches_keep_the_product(clicks):
    X, Y = clicks
    est = quick(Cascade(conditional=ESMM), warm_start=True, max_epochs=2, tasks=WEIGHTED).fit(X, Y)
    est.set_params(max_epochs=4).fit(X, Y).partial_fit(X, Y)
    assert (chance(est, X, "purchase") <= chance(est, X, "click")).all()
    batches = quick(Cascade(conditional=ESMM))
    for _ in range(2):
        batches.partial_fit(X, Y)
    assert (chance(batches, X, "purchase") <= chance(batches, X, "click")).all()


@pytest.mark.parametrize("single", [*CHAIN.values(), "return"])
@pytest.mark.parametrize("event", [0, 1])
def test_a_task_of_one_class_stands_alone(single, event, clicks):
    X, Y = clicks
    est = quick(Cascade(conditional=CHAIN), trunk=MLP((8,)))
    with pytest.warns(UserWarning, match=f"Task '{single}' has one class only, {event}: there is nothing"):
        est.fit(X, {**Y, single: np.full(len(X), event)})
    assert est.predict_proba(X)[single].shape == (len(X), 1)
    first, second = (name for name in ("click", "purchase", "return") if name != single)
    assert (chance(est, X, second) <= chance(est, X, first)).all()
    for name in (first, second):
        assert 0.02 < chance(est, X, name).mean() < 0.7


def test_folds_without_a_rare_event_are_scored():
    X = np.random.default_rng(0).normal(size=(120, 4))
    click = (X[:, 0] > 0).astype(int)
    labels = {"click": click, "purchase": np.where(click.cumsum() <= 3, click, 0)}
    est = quick(Cascade(conditional=ESMM), trunk=MLP((8,)), max_epochs=1)
    search = StackedGridSearchCV(est, {"lr": [1e-3]}, cv=KFold(3), refit=False, error_score="raise")
    with pytest.warns(UserWarning, match="Task 'purchase' has one class only, 0: there is nothing"):
        search.fit(X, MultiTaskTarget(labels))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


EVENT_FIRST = {"click": np.array(["not", "clicked"]), "purchase": np.array(["not", "bought"])}


@pytest.mark.parametrize("renamed", [("click", "purchase"), ("click",), ("purchase",)], ids="-".join)
def test_labels_of_which_the_event_sorts_first_are_told_of_once_before_training(renamed, monkeypatch):
    X, Y = make_click_purchase(1000, click_rate=0.04, purchase_rate=0.3, random_state=1)
    est = quick(Cascade(conditional=ESMM), n_bags=3)
    named = {name: EVENT_FIRST[name][Y[name].astype(int)] if name in renamed else Y[name] for name in Y}
    monkeypatch.setattr("sklearn_mtl.estimators.fitting.train_bag", None)
    with (
        pytest.warns(UserWarning, match="`conditional` says that an event .* names of which") as told,
        pytest.raises(TypeError, match="not callable"),
    ):
        est.fit(X, named)
    assert len(told) == 1


def test_a_search_tells_once_of_each_fold_of_events_without_their_condition(clicks):
    X, _ = clicks
    labels = {"click": (X[:, 0] < 0).astype(int), "purchase": (X[:, 0] > 0).astype(int)}
    est = quick(Cascade(conditional=ESMM), trunk=MLP((8,)), max_epochs=1)
    search = StackedGridSearchCV(est, {"lr": [1e-3, 1e-2]}, cv=KFold(2), refit=False)
    with pytest.warns(UserWarning, match="`conditional` says that an event") as told:
        search.fit(X, MultiTaskTarget(labels))
    assert len(told) == 2


def test_conditional_nets_in_a_stack_are_those_nets_alone(clicks, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = clicks
    sharing = Cascade(["price", "click"], conditional=CHAIN)
    plans = [plan for seed in (0, 1) for plan in plans_of((X, Y, None), sharing=sharing, random_state=seed)]
    stacked_as_alone(plans)


# What each is for


def better_by_more_than_the_spread(make, sharing, name, seeds=5, **params):
    gains = []
    for seed in range(seeds):
        X, Y, n_train = make(seed)
        known = {task: labels[:n_train] for task, labels in Y.items()}
        losses = [
            log_loss(
                Y[name][n_train:].astype(int),
                chance(quick(way, random_state=seed, **params).fit(X[:n_train], known), X[n_train:], name),
            )
            for way in (HardSharing(), sharing)
        ]
        gains.append(losses[0] - losses[1])
    return np.mean(gains) > np.std(gains, ddof=1), gains


def test_a_task_that_is_a_function_of_another_is_learned_better_in_a_cascade():
    def make(seed):
        return (*make_dependent_tasks(4000, random_state=seed), 2000)

    better, gains = better_by_more_than_the_spread(
        make, Cascade(["origin", "dependent0"]), "dependent0", max_epochs=25
    )
    assert better, gains


def test_few_labels_of_purchases_rank_rows_better_with_the_click_as_their_condition():
    gains, settings = [], {"trunk": MLP((32, 32)), "max_epochs": 8, "lr": 0.01, "batch_size": 128}
    for seed in range(5):
        X, Y = make_click_purchase(6000, click_rate=0.3, purchase_rate=0.8, random_state=seed)
        unknown = np.random.default_rng(seed).random(3000) < 0.97
        known = {"click": Y["click"][:3000], "purchase": np.where(unknown, None, Y["purchase"][:3000])}
        areas = [
            roc_auc_score(
                Y["purchase"][3000:],
                chance(
                    quick(way, **settings, random_state=seed).fit(X[:3000], known),
                    X[3000:],
                    "purchase",
                ),
            )
            for way in (HardSharing(), Cascade(conditional=ESMM))
        ]
        gains.append(areas[1] - areas[0])
    assert np.mean(gains) > np.std(gains, ddof=1), gains
