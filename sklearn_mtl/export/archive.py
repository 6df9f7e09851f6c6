"""The file: a zip archive of a few members, each with its digest."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Mapping
from hashlib import sha256
from os import PathLike
from stat import S_ISDIR, S_ISREG
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from sklearn_mtl.export.zips import checked_zip
from sklearn_mtl.messages import shown
from sklearn_mtl.replacing import file_name, not_written, replacing

FORMAT = "sklearn_mtl"
#: To be raised when earlier versions of the package can no longer read what this one writes.
VERSION = 1
MANIFEST = "manifest.json"
LONGEST_MANIFEST = 2**16
MOST_LETTERS = 300
RULE = "`path` must be a file that can be written"
_BROKEN = (struct.error, zlib.error)


def write_archive(path: str | PathLike[str], members: Mapping[str, bytes], package_version: str) -> None:
    """Write members and their digests; the same members give the same file, byte for byte.

    Parameters
    ----------
    path : str or path
        The file to write. What was there before is there still if this fails.
    members : mapping of str to bytes
        The contents by name.
    package_version : str
        The version of the package, for the manifest.

    Raises
    ------
    OSError
        If the file can't be written, of the class that says why.
    """
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "package_version": package_version,
        "sha256": {name: sha256(content).hexdigest() for name, content in members.items()},
    }
    try:
        with replacing(path) as beside, ZipFile(beside, "w", ZIP_STORED) as file:
            # Made from a ZipInfo, a member has a fixed date; made from a name, it would have that of today.
            file.writestr(ZipInfo(MANIFEST), json.dumps(manifest, indent=1))
            for name, content in members.items():
                file.writestr(ZipInfo(name), content)
    except OSError as error:
        raise not_written(error, RULE, path) from None


def read_archive(path: str | PathLike[str]) -> dict[str, bytes]:
    """Return the members of a file, their digests checked; no more is read than the file is long.

    Parameters
    ----------
    path : str or path
        A file that `write_archive` wrote.

    Raises
    ------
    ValueError
        If the file is of another kind or of a later version, or is truncated or changed.
    TypeError
        If ``path`` is no path.
    """
    name = file_name(path)
    mode = os.stat(name).st_mode
    if not S_ISREG(mode):
        # A pipe may keep its reader waiting, and a device may have no end.
        raise not_a_file_of_ours(path, "a directory" if S_ISDIR(mode) else "a pipe or a device")
    with open(name, "rb") as file:
        try:
            length = os.fstat(file.fileno()).st_size
            with checked_zip(file, length, compressed=False) as archive:
                return _read_members(archive, path)
        # zipfile raises any of these for archives that are damaged or made up; names may be no UTF-8.
        except (BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeError, *_BROKEN) as error:
            found = f"one that is no zip archive, or is truncated or damaged ({shortened(str(error))})"
            raise not_a_file_of_ours(path, found) from error


class UnreadableFile(ValueError):
    """The error for a file that `load` can't read."""


def not_a_file_of_ours(path: str | PathLike[str], found: str) -> UnreadableFile:
    """Return the error for a file that can't be read."""
    return UnreadableFile(
        f"`path` must be a file that `sklearn_mtl.export.save` wrote. Found {found}: {path}."
    )


def _read_members(archive: ZipFile, path: str | PathLike[str]) -> dict[str, bytes]:
    sizes = {info.filename: info.file_size for info in archive.infolist()}
    if sizes.get(MANIFEST, LONGEST_MANIFEST + 1) > LONGEST_MANIFEST:
        raise not_a_file_of_ours(path, f"a zip archive with the members {shown(list(sizes))}")
    digests = _digests(archive.read(MANIFEST), path)
    missing, unnamed = sorted(set(digests) - set(sizes)), sorted(set(sizes) - {MANIFEST, *digests})
    if missing:
        raise not_a_file_of_ours(path, f"one without its members {shown(missing)}")
    if unnamed:
        raise not_a_file_of_ours(path, f"one with members that it does not name, {shown(unnamed)}")
    members = {name: archive.read(name) for name in digests}
    changed = [name for name, content in members.items() if sha256(content).hexdigest() != digests[name]]
    if changed:
        raise not_a_file_of_ours(
            path, f"one whose members {shown(changed)} were changed after it was written"
        )
    return members


def shortened(words: str) -> str:
    """Return words for a message; those of a forged file may be a megabyte long."""
    return words if len(words) <= MOST_LETTERS else f"{words[:MOST_LETTERS]}…"


def _digests(content: bytes, path: str | PathLike[str]) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise not_a_file_of_ours(path, "one whose manifest is no JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise not_a_file_of_ours(path, "a zip archive of another format")
    version, digests = manifest.get("version"), manifest.get("sha256")
    if type(version) is not int or version < 1 or not isinstance(digests, dict):
        raise not_a_file_of_ours(path, f"one of format version {shown(version)}")
    if version > VERSION:
        writer = shortened(str(manifest.get("package_version")))
        raise UnreadableFile(
            f"`path` must be a file of format {VERSION} or earlier, which this sklearn_mtl reads: upgrade "
            f"sklearn_mtl. Found format {shown(version)}, written by sklearn_mtl {writer}: {path}."
        )
    return digests
