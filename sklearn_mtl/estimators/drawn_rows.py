"""How training rows are drawn, by the sampler and the augmentation of the estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sklearn_mtl.augmentation import AUGMENTATIONS, Augmentation
from sklearn_mtl.data import Drawing, Table
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.recipes import resolve
from sklearn_mtl.sampling import SAMPLERS, Sampler, TrainingLabels, checked_rates
from sklearn_mtl.tasks import TaskSet


@dataclass(frozen=True)
class RowDraws:
    """By what training rows are drawn.

    Parameters
    ----------
    sampler : Sampler or None
        How often each row is drawn.
    augmentation : Augmentation or None
        What is done to a batch.
    """

    sampler: Sampler | None
    augmentation: Augmentation | None

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Check the parameters of an estimator, and resolve what they stand for.

        Parameters
        ----------
        estimator : object
            Has the parameters of `BaseMultiTask` as attributes.
        """
        sampler, augmentation = estimator.sampler, estimator.augmentation
        sampler = None if sampler is None else resolve(SAMPLERS, sampler)
        augmentation = None if augmentation is None else resolve(AUGMENTATIONS, augmentation)
        if augmentation is not None:
            augmentation.check()
        return cls(sampler, augmentation)

    def without(self, names: Sequence[str]) -> RowDraws:
        """Return by what the rows of a fold are drawn that leaves tasks out."""
        return self if self.sampler is None else replace(self, sampler=self.sampler.without(list(names)))

    def check_data(self, spec: FeatureSpec, tasks: TaskSet) -> None:
        """Raise a ``ValueError`` if the augmentation can't be used for the input or for a task.

        Parameters
        ----------
        spec : FeatureSpec
            Blocks of the encoded input and their shapes.
        tasks : TaskSet
            The tasks of the labels.
        """
        if self.augmentation is not None:
            self.augmentation.check_data(spec, tasks.tasks)

    def check_weights(self, *, weighted: bool) -> None:
        """Raise a ``ValueError`` if rows are to be drawn by weights that the user has not given.

        Parameters
        ----------
        weighted : bool
            Whether the user gave any.
        """
        if self.sampler is not None and self.sampler.for_weights and not weighted:
            raise ValueError(
                "`sample_weight` must be given where `sampler` draws the rows by it, as "
                f"{type(self.sampler).__name__} does. Found None."
            )


def drawn_rows(table: Table, tasks: TaskSet, *, draws: RowDraws, counted: Sequence[bool]) -> Table:
    """Return the same training rows, which say how they are drawn.

    Parameters
    ----------
    table : Table
        The training rows of a net.
    tasks : TaskSet
        The tasks of the labels.
    draws : RowDraws
        By what the rows are drawn.
    counted : sequence of bool
        For each task whether its weight is above 0.

    Raises
    ------
    ValueError
        If the sampler cannot take the labels, or returns no rates.
    """
    sampler, augmentation = draws.sampler, draws.augmentation
    if sampler is None:
        return table if augmentation is None else replace(table, drawing=Drawing(augmentation=augmentation))
    y, weight = (tensor.cpu().numpy() for tensor in (table.y, table.weight))
    rates = checked_rates(sampler, TrainingLabels(tasks, y, weight, tuple(counted)))
    drawing = Drawing(rates, for_weights=sampler.for_weights, augmentation=augmentation)
    return replace(table, drawing=drawing)
