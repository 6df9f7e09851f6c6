"""How the fits of a search share the stages that they have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.recipes import fingerprint

P = ParamSpec("P")
T = TypeVar("T")


def _once(stage: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Make a stage return what it returned when it was first given the same."""

    @wraps(stage)
    def first(stages: CachedStages, *sources: P.args, **parameters: P.kwargs) -> T:
        values = tuple((name, fingerprint(value)) for name, value in parameters.items())
        key = (stage, *map(id, sources), values)
        if key not in stages._made:
            # An id is that of one object only as long as the object lives.
            stages._made[key] = (sources, stage(stages, *sources, **parameters))
        return cast(T, stages._made[key][1])

    return first


class CachedStages(Stages):
    """The stages of fits to the same data: what these have in common is made once.

    Sources, the positional arguments, are the same if they are one object: data, and what was made of it.
    Parameters, by keyword, are the same if they are equal in value; those that can't be pickled never are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.estimators.cached_stages import CachedStages
    >>> from sklearn_mtl.features import AcceptedInput
    >>> stages, X, y = CachedStages(), np.zeros((3, 2)), np.arange(3.0)
    >>> by = {"owner": "Estimator", "accepted": AcceptedInput.by(None)}
    >>> stages.read(X, y, None, **by) is stages.read(X, y, None, **by)
    True
    >>> stages.read(X, y, None, **by) is stages.read(X.copy(), y, None, **by)
    False
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    read = _once(Stages.read)
    without = _once(Stages.without)
    seen_labels = _once(Stages.seen_labels)
    training_rows = _once(Stages.training_rows)
    bind = _once(Stages.bind)
    trained_as = _once(Stages.trained_as)
    warn_of_labels_for = _once(Stages.warn_of_labels_for)
    _unlabelled = _once(Stages._unlabelled)
    _no_validation = _once(Stages._no_validation)
    _strata = _once(Stages._strata)
    _groups = _once(Stages._groups)
    _split_by_share = _once(Stages._split_by_share)
    _split_by_splitter = _once(Stages._split_by_splitter)
    _fit_encoder = _once(Stages._fit_encoder)
    _inputs = _once(Stages._inputs)
    _table = _once(Stages._table)
    _read_validation = _once(Stages._read_validation)
    _split_table = _once(Stages._split_table)
    _drawn_rows = _once(Stages._drawn_rows)
