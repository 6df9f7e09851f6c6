"""Columns of a row replaced by those of another one, or by nothing."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sklearn_mtl.augmentation.augmentation import Augmentation
from sklearn_mtl.data import Batch
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number

REPLACEMENTS = ("swap", "zero")


class FeatureDropout(Augmentation):
    """Train on rows of which some columns are another row's, or 0.

    In each step every column of every row is replaced with probability ``rate``. ``"swap"`` puts the value of
    another row of the batch there, so that what stands there is a value of that column ("swap noise", as it
    is known from denoising autoencoders of tables; Bahri et al. 2022 corrupt rows so). ``"zero"`` puts 0
    there, which in an encoded table is the median of a number, and no level of a category. Labels stay as
    they are. Unlike a dropout layer it does not scale the others.

    Columns are those of the encoded rows, each by itself. Of rows with more axes, such as images, whole parts
    along the first one are replaced. How long a row is, and which inputs it has, stays as it is.

    Parameters
    ----------
    rate : float, default=0.1
        Probability of each column to be replaced, at least 0 and below 1.
    replacement : {"swap", "zero"}, default="swap"
        What stands in its place.

    References
    ----------
    D. Bahri, H. Jiang, Y. Tay and D. Metzler, "SCARF: Self-Supervised Contrastive Learning using Random
    Feature Corruption", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> est = MultiTaskRegressor(augmentation="feature_dropout", n_bags=1, max_epochs=2)
    >>> est.set_params(augmentation__rate=0.05).fit(X, X[:, 0]).predict(X).shape
    (200,)
    """

    def __init__(self, rate: float = 0.1, replacement: Literal["swap", "zero"] = "swap") -> None:
        self.rate = rate
        self.replacement = replacement

    def check(self) -> None:
        """Raise a ``ValueError`` if a parameter is not what it must be."""
        if not is_number(self.rate) or not 0 <= self.rate < 1:
            raise ValueError(
                f"`rate` of FeatureDropout must be a number from 0 to below 1. Found {shown(self.rate)}."
            )
        if not isinstance(self.replacement, str) or self.replacement not in REPLACEMENTS:
            raise ValueError(
                f"`replacement` of FeatureDropout must be one of {list(REPLACEMENTS)}. "
                f"Found {shown(self.replacement)}."
            )

    def augment(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return rows of which some columns are replaced."""
        inputs = {name: self._replaced(block, generator) for name, block in batch.inputs.items()}
        return batch._replace(inputs=inputs)

    def _replaced(self, block: Tensor, generator: torch.Generator | None) -> Tensor:
        n_rows, *others = block.shape
        if not others:
            # One number of a row, which is no column of it: its length, or whether it has an input.
            return block
        shape = (n_rows, *others[:1], *[1] * (block.ndim - 2))
        is_replaced = (torch.rand(shape, generator=generator) < self.rate).to(block.device)
        if self.replacement == "zero":
            return block.masked_fill(is_replaced, 0)
        source = torch.randint(n_rows, shape, generator=generator).to(block.device)
        return torch.where(is_replaced, block.gather(0, source.expand(block.shape)), block)
