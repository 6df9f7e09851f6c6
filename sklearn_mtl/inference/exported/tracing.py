"""Modules traced by torch, as a program or as ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.inference.exported.decoding import CannotBeHeld
from sklearn_mtl.messages import shown
from sklearn_mtl.network import in_default_modes

# More than one row, or torch would take the number of rows for a constant.
ROWS = 3
OPSET = 20


@in_default_modes
def program_of(module: nn.Module, rows: Sequence[Tensor]) -> Any:
    """Return a module as a `torch.export.ExportedProgram` for any number of rows.

    Parameters
    ----------
    module : nn.Module
        Takes tensors of shape (rows, ...).
    rows : sequence of tensor
        Some rows, as `example_rows` makes them.

    Raises
    ------
    CannotBeHeld
        If torch can't trace it.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.export.export(module, tuple(rows), dynamic_shapes=_any_number_of_rows(rows))
        # Tracing a module runs it, which may raise anything.
        except Exception as error:
            raise _cannot(error) from error


@in_default_modes
def onnx_model(
    module: nn.Module, rows: Sequence[Tensor], inputs: Sequence[str], outputs: Sequence[str]
) -> Any:
    """Return a module as an ``onnx.ModelProto`` for any number of rows.

    Parameters
    ----------
    module : nn.Module
        Takes tensors of shape (rows, ...).
    rows : sequence of tensor
        Some rows.
    inputs, outputs : sequence of str
        Names of what it takes and of what it returns.

    Raises
    ------
    CannotBeHeld
        If torch can't trace it, or ONNX has no operator for what it does.
    """
    with torch.no_grad(), warnings.catch_warnings():
        # What is deprecated within torch is no matter of the caller's.
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                module,
                tuple(rows),
                dynamo=True,
                dynamic_shapes=_any_number_of_rows(rows),
                custom_translation_table=_translations(),
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                verbose=False,
            )
            assert program is not None
            return program.model_proto
        except Exception as error:
            raise _cannot(error) from error


def example_rows(spec: FeatureSpec, dtype: str) -> list[Tensor]:
    """Return rows of zeros, one tensor for each block.

    Parameters
    ----------
    spec : FeatureSpec
        The blocks.
    dtype : {"float32", "float64"}
        The dtype of numbers.
    """
    of_numbers: torch.dtype = getattr(torch, dtype)
    return [
        torch.zeros(
            (ROWS, *block.shape), dtype=of_numbers if block.kind in ("float", "present") else torch.int64
        )
        if block.kind != "lengths"
        else torch.full((ROWS,), max(spec.blocks[0].shape[0], 1))
        for block in spec.blocks
    ]


def _translations() -> dict[Any, Any]:
    """Return what stands in ONNX for operations that torch would write otherwise.

    onnxruntime has no softplus of double precision, and torch would take the logarithm of a sigmoid that has
    become 0.
    """
    op = import_module("onnxscript").opset20

    def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
        one, factor, most = (op.CastLike(number, x) for number in (1.0, beta, threshold))
        scaled = op.Mul(x, factor)
        found = op.Add(op.Relu(scaled), op.Log(op.Add(op.Exp(op.Neg(op.Abs(scaled))), one)))
        return op.Where(op.Greater(scaled, most), x, op.Div(found, factor))

    def log_sigmoid(x: Any) -> Any:
        return op.Neg(softplus(op.Neg(x)))

    return {torch.ops.aten.softplus.default: softplus, torch.ops.aten.log_sigmoid.default: log_sigmoid}


def _any_number_of_rows(rows: Sequence[Tensor]) -> Any:
    n_rows = torch.export.Dim("rows")
    return (tuple({0: n_rows} for _ in rows),) if len(rows) else ()


def _cannot(error: BaseException) -> CannotBeHeld:
    # That of ONNX says only at which of its steps the exporter was.
    while error.__cause__ is not None:
        error = error.__cause__
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return CannotBeHeld(
        "The network must be made of operations that torch can trace, for any number of rows, to be "
        f"exported. Found: {type(error).__name__}: {shown(first[:300])}."
    )
