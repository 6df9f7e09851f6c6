"""All clients and the server in one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_mtl.federated.agreement import agree, initial_estimator
from sklearn_mtl.federated.averaging import average
from sklearn_mtl.federated.client import FederatedClient
from sklearn_mtl.federated.summary import FEWEST
from sklearn_mtl.federated.weights import get_weights, set_weights, tasks_of_weights


@dataclass(frozen=True, eq=False)
class Federation:
    """What a federation has learned.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        Has the common weights. Where heads stay at home, those of its tasks are untrained.
    clients : list of FederatedClient
        Each has an ``estimator_`` with the common weights, and where heads stay at home with its own heads.
    """

    estimator: Any
    clients: list[FederatedClient]


def simulate(
    estimator: Any,
    parts: Sequence[tuple[Any, Any]],
    *,
    n_rounds: int = 10,
    local_epochs: int = 1,
    share: str = "all",
    fewest: int = FEWEST,
) -> Federation:
    """Let several clients learn together, in one process.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor
        What every client has; see `FederatedClient`.
    parts : sequence of (X, y)
        The rows of each client.
    n_rounds : int, default=10
        Rounds of training and averaging, after the first one of summaries.
    local_epochs : int, default=1
        Passes of each client over its rows in a round.
    share : {"all", "trunk"}, default="all"
        What is averaged.
    fewest : int, default=5
        Levels of columns of text that fewer rows of a client have are not told.

    Returns
    -------
    Federation
        The common estimator, and the clients.
    """
    clients = [FederatedClient(estimator, X, y, share=share, fewest=fewest) for X, y in parts]
    agreement = agree([client.summary() for client in clients])
    common = initial_estimator(estimator, agreement)
    for client in clients:
        client.start(agreement)
    tasks, weights = tasks_of_weights(common, share=share), get_weights(common, share=share)
    for _ in range(n_rounds):
        updates = [client.train(weights, epochs=local_epochs) for client in clients]
        weights = average(updates, weights, tasks)
    for client in clients:
        client.receive(weights)
    set_weights(common, weights, share=share)
    return Federation(common, clients)
