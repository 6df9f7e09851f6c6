"""What somebody would write in torch for images, sequences and texts: the networks of the trunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.by_hand import Outputs


class HeadsOn(nn.Module):
    """One output for a number and several for a class, on what a network makes of each row."""

    def __init__(self, body: nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        self.body = body
        self.number, self.code = nn.Linear(width, 1), nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Outputs:
        """Return the number, shape (rows,), and the logits, shape (rows, n_classes)."""
        shared = self.body(x)
        return self.number(shared)[:, 0], self.code(shared)


class Block(nn.Module):
    """Two convolutions whose input is added to their output."""

    def __init__(self, n_in: int, n_out: int, *, halves: bool) -> None:
        super().__init__()
        self.part = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride=2 if halves else 1, padding=1, bias=False),
            nn.GroupNorm(n_out // 8, n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.GroupNorm(n_out // 8, n_out),
        )
        shortcut = [nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(n_in, n_out, 1, bias=False)]
        self.shortcut = nn.Sequential(*shortcut if halves else [])

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return F.relu(self.part(x) + self.shortcut(x))


class ImageNetwork(nn.Sequential):
    """A small residual network, the channels last in memory."""

    def __init__(self, channels: Sequence[int] = (16, 32, 64), width: int = 128) -> None:
        first = channels[0]
        stem = [nn.Conv2d(1, first, 3, padding=1, bias=False), nn.GroupNorm(first // 8, first), nn.ReLU()]
        blocks = [Block(*pair, halves=True) for pair in pairwise(channels)]
        pooling = [nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * channels[-1], width), nn.ReLU()]
        super().__init__(*stem, Block(first, first, halves=False), *blocks, *pooling)

    def forward(self, input: Tensor) -> Tensor:
        """Return a vector for each image."""
        found: Tensor = super().forward(input.contiguous(memory_format=torch.channels_last))
        return found


class SequenceNetwork(nn.Module):
    """An LSTM in both directions, and the mean of its steps."""

    def __init__(self, n_channels: int, width: int = 128) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_channels, width, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return a vector for each sequence."""
        steps, _ = self.lstm(x)
        mean: Tensor = steps.mean(1)
        return mean


class TextNetwork(nn.Module):
    """Vectors of tokens, and the largest number of each channel."""

    def __init__(self, n_codes: int, width: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_codes, width)

    def forward(self, codes: Tensor) -> Tensor:
        """Return a vector for each text."""
        vectors = self.embedding(codes).masked_fill((codes == 0).unsqueeze(-1), -torch.inf)
        return vectors.amax(1)


def codes_of(texts: Sequence[str]) -> np.ndarray:
    """Return the words of texts as codes, filled up with 0."""
    words = [text.split() for text in texts]
    counts = Counter(word for own in words for word in own)
    codes = {word: code for code, (word, _) in enumerate(counts.most_common(), 2)}
    found = np.zeros((len(words), max(map(len, words))), dtype=np.int64)
    for row, own in zip(found, words, strict=True):
        row[: len(own)] = [codes[word] for word in own]
    return found
