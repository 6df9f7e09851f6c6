"""A fitted estimator as a program of torch, and the rows that this takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_mtl.export.classes import check_estimator
from sklearn_mtl.features import Block
from sklearn_mtl.inference.exported import Predictor, example_rows, program_of
from sklearn_mtl.messages import shown


def exported_program(estimator: Any) -> Any:
    """Return the networks of a fitted estimator as a ``torch.export.ExportedProgram``.

    The program takes what `encoded_rows` returns, one tensor for each block of the network; the preprocessing
    is not in it. It returns what `to_onnx` does for each task, in the same order; of classes that are texts,
    their codes. The number of rows is any. ``torch.export.save`` writes it, and AOTInductor or ExecuTorch
    compile it.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        The fitted estimator.

    Returns
    -------
    torch.export.ExportedProgram
        ``program.module()(*blocks)`` runs it.

    Raises
    ------
    TypeError
        If it is none of these estimators.
    ValueError
        If a task has a label for each position of a row, or torch can't trace the network.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.export import encoded_rows, exported_program
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=3).fit(X, {"sum": X.sum(axis=1)})
    >>> program = exported_program(est)
    >>> (found,) = program.module()(*map(torch.from_numpy, encoded_rows(est, X).values()))
    >>> np.allclose(found, est.predict(X)["sum"])
    True
    """
    check_estimator(estimator)
    now = estimator._as_of_now()
    encoder = now._fitted.encoder
    blocks = [block.name for block in encoder.spec.blocks]
    predictor = Predictor(now.nets_, now._fitted.tasks, blocks)
    return program_of(predictor, example_rows(encoder.spec, np.dtype(encoder.dtype).name))


def encoded_rows(estimator: Any, X: Any) -> dict[str, np.ndarray]:
    """Return rows as the networks of a fitted estimator take them: preprocessed, and laid out in blocks.

    Parameters
    ----------
    estimator : MultiTaskClassifierRegressor, MultiTaskClassifier or MultiTaskRegressor
        The fitted estimator.
    X : object
        Rows as ``predict`` takes them.

    Returns
    -------
    dict of str to ndarray of shape (rows, ...)
        The blocks by name, in the order in which `exported_program` takes them: ``"x"`` alone for most
        tables. Numbers have the precision of the estimator; codes and lengths are int64. Sequences and texts
        are filled up to the longest of ``fit``. Blocks may be views of X, where nothing is preprocessed.

    Raises
    ------
    TypeError
        If it is none of these estimators.
    ValueError
        If X is not such as ``predict`` takes, or a sequence or text is longer than the longest of ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.export import encoded_rows
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]] * 5)
    >>> est = MultiTaskRegressor(trunk="mlp", n_bags=1, max_epochs=1).fit(X, {"twice": 2 * X[:, 0]})
    >>> encoded_rows(est, X[:2])["x"].dtype
    dtype('float32')
    """
    check_estimator(estimator)
    now = estimator._as_of_now()
    rows, _ = now._encoded(X)
    found = rows.read(slice(None))
    return {block.name: _filled_up(block, found[block.name]) for block in now._fitted.encoder.spec.blocks}


def _filled_up(block: Block, rows: np.ndarray) -> np.ndarray:
    """Return rows as long as the longest of ``fit``, with zeros at the end, as they are in a batch."""
    if not block.varies:
        return rows
    longest, found = block.shape[0], rows.shape[1]
    if found > longest:
        raise ValueError(
            "Sequences and texts of `X` must be no longer than the longest of `fit`, where a model was "
            f"exported: {longest} steps or tokens, in {shown(block.name)}. Found {found}."
        )
    return np.pad(rows, [(0, 0), (0, longest - found), *[(0, 0)] * (rows.ndim - 2)])
