"""A file that is whole at every moment: written beside the one that it replaces, and renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENAMETOOLONG
from os import PathLike
from stat import S_ISREG
from typing import BinaryIO

from sklearn_mtl.messages import shown

__all__ = ["file_name", "file_to_write", "not_written", "replacing"]

LONGEST_SHOWN = 1_000


def file_name(path: str | PathLike[str]) -> str:
    """Return a path as a string.

    Parameters
    ----------
    path : str or path
        The path.

    Raises
    ------
    TypeError
        If it is neither a string nor a path.
    ValueError
        If it is empty, or no file can have that name.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> from sklearn_mtl.replacing import file_name
    >>> file_name(PurePosixPath("models/sum.mtl"))
    'models/sum.mtl'
    """
    name = os.fspath(path) if isinstance(path, str | PathLike) else None
    if not isinstance(name, str):
        raise TypeError(f"`path` must be a str or a path such as pathlib.Path. Found {path!r}.")
    try:
        os.lstat(name)
    except (ValueError, OSError) as error:
        # No system takes a null character, and most take no lone surrogates.
        if not name or isinstance(error, ValueError) or error.errno == ENAMETOOLONG:
            raise ValueError(f"`path` must be the name of a file. Found {shown(path)}.") from error
    return name


def file_to_write(path: str | PathLike[str]) -> str:
    """Return the file that `open` would write for a path, symbolic links followed.

    Parameters
    ----------
    path : str or path
        The path.

    Raises
    ------
    TypeError, ValueError
        If it is no path, or a directory.
    FileNotFoundError
        If the directory of the file is not there.
    OSError
        If the file is there, and may not be written.
    """
    name = file_name(path)
    target = os.path.realpath(name)
    if os.path.isdir(target) or not os.path.basename(name):
        raise ValueError(f"`path` must be a file to write. Found a directory: {path}.")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(f"`path` must be in a directory that is there. Found none: {path}.")
    if os.path.lexists(target) and S_ISREG(os.stat(target).st_mode):
        # A file that may not be written could still be replaced, which its owner did not mean.
        with open(target, "ab"):
            pass
    return target


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which takes the place of the one at a path when the block is done.

    On an error, or if the process ends, what was there before is there still. Only a process that is killed
    leaves the unfinished file behind, ``.sklearn_mtl-*.tmp`` in the same directory.

    Parameters
    ----------
    path : str or path
        The file; one that is there keeps its permissions, and where it is a symbolic link, its target is
        replaced. What is no regular file, such as a pipe, is written as it is.
    """
    target = file_to_write(path)
    there = os.stat(target) if os.path.exists(target) else None
    if there is not None and not S_ISREG(there.st_mode):
        with open(target, "wb") as file:
            yield file
        return
    # Not named after the target, whose name may be as long as names can be.
    beside = os.path.join(os.path.dirname(target), f".sklearn_mtl-{secrets.token_hex(8)}.tmp")
    try:
        with open(beside, "xb") as file:
            if there is not None:
                _take_over(target, there, beside)
            yield file
            file.flush()
            # Else a power cut could leave the new name on a file whose content was never written.
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def not_written(error: OSError, what: str, path: str | PathLike[str]) -> OSError:
    """Return the error of a write in words, of the same class: a full disk, no permission.

    Parameters
    ----------
    error : OSError
        What was raised.
    what : str
        The parameter and its rule, which the message begins with.
    path : str or path
        What could not be written.

    Examples
    --------
    >>> from errno import EACCES
    >>> from sklearn_mtl.replacing import not_written
    >>> not_written(PermissionError(EACCES, "Permission denied"), "`path` must be a new file", "sum.mtl")
    PermissionError(13, '`path` must be a new file; what was there is there still. Found: Permission denied')
    """
    if error.errno is None:
        # It is in words already.
        return error
    found = f"{what}; what was there is there still. Found: {error.strerror or error}"
    name = os.fspath(path)
    # A name that is too long for the file system is too long to be shown as well.
    return OSError(error.errno, found, name if len(name) < LONGEST_SHOWN else shown(name))


def _take_over(target: str, there: os.stat_result, beside: str) -> None:
    """Give a file the owner, where that is allowed, and the permissions of another."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(beside, there.st_uid, there.st_gid)
    shutil.copymode(target, beside)
