"""Clients learn together: what they agree on, how they are averaged, and what that comes to."""

import json
import pickle
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.federated import (
    FederatedClient,
    Update,
    agree,
    average,
    initial_estimator,
    simulate,
    summary,
)
from sklearn_mtl.federated.local_state import local_state, put_local_state
from sklearn_mtl.federated.weights import get_weights, set_weights, tasks_of_weights
from sklearn_mtl.trunks import MLP

TASKS = {"price": "regression", "type": "classification", "sold": "classification"}


def quick(**params):
    settings = {"tasks": TASKS, "trunk": MLP((16,)), "n_bags": 1, "batch_size": 32, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**settings, **params})


def rows(n_rows, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"area": rng.normal(size=n_rows) + shift, "age": rng.integers(0, 90, n_rows)})
    X.loc[X.index[::9], "area"] = np.nan
    X["colour"] = rng.choice(["red", "blue", "green"], n_rows)
    X["garden"] = rng.random(n_rows) > 0.5
    X["built"] = pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9000, n_rows), unit="D")
    signal = X["area"].fillna(0) + (X["colour"] == "red")
    price = 100 + 20 * (signal + 0.1 * rng.normal(size=n_rows))
    kind = np.where(X["area"].fillna(0) + X["garden"] > 0.5, "flat", "house").astype(object)
    return X, {"price": price.to_numpy(), "type": kind, "sold": (X["age"] > 45).to_numpy().astype(int)}


@pytest.fixture(scope="module")
def parts():
    first, second, third = rows(200, 0), rows(120, 1, 1.0), rows(80, 2, -1.0)
    gaps = {"price": np.where(np.arange(200) % 4, first[1]["price"], np.nan), "type": first[1]["type"].copy()}
    gaps["type"][::5] = None
    return [
        (first[0], gaps),
        (second[0], {"price": second[1]["price"], "sold": second[1]["sold"]}),
        (third[0], {"type": third[1]["type"]}),
    ]


@pytest.fixture(scope="module")
def agreement(parts):
    return agree([summary(X, y, TASKS) for X, y in parts])


@pytest.fixture(scope="module")
def started(agreement):
    return initial_estimator(quick(), agreement)


def test_what_is_told_is_json_and_is_counted(parts, agreement):
    told = summary(*parts[0], TASKS)
    assert json.loads(json.dumps(told)) == told
    assert told["features"][0]["n"] + told["features"][0]["missing"] == 200
    colours = pd.concat([X["colour"] for X, _ in parts]).value_counts().to_dict()
    assert agreement["features"][2]["levels"] == colours
    prices = np.concatenate([parts[0][1]["price"], parts[1][1]["price"]])
    assert agreement["tasks"]["price"]["n"] == np.isfinite(prices).sum()
    assert agreement["tasks"]["price"]["sum"] == pytest.approx(np.nansum(prices))
    assert agreement["tasks"]["sold"]["classes"] == [0, 1]
    assert agreement["tasks"]["type"]["counts"] == [
        sum(int((y["type"] == label).sum()) for _, y in parts if "type" in y) for label in ("flat", "house")
    ]


def test_levels_of_few_rows_are_not_told():
    X = pd.DataFrame({"name": ["Ann"] * 4 + ["Bob"] * 5, "rare": [1.0, 2.0, *[np.nan] * 7]})
    told = summary(X, {"sold": np.arange(9) % 2}, TASKS)["features"]
    assert told[0]["levels"] == {"Bob": 5}
    assert told[1]["points"] == []


def test_regressions_of_few_labels_are_not_told_but_learned():
    X, y = rows(60, 3)
    few = {"price": np.where(np.arange(60) < 4, y["price"], np.nan), "sold": y["sold"]}
    assert list(summary(X, few, TASKS)["tasks"]) == ["sold"]
    est = quick(tasks={"price": "regression", "sold": "classification"})
    federation = simulate(est, [(X, {"price": y["price"]}), (X, few)], n_rounds=1)
    (own,) = [client.train() for client in federation.clients[1:]]
    assert (own.n_rows, own.n_labels) == (60, [4, 60])


def test_labels_in_another_order_of_rows_are_warned_of(parts):
    X, y = parts[2]
    with pytest.warns(UserWarning, match="hold the same labels in another order"):
        FederatedClient(quick(), X, pd.DataFrame(y, index=X.index[::-1]))


