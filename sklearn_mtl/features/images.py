"""Images as input."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.spec import Block


class ImagePreprocessing(InputPreprocessing):
    """Images, arrays of four axes, as they are: (rows, channels, height, width).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import ImagePreprocessing
    >>> ImagePreprocessing().fit(np.zeros((2, 3, 8, 8))).blocks()[0].shape
    (3, 8, 8)
    """

    shape_: tuple[int, ...]

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X has four axes."""
        return getattr(X, "ndim", 0) == 4

    def fit(self, X: np.ndarray) -> Self:
        """Learn the shape of an image."""
        self.shape_ = X.shape[1:]
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of numbers."""
        return (Block("x", self.shape_),)

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the images."""
        return {"x": X}
