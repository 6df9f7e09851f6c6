"""Features: from X as a user has it to the arrays that the network takes.

X is a table (a pandas or polars DataFrame, or a two-dimensional array), an array of more dimensions (images,
sequences), a memory map or a torch Dataset of either, a sparse matrix, or a column of texts where the
preprocessing takes one. `read_features` checks it as scikit-learn does and records its width and names on the
estimator.
`FeatureEncoder` preprocesses it and returns blocks: arrays under a name, described by a `FeatureSpec`. A
table becomes one block ``"x"`` of shape ``(n_rows, n_columns)``; an array of more dimensions passes as it is.
``preprocessing="auto"`` is `default_preprocessing`: a `reader` that finds what each column holds, and
scikit-learn's transformers. `EncodedRows` are rows that are encoded when they are read.

====================  =========================================================================
`reading`             `read_features`: any X checked, and read as an array or a frame
`streamed`            rows that are read from a memory map or a Dataset when they are asked for
`sparse`              rows of a sparse matrix, which are made dense when they are asked for
`kinds`, `dates`      what the columns of a table hold, also as text
`reader`, `table`     the default preprocessing: columns read, then encoded as numbers
`transformer`         a user's transformer as preprocessing
`scaling`             scales of sparse tables, and of what comes out of a user's transformer
`levels`              how the default preprocessing is fitted
`codes`               codes of the columns that have many levels
`spec`                the description of the blocks
`encoder`             blocks for the network
`encoded`             rows that are encoded when they are read
====================  =========================================================================

Examples
--------
>>> import pandas as pd
>>> from sklearn.base import BaseEstimator
>>> from sklearn_mtl.features import FeatureEncoder, read_features
>>> X = pd.DataFrame({
...     "colour": ["red", "blue"] * 5,
...     "area": [50.0, 80.0, 65.0, None, 90.0, 55.0, 70.0, 60.0, 85.0, 75.0],
... })
>>> estimator = BaseEstimator()
>>> encoder = FeatureEncoder("auto").fit(read_features(estimator, X, reset=True, allow_nan=True))
>>> encoder.spec.single
Block(name='x', shape=(4,), kind='float', n_continuous=1, cardinalities=(), wide_sparse=False, varies=False)
>>> encoder.get_feature_names_out().tolist()
['number__area', 'gap__area', 'level__colour_blue', 'level__colour_red']
>>> new = pd.DataFrame({"colour": ["green"], "area": [70.0]})
>>> encoder.transform(read_features(estimator, new, reset=False, allow_nan=True))["x"]
array([[0., 0., 0., 0.]], dtype=float32)
"""

from sklearn_mtl.features.codes import LevelCodes
from sklearn_mtl.features.encoded import EncodedRows, SharedRows
from sklearn_mtl.features.encoder import FeatureEncoder
from sklearn_mtl.features.kinds import listed, named
from sklearn_mtl.features.reading import is_built_in, read_features, takes_sparse, takes_texts, unmasked
from sklearn_mtl.features.scaling import Scaling
from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.spec import Block, FeatureSpec
from sklearn_mtl.features.streamed import StreamedRows
from sklearn_mtl.features.table import default_preprocessing
from sklearn_mtl.features.transformer import takes_labels

__all__ = [
    "Block",
    "EncodedRows",
    "FeatureEncoder",
    "FeatureSpec",
    "LevelCodes",
    "Scaling",
    "SharedRows",
    "SparseRows",
    "StreamedRows",
    "default_preprocessing",
    "is_built_in",
    "listed",
    "named",
    "read_features",
    "takes_labels",
    "takes_sparse",
    "takes_texts",
    "unmasked",
]
