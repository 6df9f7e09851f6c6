"""The estimator for classification tasks only."""

from __future__ import annotations

from sklearn.base import ClassifierMixin
from sklearn.utils import Tags

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.kinds import KindsOfType
from sklearn_mtl.tasks import Classification, Multilabel


class MultiTaskClassifier(ClassifierMixin, BaseMultiTask):
    """One neural network for several classification tasks; a full scikit-learn classifier.

    Nothing is inferred: every task is a classification, or multilabel where a mapping holds a
    two-dimensional block of 0 and 1. Parameters, attributes and methods are those of
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
    classes_ : ndarray, list of ndarray, or dict of str to ndarray
        For a one-dimensional, a two-dimensional and a named y.
    tasks_, n_features_in_, feature_names_in_, net_, nets_, history_, gradient_conflict_, n_iter_,
    interrupted_
        As in `MultiTaskClassifierRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> est = MultiTaskClassifier(n_bags=1, random_state=0).fit(X, y)
    >>> est.classes_
    array([0, 1, 2])
    >>> est.score(X, y) > 0.9
    True
    """

    _kind_rule = KindsOfType("classifier", column=Classification, block=Multilabel)
    # The score of all tasks: that of ClassifierMixin, left of the base, knows arrays without gaps only.
    score = BaseMultiTask.score

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        # Set here and not in the base: only the mixin, left of the base, makes `classifier_tags`.
        tags.classifier_tags.multi_label = True
        return tags
