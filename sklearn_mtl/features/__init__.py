"""Features: from X as a user has it to the arrays that the network takes.

X is a table (a pandas or polars DataFrame, or a two-dimensional array), images or sequences (arrays of more
dimensions, or lists of arrays), texts (a list or column of strings), a memory map or a torch Dataset of
arrays, or a sparse matrix. `AcceptedInput` reads it: checked, and its width and names recorded on the
estimator, as scikit-learn does where it is a table. An `Encoder` preprocesses it and returns blocks: arrays
under a name, described by a `FeatureSpec`.

`new_encoder` chooses the encoder. A `FeatureEncoder` makes of a table one block ``"x"`` of shape
``(n_rows, n_columns)``; there, ``preprocessing="auto"`` is `default_preprocessing`, a `reader` that finds
what each column holds, and scikit-learn's transformers. An `InputEncoder` has an `InputPreprocessing`, a
recipe for one kind of input: a new one is a file with a class, and a line in `accepted`. `EncodedRows` are
rows that are encoded when they are read.

=======================  ======================================================================
`accepted`, `choosing`   what X may be, by what preprocesses it, and the encoder that it takes
`encoding`               what all encoders have in common
`input_preprocessing`    the base of what makes blocks of one kind of input
`input_encoder`          the encoder that has one
`multi_input`            `MultiInput`: several inputs, as one X that can be split
`several`                several inputs, read one by one
`several_encoder`        the encoder of these, which has one for each
`images`, `sequences`    images, and sequences of numbers
`texts`                  texts
`reading`                `read_features`: a table or array checked, and read as an array or a frame
`streamed`               rows that are read from a memory map or a Dataset when they are asked for
`arrow_rows`             `ArrowRows`: rows of Parquet and Arrow files
`arrow_files`            which files these are, and the columns of all of them
`row_groups`             the row groups of these, which are read one by one
`streamed_table`         a table of such rows, read when they are asked for
`telling_rows`           the few rows that tell which of its columns hold only 0 and 1
`files`                  `Files`: rows that are files, by their paths
`ragged`                 rows of unequal lengths, which are filled up when they are asked for
`sparse`                 rows of a sparse matrix, which are made dense when they are asked for
`kinds`, `dates`         what the columns of a table hold, also as text
`frames_of_polars`       frames of polars as frames of pandas
`reader`, `table`        the default preprocessing: columns read, then encoded as numbers
`transformer`            a user's transformer as preprocessing
`scaling`                scales of sparse tables, and of what comes out of a user's transformer
`levels`                 how the default preprocessing is fitted
`codes`                  codes of the columns that have many levels
`spec`                   the description of the blocks
`encoder`                blocks of a table
`encoded`                rows that are encoded when they are read
`unfamiliar`             a warning where columns are unlike those of ``fit``
=======================  ======================================================================

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

from sklearn_mtl.features.accepted import KINDS_OF_INPUT, AcceptedInput
from sklearn_mtl.features.arrow_rows import ArrowRows
from sklearn_mtl.features.choosing import new_encoder
from sklearn_mtl.features.codes import LevelCodes
from sklearn_mtl.features.encoded import EncodedRows, SharedRows
from sklearn_mtl.features.encoder import FeatureEncoder
from sklearn_mtl.features.encoding import Encoder
from sklearn_mtl.features.files import Files
from sklearn_mtl.features.images import ImagePreprocessing
from sklearn_mtl.features.input_encoder import InputEncoder
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.kinds import listed, named
from sklearn_mtl.features.multi_input import MultiInput, splittable_inputs
from sklearn_mtl.features.ragged import RaggedRows
from sklearn_mtl.features.reading import is_built_in, read_features, takes_sparse, takes_texts, unmasked
from sklearn_mtl.features.scaling import Scaling
from sklearn_mtl.features.sequences import SequencePreprocessing
from sklearn_mtl.features.several_encoder import SeveralEncoder
from sklearn_mtl.features.sparse import SparseRows
from sklearn_mtl.features.spec import Block, FeatureSpec
from sklearn_mtl.features.streamed import StreamedRows
from sklearn_mtl.features.table import default_preprocessing
from sklearn_mtl.features.texts import TextPreprocessing
from sklearn_mtl.features.transformer import takes_labels

__all__ = [
    "KINDS_OF_INPUT",
    "AcceptedInput",
    "ArrowRows",
    "Block",
    "EncodedRows",
    "Encoder",
    "FeatureEncoder",
    "FeatureSpec",
    "Files",
    "ImagePreprocessing",
    "InputEncoder",
    "InputPreprocessing",
    "LevelCodes",
    "MultiInput",
    "RaggedRows",
    "Scaling",
    "SequencePreprocessing",
    "SeveralEncoder",
    "SharedRows",
    "SparseRows",
    "StreamedRows",
    "TextPreprocessing",
    "default_preprocessing",
    "is_built_in",
    "listed",
    "named",
    "new_encoder",
    "read_features",
    "splittable_inputs",
    "takes_labels",
    "takes_sparse",
    "takes_texts",
    "unmasked",
]
