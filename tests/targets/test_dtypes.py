"""Labels of every dtype of pandas, Arrow and polars come back from pickles and files, or are refused."""

import datetime as dt
import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pandas.core.dtypes.base import _registry

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.targets import pack_dtype, unpack_dtype
from sklearn_mtl.trunks import MLP

N = 30
X = np.random.RandomState(0).normal(size=(N, 3))
TEXT, WHOLE, BOTH, FLOATS, BYTES = ["a", "b"], [1, 2], [True, False], [1.5, 2.5], [b"aa", b"bb"]
DECIMALS = [Decimal("1.50"), Decimal("2.50")]
DATES, TIMES = [dt.date(2020, 1, 1), dt.date(2021, 1, 1)], [dt.time(1), dt.time(2)]
SPANS = [dt.timedelta(1), dt.timedelta(2)]
MOMENTS = [dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)]
IN_BERLIN = [pd.Timestamp(moment, tz="Europe/Berlin") for moment in MOMENTS]
UNITS = ["s", "ms", "us", "ns"]
KINDS = {"classification": MultiTaskClassifier, "regression": MultiTaskRegressor}


def categories(values, ordered=False):
    return list(values[:2]), pd.CategoricalDtype(values, ordered)


# By the name of a case: two labels and their dtype.
PANDAS = {
    **{name: (WHOLE, f"{name}") for name in ("int8", "int16", "int32", "int64")},
    **{name: (WHOLE, f"{name}") for name in ("uint8", "uint16", "uint32", "uint64")},
    **{f"Int{n}": (WHOLE, f"Int{n}") for n in (8, 16, 32, 64)},
    **{f"UInt{n}": (WHOLE, f"UInt{n}") for n in (8, 16, 32, 64)},
    **{name: (FLOATS, name) for name in ("float16", "float32", "float64", "Float32", "Float64")},
    "bool": (BOTH, "bool"),
    "boolean": (BOTH, "boolean"),
    "object": (TEXT, object),
    "bytes": (BYTES, object),
    "string": (TEXT, pd.StringDtype("python", na_value=pd.NA)),
    "str": (TEXT, pd.StringDtype("python", na_value=np.nan)),
    "Sparse": ([1, 0], pd.SparseDtype("int64")),
    "Sparse, filled": ([1, 7], pd.SparseDtype("int64", 7)),
    "Sparse floats": (FLOATS, pd.SparseDtype("float64")),
    "Sparse text": (TEXT, pd.SparseDtype(object, "a")),
    **{f"datetime64[{unit}]": (MOMENTS, f"datetime64[{unit}]") for unit in UNITS},
    **{f"timedelta64[{unit}]": (SPANS, f"timedelta64[{unit}]") for unit in UNITS},
    **{f"datetime64[{unit}, tz]": (IN_BERLIN, f"datetime64[{unit}, Europe/Berlin]") for unit in UNITS},
    "offset": ([moment.tz_convert("+01:00") for moment in IN_BERLIN], "datetime64[ns, +01:00]"),
    **{
        f"period[{freq}]": ([pd.Period("2020-01-01", freq), pd.Period("2021-05-01", freq)], f"period[{freq}]")
        for freq in ("D", "M", "h", "W-WED", "Q-NOV")
    },
    **{
        f"interval, {side}": ([pd.Interval(0, 1, side), pd.Interval(1, 2, side)], f"interval[int64, {side}]")
        for side in ("left", "right", "neither")
    },
    "categorical": categories(["a", "b", "c"], ordered=True),
    "categorical int": categories([1, 2]),
    "categorical bool": categories([True, False]),
    "categorical bytes": categories(BYTES),
    "categorical Int64": categories(pd.Index(WHOLE, dtype="Int64")),
    "categorical string": categories(pd.Index(TEXT, dtype=pd.StringDtype("python"))),
    "categorical moments": categories(pd.DatetimeIndex(MOMENTS)),
    "categorical zone": categories(pd.DatetimeIndex(IN_BERLIN)),
    "categorical spans": categories(pd.TimedeltaIndex(SPANS)),
    "categorical period": categories(pd.PeriodIndex(["2020", "2021"], freq="M")),
    "categorical interval": categories(pd.interval_range(0, 2)),
    "categorical dates": categories(pd.Index(DATES, dtype=object)),
}
POLARS = {
    **{name: (WHOLE, getattr(pl, name)()) for name in dir(pl) if re.fullmatch(r"U?Int\d+", name)},
    **{name: (FLOATS, getattr(pl, name)()) for name in dir(pl) if re.fullmatch(r"Float\d+", name)},
    "Boolean": (BOTH, pl.Boolean()),
    "String": (TEXT, pl.String()),
    "Binary": (BYTES, pl.Binary()),
    "Categorical": (TEXT, pl.Categorical()),
    "Enum": (TEXT, pl.Enum(["b", "c", "a"])),
    "Decimal": (DECIMALS, pl.Decimal(10, 2)),
    "Date": (DATES, pl.Date()),
    "Time": (TIMES, pl.Time()),
    **{f"Datetime, {unit}": (MOMENTS, pl.Datetime(unit)) for unit in UNITS[1:]},
    **{f"Datetime, {unit}, tz": (IN_BERLIN, pl.Datetime(unit, "Europe/Berlin")) for unit in UNITS[1:]},
    **{f"Duration, {unit}": (SPANS, pl.Duration(unit)) for unit in UNITS[1:]},
    "Array": ([[1.5, 2.0], [2.0, 3.0]], pl.Array(pl.Float64, 2)),
    "Array, whole": ([[1, 2], [2, 3]], pl.Array(pl.Int64, 2)),
}
if hasattr(pl, "Categories"):
    POLARS["Categorical, named"] = (TEXT, pl.Categorical(pl.Categories("types", "houses")))
