"""Labels for each position of a row, compared with the positions that the rows of X have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.data import InputRows, Table
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, positions_of, read_targets
from sklearn_mtl.tasks import TaskSet


def with_positions_of(tasks: TaskSet, y: Any) -> TaskSet:
    """Return tasks with columns for all positions of further rows, which may be longer.

    Parameters
    ----------
    tasks : TaskSet
        The tasks.
    y : object
        Labels of the further rows as the user gave them; None where there are none.
    """
    if y is None or not tasks.n_positions:
        return tasks
    columns, names = read_targets(y).columns, [task.name for task in tasks if task.position_axes]
    longest = (positions_of(columns[name]).values.shape[1] for name in names if name in columns)
    return tasks.for_positions(max(longest, default=0))


def check_positions(
    columns: Mapping[str, Column], tasks: TaskSet, spec: FeatureSpec, inputs: InputRows
) -> None:
    """Raise a ``ValueError`` if rows have another number of labels than of positions.

    Rows that have to be read to know how long they are, such as files, are not looked at.

    Parameters
    ----------
    columns : mapping of str to Column
        Labels of each task.
    tasks : TaskSet
        The tasks.
    spec : FeatureSpec
        The blocks of the rows.
    inputs : InputRows
        The encoded rows.
    """
    of_positions: list[Any] = [task for task in tasks if task.position_axes]
    if not of_positions:
        return
    if len(spec.inputs) > 1:
        raise ValueError(
            f"Tasks with a label for each position, here {shown([task.name for task in of_positions])}, take "
            f"an `X` of one input. Found {len(spec.inputs)}: {shown(list(spec.inputs))}."
        )
    block, lengths = spec.single, _lengths(spec, inputs)
    for task in of_positions:
        if task.position_axes == 2 and spec.is_image and block.shape[1:] != task.axes:
            raise ValueError(
                f"Labels of task {shown(task.name)} must have the height and width of the images, "
                f"{block.shape[1:]}. Found {task.axes}."
            )
        if task.position_axes == 1 and lengths is not None:
            beyond = "; of a text, the first `max_tokens` tokens of TextPreprocessing are positions"
            task.check_lengths(columns[task.name], lengths, beyond if spec.is_text else "")


def warn_of_steps(table: Table, spec: FeatureSpec, tasks: TaskSet, inferred: Sequence[str]) -> None:
    """Warn if labels that are taken as several of the row may be one for each of its steps.

    Parameters
    ----------
    table : Table
        The encoded rows.
    spec : FeatureSpec
        Their blocks.
    tasks : TaskSet
        The tasks.
    inferred : sequence of str
        Those whose kind was inferred from their labels.
    """
    close = [task for task in tasks if task.kind == "multilabel" and task.name in inferred]
    if not close or len(spec.inputs) > 1:
        return
    lengths = _lengths(spec, table.blocks)
    for task in close:
        if lengths is not None and (lengths == task.n_columns).all():
            name = shown(task.name)
            warn_caller(
                f"Task {name} is taken as 'multilabel', and has as many labels as each row of `X` has steps: "
                f"tasks={{{name}: 'tokens'}} makes them labels of the steps, and "
                f"tasks={{{name}: 'multilabel'}} keeps it without this warning."
            )


def _lengths(spec: FeatureSpec, inputs: InputRows) -> np.ndarray | None:
    """Return how many positions each row has; None where that is not known before rows are read."""
    if spec.lengths is None:
        return np.full(len(inputs), spec.single.shape[0]) if spec.is_sequence or spec.is_text else None
    return inputs.kept(spec.lengths.name)
