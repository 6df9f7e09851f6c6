"""The classes that a file may name, and the extras that it takes to write one."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from inspect import isabstract
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklearn_mtl.augmentation import Augmentation
from sklearn_mtl.balancing import Balancer
from sklearn_mtl.estimators import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.features import (
    Block,
    Encoder,
    FeatureEncoder,
    FeatureSpec,
    InputEncoder,
    InputPreprocessing,
    LevelCodes,
    Scaling,
    SeveralEncoder,
)
from sklearn_mtl.network import Blueprint
from sklearn_mtl.sampling import Sampler
from sklearn_mtl.sharing import Sharing
from sklearn_mtl.targets import Layout
from sklearn_mtl.tasks import RowLoss, Task, TaskKind, TaskSet
from sklearn_mtl.trunks import Trunk

ESTIMATORS: dict[str, type] = {
    estimator.__name__: estimator
    for estimator in (MultiTaskClassifierRegressor, MultiTaskClassifier, MultiTaskRegressor)
}
#: What may encode X, by the name that files have for it.
ENCODERS: dict[str, type[Encoder]] = {
    of.__name__: of for of in (FeatureEncoder, InputEncoder, SeveralEncoder)
}
# Deeper than any estimator is, and far from where Python gives up.
DEEPEST = 100
# Letters of numpy take four bytes each, and each text of an array as many as the longest: all of a file.
MOST_BYTES_OF_TEXT = 2**26

# The bases of which a user may have classes.
EXTENSIBLE = (Trunk, Sharing, Balancer, Sampler, Augmentation, TaskKind, Task, RowLoss, InputPreprocessing)


def check_estimator(estimator: Any) -> None:
    """Raise an error unless it is one of the three estimators, and fitted."""
    if ESTIMATORS.get(type(estimator).__name__) is not type(estimator):
        raise TypeError(f"`estimator` must be one of {sorted(ESTIMATORS)}. Found {estimator!r}.")
    check_is_fitted(estimator, "_fitted")


def _subclasses(base: type[Any]) -> Iterator[type]:
    for derived in base.__subclasses__():
        yield derived
        yield from _subclasses(derived)


def _known() -> Iterator[type]:
    yield from (TaskSet, Block, FeatureSpec, LevelCodes, Scaling, Layout, Blueprint)
    # Found by their bases, a new kind or loss need not be listed here or in a face.
    for base in EXTENSIBLE:
        for derived in _subclasses(base):
            if derived.__module__.startswith("sklearn_mtl.") and not isabstract(derived):
                yield derived


def by_name(classes: Iterable[type]) -> dict[str, type]:
    """Return classes by the names that files have for them.

    Raises
    ------
    ValueError
        If two have one name, of which a file could not tell which it means.
    """
    found: dict[str, type] = {}
    for one in classes:
        # A class of two bases comes twice.
        if found.setdefault(one.__name__, one) is not one:
            other = qualified_name(found[one.__name__])
            raise ValueError(
                f"Classes that files name must have their own names. Found {other} and {qualified_name(one)}."
            )
    return found


def qualified_name(of: type) -> str:
    """Return the name that a class is imported by."""
    return f"{of.__module__}.{of.__qualname__}"


#: The package's own classes by name: decoding calls these, and what is handed to `load`, and nothing else.
KNOWN: dict[str, type] = by_name(_known())


def fitted_state(recipe: InputPreprocessing) -> dict[str, Any]:
    """Return what a recipe has learned: the attributes whose names end in an underscore."""
    return {name: value for name, value in vars(recipe).items() if name.endswith("_")}


def own_fields(value: Any) -> dict[str, Any] | None:
    """Return what an object is made from: a recipe's parameters or a dataclass's fields; None for others."""
    if isinstance(value, BaseEstimator):
        return dict(value.get_params(deep=False))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    return None


def extra(module: str, of: str = "export") -> ModuleType:
    """Import a module of an extra.

    Parameters
    ----------
    module : str
        The module's name.
    of : str, default="export"
        The extra.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f'`sklearn_mtl.export` needs {package}: pip install "sklearn-mtl[{of}]"') from error
