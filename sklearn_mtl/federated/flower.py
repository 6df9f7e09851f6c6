"""Clients and rounds for Flower, which carries what they say to each other.

Needs flwr: ``pip install "sklearn-mtl[federated]"``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.federated.agreement import agree, initial_estimator
from sklearn_mtl.federated.averaging import Update, average
from sklearn_mtl.federated.client import FederatedClient
from sklearn_mtl.federated.local_state import local_state, put_local_state
from sklearn_mtl.federated.weights import get_weights, set_weights, tasks_of_weights
from sklearn_mtl.messages import shown

__all__ = ["client_app", "run_rounds"]


def client_app(make_client: Callable[[Any], FederatedClient]) -> Any:
    """Return the ``ClientApp`` of Flower that answers for a client.

    Parameters
    ----------
    make_client : callable
        Takes Flower's ``Context``, whose ``node_config`` may say where the rows are, and returns the
        `FederatedClient`. It is called once in each process.

    Returns
    -------
    flwr.clientapp.ClientApp
        Tells a summary for a ``query``, and trains for a ``train``. What the next round goes on from, also
        heads that stay at home, is kept in the context's ``state``, which does not leave the client.

    Raises
    ------
    ImportError
        If flwr is not there.
    """
    app = _flower("clientapp").ClientApp()
    flower = _flower("app")
    clients: dict[tuple[int, int], FederatedClient] = {}

    def client_of(context: Any) -> FederatedClient:
        key = (context.run_id, context.node_id)
        if key not in clients:
            clients[key] = make_client(context)
        return clients[key]

    @app.query()
    @_without_cells
    def tell(message: Any, context: Any) -> Any:
        told = flower.ConfigRecord({"summary": json.dumps(client_of(context).summary())})
        return flower.Message(flower.RecordDict({"summary": told}), reply_to=message)

    @app.train()
    @_without_cells
    def train(message: Any, context: Any) -> Any:
        client, config = client_of(context), message.content["config"]
        if not hasattr(client, "estimator_"):
            client.start(json.loads(config["agreement"]))
            if "local" in context.state:
                # Flower starts a process for each message, unless it is told otherwise.
                arrays = context.state["arrays"].to_numpy_ndarrays()
                put_local_state(client.estimator_, context.state["local"]["state"], arrays)
        update = client.train(message.content["weights"].to_numpy_ndarrays(), epochs=config["epochs"])
        text, arrays = local_state(client.estimator_)
        context.state["local"] = flower.ConfigRecord({"state": text})
        context.state["arrays"] = flower.ArrayRecord(arrays)
        counts = {"n_rows": update.n_rows, "n_labels": update.n_labels}
        reply = {"weights": flower.ArrayRecord(update.weights), "counts": flower.ConfigRecord(counts)}
        return flower.Message(flower.RecordDict(reply), reply_to=message)

    return app


def run_rounds(
    estimator: Any,
    grid: Any,
    *,
    n_rounds: int = 10,
    local_epochs: int = 1,
    share: str = "all",
    timeout: float = 3600,
) -> Any:
    """Let the clients that are there learn together; for the main function of a ``ServerApp``.

    A client that does not answer in a round, or with an error, is left out of it, with a warning, and asked
    again in the next one. One that was not there for the first, the agreement, is never asked.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        The same as the clients have.
    grid : flwr.serverapp.Grid
        What Flower gives the main function.
    n_rounds, local_epochs, share
        As in `simulate`; clients have the same ``share``.
    timeout : float, default=3600
        Seconds for which the answers of a round are waited for.

    Returns
    -------
    MultiTaskClassifierRegressor
        An estimator with the common weights.

    Raises
    ------
    ImportError
        If flwr is not there.
    RuntimeError
        If no client answers in the first round, or in a round of training.
    """
    flower = _flower("app")

    def answers(nodes: list[int], kind: str, content: dict[str, Any]) -> dict[int, Any]:
        asked = [
            flower.Message(flower.RecordDict(dict(content)), dst_node_id=node, message_type=kind)
            for node in nodes
        ]
        every = list(grid.send_and_receive(asked, timeout=timeout))
        found = {one.metadata.src_node_id: one.content for one in every if not one.has_error()}
        reasons = sorted({str(one.error.reason) for one in every if one.has_error()})
        if not found:
            raise RuntimeError(f"Some client must answer. Found none of {shown(nodes)} that did: {reasons}.")
        if len(found) < len(nodes):
            silent = [node for node in nodes if node not in found]
            warn_caller(
                f"Clients {shown(silent)} of {len(nodes)} did not answer a {kind}, which goes on without "
                f"them: {reasons or 'they were waited for in vain'}."
            )
        return dict(sorted(found.items()))

    told = answers(sorted(grid.get_node_ids()), "query", {})
    agreement = agree([json.loads(content["summary"]["summary"]) for content in told.values()])
    common = initial_estimator(estimator, agreement)
    tasks, weights = tasks_of_weights(common, share=share), get_weights(common, share=share)
    for _ in range(n_rounds):
        config = flower.ConfigRecord({"agreement": json.dumps(agreement), "epochs": local_epochs})
        found = answers(list(told), "train", {"weights": flower.ArrayRecord(weights), "config": config})
        updates = [_update(content) for content in found.values()]
        weights = average(updates, weights, tasks)
    set_weights(common, weights, share=share)
    return common


def _without_cells(answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return what answers a message, and whose errors, which the server gets, show no cell of a row."""

    @wraps(answer)
    def found(message: Any, context: Any) -> Any:
        try:
            return answer(message, context)
        except Exception as error:
            raise RuntimeError(f"{type(error).__name__}, whose text is in the log of the client") from error

    return found


def _update(content: Any) -> Update:
    counts = content["counts"]
    return Update(content["weights"].to_numpy_ndarrays(), counts["n_rows"], list(counts["n_labels"]))


def _flower(part: str) -> Any:
    try:
        return import_module(f"flwr.{part}")
    except ImportError as error:
        raise ImportError(
            'Federated learning with Flower needs flwr: pip install "sklearn-mtl[federated]"'
        ) from error
