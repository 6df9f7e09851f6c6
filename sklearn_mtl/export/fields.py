"""What a file says of features, tasks and container, compared with each other and with their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from sklearn_mtl.features import (
    Encoder,
    FeatureEncoder,
    FeatureSpec,
    InputEncoder,
    InputPreprocessing,
    LevelCodes,
    Scaling,
    SeveralEncoder,
)
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Layout
from sklearn_mtl.tasks import ClassTask, PositionTask, RegressionTask, TaskSet

# A bool of numpy is none of Python's, and a number of numpy is as good as one of Python's.
_AS_GOOD: dict[Any, Any] = {int: Integral, float: Real, bool: bool | np.bool_}
_OF_ENCODER = {
    "preprocessing": Any,
    "transformer": Any,
    "dtype": type,
    "spec": FeatureSpec,
    "_row_shape": tuple[int, ...],
    "_kept": np.ndarray | None,
    "_names": np.ndarray | None,
    "_scaling": Scaling | None,
    "_takes_sparse": bool,
    "_codes": LevelCodes | None,
}


def check_fields(value: Any) -> None:
    """Raise a ``ValueError`` if a field of a dataclass of the package holds what is not of its type.

    Parameters
    ----------
    value : dataclass
        Made from what a file says.
    """
    of: Any = type(value)
    for field in fields(value):
        if field.init:
            _check(f"{of.__name__}.{field.name}", getattr(value, field.name), _hints(of)[field.name])


def check_features(encoder: Any, spec: FeatureSpec, attributes: Mapping[str, Any]) -> None:
    """Raise a ``ValueError`` if what encodes X would not give the blocks that the networks take.

    Parameters
    ----------
    encoder : Encoder
        What a file says of it.
    spec : FeatureSpec
        The blocks of the networks.
    attributes : mapping of str to object
        The attributes of the estimator, among them the number and the names of the features.
    """
    _check("encoder", encoder, Encoder)
    if encoder.spec != spec or encoder.dtype not in (np.float32, np.float64):
        raise ValueError("its preprocessing gives other blocks than its networks take")
    n_features, names = attributes.get("n_features_in_"), attributes.get("feature_names_in_")
    _check("n_features_in_", n_features, int | None)
    _check("feature_names_in_", names, np.ndarray | None)
    if names is not None and (names.shape != (n_features,) or not all(type(name) is str for name in names)):
        raise ValueError(f"its features have the names {shown(names)}, and are {n_features}")
    if isinstance(encoder, InputEncoder):
        check_input(encoder)
    elif isinstance(encoder, SeveralEncoder):
        check_several(encoder)
    else:
        check_table(encoder, n_features)


def check_input(encoder: InputEncoder) -> None:
    """Raise a ``ValueError`` if what makes blocks of X makes others than it says.

    Parameters
    ----------
    encoder : InputEncoder
        What a file says of it.
    """
    _check("kind", encoder.kind, InputPreprocessing)
    if tuple(encoder.kind.blocks()) != encoder.spec.blocks:
        raise ValueError("its preprocessing gives other blocks than it says")


def check_several(encoder: SeveralEncoder) -> None:
    """Raise a ``ValueError`` if what encodes one of several inputs gives other blocks than the networks take.

    Parameters
    ----------
    encoder : SeveralEncoder
        What a file says of it.
    """
    _check("encoders", encoder.encoders, dict)
    for name, of_input in encoder.encoders.items():
        check_features(of_input, of_input.spec, encoder.features[name])
    if encoder.joined() != encoder.spec:
        raise ValueError("its inputs have other blocks than its networks take")


def check_table(encoder: FeatureEncoder, n_features: Any) -> None:
    """Raise a ``ValueError`` if what encodes a table, or an array as it is, gives other columns than it says.

    Parameters
    ----------
    encoder : FeatureEncoder
        What a file says of it.
    n_features : int or None
        The number of the features.
    """
    for name, value in vars(encoder).items():
        _check(f"preprocessing.{name}", value, _OF_ENCODER.get(name, Any))
    block, shape, kept, scaling = encoder.spec.single, encoder._row_shape, encoder._kept, encoder._scaling
    of_kept = shape if kept is None else kept.shape
    outside = kept is not None and (kept.dtype.kind != "i" or (kept < 0).any() or (kept >= shape[0]).any())
    scales = [] if scaling is None else [one for one in (scaling.scale, scaling.shift) if one is not None]
    names = getattr(encoder, "_names", None)
    if (
        block.name != "x"
        or of_kept != block.shape
        or outside
        or any(scale.shape != shape or scale.dtype.kind != "f" for scale in scales)
        or (names is not None and names.shape != shape)
    ):
        raise ValueError("its preprocessing gives other columns than its networks take")
    check_codes(encoder, n_features)
    own = encoder.transformer
    if not (own is None or hasattr(own, "transform")):
        raise ValueError(f"its preprocessing is {shown(own)}, in {shown(encoder.dtype)}")


def check_codes(encoder: FeatureEncoder, n_features: Any) -> None:
    """Raise a ``ValueError`` if the codes of X are not those of the block that the networks take.

    Parameters
    ----------
    encoder : FeatureEncoder
        What a file says of it.
    n_features : int
        The number of the features.
    """
    codes, block = encoder._codes, encoder.spec.codes
    if codes is None and block is None:
        return
    if (
        codes is None
        or block is None
        or (block.kind, block.shape, block.cardinalities)
        != ("codes", (len(codes.columns),), codes.cardinalities)
        or not all(0 <= column < n_features for column in codes.columns)
        or not all(levels.ndim == 1 and set(map(type, levels)) <= {str} for levels in codes.levels)
        or not all(len(set(levels)) == len(levels) for levels in codes.levels)
    ):
        raise ValueError("the codes of its columns are others than its networks take")


def check_answers(tasks: TaskSet, layout: Layout) -> None:
    """Raise whatever error made-up responses of the networks raise on their way to predictions.

    Parameters
    ----------
    tasks : TaskSet
        The tasks, of kinds of the package.
    layout : Layout
        The container of the predictions.

    Raises
    ------
    ValueError
        If two tasks have one name, classes are equal, or there are more or fewer than probabilities.
    """
    _check("layout", layout, Layout)
    if len(set(tasks.names)) < len(tasks):
        raise ValueError("two of its tasks have one name")
    predictions = {}
    for task in tasks:
        response = np.full((1, task.n_columns, task.loss.width), 1.0)
        predictions[task.name] = task.predict(response)
        # What a notebook shows.
        repr(task.labels_in_words)
        if isinstance(task, RegressionTask):
            if any(of.shape != (task.n_columns,) for of in (task.loc, task.scale, task.low, task.high)):
                raise ValueError(f"task {shown(task.name)} has other columns than scales")
        elif isinstance(task, ClassTask | PositionTask):
            n_probabilities = task.predict_proba(response)[0].shape[-1]
            n_classes = len(set(task.classes.tolist()))
            if task.classes.shape != (n_probabilities,) or n_classes < n_probabilities:
                raise ValueError(f"task {shown(task.name)} has the classes {shown(task.classes.tolist())}")
    layout.restore(predictions)


def _check(name: str, value: Any, of: Any) -> None:
    if not _fits(value, of):
        raise ValueError(f"`{name}` is {shown(value)}")


@cache
def _hints(of: type) -> dict[str, Any]:
    return get_type_hints(of)


def _fits(value: Any, of: Any) -> bool:
    """Whether a value is of a type as annotations have it: a class, a union, literals, a tuple of one."""
    origin, inner = get_origin(of), get_args(of)
    if of is Any:
        return True
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, inner[0]) for item in value)
    return isinstance(value, _AS_GOOD.get(of, origin or of))