# What fit takes no labels from, or no column of data has.
NO_LABELS = {"List", "Map", "Struct", "Object", "Null", "Unknown", "Extension"}


def arrow():
    pa = pytest.importorskip("pyarrow")
    of = {
        **{name: (WHOLE, pa.type_for_alias(name)) for name in ("int8", "int16", "int32", "int64")},
        **{name: (WHOLE, pa.type_for_alias(name)) for name in ("uint8", "uint16", "uint32", "uint64")},
        "half": ([np.float16(value) for value in FLOATS], pa.float16()),
        "float": (FLOATS, pa.float32()),
        "double": (FLOATS, pa.float64()),
        "bool": (BOTH, pa.bool_()),
        "string": (TEXT, pa.string()),
        "large string": (TEXT, pa.large_string()),
        "string view": (TEXT, pa.string_view()),
        "binary": (BYTES, pa.binary()),
        "large binary": (BYTES, pa.large_binary()),
        "binary view": (BYTES, pa.binary_view()),
        "fixed-size binary": (BYTES, pa.binary(2)),
        "date32": (DATES, pa.date32()),
        "date64": (DATES, pa.date64()),
        "time32": (TIMES, pa.time32("ms")),
        "time64": (TIMES, pa.time64("ns")),
        "timestamp": (MOMENTS, pa.timestamp("s")),
        "timestamp, tz": (IN_BERLIN, pa.timestamp("us", "Europe/Berlin")),
        "duration": (SPANS, pa.duration("ms")),
        **{f"decimal{n}": (DECIMALS, getattr(pa, f"decimal{n}")(5, 2)) for n in (32, 64, 128, 256)},
        "dictionary": (TEXT, pa.dictionary(pa.int32(), pa.string())),
        "dictionary, whole": (WHOLE, pa.dictionary(pa.int8(), pa.int64(), ordered=True)),
    }
    found = {name: (values, pd.ArrowDtype(dtype)) for name, (values, dtype) in of.items()}
    found["StringDtype"] = (TEXT, pd.StringDtype("pyarrow", na_value=pd.NA))
    found["StringDtype, nan"] = (TEXT, pd.StringDtype("pyarrow", na_value=np.nan))
    found["categorical"] = categories(pd.Index(TEXT, dtype=pd.ArrowDtype(pa.string())))
    return found


