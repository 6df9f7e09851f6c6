"""Dtypes of labels: predictions are put into them, and files and pickles hold them as plain words."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from sklearn_mtl.messages import shown

# Dtypes of Arrow that are made by a call; all others are known by their name.
ARROW = ("binary", "decimal32", "decimal64", "decimal128", "decimal256", "timestamp", "dictionary")

# Bytes of one label: more are claimed by a forged file alone, and would be taken for every row predicted.
LONGEST_ITEM = 2**24


def restore_dtype(values: np.ndarray, dtype: Any) -> Any:
    """Return predicted labels in the dtype that the labels came in.

    Parameters
    ----------
    values : ndarray
        Labels, none of them missing.
    dtype : numpy dtype or pandas extension dtype
        ``Column.dtype`` of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> restore_dtype(np.array(["a", "b"], dtype=object), pd.CategoricalDtype(["b", "a"]))
    ['a', 'b']
    Categories (2, ...): ['b', 'a']
    """
    if isinstance(dtype, ExtensionDtype):
        # Arrow makes a dictionary of objects, but not of an array of numbers.
        encodes = isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith("dictionary")
        return pd.array(values.astype(object) if encodes else values, dtype=dtype)
    if dtype.kind in "mM":
        # numpy takes no Timestamp or Timedelta of pandas.
        return pd.Series(values).infer_objects().to_numpy().astype(dtype)
    return values.astype(dtype, copy=False)


def holds_labels(dtype: Any, labels: np.ndarray) -> bool:
    """Whether a dtype can hold labels unchanged: text may be too long for it, a category unknown.

    Parameters
    ----------
    dtype : numpy dtype or pandas extension dtype
        ``Column.dtype`` of other labels.
    labels : ndarray of shape (n_labels,)
        Labels, none of them missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.targets import holds_labels
    >>> holds_labels(np.dtype("<U2"), np.array(["a", "bb"], dtype=object))
    True
    >>> holds_labels(np.dtype("<U2"), np.array(["a", "bbb"], dtype=object))
    False
    """
    if isinstance(dtype, pd.CategoricalDtype):
        return set(labels.tolist()) <= set(dtype.categories)
    try:
        return list(restore_dtype(labels, dtype)) == labels.tolist()
    except (OverflowError, TypeError, ValueError):
        return False


def pack_dtype(dtype: Any, of: str = "labels") -> dict[str, Any]:
    """Return a dtype of numpy, pandas or polars as strings, numbers and arrays.

    Parameters
    ----------
    dtype : object
        The dtype.
    of : str, default="labels"
        The name, for the error message, of what has this dtype.

    Raises
    ------
    ValueError
        If `unpack_dtype` would not return the same dtype.

    Examples
    --------
    >>> import numpy as np
    >>> pack_dtype(np.dtype("float64"))
    {'numpy': '<f8'}
    """
    try:
        packed = _packed(dtype)
        same = unpack_dtype(packed) == dtype
    # A dtype of another package may raise anything.
    except Exception as error:
        raise _refusal(dtype, of) from error
    if not same:
        raise _refusal(dtype, of)
    return packed


def unpack_dtype(packed: Mapping[str, Any]) -> Any:
    """Return the dtype that `pack_dtype` was given.

    Parameters
    ----------
    packed : mapping
        What `pack_dtype` returned: strings, numbers and arrays.

    Raises
    ------
    ValueError
        If it names anything else than a dtype.
    """
    kind, content = next(iter(packed.items()))
    if kind == "numpy":
        return _numpy_dtype(content)
    if kind == "pandas":
        return pd.api.types.pandas_dtype(content)
    if kind == "string":
        return pd.StringDtype(content, na_value=np.nan if packed["nan"] else pd.NA)
    if kind == "sparse":
        return pd.SparseDtype(unpack_dtype(content), packed["fill"])
    if kind == "arrow":
        return pd.ArrowDtype(_arrow_type(packed))
    if kind == "polars":
        return _polars_dtype(packed)
    categories = pd.Index(content["values"], dtype=unpack_dtype(content["dtype"]))
    return pd.CategoricalDtype(categories, ordered=packed["ordered"])


def _numpy_dtype(name: Any) -> np.dtype:
    """Return the dtype of a name, which comes from a file, and might ask for any number of bytes."""
    dtype = np.dtype(name) if isinstance(name, str) else None
    if dtype is None or dtype.kind == "V" or dtype.itemsize > LONGEST_ITEM:
        raise ValueError(f"A numpy dtype must be one of numbers, text or objects. Found {name!r}.")
    return dtype


def _packed(dtype: Any) -> dict[str, Any]:
    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.CategoricalDtype):
        values = dtype.categories
        packed = {"values": np.asarray(values), "dtype": _packed(values.dtype)}
        return {"categories": packed, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.StringDtype):
        return {"string": dtype.storage, "nan": dtype.na_value is not pd.NA}
    if isinstance(dtype, pd.SparseDtype):
        return {"sparse": _packed(dtype.subtype), "fill": dtype.fill_value}
    if isinstance(dtype, pd.ArrowDtype):
        return _packed_arrow(dtype.pyarrow_dtype)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return {"pandas": str(dtype)}
    return _packed_polars(dtype)


def _packed_arrow(dtype: Any) -> dict[str, Any]:
    types = importlib.import_module("pyarrow").types
    if types.is_dictionary(dtype):
        parts = [_packed_arrow(part) for part in (dtype.index_type, dtype.value_type)]
        return {"arrow": "dictionary", "args": [*parts, bool(dtype.ordered)]}
    if types.is_decimal(dtype):
        return {"arrow": f"decimal{dtype.bit_width}", "args": [dtype.precision, dtype.scale]}
    if types.is_fixed_size_binary(dtype):
        return {"arrow": "binary", "args": [dtype.byte_width]}
    if types.is_timestamp(dtype):
        return {"arrow": "timestamp", "args": [dtype.unit, dtype.tz]}
    return {"arrow": str(dtype)}


def _arrow_type(packed: Mapping[str, Any]) -> Any:
    arrow = importlib.import_module("pyarrow")
    if "args" not in packed:
        return arrow.type_for_alias(packed["arrow"])
    # The name comes from a file, and what it names is called.
    if packed["arrow"] not in ARROW:
        raise ValueError(f"An Arrow dtype must be one of {ARROW}. Found {shown(packed['arrow'])}.")
    args = [_arrow_type(arg) if isinstance(arg, Mapping) else arg for arg in packed["args"]]
    if any(isinstance(arg, int) and arg > LONGEST_ITEM for arg in args):
        raise ValueError(f"An Arrow dtype must be of labels of 16 MiB at most. Found {args}.")
    return getattr(arrow, packed["arrow"])(*args)


def _packed_polars(dtype: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"polars": dtype.__name__ if isinstance(dtype, type) else type(dtype).__name__}
    if found["polars"] == "Enum":
        found["categories"] = dtype.categories.to_list()
    elif found["polars"] == "Datetime":
        found["args"] = [dtype.time_unit, dtype.time_zone]
    elif found["polars"] == "Duration":
        found["args"] = [dtype.time_unit]
    elif found["polars"] == "Decimal":
        found["args"] = [dtype.precision, dtype.scale]
    elif found["polars"] == "List":
        found["args"] = [_packed_polars(dtype.inner)]
    elif found["polars"] == "Categorical" and dtype != type(dtype)():
        categories = dtype.categories
        found["named"] = [categories.name(), categories.namespace(), _packed_polars(categories.physical())]
    elif found["polars"] == "Array":
        found["args"] = [_packed_polars(dtype.inner), dtype.size]
    return found


def _polars_dtype(packed: Mapping[str, Any]) -> Any:
    polars = importlib.import_module("polars")
    kind = getattr(polars, packed["polars"], None)
    # The name comes from a file, and what it names is called.
    if not isinstance(kind, type) or not issubclass(kind, polars.DataType):
        raise ValueError(f"A polars dtype must be one that polars has. Found {shown(packed['polars'])}.")
    if "categories" in packed:
        return kind(packed["categories"])
    if "named" in packed:
        name, namespace, physical = packed["named"]
        return kind(polars.Categories(name, namespace, _polars_dtype(physical)))
    return kind(*(_polars_dtype(arg) if isinstance(arg, Mapping) else arg for arg in packed.get("args", ())))


def _refusal(dtype: Any, of: str) -> ValueError:
    return ValueError(
        f"The dtype of {of} must be one that can be read back, for the estimator to be pickled or saved. "
        f"Found {shown(dtype)}; give the labels as numbers, text or a plain categorical."
    )
