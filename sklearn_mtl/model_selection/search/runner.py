"""Runs the trials of a search: all candidates on all folds, their networks trained together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mtl.estimators.fitting import PlannedFit, train_together
from sklearn_mtl.model_selection.all_targets import AllTargets
from sklearn_mtl.model_selection.search.folds import Fold
from sklearn_mtl.model_selection.search.progress import ShowProgress, search_progress
from sklearn_mtl.model_selection.search.results import TrialResult
from sklearn_mtl.model_selection.search.trials import Scoring, Trial, last_step, why_left_to_scikit_learn
from sklearn_mtl.model_selection.search.workers import Part, parts_of, run_parts, train_parts
from sklearn_mtl.training import RunJobs


@dataclass(frozen=True, eq=False)
class TrialRunner:
    """What all trials of a search have in common, and how they are planned and run.

    Parameters
    ----------
    estimator : object
        The estimator, of which each trial has a clone.
    folds : list of Fold
        Rows to train on and to score.
    targets : AllTargets
        All rows of y.
    scoring : Scoring
        The scorers of the search, and the score for a fit that fails.
    max_members : int or None
        Largest number of networks in a stack; None leaves it to the memory there is.
    n_jobs, pre_dispatch, verbose
        As in `StackedGridSearchCV`.
    checkpoint : SearchCheckpoint, optional
        What the networks go on from, and are written into.
    """

    estimator: Any
    folds: list[Fold]
    targets: AllTargets
    scoring: Scoring
    max_members: int | None
    n_jobs: int | None
    pre_dispatch: int | str
    verbose: int
    checkpoint: Any = None

    def held(self) -> AbstractContextManager[None]:
        """Return the context to run trials in: nobody else writes to the checkpoint, if there is one."""
        nothing: AbstractContextManager[None] = nullcontext()
        return nothing if self.checkpoint is None else self.checkpoint.held()

    def plan(self, candidates: Sequence[dict[str, Any]]) -> list[Trial]:
        """Return a trial of each candidate on each fold, ready to be trained.

        Parameters
        ----------
        candidates : sequence of dict
            Parameters of each candidate.
        """
        trials = [self._checked(one if one.error else one.ready()) for one in self._prepared(candidates)]
        return trials if self.checkpoint is None else self.checkpoint.opened(trials, candidates)

    def _prepared(self, candidates: Sequence[dict[str, Any]]) -> Iterator[Trial]:
        """Yield a trial of each candidate on each fold, of which nothing is planned yet."""
        for params in candidates:
            for i, fold in enumerate(self.folds, start=1):
                # The parameters are cloned too: they may be estimators.
                estimator = clone(self.estimator).set_params(**clone(params, safe=False))
                left_alone = why_left_to_scikit_learn(last_step(estimator))
                trial = Trial(fold, estimator, left_alone=left_alone)
                yield self._checked(trial.prepared(self.targets, f"fold {i} of {len(self.folds)}"))

    def _checked(self, trial: Trial) -> Trial:
        if trial.error is not None and self.scoring.error_score == "raise":
            raise trial.error
        return trial

    def run_all(self, candidates: Sequence[dict[str, Any]]) -> Iterator[tuple[int, TrialResult]]:
        """Train and score all candidates on all folds; yield each result, once it is there, by position.

        Where joblib has several workers, each plans, trains and scores a part of the trials.

        Parameters
        ----------
        candidates : sequence of dict
            Parameters of each candidate.
        """
        if self._n_workers == 1:
            for position, _, result in self.run(self.plan(candidates)):
                yield position, result
            return
        trials, n_done = list(self._prepared(candidates)), 0
        failed = {i: one.scored(self.scoring) for i, one in enumerate(trials) if one.error is not None}
        with self._shown_by_fit(len(trials)) as show:
            for results in chain([failed], self._dealt(trials)):
                n_done += len(results)
                if show is not None:
                    show(n_done, len(trials), 0, 0)
                yield from results.items()

    def _dealt(self, trials: Sequence[Trial]) -> Iterator[dict[int, TrialResult]]:
        """Run trials in workers; yield the results of each part by position."""
        settings = {"n_jobs": self.n_jobs, "pre_dispatch": self.pre_dispatch}
        for fold in self.folds[:1]:
            shared = fold.X, fold.y, fold.fit_params, self._to_send()
            yield from run_parts(_run_part, shared, parts_of(trials, self._n_workers), **settings)

    def _to_send(self) -> TrialRunner:
        """Return this without the rows, for another process."""
        return replace(self, folds=[], targets=AllTargets(None), n_jobs=1, verbose=0)

    def run(
        self, trials: Sequence[Trial], epochs: int | None = None
    ) -> Iterator[tuple[int, Trial, TrialResult]]:
        """Train and score all trials; yield each, once it is done, with its position and its result.

        Parameters
        ----------
        trials : sequence of Trial
            Planned trials. One that was trained before trains on.
        epochs : int, optional
            Largest number of epochs of a network in all; by default as many as its estimator says.
        """
        left_alone = [i for i, one in enumerate(trials) if one.left_alone is not None and one.error is None]
        for position, trial in self.trained(trials, epochs):
            yield position, trial, trial.scored(self.scoring)
        for i in left_alone:
            yield i, trials[i], trials[i].to_send().fitted_and_scored(self.scoring, self.verbose)

    def trained(self, trials: Sequence[Trial], epochs: int | None = None) -> Iterator[tuple[int, Trial]]:
        """Train all trials but those that are left to scikit-learn; yield each with its position, once done.

        Where joblib has several workers, each trains a part of them.

        Parameters
        ----------
        trials, epochs
            As in `run`.
        """
        for i, trial in enumerate(trials):
            if trial.error is not None:
                yield i, trial
        fits = {i: trial.fit for i, trial in enumerate(trials) if trial.fit is not None}
        if self._n_workers > 1:
            trained = self._trained_by_workers(trials, fits, epochs)
        else:
            trained = self._trained_here(fits, epochs)
        for place, fit in trained:
            yield place, trials[place].with_fit(fit)

    def _trained_here(
        self, fits: Mapping[int, PlannedFit], epochs: int | None
    ) -> Iterator[tuple[int, PlannedFit]]:
        """Train fits in this process; yield each, once it is done."""
        places = list(fits)
        with self._progress(list(fits.values()), epochs) as show:
            trained = train_together(
                list(fits.values()),
                epochs=epochs,
                max_members=self.max_members,
                watch=show,
                run_jobs=self._run_jobs,
            )
            for position, fit in trained:
                yield places[position], fit

    def _trained_by_workers(
        self, trials: Sequence[Trial], fits: Mapping[int, PlannedFit], epochs: int | None
    ) -> Iterator[tuple[int, PlannedFit]]:
        """Train fits in workers, of which each has a part of them; yield each fit, once it is done."""
        parts = [[i for i in part.trials if i in fits] for part in parts_of(trials, self._n_workers)]
        settings = {"n_jobs": self.n_jobs, "pre_dispatch": self.pre_dispatch}
        trained = train_parts(fits, parts, epochs=epochs, max_members=self.max_members, **settings)
        with self._shown_by_fit(len(fits)) as show:
            for n_done, (place, fit) in enumerate(trained, start=1):
                if show is not None:
                    show(n_done, len(fits), 0, 0)
                yield place, fit

    def _shown_by_fit(self, n_fits: int) -> AbstractContextManager[ShowProgress | None]:
        """Return what shows how many fits workers have handed over."""
        n_folds = len(self.folds)
        counts = {"n_candidates": -(-n_fits // n_folds), "n_folds": n_folds, "most_epochs": 1}
        return search_progress(self.verbose, **counts, counted="fit")

    def _progress(
        self, fits: Sequence[PlannedFit], epochs: int | None
    ) -> AbstractContextManager[ShowProgress | None]:
        """Return what shows the progress of some fits."""
        to_come = [(fit.max_epochs if epochs is None else epochs) - (fit.epochs or 0) for fit in fits]
        n_folds = len(self.folds)
        n_candidates = -(-len(fits) // n_folds)
        return search_progress(
            self.verbose, n_candidates=n_candidates, n_folds=n_folds, most_epochs=max(to_come, default=1)
        )

    @property
    def _n_workers(self) -> int:
        """The number of workers that fits are dealt over; a checkpoint is of one process."""
        n_workers: int = 1 if self.checkpoint is not None else effective_n_jobs(self.n_jobs)
        return n_workers

    @property
    def _run_jobs(self) -> RunJobs | None:
        """What trains nets with a checkpoint that are in no stack; None where that is this process."""
        if effective_n_jobs(self.n_jobs) == 1:
            return None
        parallel = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)
        # All at once: what is done with the first result, before the last is there, may itself be parallel.
        return lambda jobs: parallel(delayed(job)() for job in jobs)


def _run_part(
    X: Any, y: Any, fit_params: dict[str, Any], runner: TrialRunner, part: Part
) -> dict[int, TrialResult]:
    """Plan, train and score the trials of a part, in a worker; return the results by place in the search."""
    trials = part.with_rows(X, y, fit_params)
    runner = replace(runner, folds=list({id(one.fold): one.fold for one in trials.values()}.values()))
    found = {
        place: one.fitted_and_scored(runner.scoring, runner.verbose)
        for place, one in trials.items()
        if one.left_alone is not None
    }
    places = [place for place in trials if place not in found]
    planned = [runner._checked(trials[place].ready()) for place in places]
    return found | {places[position]: result for position, _, result in runner.run(planned)}
