"""The row groups of Parquet files, and the record batches of Arrow files, as stretches of one long table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd


class RowGroups:
    """The stretches of rows that a dataset of pyarrow is read by.

    A stretch is a row group of a Parquet file, a record batch of an Arrow file on a local disk, or else a
    whole file.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        The files.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names: list[str] = list(dataset.schema.names)

    @cached_property
    def _stretches(self) -> list[tuple[int, Callable[[Sequence[str]], Any]]]:
        """For each stretch the number of its rows, and what reads columns of it."""
        found: list[tuple[int, Callable[[Sequence[str]], Any]]] = []
        for fragment in self._dataset.get_fragments():
            check = _check_of_changes(fragment)
            found += [
                (n_rows, _checked(read, check))
                for n_rows, read in _stretches_of(fragment, self._dataset.schema)
            ]
        return [stretch for stretch in found if stretch[0]]

    @cached_property
    def bounds(self) -> np.ndarray:
        """The first row of each stretch, and the number of all rows behind them."""
        return np.cumsum([0, *(n_rows for n_rows, _ in self._stretches)], dtype=np.int64)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.bounds[-1])

    @property
    def numbers(self) -> np.ndarray:
        """The number of the stretch that each row is in, an array of int32."""
        return np.repeat(np.arange(len(self.bounds) - 1, dtype=np.int32), np.diff(self.bounds))

    def of(self, places: np.ndarray) -> np.ndarray:
        """Return the number of the stretch that each of some rows is in, an array of int32."""
        found: np.ndarray = np.searchsorted(self.bounds, places, side="right") - 1
        return found.astype(np.int32)

    def read(self, places: np.ndarray, columns: Sequence[str]) -> pd.DataFrame:
        """Return rows as a frame; one stretch after the other is in memory for it.

        Parameters
        ----------
        places : ndarray of int
            Positions of rows, in any order.
        columns : sequence of str
            The columns.
        """
        import pyarrow

        of_row = self.of(places)
        parts, order = [], []
        for number, rows in by_group(of_row):
            table = self._stretches[number][1](columns)
            within = places[rows] - self.bounds[number]
            is_whole = len(within) == table.num_rows and np.array_equal(within, np.arange(len(within)))
            parts.append(table if is_whole else table.take(pyarrow.array(within)))
            order.append(rows)
        if not parts:
            parts, order = [self._dataset.schema.empty_table().select(columns)], [np.arange(0)]
        # What a category is called may differ from group to group.
        table = pyarrow.concat_tables(parts).unify_dictionaries()
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)
        found = np.concatenate(order)
        if (np.diff(found) < 0).any():
            frame = frame.iloc[np.argsort(found)].reset_index(drop=True)
        return frame

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling: what reads a stretch may hold an open file."""
        return {"_dataset": self._dataset, "names": self.names}


def by_group(of_row: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Iterate over the groups that rows are in, each with the positions of its rows.

    Parameters
    ----------
    of_row : ndarray of int
        The number of the group of each row.

    Examples
    --------
    >>> [(number, rows.tolist()) for number, rows in by_group(np.array([1, 0, 1]))]
    [(0, [1]), (1, [0, 2])]
    """
    order = np.argsort(of_row, kind="stable")
    numbers, starts = np.unique(of_row[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(order, starts[1:]) if len(numbers) else [], strict=True)


def _stretches_of(fragment: Any, schema: Any) -> list[tuple[int, Callable[[Sequence[str]], Any]]]:
    if hasattr(fragment, "split_by_row_group"):
        # Of one row group, `count_rows` would count the file.
        return [
            _whole(group, schema, sum(of_file.num_rows for of_file in group.row_groups))
            for group in fragment.split_by_row_group()
        ]
    if getattr(getattr(fragment, "format", None), "default_extname", "") in ("arrow", "feather", "ipc"):
        return _record_batches(fragment, schema)
    return [_whole(fragment, schema)]


def _whole(
    fragment: Any, schema: Any, n_rows: int | None = None
) -> tuple[int, Callable[[Sequence[str]], Any]]:
    # The schema of the dataset adds columns that are told by folders, or that the file lacks.
    n_rows = fragment.count_rows() if n_rows is None else n_rows
    return n_rows, lambda columns: fragment.to_table(schema=schema, columns=list(columns))


def _record_batches(fragment: Any, schema: Any) -> list[tuple[int, Callable[[Sequence[str]], Any]]]:
    """Return the record batches of an Arrow file; of one that can't be mapped into memory, the whole."""
    from pyarrow import Table, fs, ipc, memory_map
    from pyarrow import schema as new_schema

    if not isinstance(fragment.filesystem, fs.LocalFileSystem):
        return [_whole(fragment, schema)]
    file = ipc.open_file(memory_map(fragment.path))
    if set(schema.names) - set(file.schema.names):
        return [_whole(fragment, schema)]

    def reading(number: int) -> Callable[[Sequence[str]], Any]:
        def read(columns: Sequence[str]) -> Any:
            batch = Table.from_batches([file.get_batch(number)]).select(list(columns))
            return batch.cast(new_schema([schema.field(name) for name in columns]))

        return read

    return [(file.get_batch(i).num_rows, reading(i)) for i in range(file.num_record_batches)]


def _check_of_changes(fragment: Any) -> Callable[[], None]:
    """Return what raises a ``ValueError`` once a file on a local disk is no more as it is now.

    Rows are found where they were when the file was opened: elsewhere there might be others.
    """
    from pyarrow import fs

    if not isinstance(getattr(fragment, "filesystem", None), fs.LocalFileSystem):
        return lambda: None

    def now() -> tuple[Any, ...]:
        file = fragment.filesystem.get_file_info(fragment.path)
        return file.type, file.size, file.mtime_ns

    opened = now()

    def check() -> None:
        if now() != opened:
            raise ValueError(
                f"The files of ArrowRows must stay as they are while they are used. Found {fragment.path} "
                "changed; open them anew."
            )

    return check


def _checked(
    read: Callable[[Sequence[str]], Any], check: Callable[[], None]
) -> Callable[[Sequence[str]], Any]:
    def read_checked(columns: Sequence[str]) -> Any:
        check()
        return read(columns)

    return read_checked
