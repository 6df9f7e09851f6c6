"""What objects from a file must not hold.

Numpy believes the position that a random state claims, and reads other memory there. A vectorizer with
``input="filename"`` opens whatever files the texts name.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

# Words that the generators of numpy which have a position draw from one state: Mersenne Twister and Philox.
WORDS_OF_STATE, WORDS_OF_BUFFER = 624, 4


def check_contents(objects: Any) -> None:
    """Raise a ``ValueError`` if objects hold an impossible random state, or a transformer that opens files.

    Parameters
    ----------
    objects : object
        Anything that can be pickled; all that it holds is looked at.

    Examples
    --------
    >>> check_contents([{"random_state": np.random.RandomState(0)}])
    """
    not_copied: list[Any] = []
    # Pickling finds whatever an object holds.
    _Looking(io.BytesIO(), protocol=5, buffer_callback=not_copied.append).dump(objects)


class _Looking(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.random.RandomState):
            _check(obj.get_state(legacy=False))
        elif isinstance(obj, np.random.Generator):
            _check(obj.bit_generator.state)
        elif isinstance(obj, np.random.BitGenerator):
            _check(obj.state)
        elif isinstance(obj, BaseEstimator) and vars(obj).get("input") == "filename":
            raise ValueError('The file holds a transformer with input="filename", which opens files.')
        return NotImplemented


def _check(state: Any) -> None:
    position, in_buffer = state["state"].get("pos", 0), state.get("buffer_pos", 0)
    if not 0 <= position <= WORDS_OF_STATE or not 0 <= in_buffer <= WORDS_OF_BUFFER:
        raise ValueError(f"The file holds a random state at position {max(position, in_buffer, key=abs)}.")
