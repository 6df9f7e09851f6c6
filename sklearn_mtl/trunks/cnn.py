"""A small residual network for images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, sizes_of
from sklearn_mtl.trunks.layers import Dropout, Linear, MappedParts
from sklearn_mtl.trunks.parameters import check_counts, check_shares
from sklearn_mtl.trunks.trunk import PositionEntry, Trunk, TrunkModule

# With stride "auto", the longer side has at most so many pixels after the first convolution.
LONGEST_SIDE = 32
CHANNELS_OF_A_GROUP = 8


class CNN(Trunk):
    """A small residual network for images: convolutions, then a hidden layer.

    He, Zhang, Ren & Sun (2016), "Deep Residual Learning for Image Recognition" (CVPR), with group
    normalization (Wu & He 2018), which treats each row by itself: no batch is too small for it, and it keeps
    no running means that averaged weights would not fit. From level to level the sides are halved and the
    channels become more. A shortcut between levels is a mean of pixels and a 1 × 1 convolution (He et al.
    2019, "Bag of Tricks for Image Classification with Convolutional Neural Networks", ResNet-D).

    At the end the image is averaged over ``pooled_size`` × ``pooled_size`` fields, not as a whole, so that
    the representation tells where in the image something is: of two digits side by side, which is left.

    A task with a label for each pixel reads the outputs of all levels at that pixel, enlarged to the image
    (Long, Shelhamer & Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation": a linear head
    is then the sum of one for each level). Its edges are the sharper the smaller ``stride`` is.

    Parameters
    ----------
    channels : sequence of int, default=(16, 32, 64)
        Channels of each level. More are slower in proportion to their square.
    blocks : int, default=1
        Number of residual blocks in each level; each has two 3 × 3 convolutions.
    stride : int or "auto", default="auto"
        By how much the first convolution shortens the sides. ``"auto"`` is the smallest power of 2 that
        leaves at most 32 pixels of the longer one: 1 for images of 28 × 28, 2 for 64 × 64, 8 for 224 × 224.
    pooled_size : int, default=3
        The last level is averaged over so many fields along each axis; 1 is one mean of the whole image.
    hidden_sizes : sequence of int, default=(128,)
        Widths of the layers after that; empty for none.
    dropout : float, default=0.1
        Share of these layers' inputs and outputs set to 0 while training, in [0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> from sklearn_mtl.trunks import CNN
    >>> images = np.random.default_rng(0).integers(0, 256, size=(60, 8, 8, 1), dtype=np.uint8)
    >>> is_light = images.mean((1, 2, 3)) > 127
    >>> est = MultiTaskClassifier(trunk=CNN((8, 16)), n_bags=1, max_epochs=2).fit(images, is_light)
    >>> est.transform(images).shape
    (60, 128)
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64),
        *,
        blocks: int = 1,
        stride: int | str = "auto",
        pooled_size: int = 3,
        hidden_sizes: Sequence[int] = (128,),
        dropout: float = 0.1,
    ) -> None:
        self.channels = channels
        self.blocks = blocks
        self.stride = stride
        self.pooled_size = pooled_size
        self.hidden_sizes = hidden_sizes
        self.dropout = dropout

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether a row is one image."""
        return spec.is_image

    def n_nets(self, n_rows: int) -> int:
        """Return how many nets make a bag where ``n_bags="auto"``: 2, since each takes long."""
        return 2

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk: the convolutions are its entry, each hidden layer is a stage."""
        channels, hidden = self._checked_sizes()
        check_counts("CNN", blocks=self.blocks, pooled_size=self.pooled_size)
        check_shares("CNN", dropout=self.dropout)
        block = spec.single
        if not spec.is_image:
            raise ValueError(
                "`trunk` must suit the input: CNN takes rows of shape (channels, height, width). "
                f"Found {block.shape}."
            )
        n_in, *sides = block.shape
        stem = Convolution(n_in, channels[0], stride=self._stride(max(sides)))
        levels = [
            nn.Sequential(
                *(
                    ResidualBlock(before if first else after, after, halves=first and number > 0)
                    for first in [True] + [False] * (self.blocks - 1)
                )
            )
            for number, (before, after) in enumerate(zip((channels[0], *channels), channels, strict=False))
        ]
        entry = ImageEntry(block.name, stem, levels, self.pooled_size, sum(channels))
        widths = [channels[-1] * self.pooled_size**2, *hidden]
        stages = [self._stage(*pair) for pair in zip(widths, hidden, strict=False)]
        return TrunkModule(entry, stages, widths)

    def _checked_sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the channels and the hidden sizes; raise a ``ValueError`` if they can't be used."""
        sizes = {name: sizes_of(getattr(self, name)) for name in ("channels", "hidden_sizes")}
        for name, found in sizes.items():
            if found is None or (name == "channels" and not found):
                least = "at least one, " if name == "channels" else ""
                raise ValueError(
                    f"`{name}` of CNN must hold positive integers, {least}below 2**31. "
                    f"Found {shown(getattr(self, name))}."
                )
        channels, hidden = sizes.values()
        assert channels is not None
        assert hidden is not None
        return channels, hidden

    def _stride(self, longest: int) -> int:
        if isinstance(self.stride, str) and self.stride == "auto":
            return 1 << max(0, (-(-longest // LONGEST_SIDE) - 1).bit_length())
        if not is_integer(self.stride) or not 0 < self.stride < 2**31:  # type: ignore[operator]
            raise ValueError(
                f"`stride` of CNN must be 'auto' or a positive integer. Found {shown(self.stride)}."
            )
        return int(self.stride)

    def _stage(self, n_in: int, n_out: int) -> nn.Module:
        layers = [Dropout(self.dropout), Linear(n_in, n_out), nn.ReLU(), Dropout(self.dropout)]
        return nn.Sequential(*(layer for layer in layers if getattr(layer, "p", 1) > 0))


class Convolution(nn.Sequential):
    """A convolution with all neighbours, group normalization, and, but for the last of a block, ReLU.

    Parameters
    ----------
    n_in, n_out : int
        Channels that go in and come out.
    stride : int, default=1
        By how much the sides become shorter; the kernel reaches a stride far.
    activated : bool, default=True
        Whether ReLU follows.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int = 1, activated: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(n_in, n_out, 2 * stride + 1, stride=stride, padding=stride, bias=False),
            nn.GroupNorm(_n_groups(n_out), n_out),
        ]
        super().__init__(*layers, *[nn.ReLU()] * activated)


def _n_groups(channels: int) -> int:
    """Return the number of groups of about 8 channels, of which all are of one size."""
    most = max(1, channels // CHANNELS_OF_A_GROUP)
    return next(n for n in range(most, 0, -1) if channels % n == 0)


class ResidualBlock(nn.Module):
    """Two convolutions, to whose output their input is added.

    Parameters
    ----------
    n_in, n_out : int
        Channels that go in and come out.
    halves : bool
        Whether the sides are halved, rounded up.
    """

    def __init__(self, n_in: int, n_out: int, *, halves: bool) -> None:
        super().__init__()
        first = nn.Conv2d(n_in, n_out, 3, stride=2 if halves else 1, padding=1, bias=False)
        layers = [first, nn.GroupNorm(_n_groups(n_out), n_out), nn.ReLU()]
        self.part = nn.Sequential(*layers, *Convolution(n_out, n_out, activated=False))
        shortcut: list[nn.Module] = [nn.AvgPool2d(2, ceil_mode=True)] if halves else []
        shortcut += [nn.Conv2d(n_in, n_out, 1, bias=False)] if halves or n_in != n_out else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return F.relu(self.part(x) + self.shortcut(x))


class ImageEntry(PositionEntry):
    """Convolutions as an entry: (rows, 1, width) of a row, and the channels of all levels at each pixel.

    Parameters
    ----------
    name : str
        The block of images.
    stem : nn.Module
        The first convolution.
    levels : sequence of nn.Module
        What follows one after the other.
    pooled_size : int
        Number of fields along each axis.
    position_width : int
        The channels of all levels together.
    """

    def __init__(
        self,
        name: str,
        stem: nn.Module,
        levels: Sequence[nn.Module],
        pooled_size: int,
        position_width: int,
    ) -> None:
        super().__init__(position_width)
        self.name = name
        self.stem = stem
        self.levels = nn.ModuleList(levels)
        self.pooled_size = pooled_size

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the representation of each image, shape (rows, 1, width)."""
        return self._pooled(self._of_levels(inputs)[-1])

    def with_positions(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the representation of each image, and of its pixels, (rows, 1, height, width, channels)."""
        of_levels = self._of_levels(inputs)
        size = inputs[self.name].shape[-2:]
        enlarged = [F.interpolate(each, size, mode="bilinear") for each in of_levels]
        positions = torch.cat(enlarged, dim=1).permute(0, 2, 3, 1)
        return self._pooled(of_levels[-1]), positions.unsqueeze(1)

    def _of_levels(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        hidden = in_layout(self.stem(in_layout(inputs[self.name])))
        found = []
        for level in self.levels:
            hidden = level(hidden)
            found.append(hidden)
        return found

    def _pooled(self, last: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(last, self.pooled_size).flatten(1).unsqueeze(1)

    def why_not_batched(self) -> str | None:
        """Return why nets of a search are trained one after the other; None where they are as one.

        On a CPU, whose images have their channels last in memory, vmap has no group normalization, and nets
        as one, with another layout, take as long or longer.
        """
        on_cpu = next(self.parameters()).device.type == "cpu"
        return "on a CPU, CNNs are no faster together than one after the other" if on_cpu else None

    @classmethod
    def stacked(cls, entries: Sequence[ImageEntry]) -> nn.Module:
        """Return the entry of trunks side by side, computed one after the other.

        As one, their convolutions would be grouped, which takes a CPU two or three times as long.
        """
        return MappedParts(entries, of_inputs=True, can_be_batched=False)


def in_layout(images: Tensor) -> Tensor:
    """Return images as convolutions are fastest on them: on a CPU with the channels last in memory."""
    on_cpu = images.device.type == "cpu"
    return images.contiguous(memory_format=torch.channels_last if on_cpu else torch.contiguous_format)