def test_all_make_the_same_estimator_and_its_scales_are_those_of_all_rows(parts, agreement, started):
    again = initial_estimator(quick(), json.loads(json.dumps(agreement)))
    for ours, theirs in zip(get_weights(started), get_weights(again), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    prices = np.concatenate([parts[0][1]["price"], parts[1][1]["price"]])
    price = started.tasks_["price"]
    assert price.loc.item() == pytest.approx(np.nanmean(prices))
    assert price.scale.item() == pytest.approx(np.nanstd(prices))
    assert (price.low.item(), price.high.item()) == (np.nanmin(prices), np.nanmax(prices))
    assert started.classes_["type"].tolist() == ["flat", "house"]
    everything = pd.concat([X for X, _ in parts])
    encoded = started._fitted.encoder.transform(everything)["x"]
    pooled = quick(max_epochs=1, early_stopping=False).fit(
        everything, {"price": np.arange(400.0)} | {"sold": np.arange(400) % 2, "type": np.arange(400) % 3}
    )
    expected = pooled._fitted.encoder.transform(everything)["x"]
    assert (
        started._fitted.encoder.get_feature_names_out().tolist()
        == pooled._fitted.encoder.get_feature_names_out().tolist()
    )
    np.testing.assert_allclose(encoded, expected, atol=0.05)


@pytest.mark.parametrize("n_bags", [1, 2])
def test_one_client_and_one_epoch_a_round_are_partial_fit(n_bags):
    X, y = rows(150, 5)
    est = quick(n_bags=n_bags)
    federation = simulate(est, [(X, y)], n_rounds=1)
    alone = initial_estimator(est, agree([summary(X, y, TASKS)])).partial_fit(X, y)
    for ours, theirs in zip(get_weights(federation.estimator), get_weights(alone), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
    ours, theirs = federation.estimator.predict(X), alone.predict(X)
    np.testing.assert_allclose(ours["price"], theirs["price"], rtol=1e-5)
    assert federation.clients[0].estimator_.n_iter_ == 1


@pytest.mark.parametrize("params", [{}, {"head_hidden_sizes": (8,)}, {"trunk": None}])
def test_the_average_is_that_by_hand(parts, agreement, params):
    est = quick(**params)
    start = initial_estimator(est, agreement)
    before = get_weights(start)
    clients = [FederatedClient(est, X, y).start(agreement) for X, y in parts]
    updates = [client.train(before) for client in clients]
    assert [update.n_rows for update in updates] == [190, 120, 80]
    names = list(start.tasks_)
    assert dict(zip(names, updates[0].n_labels, strict=True)) == {"price": 150, "type": 160, "sold": 0}
    tasks = tasks_of_weights(start)
    found = average(updates, before, tasks)
    after = pickle.loads(pickle.dumps(start))
    set_weights(after, found)
    for place, of_task in enumerate(tasks):
        if of_task is None:
            arrays = [update.weights[place].astype(float) for update in updates]
            by_hand = (190 * arrays[0] + 120 * arrays[1] + 80 * arrays[2]) / 390
            finite = np.isfinite(by_hand)
            np.testing.assert_allclose(found[place][finite], by_hand[finite], rtol=1e-6, atol=1e-7)
    # Only the second client has labels of `sold`: its head is that of this client, to the bit.
    sold = names.index("sold")
    seen = 0
    for place, of_task in enumerate(tasks):
        if of_task is not None:
            where = np.broadcast_to(of_task == sold, found[place].shape)
            np.testing.assert_array_equal(found[place][where], updates[1].weights[place][where])
            seen += where.sum()
    assert seen > 16
    # What a task's numbers are is told by what changes of its outputs alone.
    moved = [array.copy() for array in found]
    for array, of_task in zip(moved, tasks, strict=True):
        if of_task is not None:
            array[np.broadcast_to(of_task == sold, array.shape)] += 1
    other = pickle.loads(pickle.dumps(after))
    set_weights(other, moved)
    ours, theirs = (est.predict_proba(parts[0][0]) for est in (after, other))
    assert np.abs(ours["sold"] - theirs["sold"]).max() > 1e-3
    np.testing.assert_array_equal(ours["type"], theirs["type"])
    np.testing.assert_array_equal(after.predict(parts[0][0])["price"], other.predict(parts[0][0])["price"])


def test_a_head_without_labels_stays_as_it_was():
    updates = [Update([np.array([[1.0, 2.0]])], 3, [3, 0]), Update([np.array([[5.0, 6.0]])], 1, [1, 0])]
    (found,) = average(updates, [np.array([[7.0, 8.0]])], [np.array([0, 1])])
    np.testing.assert_array_equal(found, [[2.0, 8.0]])


def test_clients_learn_together_what_none_could_alone(parts):
    federation = simulate(quick(lr=1e-2), parts, n_rounds=6, local_epochs=2)
    X, y = rows(300, 9)
    scores = federation.estimator.score_tasks(X, y)
    assert (scores > 0.75).all()
    for client in federation.clients:
        np.testing.assert_array_equal(
            client.estimator_.predict(X)["type"], federation.estimator.predict(X)["type"]
        )


def test_heads_may_stay_at_home(parts):
    federation = simulate(quick(), parts, n_rounds=2, share="trunk")
    ours, theirs = (client.estimator_ for client in federation.clients[:2])
    for one, other in zip(get_weights(ours, share="trunk"), get_weights(theirs, share="trunk"), strict=True):
        np.testing.assert_array_equal(one, other)
    pairs = zip(get_weights(ours), get_weights(theirs), strict=True)
    assert any(not np.array_equal(one, other) for one, other in pairs)
    assert len(get_weights(ours, share="trunk")) < len(get_weights(ours))


def test_a_client_goes_on_in_another_process(parts, agreement):
    est = quick(trunk=MLP((16,), dropout=0.1), balancing="uncertainty")
    first, other = (FederatedClient(est, *parts[0]).start(agreement) for _ in range(2))
    weights = first.train().weights
    text, arrays = local_state(first.estimator_)
    put_local_state(other.estimator_, text, arrays)
    for ours, theirs in zip(first.train(weights).weights, other.train(weights).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert other.estimator_.n_iter_ == 2


def test_classes_are_integers_if_some_client_has_integers(parts):
    X, _ = parts[2]
    gaps, whole = np.where(np.arange(80) % 3, np.arange(80) % 2, np.nan), np.arange(80) % 2
    classes = agree([summary(X, {"sold": one}, TASKS) for one in (gaps, whole)])["tasks"]["sold"]["classes"]
    assert list(map(repr, classes)) == ["0", "1"]


def test_an_array_has_no_names_and_the_data_stay_as_they_were():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = {"price": X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house").astype(object)}
    before = X.copy(), {name: labels.copy() for name, labels in y.items()}
    est = quick(tasks={name: TASKS[name] for name in y})
    federation = simulate(est, [(X, y), (X[::-1], {"price": X[::-1, 0]})], n_rounds=1)
    assert not hasattr(federation.estimator, "feature_names_in_")
    np.testing.assert_array_equal(X, before[0])
    for name, labels in y.items():
        np.testing.assert_array_equal(labels, before[1][name])


def test_what_can_not_be_agreed_on_is_refused(parts):
    X, y = parts[2]
    with pytest.raises(ValueError, match="must have the same columns"):
        agree([summary(X, y, TASKS), summary(X[["area"]], y, TASKS)])
    with pytest.raises(ValueError, match="must hold the same with all clients"):
        agree([summary(X, y, TASKS), summary(X.assign(area="large"), y, TASKS)])
    with pytest.raises(ValueError, match=r"of one type with all clients\. Found int and str in 'type'"):
        agree([summary(X, y, TASKS), summary(X, {"type": np.arange(80) % 2}, TASKS)])
    with pytest.raises(ValueError, match=r"must have a label.*\['type'\] in 80 rows"):
        summary(X, {"type": np.full(80, None)}, TASKS)
    with pytest.raises(ValueError, match=r"named by texts\. Found \[0, 1\]"):
        summary(pd.DataFrame(np.ones((80, 2))), y, TASKS)
    with pytest.raises(ValueError, match="of one client at least"):
        agree([])
    with pytest.raises(ValueError, match=r"must name the kind of every task.*\['floors'\]"):
        summary(X, {"floors": np.arange(80)}, TASKS)
    with pytest.raises(ValueError, match="must be a mapping that names every task"):
        FederatedClient(quick(tasks=None), X, y)
    with pytest.raises(ValueError, match="multilabel"):
        FederatedClient(quick(tasks={"type": "multilabel"}), X, y)
    with pytest.raises(ValueError, match="`random_state`"):
        simulate(quick(tasks={"type": "classification"}, random_state=None), [(X, y)])
    with pytest.raises(ValueError, match=r"some client has labels.*\['price', 'sold'\]"):
        simulate(quick(), [(X, y)])
    with pytest.raises(ValueError, match="`share`"):
        simulate(quick(tasks={"type": "classification"}), [(X, y)], share="heads")
    with pytest.raises(TypeError, match="federated client must be a DataFrame"):
        summary(np.array([["a"]]), {"price": [1.0]}, TASKS)


def test_weights_of_another_network_are_refused(started):
    with pytest.raises(ValueError, match="arrays of the shapes"):
        set_weights(started, get_weights(started)[1:])


def test_without_flower_the_error_names_what_to_install(monkeypatch):
    from sklearn_mtl.federated.flower import client_app

    monkeypatch.setitem(sys.modules, "flwr", None)
    with pytest.raises(ImportError, match=r"sklearn-mtl\[federated\]"):
        client_app(lambda context: None)


class Grid:
    """Hands messages to the apps of clients, as Flower does, without a network."""

    def __init__(self, app, contexts):
        self.app, self.contexts, self.n_asked = app, contexts, 0

    def get_node_ids(self):
        return list(self.contexts)

    def send_and_receive(self, messages, *, timeout):
        self.n_asked += 1
        for message in messages:
            yield self.app(message, self.contexts[message.metadata.dst_node_id])


@pytest.fixture
def flower():
    flower = pytest.importorskip("flwr.app")
    # What Flower's own processes set before they call the server's function.
    identity = pytest.importorskip("flwr.supercore.task_identity").TaskIdentity
    identity.run_id, identity.node_id, identity.task_id = 1, 0, 0
    return flower


def grid_of(flower, est, parts, kind=Grid, **params):
    from sklearn_mtl.federated.flower import client_app

    def make():
        return client_app(lambda context: FederatedClient(est, *parts[context.node_id - 1], **params))

    nodes = range(1, len(parts) + 1)
    app = make if kind is ProcessForEachMessage else make()
    return kind(app, {node: flower.Context(1, node, {}, flower.RecordDict(), {}) for node in nodes})


class ProcessForEachMessage(Grid):
    """Lets clients forget everything but their contexts."""

    def __init__(self, app, contexts):
        super().__init__(None, contexts)
        self.make = app

    def send_and_receive(self, messages, *, timeout):
        for message in messages:
            self.app = self.make()
            yield from super().send_and_receive([message], timeout=timeout)


@pytest.mark.parametrize("kind", [Grid, ProcessForEachMessage])
@pytest.mark.parametrize("share", ["all", "trunk"])
def test_flower_carries_what_a_simulation_does(flower, parts, share, kind):
    from sklearn_mtl.federated.flower import run_rounds

    est = quick(trunk=MLP((16,), dropout=0.1), balancing="uncertainty")
    grid = grid_of(flower, est, parts, kind, share=share)
    found = run_rounds(est, grid, n_rounds=2, share=share)
    expected = simulate(est, parts, n_rounds=2, share=share).estimator
    for ours, theirs in zip(get_weights(found), get_weights(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_errors_of_a_client_show_no_cell_of_its_rows(flower):
    X, y = rows(40, 0)
    grid = grid_of(flower, quick(), [(X.assign(colour=[("secret", 1)] * 40), y)])
    ask = flower.Message(flower.RecordDict(), dst_node_id=1, message_type="query")
    with pytest.raises(RuntimeError, match="ValueError, whose text is in the log") as raised:
        list(grid.send_and_receive([ask], timeout=1))
    assert "secret" in str(raised.value.__cause__)
    assert "secret" not in str(raised.value)


class LosesOne(Grid):
    """Has no answer of the second client in the first round of training, and an error in the second."""

    def send_and_receive(self, messages, *, timeout):
        from flwr.app import Error, Message

        for answer in super().send_and_receive(messages, timeout=timeout):
            if answer.metadata.src_node_id != 2 or self.n_asked not in (2, 3):
                yield answer
            elif self.n_asked == 3:
                asked = next(one for one in messages if one.metadata.dst_node_id == 2)
                yield Message(Error(code=0, reason="no disk"), reply_to=asked)


def test_a_round_goes_on_without_a_client_that_does_not_answer(flower, parts):
    from sklearn_mtl.federated.flower import run_rounds

    est = quick()
    with pytest.warns(UserWarning, match=r"Clients \[2\] of 3 did not answer a train") as caught:
        found = run_rounds(est, grid_of(flower, est, parts, kind=LosesOne), n_rounds=2)
    assert [any(text in str(one.message) for one in caught) for text in ("in vain", "no disk")] == [
        True,
        True,
    ]
    # Nobody who took part has labels of `sold`.
    start = initial_estimator(est, agree([summary(X, y, TASKS) for X, y in parts]))
    sold = list(start.tasks_).index("sold")
    for ours, first, of_task in zip(
        get_weights(found), get_weights(start), tasks_of_weights(start), strict=True
    ):
        if of_task is not None:
            where = np.broadcast_to(of_task == sold, ours.shape)
            np.testing.assert_array_equal(ours[where], first[where])
