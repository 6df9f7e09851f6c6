"""A fitted estimator as an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from sklearn_mtl import __version__
from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.export.classes import check_estimator, extra
from sklearn_mtl.export.onnx_comparison import largest_difference, session_of
from sklearn_mtl.export.onnx_graph import WITHIN, onnx, with_text
from sklearn_mtl.export.onnx_inputs import inputs_of
from sklearn_mtl.export.onnx_rows import OnnxInputs
from sklearn_mtl.inference.exported import NumberLabels, Predictor, labels_of
from sklearn_mtl.messages import shown
from sklearn_mtl.replacing import file_to_write, replacing


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """What `to_onnx` has written.

    Parameters
    ----------
    path : str
        The file.
    inputs : mapping of str to str
        What the model takes, by name, in words.
    outputs : list of str
        The names of what it returns: ``price__prediction``, ``type__probabilities``, ….
    encoded : bool
        Whether it takes encoded rows, since ONNX can't hold the preprocessing.
    left_out : list of str
        What the model does not hold, in words; nothing where it does all that ``predict`` does.
    missing_text : str
        What stands for a missing value in a column of texts.
    difference : float or None
        How far the model is from ``predict`` and ``predict_proba`` at most, over the rows that `to_onnx` was
        given; None without rows. Probabilities are compared as they are, and numbers in shares of their root
        mean square, or of the spread of the labels of ``fit`` where that is larger.
    """

    path: str
    inputs: Mapping[str, str]
    outputs: list[str]
    encoded: bool
    left_out: list[str]
    missing_text: str
    difference: float | None
    _rows: OnnxInputs = field(repr=False)

    def feed(self, X: Any) -> dict[str, np.ndarray]:
        """Return rows as the model takes them, for the ``run`` of an ``onnxruntime.InferenceSession``.

        Parameters
        ----------
        X : DataFrame or array-like
            Rows as ``predict`` takes them.
        """
        return self._rows.feed(X)


def to_onnx(estimator: Any, path: str | PathLike[str], X: Any = None) -> OnnxFile:
    """Write a fitted estimator as an ONNX model, which other languages and runtimes can run.

    The model has all that ``predict`` does, as one graph: preprocessing, every network of the bag, what
    stands beside it, temperatures, averages, and the way back to the units and classes of the labels. For
    each task it has the output ``{task}__prediction``, and ``{task}__probabilities`` where the task has
    ``predict_proba`` (``{task}__survival`` for a survival task). Classes that are texts come out as texts.
    The number of rows is any.

    A frame has an input of shape (rows, 1) for each column, by its name; an array of numbers is the one input
    ``X``. Where ONNX can't hold the preprocessing, the model takes encoded rows, with a warning: free text,
    images, sequences, texts, several inputs, and transformers that skl2onnx does not know.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        The fitted estimator.
    path : str or path
        The file to write; if it exists, it is replaced once the new one is whole.
    X : DataFrame or array-like, optional
        Some rows. They are run through the model, and its outputs compared with the estimator's: they may
        differ by 1e-5 of their size. The trunks, ways of sharing and kinds of task of the package were
        measured to differ by 3e-7 at most, in single precision. Of classes one row or 1 % of the rows may
        differ, as where two are equally probable. For a frame and a transformer of your own the rows also
        say which columns are texts.

    Returns
    -------
    OnnxFile
        The names and meaning of inputs and outputs, what is left out, and ``feed(X)`` for onnxruntime.

    Raises
    ------
    TypeError
        If it is none of these estimators, or ``path`` is no path.
    ValueError
        If a task has a label for each position of a row, if torch can't trace the network, if onnxruntime
        lacks an operator, if a column of X has no name or an output's, or if the outputs for `X` differ.
    ImportError
        If the ``onnx`` extra is not installed.

    Warns
    -----
    UserWarning
        If something is left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.export import to_onnx
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> Y = {"sum": X.sum(axis=1), "sign": np.where(X[:, 0] > 0, "plus", "minus")}
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=3).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = to_onnx(est, Path(folder) / "model.onnx", X)  # doctest: +SKIP
    >>> file.outputs  # doctest: +SKIP
    ['sum__prediction', 'sign__prediction', 'sign__probabilities']
    """
    check_estimator(estimator)
    file_to_write(path)
    extra("onnx", "onnx")
    extra("onnxscript", "onnx")
    now = estimator._as_of_now()
    rows, reason = inputs_of(now, X)
    left_out = [reason] if reason else []
    predictor = Predictor(
        now.nets_, now._fitted.tasks, [block.name for block in now._fitted.encoder.spec.blocks], for_onnx=True
    )
    texts, codes = _classes(now.tasks_)
    left_out += [f"the classes of task {shown(name)}, of which the codes come out" for name in codes]
    left_out += [
        f"the predictions of task {shown(name.rpartition('__')[0])}, of which the response comes out"
        for name in predictor.names
        if name.endswith("__response")
    ]
    _check_names(list(rows.in_words), predictor.names)
    model = rows.model(predictor, [WITHIN * (name in texts) + name for name in predictor.names])
    for name, classes in texts.items():
        with_text(model, name, classes)
    _describe(model, rows, now.tasks_)
    onnx().checker.check_model(model)
    content = model.SerializeToString()
    session = session_of(content)
    difference = None
    if X is not None:
        found = session.run(predictor.names, rows.feed(X))
        difference = largest_difference(now, X, dict(zip(predictor.names, found, strict=True)))
    with replacing(path) as file:
        file.write(content)
    if left_out:
        warn_caller(
            f"The ONNX model does not hold {'; '.join(left_out)}. "
            + ("It takes encoded rows, as `feed` of the result makes them." if rows.encoded else "")
        )
    return OnnxFile(
        str(path),
        rows.in_words,
        predictor.names,
        rows.encoded,
        left_out,
        rows.missing_text,
        difference,
        rows,
    )


def _classes(tasks: Mapping[str, Any]) -> tuple[dict[str, Sequence[str]], list[str]]:
    """Return the classes of each output of texts, and the tasks whose classes ONNX has no type for."""
    texts, codes = {}, []
    for name, task in tasks.items():
        labels = labels_of(task)
        if labels is None or isinstance(labels, NumberLabels):
            continue
        if labels.are_text:
            texts[f"{name}__prediction"] = labels.classes.tolist()
        else:
            codes.append(name)
    return texts, codes


def _check_names(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    both = sorted(set(inputs) & set(outputs))
    if both:
        raise ValueError(
            f"Columns of `X` must have other names than the outputs of the model. Found {shown(both)}."
        )
    unfit = [name for name in (*inputs, *outputs) if not name or name.startswith(WITHIN)]
    if unfit:
        raise ValueError(
            f"Columns of `X` and tasks must have names that do not begin with {shown(WITHIN)}, to be "
            f"exported, and are not empty. Found {shown(unfit)}."
        )


def _describe(model: Any, rows: OnnxInputs, tasks: Mapping[str, Any]) -> None:
    """Write into a model what its inputs are, and which classes the columns of probabilities are of."""
    classes = {
        name: np.asarray(task.classes).astype(str).tolist()
        for name, task in tasks.items()
        if labels_of(task) is not None
    }
    described = {
        "sklearn_mtl": __version__,
        "inputs": json.dumps(dict(rows.in_words)),
        "classes": json.dumps(classes),
    }
    model.producer_name = "sklearn_mtl"
    onnx().helper.set_model_props(model, described)
