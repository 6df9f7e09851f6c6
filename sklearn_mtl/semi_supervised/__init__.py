"""Estimators that learn from rows, and cells of y, without labels too.

`SelfTraining` gives missing labels what its members are sure of, task by task. The room and the name are
those of ``sklearn.semi_supervised``.

=================  ==============================================================
`self_training`    `SelfTraining`
`rounds`           fit, label what is sure, fit again; when to stop
`pseudo_labels`    labels made of predictions, by the kind of task
`stages`           the stages of a fit to labels and pseudo-labels
=================  ==============================================================

Examples
--------
>>> import numpy as np
>>> from sklearn_mtl import MultiTaskClassifierRegressor
>>> from sklearn_mtl.semi_supervised import SelfTraining
>>> X = np.random.default_rng(0).normal(size=(200, 3))
>>> sold = np.where(X[:, 0] > 0, "yes", "no").astype(object)
>>> sold[50:] = None
>>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=2, max_epochs=10)
>>> est = SelfTraining(network, max_iter=1, random_state=0).fit(X, {"sold": sold})
>>> est.predict(X)["sold"].shape
(200,)
"""

from sklearn_mtl.semi_supervised.self_training import SelfTraining

__all__ = ["SelfTraining"]
