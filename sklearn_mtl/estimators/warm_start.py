"""What a fit that trains on leaves as the first fit made it, and says so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.estimators import checks
from sklearn_mtl.estimators.stages import without
from sklearn_mtl.features import named
from sklearn_mtl.recipes import fingerprint, resolve
from sklearn_mtl.sharing import SHARINGS
from sklearn_mtl.tasks import KINDS
from sklearn_mtl.trunks import TRUNKS

if TYPE_CHECKING:
    from sklearn_mtl.estimators.base import BaseMultiTask
    from sklearn_mtl.estimators.fitting import Fitted


def warn_of_what_stays(estimator: BaseMultiTask, fitted: Fitted) -> None:
    """Warn of what training on does not change: parameters set anew, and networks that Ctrl-C left out.

    Parameters
    ----------
    estimator : BaseMultiTask
        Its parameters as they are now.
    fitted : Fitted
        What is trained on.
    """
    ignored = [name for name, now, kept in _made_once(estimator, fitted) if not _is_same(now, kept)]
    if ignored:
        warnings.warn(
            f"The parameters {named(ignored)} differ from those of the first fit, by which tasks, features "
            "and networks were made: training on ignores them. A `fit` with warm_start=False takes them.",
            stacklevel=5,
        )
    if len(fitted.nets) < fitted.n_splits:
        warnings.warn(
            f"{len(fitted.nets)} of {fitted.n_splits} networks had an epoch behind them when Ctrl-C ended "
            "the first fit: only these are trained on. A `fit` with warm_start=False trains all.",
            stacklevel=5,
        )


def _made_once(estimator: BaseMultiTask, fitted: Fitted) -> Iterator[tuple[str, Any, Any]]:
    """Yield by parameter what it stands for now, and what the first fit took it for."""
    blueprint, names, left_out = fitted.blueprint, fitted.tasks.names, fitted.left_out
    asked = checks.by_task("tasks", without(estimator.tasks, left_out), names)
    kinds = {name: resolve(KINDS, kind, f" for task {name!r}") for name, kind in asked.items()}
    hidden = checks.head_hidden_sizes(without(estimator.head_hidden_sizes, left_out), names)
    n_nets = fitted.n_splits if estimator.n_bags == "auto" else int(estimator.n_bags)
    yield "tasks", kinds, {name: fitted.kinds[name] for name in kinds}
    yield "trunk", resolve(TRUNKS, estimator.trunk).suited_to(fitted.encoder.spec), blueprint.trunk
    yield "sharing", resolve(SHARINGS, estimator.sharing), blueprint.sharing
    yield "balancing", resolve(BALANCERS, estimator.balancing), blueprint.balancing
    yield "head_hidden_sizes", hidden, blueprint.head_hidden_sizes
    yield "preprocessing", estimator.preprocessing, fitted.encoder.preprocessing
    yield "n_bags", n_nets, fitted.n_splits


def _is_same(now: Any, kept: Any) -> bool:
    """Whether two values of a parameter mean the same, also where they can't be pickled."""
    if now is kept:
        return True
    if isinstance(now, Number | str) and isinstance(kept, Number | str):
        return bool(now == kept)
    if isinstance(now, BaseEstimator):
        return type(now) is type(kept) and _is_same(now.get_params(deep=False), kept.get_params(deep=False))
    if isinstance(now, Mapping) and isinstance(kept, Mapping):
        return now.keys() == kept.keys() and all(_is_same(now[key], kept[key]) for key in now)
    if _is_row(now) and _is_row(kept):
        return len(now) == len(kept) and all(map(_is_same, now, kept))
    return bool(fingerprint(now) == fingerprint(kept))


def _is_row(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
