"""ONNX models put together: what is before and behind the network, by onnx's own helpers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_mtl.export.classes import extra

#: Begins the name of all that is within a model, so that inputs and outputs may have any other name.
WITHIN = "sklearn_mtl/"
# Of the domain of ONNX for classical models, which has a dictionary of texts and trees.
ML, ML_VERSION = "ai.onnx.ml", 3


def onnx() -> Any:
    """Return the package onnx; an ``ImportError`` that names the extra if it is not installed."""
    return extra("onnx", "onnx")


def made_private(model: Any, part: str = "") -> Any:
    """Return a model in which all but inputs and outputs have names that begin with `WITHIN`.

    Parameters
    ----------
    model : onnx.ModelProto
        A model.
    part : str, default=""
        What follows in the names, so that they are no names of another part.
    """
    extra("onnx.compose", "onnx")
    return onnx().compose.add_prefix(model, WITHIN + part, rename_inputs=False, rename_outputs=False)


def with_inputs(model: Any, inputs: Sequence[Any], nodes: Sequence[Any]) -> None:
    """Put nodes before a model, and other inputs in the place of those that it has.

    Parameters
    ----------
    model : onnx.ModelProto
        The model, which is changed.
    inputs : sequence of onnx.ValueInfoProto
        The new inputs.
    nodes : sequence of onnx.NodeProto
        What makes the present inputs of them.
    """
    behind = list(model.graph.node)
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend([*nodes, *behind])
    model.graph.input.extend(inputs)
    with_domain(model)


def with_domain(model: Any) -> None:
    """Say that a model may have operators of `ML`."""
    if all(own.domain != ML for own in model.opset_import):
        model.opset_import.append(onnx().helper.make_opsetid(ML, ML_VERSION))


def columns_joined(
    columns: Sequence[str], joined: str, *, text: Sequence[Mapping[str, int]] = ()
) -> list[Any]:
    """Return nodes that put columns side by side, as one tensor.

    Parameters
    ----------
    columns : sequence of str
        Names of tensors of shape (rows, 1).
    joined : str
        Name of the tensor of shape (rows, n_columns).
    text : sequence of mapping of str to int, optional
        For each column the code of each text; any other text is 0.
    """
    make = onnx().helper.make_node
    coded = [f"{WITHIN}code of {name}" for name in columns] if text else list(columns)
    nodes = [
        make(
            "LabelEncoder",
            [name],
            [code],
            domain=ML,
            keys_strings=list(codes),
            values_int64s=list(codes.values()),
            default_int64=0,
        )
        for name, code, codes in zip(columns, coded, text, strict=False)
    ]
    return [*nodes, make("Concat", coded, [joined], axis=1)]


def with_text(model: Any, name: str, texts: Sequence[str]) -> None:
    """Put a text in the place of each code in an output.

    Parameters
    ----------
    model : onnx.ModelProto
        The model, which is changed.
    name : str
        The output to have, in the place of one that begins with `WITHIN`.
    texts : sequence of str
        The text of each code, from 0 on.
    """
    helper = onnx().helper
    node = helper.make_node(
        "LabelEncoder",
        [WITHIN + name],
        [name],
        domain=ML,
        keys_int64s=list(range(len(texts))),
        values_strings=list(texts),
    )
    model.graph.node.append(node)
    place = [output.name for output in model.graph.output].index(WITHIN + name)
    text = value_info(name, onnx().TensorProto.STRING)
    model.graph.output[place].CopyFrom(text)
    with_domain(model)


def value_info(name: str, kind: int, *sizes: int) -> Any:
    """Return the description of a tensor of any number of rows."""
    return onnx().helper.make_tensor_value_info(name, kind, ["rows", *sizes])


def behind(front: Any, model: Any, joined: str) -> None:
    """Put a model of another package before a model.

    Parameters
    ----------
    front : onnx.ModelProto
        The model whose first output is a table.
    model : onnx.ModelProto
        The model that takes it, which is changed.
    joined : str
        The name of its input of double precision.
    """
    front = made_private(front, "transformer/")
    cast = onnx().helper.make_node(
        "Cast", [front.graph.output[0].name], [joined], to=onnx().TensorProto.DOUBLE
    )
    with_inputs(model, list(front.graph.input), [*front.graph.node, cast])
    model.graph.initializer.extend(front.graph.initializer)
    known = {own.domain for own in model.opset_import}
    model.opset_import.extend(own for own in front.opset_import if own.domain not in known)
