"""Dtypes of labels in plain words, as files and pickles hold them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def pack_dtype(dtype: Any) -> dict[str, Any]:
    """Return a dtype of numpy, pandas or polars as strings and arrays.

    Parameters
    ----------
    dtype : object
        The dtype.

    Examples
    --------
    >>> import numpy as np
    >>> pack_dtype(np.dtype("float64"))
    {'numpy': '<f8'}
    """
    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.CategoricalDtype):
        values = dtype.categories
        packed = {"values": np.asarray(values), "dtype": pack_dtype(values.dtype)}
        return {"categories": packed, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return {"pandas": str(dtype)}
    found: dict[str, Any] = {
        "polars": type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
    }
    if found["polars"] == "Enum":
        found["categories"] = dtype.categories.to_list()
    return found


def unpack_dtype(packed: Mapping[str, Any]) -> Any:
    """Return the dtype of `pack_dtype`.

    Parameters
    ----------
    packed : mapping
        Strings and arrays.

    Raises
    ------
    ValueError
        If it names something else than a dtype.
    """
    if "numpy" in packed:
        return np.dtype(packed["numpy"])
    if "pandas" in packed:
        return pd.api.types.pandas_dtype(packed["pandas"])
    if "polars" in packed:
        polars = importlib.import_module("polars")
        kind = getattr(polars, packed["polars"], None)
        # The name comes from a file, and what it names is called.
        if not isinstance(kind, type) or not issubclass(kind, polars.DataType):
            raise ValueError(f"A polars dtype must be one that polars has. Found {packed['polars']!r}.")
        return kind(packed["categories"]) if "categories" in packed else kind()
    values = packed["categories"]
    categories = pd.Index(values["values"], dtype=unpack_dtype(values["dtype"]))
    return pd.CategoricalDtype(categories, ordered=packed["ordered"])
