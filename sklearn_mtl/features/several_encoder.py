"""The encoder of several inputs: one for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_mtl.features.accepted import AcceptedInput
from sklearn_mtl.features.encoding import Encoder
from sklearn_mtl.features.input_encoder import InputEncoder
from sklearn_mtl.features.several import RowsOfInput, SeveralRows, naming
from sklearn_mtl.features.spec import OF_PRESENCE, Block, FeatureSpec
from sklearn_mtl.messages import shown

# What the blocks of a single input are called; of several, each has its own name in this place.
SINGLE = "x"


class SeveralEncoder(Encoder):
    """Encode several inputs, each by an encoder of its own.

    The blocks of an input have its name in the place of ``"x"``. What is no table has a block more, which
    says whether a row has the input: one that lacks it is zeros, of one step where steps are counted.

    Parameters
    ----------
    preprocessing : object
        As the user gave it.
    dtype : {numpy.float32, numpy.float64}
        The dtype of the blocks of numbers.
    encoders : mapping of str to Encoder
        An encoder for each input, not fitted.

    Attributes
    ----------
    features : dict of str to dict
        After ``fit``: the number and the names of the columns of each input, where it has these.
    """

    features: dict[str, dict[str, Any]]

    def __init__(self, preprocessing: Any, dtype: type[np.floating], encoders: Mapping[str, Encoder]) -> None:
        super().__init__(preprocessing, dtype)
        self.encoders = dict(encoders)

    @property
    def accepted(self) -> AcceptedInput:
        """What reads X."""
        return AcceptedInput(inputs={name: encoder.accepted for name, encoder in self.encoders.items()})

    def fit(
        self,
        X: SeveralRows,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        y: np.ndarray | None = None,
    ) -> SeveralEncoder:
        """Fit each encoder to the rows that have its input; see `Encoder.fit`."""
        for name, encoder in self.encoders.items():
            places, there = X.inputs[name].where(np.arange(len(X)) if rows is None else rows)
            if there is not None and not there.any():
                raise ValueError(f"`X[{shown(name)}]` must be there in some training row. Found none.")
            _check_there(name, encoder, X.inputs[name])
            weight, labels = (
                of if of is None or there is None else np.asarray(of)[there] for of in (sample_weight, y)
            )
            with naming(name, X.inputs[name].rows):
                encoder.fit(X.inputs[name].X, weight, places, labels)
        self.features = {name: dict(one.features) for name, one in X.inputs.items()}
        self.spec = self.joined()
        return self

    def joined(self) -> FeatureSpec:
        """Return the blocks of all inputs, once their encoders are fitted."""
        blocks: list[Block] = []
        for name, encoder in self.encoders.items():
            blocks += [replace(block, name=_named(block.name, name)) for block in encoder.spec.blocks]
            if isinstance(encoder, InputEncoder):
                blocks.append(Block(name + OF_PRESENCE, (), "present"))
        return FeatureSpec(tuple(blocks))

    def transform(self, X: SeveralRows, rows: np.ndarray | slice | None = None) -> dict[str, Any]:
        """Encode X; see `Encoder.transform`."""
        blocks: dict[str, Any] = {}
        for name, encoder in self.encoders.items():
            with naming(name, X.inputs[name].rows):
                blocks |= self._blocks_of(name, encoder, X.inputs[name], rows)
        return blocks

    def look_over(self, X: SeveralRows) -> None:
        """Refuse other columns of an input than those of ``fit``, and warn of what is unlike these."""
        for name, encoder in self.encoders.items():
            rows = X.inputs[name]
            rows.check_columns(name, self.features[name])
            _check_there(name, encoder, rows)
            if rows.X is not None:
                encoder.look_over(rows.X)

    def encodes_when_read(self, X: SeveralRows) -> bool:
        """Whether rows of all inputs are encoded when they are read."""
        return all(encoder.encodes_when_read(X.inputs[name].X) for name, encoder in self.encoders.items())

    def rows_at_once(self, X: SeveralRows) -> int:
        """Return how many rows the input that gains most by it has encoded together."""
        there = [(one.X, self.encoders[name]) for name, one in X.inputs.items() if one.X is not None]
        return max((encoder.rows_at_once(rows) for rows, encoder in there), default=1)

    def _blocks_of(
        self, name: str, encoder: Encoder, X: RowsOfInput, rows: np.ndarray | slice | None
    ) -> dict[str, Any]:
        """Return the blocks of one input, whether a row has it among them."""
        places, there = X.where(slice(None) if rows is None else rows)
        if there is None:
            encoded = encoder.transform(X.X, places)
        else:
            some = encoder.transform(X.X, places) if there.any() else {}
            encoded = {
                block.name: self._spread(block, some.get(block.name), there) for block in encoder.spec.blocks
            }
        blocks = {_named(block, name): values for block, values in encoded.items()}
        if isinstance(encoder, InputEncoder):
            n_rows = len(next(iter(encoded.values())))
            present = np.ones(n_rows, self.dtype) if there is None else there.astype(self.dtype)
            blocks[name + OF_PRESENCE] = present
        return blocks

    def _spread(self, block: Block, encoded: Any, there: np.ndarray) -> np.ndarray:
        """Return the values of the rows that have an input among those of all rows."""
        shape = (1, *block.shape[1:]) if block.varies else block.shape
        nothing = np.zeros((0, *shape), self.dtype if block.kind == "float" else np.int64)
        # Rows of unequal lengths are filled up.
        values = nothing if encoded is None else encoded[:]
        # A layer may refuse a sequence of no steps: those that lack it have one, of zeros.
        fill = 1 if block.kind == "lengths" else 0
        spread = np.full((len(there), *values.shape[1:]), fill, values.dtype)
        spread[there] = values
        return spread


def _check_there(name: str, encoder: Encoder, rows: RowsOfInput) -> None:
    """Refuse rows that lack an input whose blocks could not say so."""
    if not isinstance(encoder, InputEncoder):
        rows.check_there(name, "since it is a table, whose gaps are NaN in its cells")


def _named(block: str, name: str) -> str:
    return name + block.removeprefix(SINGLE)
