"""Which files a source of Arrow rows stands for, and what becomes of columns that differ between them."""

import os

import numpy as np
import pandas as pd
import pytest

from sklearn_mtl.features import ArrowRows

pa = pytest.importorskip("pyarrow")
import pyarrow.dataset as ds  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402


def write(path, **columns):
    path.parent.mkdir(exist_ok=True)
    table = pa.table(columns)
    if path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        pq.write_table(table, path)


def columns_of(source):
    frame = ArrowRows(source).to_pandas()
    return {name: frame[name].tolist() for name in frame}


def test_other_files_of_a_folder_are_left_out(tmp_path):
    write(tmp_path / "more" / "b.parquet", x=[3.0])
    write(tmp_path / "a.parquet", x=[1.0, 2.0])
    for name in ("_SUCCESS", ".a.parquet.crc", "README.md", "a.csv"):
        (tmp_path / name).write_text("x\n1\n")
    assert columns_of(tmp_path) == {"x": [1.0, 2.0, 3.0]}


def test_a_folder_may_hold_arrow_files_or_files_whose_names_do_not_tell(tmp_path):
    write(tmp_path / "arrow" / "a.arrow", x=[1.0])
    assert columns_of(tmp_path / "arrow") == {"x": [1.0]}
    write(tmp_path / "spark" / "part-0000", x=[2.0])
    assert columns_of(tmp_path / "spark") == {"x": [2.0]}
    with pytest.raises(ValueError, match=r"one format.*a\.arrow' and .*part-0000'"):
        ArrowRows([tmp_path / "arrow" / "a.arrow", tmp_path / "spark" / "part-0000"])


def test_names_of_folders_are_values_of_a_column(tmp_path):
    for year in (2023, 2024):
        write(tmp_path / f"year={year}" / "a.parquet", x=[year / 2])
    assert columns_of(tmp_path) == {"x": [1011.5, 1012.0], "year": [2023, 2024]}


def test_a_column_that_the_first_file_lacks_is_there(tmp_path):
    write(tmp_path / "a.parquet", x=[1, 2])
    write(tmp_path / "b.parquet", y=["u"], x=[0.5])
    found = ArrowRows(tmp_path)
    assert found.columns == ["x", "y"]
    assert found[["x"]].to_pandas()["x"].tolist() == [1.0, 2.0, 0.5]
    assert found[["y"]].to_pandas()["y"].isna().tolist() == [True, True, False]
    # As pandas has them who puts frames together.
    frames = pd.concat([pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"y": ["u"], "x": [0.5]})])
    assert frames["x"].tolist() == found.to_pandas()["x"].tolist()


def test_columns_of_kinds_that_are_not_one_are_refused_by_name(tmp_path):
    write(tmp_path / "a.parquet", x=[1.0], size=[1])
    write(tmp_path / "b.parquet", x=[1.0], size=["L"])
    with pytest.raises(ValueError, match="'size' as int64 and string"):
        ArrowRows(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.arrow"])
def test_files_of_other_formats_are_refused(tmp_path, name):
    (tmp_path / name).write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=rf"must be Parquet files, or Arrow files.*{name}"):
        ArrowRows(tmp_path / name)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one file"):
        ArrowRows(tmp_path)


@pytest.mark.parametrize("change", ["rewritten", "removed"])
def test_a_file_that_has_changed_is_named(tmp_path, change):
    path = tmp_path / "a.parquet"
    write(path, x=np.arange(50.0))
    rows = ArrowRows(tmp_path)
    if change == "removed":
        path.unlink()
    else:
        before = path.stat()
        write(path, x=np.arange(50.0)[::-1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(ValueError, match=r"must stay as they are.*a\.parquet"):
        rows.to_pandas()


def test_a_dataset_is_taken_as_it_is(tmp_path):
    write(tmp_path / "a.parquet", x=[1.0])
    write(tmp_path / "b.parquet", x=[2.0], y=["u"])
    assert columns_of(ds.dataset(tmp_path)) == {"x": [1.0, 2.0]}
    assert columns_of(ds.dataset(pa.table({"x": [4.0]}))) == {"x": [4.0]}
