"""A search whose networks are written down as they are trained, and go on from what was written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.checkpointed import parameters_that_matter, with_keys
from sklearn_mtl.messages import shown
from sklearn_mtl.model_selection.search.trials import Trial, last_step
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.training.checkpoints import Checkpoint, CheckpointFolder, FitIdentity

# The part of the folder that a search writes to; the fit of the best candidate writes to the folder itself.
PART = "search"


@dataclass(frozen=True)
class SearchCheckpoint:
    """The checkpoint of a search: each network is under the numbers of its trial and of its place in that.

    Parameters
    ----------
    checkpoint : Checkpoint
        That of the estimator.
    settings : mapping of str to object
        Parameters of the search that decide what is trained.
    """

    checkpoint: Checkpoint
    settings: Mapping[str, Any]

    @classmethod
    def taken_from(cls, estimator: Any, settings: Mapping[str, Any]) -> SearchCheckpoint | None:
        """Return what the checkpoint of an estimator is for its search; the estimator has none after that.

        Parameters
        ----------
        estimator : object
            A clone of the estimator of the search, or a Pipeline that ends in one.
        settings : mapping of str to object
            Parameters of the search that decide what is trained.
        """
        last = last_step(estimator)
        if not isinstance(last, BaseMultiTask) or last.checkpoint is None:
            return None
        checkpoint = Checkpoint.of(last.checkpoint)
        last.set_params(checkpoint=None)
        return cls(checkpoint, settings)

    def held(self) -> AbstractContextManager[None]:
        """Return the context in which the folder is this search's alone, as `CheckpointFolder.held` says."""
        return CheckpointFolder.of(self.checkpoint, PART).held()

    def opened(self, trials: Sequence[Trial], candidates: Sequence[Mapping[str, Any]]) -> list[Trial]:
        """Return planned trials whose networks go on from the checkpoint, and are written into it.

        Parameters
        ----------
        trials : sequence of Trial
            A trial of each candidate on each fold.
        candidates : sequence of mapping
            The parameters of the candidates.

        Raises
        ------
        ValueError
            If the checkpoint is of another search, or the networks are drawn anew each time.
        """
        planned = [trial.fit for trial in trials if trial.fit is not None]
        if not planned:
            return list(trials)
        for trial in trials:
            self._check_seed(last_step(trial.estimator))
        last = last_step(trials[0].estimator)
        described = {
            **parameters_that_matter(last),
            **{f"{name} of the search": value for name, value in self.settings.items()},
            "the candidates": list(candidates),
        }
        folds = [[trial.fold.train, trial.fold.test] for trial in trials]
        plans = [plan for fit in planned for plan in fit.plans]
        folder = CheckpointFolder.of(self.checkpoint, PART)
        FitIdentity.of(described, plans, {"the folds": folds}).open(folder)
        return [
            trial if trial.fit is None else replace(trial, fit=with_keys(trial.fit, folder, f"{number}."))
            for number, trial in enumerate(trials)
        ]

    @staticmethod
    def _check_seed(last: Any) -> None:
        if isinstance(last, BaseMultiTask) and not is_integer(last.random_state):
            raise ValueError(
                "`random_state` of an estimator with a checkpoint must be an integer in a search, which has "
                f"to draw the same networks when it goes on. Found {shown(last.random_state)}."
            )
