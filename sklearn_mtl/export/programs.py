"""A fitted estimator as a program of torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_mtl.export.onnx_file import check_estimator
from sklearn_mtl.inference.exported import Predictor, example_rows, program_of


def exported_program(estimator: Any) -> Any:
    """Return the networks of a fitted estimator as a ``torch.export.ExportedProgram``.

    The program takes encoded rows, one tensor for each block of the network; the preprocessing is not in it.
    It returns what `to_onnx` does for each task, in the same order; of classes that are texts, their codes.
    The number of rows is any. ``torch.export.save`` writes it, and AOTInductor or ExecuTorch compile it.

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
    >>> from sklearn_mtl.export import exported_program
    >>> X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    >>> est = MultiTaskRegressor(trunk="mlp", preprocessing=None, n_bags=1, max_epochs=3)
    >>> program = exported_program(est.fit(X, {"sum": X.sum(axis=1)}))
    >>> (found,) = program.module()(torch.from_numpy(X))
    >>> np.allclose(found, est.predict(X)["sum"])
    True
    """
    check_estimator(estimator)
    now = estimator._as_of_now()
    encoder = now._fitted.encoder
    blocks = [block.name for block in encoder.spec.blocks]
    predictor = Predictor(now.nets_, now._fitted.tasks, blocks)
    return program_of(predictor, example_rows(encoder.spec, np.dtype(encoder.dtype).name))
