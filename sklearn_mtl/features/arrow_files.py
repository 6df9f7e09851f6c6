"""Parquet and Arrow files as one dataset of pyarrow, which has the columns of all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sklearn_mtl.messages import shown

PARQUET, ARROW = (".parquet", ".pq"), (".arrow", ".feather")


def opened(source: Any) -> Any:
    """Return the dataset of pyarrow that a source stands for.

    Parameters
    ----------
    source : str, path, list of these, or pyarrow.dataset.Dataset
        Files, or folders of files, as in `ArrowRows`. A dataset is returned as it is.

    Raises
    ------
    ImportError
        If pyarrow is not there.
    TypeError
        If it is something else.
    ValueError
        If files are neither Parquet nor Arrow files, or of both, or a column of one can't be combined with
        that of another.
    """
    try:
        import pyarrow
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError('ArrowRows need pyarrow: pip install "sklearn-mtl[arrow]"') from error
    if isinstance(source, dataset.Dataset):
        return source
    folder = os.fspath(source) if isinstance(source, str | os.PathLike) and os.path.isdir(source) else None
    given = _paths(source) if folder is None else _files_in(folder)
    is_arrow = [path.endswith(ARROW) for path in given]
    if len(set(is_arrow)) > 1:
        mixed = [shown(given[is_arrow.index(each)]) for each in (True, False)]
        raise ValueError(
            "`source` of ArrowRows must be files of one format, which Arrow files tell by their names. Found "
            f"{' and '.join(mixed)}."
        )
    opening = partial(
        dataset.dataset,
        given if folder is not None or isinstance(source, list | tuple) else given[0],
        format="ipc" if all(is_arrow) else "parquet",
        partitioning="hive",
        partition_base_dir=folder,
    )
    try:
        found = opening()
        schema = _schema_of_all(found)
        return found if schema.equals(found.schema) else opening(schema=schema)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        raise ValueError(
            "`source` of ArrowRows must be Parquet files, or Arrow files (no streams) whose names end in "
            f".arrow or .feather. Found: {error}."
        ) from error


def _paths(source: Any) -> list[str]:
    paths = source if isinstance(source, list | tuple) else [source]
    if not paths or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise TypeError(
            "`source` of ArrowRows must be a path, a list of paths, or a pyarrow.dataset.Dataset. Found "
            f"{shown(source)}."
        )
    return [os.fspath(path) for path in paths]


def _files_in(folder: str) -> list[str]:
    """Return the files in a folder and the folders in it that are told to be data by their names, in order.

    Where no name tells, as of what some engines write, all files are.
    """
    every = [
        path
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    told = [path for path in every if path.suffix in PARQUET + ARROW]
    if not every:
        raise ValueError(f"`source` of ArrowRows must hold at least one file. Found none in {shown(folder)}.")
    return [str(path) for path in told or every]


def _schema_of_all(found: Any) -> Any:
    """Return the schema that has the columns of all files; that of the dataset has those of the first one."""
    import pyarrow

    schemas = [found.schema, *(fragment.physical_schema for fragment in found.get_fragments())]
    try:
        return pyarrow.unify_schemas(schemas, promote_options="permissive")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        for column, kinds in _unlike(schemas):
            raise ValueError(
                f"A column of ArrowRows must be of one kind in all files. Found {shown(column)} as "
                f"{' and '.join(kinds)}."
            ) from error
        raise


def _unlike(schemas: Sequence[Any]) -> Iterator[tuple[str, list[str]]]:
    """Iterate over the columns whose types can't be one, and their types."""
    import pyarrow

    for name in dict.fromkeys(name for schema in schemas for name in schema.names):
        of_column = [pyarrow.schema([schema.field(name)]) for schema in schemas if name in schema.names]
        try:
            pyarrow.unify_schemas(of_column, promote_options="permissive")
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
            yield name, list(dict.fromkeys(str(schema.field(0).type) for schema in of_column))
