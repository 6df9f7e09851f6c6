"""Targets: from y as a user has it to named columns of labels, and from predictions back to the form of y.

`read_targets` takes a mapping, a DataFrame of pandas or polars, or an array of one or two dimensions. It
returns `Targets`: for each task a `Column`, which holds the labels, which of them are missing and the dtype
they came in, and a `Layout`, which puts predictions into the same container again. `infer_kinds` finds which
columns are a regression, a classification, multilabel, survival, tokens or a segmentation. `MultiTaskTarget`
is a mapping by task that scikit-learn can split by rows; ``predict`` returns one where y was a mapping.

========================  ===================================================================
`column`                  `Column`, and arrays and frames as they hold labels
`labels`                  `read_column`: labels of any kind as a column
`positions`               `PositionColumn`, of which a row has a label for each of its positions
`reading`                 `read_targets`, `Targets` and `Layout`
`kinds`                   which kind of task a column is, and warnings where that is a close guess
`container`               `MultiTaskTarget`
`rows_by_name`            what it has in common with several inputs
`dtypes`                  predictions in the dtype of the labels; dtypes as files hold them
========================  ===================================================================

Examples
--------
>>> import numpy as np
>>> import pandas as pd
>>> from sklearn_mtl.targets import infer_kinds, read_targets
>>> Y = pd.DataFrame({"price": [100.5, None, 300.0], "type": ["flat", "house", None]})
>>> targets = read_targets(Y)
>>> targets.columns["type"].missing
array([False, False,  True])
>>> infer_kinds(targets.columns)
{'price': 'regression', 'type': 'classification'}
>>> targets.layout.restore({"price": np.array([150.0]), "type": np.array(["flat"])}, index=[7])
   price  type
7  150.0  flat
"""

from sklearn_mtl.targets.column import Column, frame_columns, is_frame, may_mean_missing, rows_as_objects
from sklearn_mtl.targets.container import MultiTaskTarget
from sklearn_mtl.targets.dtypes import holds_labels, pack_dtype, restore_dtype, unpack_dtype
from sklearn_mtl.targets.guesses import Guess, Kind
from sklearn_mtl.targets.kinds import MOST_CLASSES, guess_kind, infer_kind, infer_kinds
from sklearn_mtl.targets.labels import read_column
from sklearn_mtl.targets.positions import PositionColumn, positions_of
from sklearn_mtl.targets.reading import Layout, Targets, read_targets
from sklearn_mtl.targets.rows_by_name import RowsByName

__all__ = [
    "MOST_CLASSES",
    "Column",
    "Guess",
    "Kind",
    "Layout",
    "MultiTaskTarget",
    "PositionColumn",
    "RowsByName",
    "Targets",
    "frame_columns",
    "guess_kind",
    "holds_labels",
    "infer_kind",
    "infer_kinds",
    "is_frame",
    "may_mean_missing",
    "pack_dtype",
    "positions_of",
    "read_column",
    "read_targets",
    "restore_dtype",
    "rows_as_objects",
    "unpack_dtype",
]