def column(library, values, dtype):
    if library is pl:
        return pl.Series(values * (N // 2), dtype=dtype)
    return pd.Series(values * (N // 2), dtype=dtype)


def frame(library, columns):
    of = pl.DataFrame if library is pl else pd.DataFrame
    return of({name: column(library, *labels) for name, labels in columns.items()})


def is_number(labels):
    value = np.ravel(np.array(labels[0], dtype=object))[0]
    return isinstance(value, float | Decimal | np.floating) or "Array" in str(labels[1])


def of_kind(kind, columns):
    number = kind == "regression"
    return {name: labels for name, labels in columns.items() if is_number(labels) is number}


def quick(kind):
    return KINDS[kind](trunk=MLP((4,)), n_bags=1, max_epochs=1, random_state=0)


def assert_same(found, expected):
    if isinstance(expected, pl.DataFrame):
        assert found.schema == expected.schema
        assert found.rows() == expected.rows()
        return
    assert found.dtypes.tolist() == expected.dtypes.tolist()
    for name in expected:
        assert found[name].tolist() == expected[name].tolist()
        assert list(map(type, found[name])) == list(map(type, expected[name]))


LIBRARIES = {"pandas": (pd, lambda: PANDAS), "arrow": (pd, arrow), "polars": (pl, lambda: POLARS)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("library", "columns"), LIBRARIES.values(), ids=LIBRARIES)
def test_pickles_bring_back_labels_and_dtypes(library, columns, kind, tmp_path):
    columns = of_kind(kind, columns())
    y = frame(library, columns)
    est = quick(kind).fit(X, y)
    expected = est.predict(X)
    assert_same(pickle.loads(pickle.dumps(est)).predict(X), expected)
    if kind == "classification":
        assert [expected[name].dtype for name in columns] == [y[name].dtype for name in columns]
    elif library is pl or columns is PANDAS:
        save(est, tmp_path / "est.mtl")
        assert_same(load(tmp_path / "est.mtl").predict(X), expected)


@pytest.mark.parametrize(("library", "columns"), LIBRARIES.values(), ids=LIBRARIES)
def test_files_bring_back_labels_and_dtypes_or_are_not_written(library, columns, tmp_path):
    path, stored = tmp_path / "est.mtl", {}
    for name, labels in of_kind("classification", columns()).items():
        # Of numbers, text, bytes and booleans a file holds all; of points in time and the like none.
        plain = isinstance(labels[0][0], bool | int | str | bytes | np.generic)
        if plain:
            stored[name] = labels
            continue
        est = quick("classification").fit(X, frame(library, {name: labels}))
        with pytest.raises(TypeError, match=re.escape(f"`task {name!r}")):
            save(est, path)
        assert not path.exists()
    est = quick("classification").fit(X, frame(library, stored))
    save(est, path)
    assert_same(load(path).predict(X), est.predict(X))


@pytest.mark.parametrize(("library", "columns"), LIBRARIES.values(), ids=LIBRARIES)
def test_every_dtype_is_told_in_words_and_back(library, columns):
    for name, labels in columns().items():
        dtype = column(library, *labels).dtype
        assert unpack_dtype(pack_dtype(dtype)) == dtype, name


def test_there_is_no_other_dtype_of_pandas():
    tried = {type(column(pd, *labels).dtype) for labels in PANDAS.values()}
    assert set(_registry.dtypes) - tried <= {pd.ArrowDtype}


def test_there_is_no_other_dtype_of_polars():
    def leaves(of):
        below = [leaf for sub in of.__subclasses__() for leaf in leaves(sub)]
        return below or [of]

    known = {type(dtype).__name__ for _, dtype in POLARS.values()} | NO_LABELS
    assert {leaf.__name__ for leaf in leaves(pl.DataType) if leaf.__module__.startswith("polars")} <= known


def test_there_is_no_other_dtype_of_arrow():
    lib = pytest.importorskip("pyarrow").lib
    tried = {dtype.pyarrow_dtype.id for _, dtype in arrow().values() if isinstance(dtype, pd.ArrowDtype)}
    known = {name for name in vars(lib) if name.startswith("Type_") and getattr(lib, name) in tried}
    nested = {"LIST", "LARGE_LIST", "FIXED_SIZE_LIST", "LIST_VIEW", "LARGE_LIST_VIEW", "MAP", "STRUCT"}
    # None is a label, or pandas can't hold it.
    others = {"NA", "DENSE_UNION", "SPARSE_UNION", "RUN_END_ENCODED", "INTERVAL_MONTH_DAY_NANO"}
    others |= {"INTERVAL_MONTHS", "INTERVAL_DAY_TIME"}
    every = {name for name in vars(lib) if name.startswith("Type_")}
    assert every - known <= {f"Type_{name}" for name in nested | others}


class OwnDtype(pd.api.extensions.ExtensionDtype):
    """Of another package, which has not told pandas its name."""

    name, type = "mine", str

    @classmethod
    def construct_array_type(cls):
        return pd.arrays.StringArray


def test_a_dtype_that_is_not_read_back_is_refused():
    est = quick("classification").fit(X, {"type": TEXT * (N // 2)})
    object.__setattr__(est.tasks_["type"], "dtype", OwnDtype())
    with pytest.raises(ValueError, match=r"The dtype of task 'type' must be one that can be read back"):
        pickle.dumps(est)


def test_dtypes_in_the_words_of_older_files_are_read():
    assert unpack_dtype({"pandas": "string"}) == pd.StringDtype()
    assert unpack_dtype({"polars": "Datetime"}) == pl.Datetime()
    assert unpack_dtype({"polars": "Enum", "categories": ["a"]}) == pl.Enum(["a"])


def test_only_what_makes_a_dtype_of_arrow_is_called():
    pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="An Arrow dtype must be one of"):
        unpack_dtype({"arrow": "array", "args": [[1]]})


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (pl.Series([{"a": 1}] * 30), "a polars Struct"),
        (pd.Series([[1], 2] * 15), "a int among lists or arrays"),
        (pd.Series([{1: 2}] * 30), "a dict"),
    ],
)
def test_labels_that_are_no_single_values_are_refused_by_name(labels, found):
    with pytest.raises(ValueError, match=rf"one value for each row.* Found {found} in task 'kind'"):
        quick("classification").fit(X, {"kind": labels})


def test_a_block_of_labels_is_no_classification():
    with pytest.raises(ValueError, match=r"'t' is a classification and needs one label for each row"):
        quick("classification").set_params(tasks={"t": "classification"}).fit(X, {"t": [[0, 1]] * N})
