"""One estimator, one network, many targets of different kinds.

`MultiTaskClassifierRegressor` fits mixed classification and regression tasks with a shared network;
`MultiTaskClassifier` and `MultiTaskRegressor` are its single-kind forms. The way of the data, one
package for each stage::

    Y -> targets -> tasks ---------------------+
    X -> features -> trunks -> sharing -> network (trunk, heads, loss) -> one output per task
                           balancing ---^       |
            data -> inference -> training ------+-> estimators -> the rest

The rest is what takes fitted estimators: model_selection, inspection, ensemble, semi_supervised,
consistency, export and federated.

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> X = np.random.default_rng(0).normal(size=(100, 2))
>>> est = MultiTaskClassifierRegressor(max_epochs=3, n_bags=1)
>>> est = est.fit(X, {"sum": X.sum(axis=1), "positive": X[:, 0] > 0})
>>> list(est.predict(X))
['sum', 'positive']
"""

from sklearn_mtl.estimators import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.features import MultiInput
from sklearn_mtl.targets import MultiTaskTarget

__version__ = "0.1.0.dev0"

__all__ = [
    "MultiInput",
    "MultiTaskClassifier",
    "MultiTaskClassifierRegressor",
    "MultiTaskRegressor",
    "MultiTaskTarget",
    "__version__",
]
