from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from ._checks import check_counts, check_number
from ._house_drawing import draw_house

DISTRICTS = {"village": -0.3, "suburb": 0.0, "centre": 0.35}
TYPES = {"bungalow": 0.05, "detached": 0.2, "semi-detached": 0.0, "terraced": -0.12}
WEATHERS = ("sun", "clouds", "rain", "snow", "dusk")
SHARE_OF_DEPTH = 0.85  # of the width times the depth of a storey, without the walls


def make_house_images(
    n_samples: int = 500,
    *,
    size: int = 64,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Draw pictures of houses, with a table of the same houses, their prices and their types.

    Price and type follow from what can be seen in the picture and what is in the table. The garden, the
    condition and the neighbours are in the picture alone, the year and the district in the table alone. The
    floor area is in the table; the picture shows the width and the storeys, and how near the house is, which
    the door tells.

    Parameters
    ----------
    n_samples : int, default=500
        Number of houses.
    size : int, default=64
        Height and width of the pictures, at least 16.
    noise : float >= 0, default=0.1
        Standard deviation of what the logarithm of the price has beside all that.
    random_state : int, RandomState or None, default=None
        As in scikit-learn. With an int, the houses are the same whatever ``noise`` and ``size`` are.

    Returns
    -------
    X : dict
        ``"photo"``, a ndarray of uint8 of shape (n_samples, size, size, 3), colours last; and ``"table"``, a
        DataFrame with the columns ``area`` (square metres), ``rooms``, ``year`` and ``district``, a category.
    Y : dict of str to ndarray of shape (n_samples,)
        ``price``, in thousands, and ``type``: ``"bungalow"``, ``"detached"``, ``"semi-detached"`` or
        ``"terraced"``.

    Raises
    ------
    ValueError
        If a parameter is not what it must be.

    Notes
    -----
    The logarithm of the price is linear in the logarithm of the area, the year, the condition and the number
    of trees, with an amount for each district and type. Weather, colours, the roof and the place of the house
    in the picture say nothing of either task.

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_house_images
    >>> X, Y = make_house_images(n_samples=3, random_state=0)
    >>> X["photo"].shape, X["table"].columns.tolist()
    ((3, 64, 64, 3), ['area', 'rooms', 'year', 'district'])
    >>> Y["type"].tolist()
    ['detached', 'semi-detached', 'semi-detached']
    """
    check_counts(n_samples=(n_samples, 1), size=(size, 16))
    check_number("noise", noise)
    random = check_random_state(random_state)
    houses = _draw_houses(n_samples, random)
    rest = random.standard_normal(n_samples)
    # A seed for each house, so that its picture is of the same house in every size.
    seeds = random.randint(2**31 - 1, size=n_samples)
    columns = [
        houses[name].tolist() for name in ("width", "storeys", "type", "condition", "trees", "weather")
    ]
    photos = np.stack(
        [
            draw_house(*values, size=size, random=np.random.RandomState(seed))
            for *values, seed in zip(*columns, seeds, strict=True)
        ]
    )
    table = houses[["area", "rooms", "year", "district"]]
    Y = {"price": _prices(houses, noise * rest), "type": houses["type"].to_numpy(dtype=str)}
    return {"photo": photos, "table": table}, Y


def _draw_houses(n_samples: int, random: np.random.RandomState) -> pd.DataFrame:
    """Return all there is to know of each house but its price."""
    types = random.choice(list(TYPES), size=n_samples, p=[0.2, 0.35, 0.25, 0.2])
    storeys = np.where(types == "bungalow", 1, random.randint(2, 4, size=n_samples))
    is_wide = np.isin(types, ["bungalow", "detached"])
    width = np.where(is_wide, random.uniform(8, 15, n_samples), random.uniform(5, 9, n_samples))
    depth = random.uniform(6, 12, n_samples)
    area = SHARE_OF_DEPTH * width * depth * storeys
    rooms = np.maximum(2, np.round(area / random.uniform(22, 35, n_samples))).astype(int)
    return pd.DataFrame(
        {
            "area": area.round(1),
            "rooms": rooms,
            "year": random.randint(1900, 2025, size=n_samples),
            "district": pd.Categorical(random.choice(list(DISTRICTS), size=n_samples), list(DISTRICTS)),
            "type": types,
            "storeys": storeys,
            "width": width,
            "condition": random.uniform(0, 1, n_samples),
            "trees": random.randint(0, 5, size=n_samples),
            "weather": random.choice(WEATHERS, size=n_samples),
        }
    )


def _prices(houses: pd.DataFrame, rest: np.ndarray) -> np.ndarray:
    logarithm = (
        2.2
        + 0.75 * np.log(houses["area"].to_numpy())
        + 0.003 * (houses["year"].to_numpy() - 1960)
        + 0.4 * houses["condition"].to_numpy()
        + 0.08 * houses["trees"].to_numpy()
        + houses["district"].map(DISTRICTS).to_numpy(dtype=float)
        + houses["type"].map(TYPES).to_numpy(dtype=float)
        + rest
    )
    prices: np.ndarray = np.exp(logarithm).round(1)
    return prices
