"""Federated learning: several clients train one network, and no row leaves the client that has it.

In a first round each client sends a `summary` of its rows: counts, sums, quantiles, levels and classes.
From these `agree` makes an agreement, by which every client has the same tasks, encoders, scales and initial
weights. In each round after it clients train on from the common weights, and `average` makes new ones of
theirs: federated averaging (McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from
Decentralized Data"). A client may lack tasks: the head of a task is averaged over those that have labels of
it. With ``share="trunk"`` the heads stay at home (FedPer: Arivazhagan et al. 2019, "Federated Learning with
Personalization Layers").

`simulate` does all this in one process. On several machines Flower carries what clients and server say to
each other: `sklearn_mtl.federated.flower`, ``pip install "sklearn-mtl[federated]"``.

===============  ==============================================================
`summary`        what a client tells of its rows
`agreement`      summaries as one, and the estimator that all begin with
`weights`        the weights of an estimator as arrays, and whose each of them is
`averaging`      the weights of several clients as those of one
`local_state`    what a client keeps between rounds
`client`         `FederatedClient`: an estimator with its rows
`simulation`     `simulate`: all rounds in one process
`flower`         clients and rounds for Flower
===============  ==============================================================

Examples
--------
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.datasets import make_multitask
>>> from sklearn_mtl.federated import simulate
>>> X, Y = make_multitask(n_samples=300, n_regression=1, n_binary=1, random_state=0)
>>> first = X[:150], {"regression0": Y["regression0"][:150]}
>>> second = X[150:], {name: labels[150:] for name, labels in Y.items()}
>>> est = MultiTaskClassifierRegressor(
...     tasks={"regression0": "regression", "binary0": "classification"}, trunk="mlp", random_state=0
... )
>>> federation = simulate(est, [first, second], n_rounds=2)
>>> sorted(federation.estimator.predict(X))
['binary0', 'regression0']
"""

from sklearn_mtl.federated.agreement import agree, initial_estimator
from sklearn_mtl.federated.averaging import Update, average
from sklearn_mtl.federated.client import FederatedClient
from sklearn_mtl.federated.simulation import Federation, simulate
from sklearn_mtl.federated.summary import summary

__all__ = [
    "FederatedClient",
    "Federation",
    "Update",
    "agree",
    "average",
    "initial_estimator",
    "simulate",
    "summary",
]
