"""Saving and loading fitted estimators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from sklearn_mtl import __version__
from sklearn_mtl.balancing import BALANCERS
from sklearn_mtl.export.archive import RULE, not_a_file_of_ours, read_archive, shortened, write_archive
from sklearn_mtl.export.claims import check_arrays, check_networks
from sklearn_mtl.export.classes import ESTIMATORS, check_estimator, extra
from sklearn_mtl.export.decoder import Decoder, WrongModules, check_attributes, encoder_of
from sklearn_mtl.export.encoder import Encoder
from sklearn_mtl.export.fields import check_answers, check_features
from sklearn_mtl.export.preprocessing import pack_transformers, unpack_transformers
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.replacing import file_to_write, not_written

MODEL, TENSORS, PREPROCESSING = "model.json", "tensors.safetensors", "preprocessing.skops"


def save(estimator: Any, path: str | PathLike[str]) -> None:
    """Write a fitted estimator to one file, without pickle.

    The optimizer's state is left out: a loaded estimator trains on from its weights. So is ``checkpoint``.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        Fitted. For a pipeline around it, use ``skops.io`` or pickle.
    path : str or path
        The file to write; if it exists, it is replaced once the new one is whole, and keeps its
        permissions.

    Raises
    ------
    TypeError
        If a file can't hold a part of it: callbacks, an optimizer class without a short name, a schedule
        object, preprocessing with code of your own, or classes such as dates. Nothing is written then.
        Also if ``path`` is no path.
    ValueError
        If the dtype of some labels can't be written in words and read back, or ``path`` is a directory.
    OSError
        If the file can't be written: its directory is not there (``FileNotFoundError``), the disk is full.
        What was in its place before is left as it was.
    NotFittedError
        If it is not fitted.
    ImportError
        If the ``export`` extra is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> from sklearn_mtl.export import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> est = MultiTaskClassifier(n_bags=1, max_epochs=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(est, Path(folder) / "iris.mtl")
    ...     again = load(Path(folder) / "iris.mtl")
    >>> bool((again.predict_proba(X) == est.predict_proba(X)).all())
    True
    """
    check_estimator(estimator)
    try:
        # Before the work, and without effect: what is there is not touched until the new file is whole.
        file_to_write(path)
    except OSError as error:
        raise not_written(error, RULE, path) from None
    safetensors = extra("safetensors.numpy")
    encoder = Encoder()
    model = {"estimator": type(estimator).__name__, **_described(estimator, encoder)}
    # Last, since all of the above may add to it.
    model["own"] = encoder.own()
    members = {
        MODEL: json.dumps(model, indent=1, allow_nan=False).encode(),
        TENSORS: safetensors.save(encoder.arrays),
    }
    if encoder.transformers:
        members[PREPROCESSING] = pack_transformers(encoder.transformers)
    write_archive(path, members, __version__)


def load(path: str | PathLike[str], *, modules: Mapping[str, Any] | None = None) -> Any:
    """Read an estimator from a file that `save` wrote.

    Nothing in the file is executed. Estimators, recipes and values of sklearn_mtl and transformers of
    scikit-learn are made; everything else is refused. Digests detect damage, not forgery.

    Parameters
    ----------
    path : str or path
        The file.
    modules : mapping of str to type or nn.Module, optional
        What the estimator was made with that is not sklearn_mtl's own, by the name of its class: the
        class of a trunk, balancer or loss; the class of an ``nn.Module`` that needs no arguments, or
        such a module, which is copied and given the saved weights.

    Returns
    -------
    MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        Fitted; on the CPU, where its ``device`` is not on this machine.

    Raises
    ------
    ValueError
        If the file is something else, damaged, changed or of a later version, or if ``modules`` lacks
        something.
    TypeError
        If ``modules`` is no mapping.
    ImportError
        If the ``export`` extra is not installed.
    """
    if modules is not None and not isinstance(modules, Mapping):
        raise TypeError(
            "`modules` must be None or a mapping from the name of a class to the class or a module, such as "
            f"{{'Wide': Wide}}. Found {modules!r}."
        )
    safetensors = extra("safetensors.numpy")
    members = read_archive(path)
    if PREPROCESSING in members:
        extra("skops.io")
    try:
        arrays = safetensors.load(members.pop(TENSORS))
        check_arrays(arrays)
        model = json.loads(members.pop(MODEL))
        packed = members.pop(PREPROCESSING, None)
        transformers = [] if packed is None else unpack_transformers(packed)
        return _estimator(model, Decoder(arrays, transformers, _own(model), modules or {}))
    # What the caller is to mend, or the machine.
    except (WrongModules, MemoryError):
        raise
    # A file that was made up, or damaged before its digests were taken, may hold anything.
    except Exception as error:
        found = f"one that describes no estimator ({type(error).__name__}: {shortened(str(error))})"
        raise not_a_file_of_ours(path, found) from error


def _described(estimator: Any, encoder: Encoder) -> dict[str, Any]:
    state = estimator.__getstate__()
    fitted = state.pop("_fitted")
    parameters = estimator.get_params(deep=False)
    attributes = {name: value for name, value in state.items() if name not in parameters}
    # An aggregator of TorchJD does not hold its settings as a file needs them; the method made of it does.
    adopted = BALANCERS.adopts and BALANCERS.adopts(parameters["balancing"])
    parameters = parameters if adopted is None else {**parameters, "balancing": adopted}
    # Another machine has another folder, and this fit is over.
    parameters = {**parameters, "checkpoint": None}
    nets = [{**net, "epochs": _columns(net["epochs"])} for net in fitted["nets"]]
    return {
        "parameters": {name: encoder.encode(value, name) for name, value in parameters.items()},
        "attributes": {name: encoder.encode(value, name) for name, value in attributes.items()},
        "encoder": encoder.encode(_state_of(fitted["encoder"]), "preprocessing"),
        "blueprint": encoder.encode(fitted["blueprint"], "blueprint"),
        "layout": encoder.encode(fitted["layout"], "layout"),
        "nets": encoder.encode(nets, "nets"),
        "split_seed": fitted["split_seed"],
        "kinds": encoder.encode(fitted["kinds"], "kinds"),
        "n_splits": fitted["n_splits"],
    }


def _own(model: Any) -> dict[str, Any]:
    """Return what a file says of the caller's classes and modules; a ``ValueError`` if it is none of that."""
    classes, modules = model["own"]["classes"], model["own"]["modules"]
    if not all(isinstance(name, str) for name in classes.values()):
        raise ValueError("the names of classes are no strings")
    if not all(isinstance(module["class"], str) for module in modules.values()):
        raise ValueError("the names of the classes of modules are no strings")
    return {"classes": classes, "modules": modules}


def _estimator(model: Mapping[str, Any], decoder: Decoder) -> Any:
    parameters = {name: decoder.decode(value) for name, value in model["parameters"].items()}
    attributes = {name: decoder.decode(value) for name, value in model["attributes"].items()}
    check_attributes(ESTIMATORS[model["estimator"]], attributes)
    nets = [
        {**net, "epochs": _rows(net["epochs"], len(net["history"]))} for net in decoder.decode(model["nets"])
    ]
    fitted = {
        "encoder": _encoder(decoder.decode(model["encoder"])),
        "blueprint": decoder.decode(model["blueprint"]),
        "layout": decoder.decode(model["layout"]),
        "nets": nets,
        "split_seed": model["split_seed"],
        "kinds": decoder.decode(model.get("kinds")),
        "n_splits": model.get("n_splits", len(nets)),
    }
    check_networks(fitted["blueprint"], nets, has_own=decoder.has_own)
    check_features(fitted["encoder"], fitted["blueprint"].spec, attributes)
    if not decoder.has_own:
        check_answers(fitted["blueprint"].tasks, fitted["layout"])
    estimator = ESTIMATORS[model["estimator"]](**parameters)
    estimator.__setstate__({**attributes, "_fitted": fitted})
    return estimator


def _state_of(encoder: Any) -> Any:
    """Return what stands for an encoder in a file: its state alone, where it is that of tables."""
    return vars(encoder) if type(encoder) is FeatureEncoder else encoder


def _encoder(found: Any) -> Any:
    return encoder_of(FeatureEncoder, found) if isinstance(found, dict) else found


def _columns(epochs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Return the records of all epochs as a few arrays instead of many."""
    keys = dict.fromkeys(key for epoch in epochs for key in epoch)
    columns: dict[str, Any] = {"n_epochs": len(epochs)}
    for key in keys:
        rows = [row for row, epoch in enumerate(epochs) if key in epoch]
        columns[key] = (np.array(rows), np.stack([epochs[row][key] for row in rows]))
    return columns


def _rows(columns: dict[str, Any], n_epochs: int) -> list[dict[str, np.ndarray]]:
    if columns.pop("n_epochs") != n_epochs:
        raise ValueError(f"it has a record of more or fewer epochs than the {n_epochs} of its history")
    epochs: list[dict[str, np.ndarray]] = [{} for _ in range(n_epochs)]
    for key, (rows, values) in columns.items():
        for row, value in zip(rows, values, strict=True):
            epochs[row][key] = value
    return epochs
