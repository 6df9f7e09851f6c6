"""The base class: from a batch to the batch that is trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from sklearn.base import BaseEstimator

from sklearn_mtl.data import Batch
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.tasks import Task


class Augmentation(BaseEstimator, ABC):
    """What is done to the rows of a batch before each step of training.

    An augmentation of one's own must define `augment`; `check` and `check_data` are hooks. All random numbers
    are to be drawn from the generator that it is given, so that networks that are trained together draw what
    each would draw alone. Held-out rows, and those to predict, are left as they are.
    """

    @abstractmethod
    def augment(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return the batch that is trained on.

        Parameters
        ----------
        batch : Batch
            Rows of the training data: ``inputs`` by block, on the network's device, ``y`` as the tasks encode
            it, and a ``weight`` for each label, 0 where there is none. Its tensors may not be changed.
        generator : torch.Generator or None
            The source of random numbers, on the CPU; None, as torch's functions take it, for torch's own.

        Returns
        -------
        Batch
            As many rows of inputs. Of labels and weights there may be several for each row, one after the
            other.
        """

    def check(self) -> None:
        """Raise a ``ValueError`` if a parameter is not what it must be."""

    def check_data(self, spec: FeatureSpec, tasks: Sequence[Task]) -> None:
        """Raise a ``ValueError`` if it can't be used for an input, or for the labels of a task.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the encoded input and their shapes.
        tasks : sequence of Task
            The tasks, in the user's order.
        """
