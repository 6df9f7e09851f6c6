"""Images mirrored, shifted, cropped and with holes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_mtl.augmentation.augmentation import Augmentation
from sklearn_mtl.data import Batch
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.tasks import Task

FLIPS: dict[str | None, tuple[bool, bool]] = {
    None: (False, False),
    "vertical": (True, False),
    "horizontal": (False, True),
    "both": (True, True),
}


class ImageAugmentation(Augmentation):
    """Train on images that are shifted, mirrored, enlarged or have a hole, each otherwise in every step.

    What is done to an image must not change its labels. A shift by a few pixels hardly ever does; a mirrored
    house is still a house, but a mirrored 2 is no digit, and left and right change their places. So by
    default images are only shifted.

    Where there are several inputs, the images among them are changed, each input by itself. What comes from
    beyond an edge is 0, which in normalized images is the mean. Tasks with a label for each pixel, or with a
    box, are refused unless nothing moves, which is so of cutout alone.

    Parameters
    ----------
    shift : float, default=0.125
        Images are moved along both axes by whole pixels, at most this share of their height and width, in
        [0, 1). An eighth is what He et al. (2016) have for images of 32 × 32: 4 pixels of padding, and a part
        of 32 × 32 of that.
    flip : {"horizontal", "vertical", "both"}, default=None
        Half of the images are mirrored: left and right, top and bottom, or each of both.
    crop : float, default=0.0
        At most this share of the height and width is cut away, in [0, 1), the same of both, and the rest
        enlarged to the whole.
    cutout : float, default=0.0
        Side of a square that is set to 0, as a share of the height and width, in [0, 1). Its middle may be
        anywhere, so that part of it may be outside.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section
    4.2.
    T. DeVries and G. W. Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout",
    arXiv:1708.04552.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> from sklearn_mtl.augmentation import ImageAugmentation
    >>> images = np.random.default_rng(0).integers(0, 256, size=(60, 8, 8, 1), dtype=np.uint8)
    >>> is_light = images.mean((1, 2, 3)) > 127
    >>> est = MultiTaskClassifier(augmentation=ImageAugmentation(flip="both"), n_bags=1, max_epochs=2)
    >>> est.fit(images, is_light).predict(images).shape
    (60,)
    """

    def __init__(
        self,
        shift: float = 0.125,
        *,
        flip: Literal["horizontal", "vertical", "both"] | None = None,
        crop: float = 0.0,
        cutout: float = 0.0,
    ) -> None:
        self.shift = shift
        self.flip = flip
        self.crop = crop
        self.cutout = cutout

    def check(self) -> None:
        """Raise a ``ValueError`` if a parameter is not what it must be."""
        for name in ("shift", "crop", "cutout"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value < 1:
                raise ValueError(
                    f"`{name}` of ImageAugmentation must be a number from 0 to below 1. Found {shown(value)}."
                )
        if not (self.flip is None or isinstance(self.flip, str)) or self.flip not in FLIPS:
            raise ValueError(
                f"`flip` of ImageAugmentation must be None or one of {sorted(filter(None, FLIPS))}. "
                f"Found {shown(self.flip)}."
            )

    def check_data(self, spec: FeatureSpec, tasks: Sequence[Task]) -> None:
        """Raise a ``ValueError`` if no input is an image, or a task's labels would not move along."""
        if not any(spec.of(name).is_image for name in spec.inputs):
            shapes = ", ".join(str(block.shape) for block in spec.blocks)
            raise ValueError(
                "`augmentation` must suit the input: ImageAugmentation is for images, whose rows have shape "
                f"(channels, height, width). Found rows of shape {shapes}."
            )
        placed = [task.name for task in tasks if getattr(task, "of_places", False)]
        if placed and (self.shift or self.flip or self.crop):
            raise ValueError(
                "`shift`, `flip` and `crop` of ImageAugmentation must be 0, None and 0 where labels say "
                "where in its image something is, since they do not move along; `cutout` may be used. Found "
                f"{self} and the tasks {shown(placed)}."
            )

    def augment(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return the batch with other images."""
        inputs = {
            name: self._changed(block, generator) if block.ndim == 4 and block.is_floating_point() else block
            for name, block in batch.inputs.items()
        }
        return batch._replace(inputs=inputs)

    def _changed(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.shift or self.flip:
            images = self._moved(images, generator)
        if self.crop:
            images = _enlarged(images, self.crop, generator)
        if self.cutout:
            images = _with_a_hole(images, self.cutout, generator)
        return images

    def _moved(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Shift and mirror images by whole pixels, in one step."""
        n_rows, _, *sides = images.shape
        reaches = [int(self.shift * side) for side in sides]
        places = [
            _places(n_rows, side, reach, mirrored=mirrored, generator=generator).to(images.device)
            for side, reach, mirrored in zip(sides, reaches, FLIPS[self.flip], strict=True)
        ]
        padded = F.pad(images, [reach for reach in reversed(reaches) for _ in range(2)])
        rows = torch.arange(n_rows, device=images.device).view(-1, 1, 1)
        down, across = places[0].unsqueeze(2), places[1].unsqueeze(1)
        # Channels come last in what is read, and stay so in memory, as convolutions like it.
        return padded.permute(0, 2, 3, 1)[rows, down, across].permute(0, 3, 1, 2)


def _places(
    n_rows: int, side: int, reach: int, *, mirrored: bool, generator: torch.Generator | None
) -> Tensor:
    """Return for each row where its pixels along an axis come from, in an image padded at both ends.

    Parameters
    ----------
    n_rows, side : int
        Number of rows, and of pixels.
    reach : int
        The padding, and how far rows are shifted at most.
    mirrored : bool
        Whether half of the rows are mirrored.
    generator : torch.Generator or None
        The source of random numbers.
    """
    places = torch.arange(side).expand(n_rows, -1)
    if mirrored:
        is_mirrored = torch.rand(n_rows, 1, generator=generator) < 0.5
        places = torch.where(is_mirrored, side - 1 - places, places)
    return places + torch.randint(2 * reach + 1, (n_rows, 1), generator=generator)


def _enlarged(images: Tensor, most: float, generator: torch.Generator | None) -> Tensor:
    """Return a part of each image, at a random place, enlarged to the whole."""
    n_rows = len(images)
    kept = 1 - most * torch.rand(n_rows, generator=generator, dtype=torch.float64)
    # Coordinates are from -1 to 1: so far the middle may be from that of the image.
    middle = (2 * torch.rand(n_rows, 2, generator=generator, dtype=torch.float64) - 1) * (1 - kept)[:, None]
    theta = torch.zeros(n_rows, 2, 3, dtype=torch.float64)
    theta[:, 0, 0] = theta[:, 1, 1] = kept
    theta[:, :, 2] = middle
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _with_a_hole(images: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Return images of which a square, or what of it is inside, is 0."""
    n_rows, _, *sides = images.shape
    inside = []
    for side in sides:
        start = torch.rand(n_rows, 1, generator=generator) * side - share * side / 2
        centres = torch.arange(side) + 0.5
        inside.append((centres >= start) & (centres < start + share * side))
    hole = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    return images.masked_fill(hole.unsqueeze(1).to(images.device), 0)
