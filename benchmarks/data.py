"""What contestants are given: a table, a number and a class to predict, and how to train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sklearn_mtl.datasets import fetch_ames_housing, make_multitask
from sklearn_mtl.features import FeatureEncoder


@dataclass(frozen=True, eq=False)
class Data:
    """A table with a regression and a classification task, as each contestant likes it.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
        Encoded features.
    number : ndarray of float32, shape (n_rows,)
        Standardised.
    code : ndarray of int64, shape (n_rows,)
        Classes from 0 on.
    n_continuous : int
        Columns of X, from the first on, that hold more than 0 and 1.
    """

    X: np.ndarray
    number: np.ndarray
    code: np.ndarray
    n_continuous: int

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.X.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.code.max()) + 1

    @cached_property
    def entropy(self) -> float:
        """Loss of the best constant prediction of the class; that of the number is 1."""
        share = np.bincount(self.code) / len(self.code)
        return float(-(share * np.log(share)).sum())

    @property
    def by_name(self) -> dict[str, np.ndarray]:
        """Targets as this package takes them."""
        return {"number": self.number, "code": self.code}

    @property
    def side_by_side(self) -> np.ndarray:
        """Targets as one array of float32, which skorch's default loader takes."""
        return np.column_stack([self.number, self.code]).astype(np.float32)

    def __str__(self) -> str:
        """Return rows × columns."""
        return f"{len(self.X):,} × {self.n_features}"


@dataclass(frozen=True)
class Recipe:
    """Network and training, the same for all contestants of a case.

    Parameters
    ----------
    epochs, batch_size : int
        Passes over the rows, and rows in each step.
    hidden : tuple of int
        Width of each layer.
    lr, weight_decay : float
        Settings of AdamW.
    seed : int
        Seed of everything random.
    """

    epochs: int
    batch_size: int
    hidden: tuple[int, ...] = (256, 256)
    lr: float = 2e-3
    weight_decay: float = 1e-4
    seed: int = 0

    def __str__(self) -> str:
        """Return what a table calls it."""
        layers = "-".join(map(str, self.hidden))
        return f"{layers}, batch {self.batch_size}, {self.epochs} epoch{'s'[: self.epochs != 1]}"


def synthetic(n_rows: int, n_features: int, *, seed: int = 0) -> Data:
    """Return a made-up table of numbers with both tasks, the class one of five."""
    X, y = make_multitask(n_rows, n_features, n_regression=1, n_multiclass=1, n_classes=5, random_state=seed)
    number, code = y["regression0"], y["multiclass0"]
    return Data(X.astype(np.float32), _standardised(number), code.astype(np.int64), n_features)


def ames() -> tuple[Data, pd.DataFrame]:
    """Return the Ames houses, encoded by this package's default preprocessing, and as they come."""
    X, y = fetch_ames_housing(return_X_y=True)
    encoder = FeatureEncoder("auto").fit(X)
    encoded = np.asarray(encoder.transform(X)["x"])
    code = np.unique(y["type"], return_inverse=True)[1].astype(np.int64)
    data = Data(encoded, _standardised(y["price"].to_numpy()), code, encoder.spec.single.n_continuous)
    return data, X


def _standardised(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = ((values - values.mean()) / values.std()).astype(np.float32)
    return scaled
