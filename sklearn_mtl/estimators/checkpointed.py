"""A ``fit`` that is written down as it goes, and goes on from what was written down."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.fitted import Fitted
from sklearn_mtl.estimators.fitting import Observed, PlannedFit
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.training.checkpoints import Checkpoint, CheckpointFolder, FitIdentity, NetCheckpoint
from sklearn_mtl.training.distributed import ACTIVE

# Parameters that change nothing of what is trained.
NO_MATTER = frozenset({"checkpoint", "verbose", "warm_start"})
RANDOM_STATE, FINISHED = "random_state", "finished"
# numpy's own, and the only one that a RandomState has by itself.
MT19937 = "MT19937"


def fit_with_checkpoint(
    estimator: Any, parameters: FitParameters, data: FitData, observed: Observed | None = None
) -> tuple[Fitted, BaseEstimator | None]:
    """Fit an estimator that has a checkpoint; return what is fitted, and what has read X.

    Parameters
    ----------
    estimator : BaseMultiTask
        Has the parameters.
    parameters : FitParameters
        They, checked and resolved.
    data : FitData
        Rows and labels that ``fit`` was given.
    observed : callable, optional
        As in `PlannedFit.train`.

    Raises
    ------
    ValueError
        If the parameter is none of those it may be, goes with another that it can't go with, or if the folder
        has another fit, or one that is being trained.
    """
    checkpoint = Checkpoint.of(estimator.checkpoint)
    if estimator.warm_start:
        raise ValueError(
            "`checkpoint` must be None with warm_start=True, which goes on from what is in memory. "
            f"Found {shown(estimator.checkpoint)}."
        )
    if ACTIVE.get() is not None:
        raise ValueError(
            "`checkpoint` of a fit that several processes share must be None: all would write to one folder. "
            f"Found {shown(estimator.checkpoint)}."
        )
    folder = CheckpointFolder.of(checkpoint)
    is_finished = (folder.manifest() or {}).get(FINISHED) is True
    # A fit that is finished any number may read.
    with nullcontext() if is_finished else folder.held():
        parameters, drawn_from = _with_generator(parameters, folder.manifest())
        planned = estimator._planned(parameters, data, Stages())
        identity = FitIdentity.of(parameters_that_matter(estimator), planned.plans)
        manifest = identity.open(folder, {RANDOM_STATE: drawn_from, FINISHED: False})
        fitted = with_keys(planned, folder, "").train(observed)
        if fitted.interrupt is None and not manifest[FINISHED]:
            folder.write_manifest({**manifest, FINISHED: True})
    return fitted, planned.reader


def with_keys(planned: PlannedFit, folder: CheckpointFolder, prefix: str) -> PlannedFit:
    """Return a fit whose nets are written into a folder, each under its number.

    Parameters
    ----------
    planned : PlannedFit
        The fit, before its training.
    folder : CheckpointFolder
        The files.
    prefix : str
        Put before the numbers of the nets.
    """
    plans = [
        replace(plan, checkpoint=NetCheckpoint(folder, f"{prefix}{number}"))
        for number, plan in enumerate(planned.plans)
    ]
    return replace(planned, plans=tuple(plans))


def parameters_that_matter(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that decide what is trained, by name."""
    found = {name: value for name, value in estimator.get_params(deep=False).items() if name not in NO_MATTER}
    if not is_integer(found[RANDOM_STATE]):
        # What it draws is in the manifest.
        found[RANDOM_STATE] = None
    return {"the estimator": type(estimator).__name__, **found}


def _with_generator(
    parameters: FitParameters, manifest: Mapping[str, Any] | None
) -> tuple[FitParameters, list[Any] | None]:
    """Return parameters that draw what those of the first ``fit`` drew, and the state that they draw from.

    Parameters
    ----------
    parameters : FitParameters
        As they are now. An integer draws the same again; what another generator draws is in the manifest.
    manifest : mapping or None
        What the first ``fit`` has written.
    """
    if is_integer(parameters.random_state):
        return parameters, None
    if manifest is None:
        state: Any = check_random_state(parameters.random_state).get_state(legacy=False)
        if state["bit_generator"] != MT19937:
            raise ValueError(
                "`random_state` must be None, an integer or a RandomState of numpy's MT19937, to be written "
                f"into a checkpoint. Found one of {state['bit_generator']}."
            )
        own = state["state"]
        return parameters, [own["key"].tolist(), own["pos"], state["has_gauss"], state["gauss"]]
    generator = np.random.RandomState()
    if manifest.get(RANDOM_STATE) is not None:
        words, *others = manifest[RANDOM_STATE]
        generator.set_state((MT19937, np.array(words, dtype=np.uint32), *others))
    return replace(parameters, random_state=generator), manifest.get(RANDOM_STATE)
