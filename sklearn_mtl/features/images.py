"""Images as input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.reading import unmasked
from sklearn_mtl.features.rows_of_values import of_tensor
from sklearn_mtl.features.spec import Block
from sklearn_mtl.messages import shown

# So many channels images have: grey, colours, colours with transparency.
USUAL_CHANNELS = (1, 3, 4)
LAYOUTS = ("auto", "first", "last")


class ImagePreprocessing(InputPreprocessing):
    """Images: each channel is brought to mean 0 and variance 1, as it has them in the training rows.

    Images are an array of four axes, of integers or floats, or a list of arrays of three axes, all of one
    size. An array of three axes is taken for sequences; given this preprocessing, it is grey images.

    Parameters
    ----------
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels are: ``(n, channels, height, width)`` or ``(n, height, width, channels)``.
        ``"auto"`` takes them to be last if the last axis has a length of 1, 3 or 4.
    normalize : bool, default=True
        Whether to subtract the mean and divide by the standard deviation. Otherwise numbers are as they are
        given, from 0 to 255 where they are bytes.

    Attributes
    ----------
    shape_ : tuple of int
        After ``fit``: (channels, height, width).
    channels_last_ : bool
        After ``fit``: whether the channels are the last axis.
    mean_, scale_ : ndarray of shape (channels, 1, 1)
        After ``fit``: what is subtracted, and divided by. Found in 2,000 evenly spaced images if there are
        more.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.features import ImagePreprocessing
    >>> photos = np.random.default_rng(0).integers(0, 256, size=(20, 8, 6, 3), dtype=np.uint8)
    >>> fitted = ImagePreprocessing().fit(photos)
    >>> fitted.shape_, fitted.encode(photos)["x"].shape
    ((3, 8, 6), (20, 3, 8, 6))
    """

    most_rows_to_fit = 2_000

    shape_: tuple[int, ...]
    channels_last_: bool
    mean_: np.ndarray
    scale_: np.ndarray

    def __init__(
        self, channels: Literal["auto", "first", "last"] = "auto", *, normalize: bool = True
    ) -> None:
        self.channels = channels
        self.normalize = normalize

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X has four axes, or is a list of arrays of three."""
        return getattr(X, "ndim", 0) == 4 or (_is_list(X) and getattr(next(iter(X)), "ndim", 0) == 3)

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X as an array of numbers, or rows that are read when they are needed.

        Raises
        ------
        ValueError
            If a parameter, or the size of an image, is not what it must be.
        """
        self._check()
        if _is_list(X):
            X = _of_one_size(X)
        found = super().read(estimator, X, reset=reset)
        if found.ndim not in (3, 4):
            raise ValueError(
                "Images in `X` must be an array of four axes, or, where they are grey, of three. Found shape "
                f"{found.shape}."
            )
        return found

    def _check(self) -> None:
        if not isinstance(self.channels, str) or self.channels not in LAYOUTS:
            raise ValueError(
                f"`channels` of ImagePreprocessing must be one of {list(LAYOUTS)}. "
                f"Found {shown(self.channels)}."
            )
        if not isinstance(self.normalize, bool | np.bool_):
            raise ValueError(
                f"`normalize` of ImagePreprocessing must be True or False. Found {shown(self.normalize)}."
            )

    def fit(self, X: np.ndarray) -> Self:
        """Learn the size of an image, where its channels are, and their means and variances."""
        self._check()
        last = X.ndim == 4 and self.channels == "auto" and X.shape[-1] in USUAL_CHANNELS
        self.channels_last_ = bool(last or (X.ndim == 4 and self.channels == "last"))
        images = self._channels_first(X)
        self.shape_ = images.shape[1:]
        axes = (0, 2, 3)
        self.mean_ = images.mean(axes, dtype=np.float64)[:, None, None]
        spread = images.std(axes, dtype=np.float64)[:, None, None]
        # A channel that does not vary, but for rounding, is 0, and stays so.
        rounding = 1e-12 if images.dtype == np.float64 else 1e-6
        self.scale_ = np.where(spread > rounding * (1e-30 + np.abs(self.mean_)), spread, 1.0)
        return self

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of numbers."""
        return (Block("x", self.shape_),)

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the images, the channels first."""
        images = self._channels_first(X)
        if images.shape[1:] != self.shape_:
            raise ValueError(
                f"Images in `X` must have the channels, height and width of `fit`, {self.shape_}. Found "
                f"{images.shape[1:]}."
            )
        if not self.normalize:
            return {"x": images}
        if images.dtype.kind != "f":
            images = images.astype(np.float32)
        # In single precision where the images are, since they are many; in double, large means stay exact.
        return {"x": (images - self.mean_.astype(images.dtype)) / self.scale_.astype(images.dtype)}

    def _channels_first(self, X: np.ndarray) -> np.ndarray:
        if X.ndim == 3:
            return X[:, None]
        return np.moveaxis(X, -1, 1) if self.channels_last_ else X


def _is_list(X: Any) -> bool:
    """Whether X is a list of what each has a shape, or the like: an array of objects, a Series."""
    is_list = isinstance(X, list | tuple | pd.Series)
    return (is_list or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)) and len(X) > 0


def _of_one_size(images: Sequence[Any]) -> np.ndarray:
    arrays = [np.asarray(unmasked(of_tensor(image))) for image in images]
    sizes = {array.shape for array in arrays}
    if len(sizes) > 1:
        raise ValueError(f"Images in `X` must all be of one size. Found {shown(sorted(sizes)[:5])}.")
    return np.stack(arrays)
