"""The estimator for regression tasks only."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.kinds import KindsOfType
from sklearn_mtl.tasks import Regression


class MultiTaskRegressor(RegressorMixin, BaseMultiTask):
    """One neural network for several regression tasks; a full scikit-learn regressor.

    Nothing is inferred: every task is a regression. Parameters, attributes and methods are those of
    `MultiTaskClassifierRegressor`.

    Parameters
    ----------
    tasks, task_weights, trunk, sharing, balancing, sampler, augmentation, head_hidden_sizes,
    preprocessing
        The tasks and the network; see `MultiTaskClassifierRegressor`.
    optimizer, lr, weight_decay, batch_size, max_epochs, lr_schedule, gradient_clip
        Settings of the steps of training.
    early_stopping, validation_fraction, patience, n_bags, ema_decay, calibrate, linear_blend,
    tree_blend
        When training stops, and how weights and predictions are averaged, calibrated and blended.
    device, precision, compile, gradient_conflict, callbacks, verbose, warm_start, checkpoint,
    random_state
        Device and number format of the computation, what is recorded, callbacks, messages, what a fit goes
        on from, and the source of randomness.

    Attributes
    ----------
    tasks_, n_features_in_, feature_names_in_, net_, nets_, history_, gradient_conflict_, n_iter_,
    interrupted_
        As in `MultiTaskClassifierRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> est = MultiTaskRegressor(n_bags=1, random_state=0).fit(X, X @ [[1, 0], [2, 1], [0, 3]])
    >>> est.predict(X).shape
    (200, 2)
    """

    _kind_rule = KindsOfType("regressor", column=Regression, block=Regression)
    # The score of all tasks: that of RegressorMixin, left of the base, knows arrays without gaps only.
    score = BaseMultiTask.score

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # type: ignore[override]
        """Train for one epoch on a part of the data.

        Tasks, scales and preprocessing are those of the first call; no row is held out. As in other
        regressors of scikit-learn, weights come third.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Self
            The estimator, trained on.

        Raises
        ------
        ValueError
            If a later call brings a task that the first did not know.
        KeyboardInterrupt
            As in `fit`; nets that have not finished this epoch stay as they were.
        """
        return super().partial_fit(X, y, sample_weight=sample_weight)
