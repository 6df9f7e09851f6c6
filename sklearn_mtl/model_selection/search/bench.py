"""Where all candidates are tried on all folds at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from sklearn_mtl.estimators.fitting import train_together
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.trials import (
    Scoring,
    Tested,
    Trial,
    last_step,
    why_left_to_scikit_learn,
)
from sklearn_mtl.model_selection.search.whole import Whole
from sklearn_mtl.training import RunJobs


@dataclass(frozen=True, eq=False)
class Bench:
    """What the trials of a search have in common.

    Parameters
    ----------
    estimator : object
        To be cloned.
    folds : list of Fold
        The rows.
    whole : Whole
        All of y.
    scoring : Scoring
        How trials are scored.
    max_members : int or None
        Most nets in a stack.
    n_jobs, pre_dispatch, verbose
        As of the search.
    """

    estimator: Any
    folds: list[Fold]
    whole: Whole
    scoring: Scoring
    max_members: int | None
    n_jobs: int | None
    pre_dispatch: int | str
    verbose: int

    def plan(self, candidates: Sequence[dict[str, Any]]) -> list[Trial]:
        """Return a trial of each candidate on each fold, ready to be trained.

        Parameters
        ----------
        candidates : sequence of dict
            Parameters.
        """
        trials = []
        for number, params in enumerate(candidates):
            for i, fold in enumerate(self.folds, start=1):
                # The parameters are cloned too: they may be estimators.
                estimator = clone(self.estimator).set_params(**clone(params, safe=False))
                alone = why_left_to_scikit_learn(last_step(estimator))
                trial = Trial(number, params, fold, estimator, alone=alone)
                trial = trial.planned(self.whole, f"fold {i} of {len(self.folds)}")
                if trial.error is not None and self.scoring.error_score == "raise":
                    raise trial.error
                trials.append(trial)
        return trials

    def run(self, trials: Sequence[Trial], epochs: int | None = None) -> Iterator[tuple[int, Trial, Tested]]:
        """Train and test all trials; yield each, once it is done, with its position and what came out.

        Parameters
        ----------
        trials : sequence of Trial
            Planned; such as were trained before train on.
        epochs : int, optional
            Most epochs of a net in all; as many as its estimator says by default.
        """
        alone = [i for i, trial in enumerate(trials) if trial.alone is not None and trial.error is None]
        with progress(self.verbose > 0) as watch:
            for position, trial in self._trained(trials, epochs, watch):
                yield position, trial, trial.tested(self.scoring)
        # One by one, so that what is done is there if Ctrl-C ends the others.
        parallel = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch, return_as="generator")
        jobs = (delayed(trials[i].to_send().fitted_and_tested)(self.scoring, self.verbose) for i in alone)
        for i, tested in zip(alone, parallel(jobs), strict=True):
            yield i, trials[i], tested

    def _trained(
        self, trials: Sequence[Trial], epochs: int | None, watch: Callable[[int, int, int], None]
    ) -> Iterator[tuple[int, Trial]]:
        """Yield each trial that is not left to scikit-learn, trained, or failed."""
        for i, trial in enumerate(trials):
            if trial.error is not None:
                yield i, trial
        stacked = [i for i, trial in enumerate(trials) if trial.fit is not None]
        fits = [trial.fit for trial in trials if trial.fit is not None]
        trained = train_together(
            fits, epochs=epochs, max_members=self.max_members, watch=watch, run_jobs=self._run_jobs
        )
        for position, fit in trained:
            yield stacked[position], trials[stacked[position]].with_fit(fit)

    @property
    def _run_jobs(self) -> RunJobs | None:
        """What runs jobs in ``n_jobs`` processes; None where that is this one."""
        if effective_n_jobs(self.n_jobs) == 1:
            return None
        parallel = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)
        # All at once: what is done with the first result, before the last is there, may itself be parallel.
        return lambda jobs: parallel(delayed(job)() for job in jobs)


@contextmanager
def progress(shown: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Show a bar of the nets that are done, and the epoch of the others.

    Parameters
    ----------
    shown : bool
        Whether there is one.
    """
    with tqdm(disable=not shown, unit="net", leave=True) as bar:

        def watch(n_done: int, n_all: int, epoch: int) -> None:
            bar.total = n_all
            bar.set_postfix(epoch=epoch, refresh=False)
            bar.update(n_done - bar.n)

        yield watch
        if bar.total is not None:
            bar.update(bar.total - bar.n)
