"""An ONNX model in onnxruntime, compared with the estimator that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sklearn_mtl.export.classes import extra
from sklearn_mtl.inference.exported import NumberLabels, labels_of
from sklearn_mtl.messages import shown
from sklearn_mtl.tasks import RegressionTask

# What single precision leaves of the digits of a prediction, with room for a deep network.
LARGEST_DIFFERENCE = 1e-5
# What rounding may decide otherwise, of rows for which two classes are equally probable.
LARGEST_SHARE = 0.01


def session_of(content: bytes) -> Any:
    """Return an ``onnxruntime.InferenceSession`` of a model.

    Parameters
    ----------
    content : bytes
        The model.

    Raises
    ------
    ValueError
        If onnxruntime can't run it: it lacks some operators for double precision, for one.
    """
    session = extra("onnxruntime", "onnx").InferenceSession
    try:
        return session(content)
    # Errors of onnxruntime have no base but Exception.
    except Exception as error:
        raise ValueError(
            "The network must be made of operations that onnxruntime has in its precision, to be exported. "
            f"Found: {shown(str(error)[:300])}."
        ) from error


def largest_difference(estimator: Any, X: Any, found: Mapping[str, np.ndarray]) -> float:
    """Return how far the outputs of a model are from what the estimator predicts; of classes, nothing.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    X : object
        Rows as ``predict`` takes them.
    found : mapping of str to ndarray
        The outputs of the model for these rows.

    Raises
    ------
    ValueError
        If they are too far from it.
    """
    parts, _ = estimator._responses(X)
    largest = 0.0
    for name, task in estimator.tasks_.items():
        for output, expected, size in _expected(name, task, parts[name]):
            if output not in found:
                continue
            own = _distance(found[output], expected, size)
            # One row may be such a row, however few there are.
            most = LARGEST_DIFFERENCE if size is not None else max(LARGEST_SHARE, 1 / max(len(expected), 1))
            if not own <= most:
                of = "of the rows" if size is None else "of its size"
                raise ValueError(
                    f"The ONNX model must give what the estimator predicts for `X`. Found output "
                    f"{shown(output)} to differ by {own:.3g} {of}."
                )
            largest = largest if size is None else max(largest, own)
    return largest


def _expected(name: str, task: Any, response: np.ndarray) -> Iterator[tuple[str, Any, Any]]:
    """Yield what the outputs of a task should be, and their size: for each column, or None for classes.

    Classes that ONNX has no type for are left out.
    """
    yield f"{name}__response", response, _sizes(response)
    labels = labels_of(task)
    if labels is None or labels.are_text or isinstance(labels, NumberLabels):
        predicted = task.predict(response)
        yield f"{name}__prediction", predicted, None if task.has_classes else _sizes(predicted, task)
    if task.has_probabilities:
        yield f"{name}__probabilities", task.predict_proba(response), 1.0
    if task.has_survival:
        yield f"{name}__survival", task.survival(response), 1.0


def _sizes(values: np.ndarray, task: Any = None) -> np.ndarray:
    """Return the root mean square of each column, or the scale of its labels if that is larger."""
    found = np.sqrt(np.mean(np.square(values, dtype=np.float64), axis=0))
    if isinstance(task, RegressionTask) and not task.log_scale:
        # Predictions near 0 are no small ones where labels are on both sides of it.
        found = np.maximum(found, task.scale if task.two_dimensional else task.scale[0])
    return np.where(found > 0, found, 1.0)


def _distance(found: np.ndarray, expected: Any, size: Any) -> float:
    """Return the share of the classes that are others, or the largest difference in shares of the size."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return np.inf
    if size is None:
        return float(np.mean(found != expected)) if len(found) else 0.0
    return float(np.max(np.abs(found - expected) / size, initial=0.0))
