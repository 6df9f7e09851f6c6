"""Rows drawn by their sample weights, instead of weighed by them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sklearn_mtl.sampling.sampler import Sampler, TrainingLabels


class SampleWeighted(Sampler):
    """Draw rows in proportion to their ``sample_weight``, and let all that are drawn weigh the same.

    On average over many steps it is the same loss that is minimised. A heavy row is seen often, instead of
    seldom with a large step; a row of weight 0.1 is seen in a tenth of the epochs. Any over- or
    under-sampling is spelled so: compute a weight for each row, such as by `compute_sample_weight` of
    scikit-learn, and hand it to ``fit`` as ``sample_weight``, which cross-validation and searches split along
    with the rows.

    Weights by task are drawn at the mean over the tasks of which a row has a label, and each label weighs
    what it weighed, divided by that. Without a ``sample_weight`` there is nothing to draw by, and ``fit``
    raises an error.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.utils.class_weight import compute_sample_weight
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = np.where(X[:, 1] > 1.5, "rare", "common")
    >>> est = MultiTaskClassifier(sampler="sample_weighted", n_bags=1, max_epochs=2)
    >>> est.fit(X, y, sample_weight=compute_sample_weight("balanced", y)).predict(X).shape
    (200,)
    """

    for_weights: ClassVar[bool] = True

    def rates(self, labels: TrainingLabels) -> np.ndarray:
        """Return the mean weight of each row's labels."""
        n_labels = (labels.weight > 0).sum(1)
        total: np.ndarray = labels.weight.sum(1, dtype=np.float64)
        return total / np.maximum(n_labels, 1)
