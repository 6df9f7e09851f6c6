"""Images as input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.features.input_preprocessing import InputPreprocessing
from sklearn_mtl.features.reading import unmasked
from sklearn_mtl.features.rows_of_values import first_there, of_tensor, refuse_mappings
from sklearn_mtl.features.spec import Block
from sklearn_mtl.messages import shown

# So many channels images have: grey, colours, colours with transparency.
USUAL_CHANNELS = (1, 3, 4)
ROWS_AT_ONCE = 16
LAYOUTS = ("auto", "first", "last")


class ImagePreprocessing(InputPreprocessing):
    """Images: each channel is brought to mean 0 and variance 1, as it has them in the training rows.

    Images are an array of four axes, of integers or floats, or a list of arrays of three axes, all of one
    size. An array of three axes is taken for sequences; given this preprocessing, it is grey images.

    Parameters
    ----------
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels are: ``(n, channels, height, width)`` or ``(n, height, width, channels)``.
        ``"auto"`` takes them to be last if the last axis has a length of 1, 3 or 4, and warns if the first
        has one of these too.
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

    range_ : tuple of float
        After ``fit``: the least and the greatest number of these images.

    Warns
    -----
    UserWarning
        In ``predict``, if images in memory have numbers from 0 to 1 where those of ``fit`` went up to 255 or
        the like, or the other way round.

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
    range_: tuple[float, float]

    def __init__(
        self, channels: Literal["auto", "first", "last"] = "auto", *, normalize: bool = True
    ) -> None:
        self.channels = channels
        self.normalize = normalize

    @classmethod
    def takes(cls, X: Any) -> bool:
        """Whether X has four axes, or is a list of arrays of three."""
        return getattr(X, "ndim", 0) == 4 or (_is_list(X) and getattr(first_there(X), "ndim", 0) == 3)

    def read(self, estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
        """Return X as an array of numbers, or rows that are read when they are needed.

        Raises
        ------
        ValueError
            If a parameter, or the size of an image, is not what it must be.
        """
        self._check()
        refuse_mappings(X)
        if _is_list(X):
            X = _of_one_size(X)
        # The size of images is compared as a whole, not their first axis as a number of features.
        found = super().read(estimator if reset else BaseEstimator(), X, reset=True)
        if found.ndim not in (3, 4) or 0 in found.shape:
            raise ValueError(
                "Images in `X` must be an array of four axes, or, where they are grey, of three, with at "
                f"least one pixel. Found shape {found.shape}."
            )
        if reset:
            self._warn_of_two_layouts(found.shape)
        elif hasattr(self, "shape_"):
            self._check_size(found.shape[1:])
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
        self.range_ = (float(images.min()), float(images.max()))
        axes = (0, 2, 3)
        self.mean_ = images.mean(axes, dtype=np.float64)[:, None, None]
        spread = images.std(axes, dtype=np.float64)[:, None, None]
        # A channel that does not vary, but for rounding, is 0, and stays so.
        rounding = 1e-12 if images.dtype == np.float64 else 1e-6
        self.scale_ = np.where(spread > rounding * (1e-30 + np.abs(self.mean_)), spread, 1.0)
        return self

    def look_over(self, X: Any) -> None:
        """Warn of shares of 1 where there were bytes in ``fit``, and the other way round."""
        # Files of early versions have no range.
        known = getattr(self, "range_", None)
        if known is None or not isinstance(X, np.ndarray) or not X.size:
            return
        found = (float(X.min()), float(X.max()))
        if (_are_shares(*known) and _are_bytes(*found)) or (_are_bytes(*known) and _are_shares(*found)):
            warn_caller(
                f"The numbers of the images in `X` are from {found[0]:g} to {found[1]:g}; those of `fit` "
                f"were from {known[0]:g} to {known[1]:g}. Give both alike, as bytes or divided by 255."
            )

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of numbers."""
        return (Block("x", self.shape_),)

    def encode(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the images, the channels first."""
        self._check_size(X.shape[1:])
        images = self._channels_first(X)
        if not self.normalize:
            return {"x": images}
        return {"x": self._normalized(images)}

    def _normalized(self, images: np.ndarray) -> np.ndarray:
        """Return images in the floats that they have, scaled in double precision: large means stay exact."""
        found = np.empty(images.shape, images.dtype if images.dtype.kind == "f" else np.float32)
        # Some at a time, since in double precision all would take twice the memory.
        for start in range(0, len(images), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            found[rows] = (images[rows] - self.mean_) / self.scale_
        return found

    def _check_size(self, found: tuple[int, ...]) -> None:
        """Raise a ``ValueError`` where images, as they are given, are of another size than those of `fit`."""
        size = (1, *found) if len(found) == 2 else found
        size = (size[-1], *size[:-1]) if self.channels_last_ and len(found) == 3 else size
        if size != self.shape_:
            raise ValueError(
                f"Images in `X` must have the channels, height and width of `fit`, {self.shape_}. Found "
                f"{size}."
            )

    def _warn_of_two_layouts(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4 or self.channels != "auto":
            return
        ends = (shape[1], shape[3])
        # There is one channel either way where both are 1.
        if set(ends) <= set(USUAL_CHANNELS) and ends != (1, 1):
            warn_caller(
                f"Images in `X` of shape {shape} may have their channels first or last; they are taken to be "
                "last. Say which by preprocessing=ImagePreprocessing(channels='first') or 'last'."
            )

    def _channels_first(self, X: np.ndarray) -> np.ndarray:
        if X.ndim == 3:
            return X[:, None]
        return np.moveaxis(X, -1, 1) if self.channels_last_ else X


def _are_shares(low: float, high: float) -> bool:
    return low >= 0 and 0 < high <= 1


def _are_bytes(low: float, high: float) -> bool:
    return low >= 0 and high > 2


def _is_list(X: Any) -> bool:
    """Whether X is a list of what each has a shape, or the like: an array of objects, a Series."""
    is_list = isinstance(X, list | tuple | pd.Series)
    return (is_list or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)) and len(X) > 0


def _of_one_size(images: Sequence[Any]) -> np.ndarray:
    images = list(images)
    arrays = [np.asarray(unmasked(of_tensor(image))) for image in images]
    for place, array in enumerate(arrays):
        if array.ndim not in (2, 3):
            raise ValueError(
                "Each image of `X` must be an array of three axes, or, where it is grey, of two. Found "
                f"{shown(images[place])} in row {place}."
            )
    sizes = {array.shape for array in arrays}
    if len(sizes) > 1:
        raise ValueError(f"Images in `X` must all be of one size. Found {shown(sorted(sizes)[:5])}.")
    return np.stack(arrays)
