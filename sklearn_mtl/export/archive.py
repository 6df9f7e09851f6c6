"""The file: a zip archive of a few members, each with its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from os import PathLike
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from sklearn_mtl.export.replacing import file_name, replacing

FORMAT = "sklearn_mtl"
#: To be raised when earlier versions of the package can no longer read what this one writes.
VERSION = 1
MANIFEST = "manifest.json"


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
    """
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "package_version": package_version,
        "sha256": {name: sha256(content).hexdigest() for name, content in members.items()},
    }
    with replacing(path) as beside, ZipFile(beside, "w", ZIP_STORED) as file:
        # Made from a ZipInfo, a member has a fixed date; made from a name, it would have that of today.
        file.writestr(ZipInfo(MANIFEST), json.dumps(manifest, indent=1))
        for name, content in members.items():
            file.writestr(ZipInfo(name), content)


def read_archive(path: str | PathLike[str]) -> dict[str, bytes]:
    """Return the members of a file, their digests checked.

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
    if os.path.isdir(name):
        raise not_a_file_of_ours(path, "a directory")
    try:
        with ZipFile(name) as file:
            members = {info.filename: _content(file, info, path) for info in _members(file, path)}
    # zipfile raises any of these for archives that are damaged or made up.
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise not_a_file_of_ours(
            path, f"one that is no zip archive, or is truncated or damaged ({error})"
        ) from error
    digests = _digests(members.pop(MANIFEST), path)
    missing = sorted(set(digests) - set(members))
    if missing:
        raise not_a_file_of_ours(path, f"one without its members {missing}")
    changed = sorted(
        name for name, content in members.items() if digests.get(name) != sha256(content).hexdigest()
    )
    if changed:
        raise not_a_file_of_ours(path, f"one whose members {changed} were changed after it was written")
    return members


def not_a_file_of_ours(path: str | PathLike[str], found: str) -> ValueError:
    """Return the error for a file that can't be read."""
    return ValueError(f"`path` must be a file that `sklearn_mtl.export.save` wrote. Found {found}: {path}.")


def _members(file: ZipFile, path: str | PathLike[str]) -> list[ZipInfo]:
    members = file.infolist()
    names = [info.filename for info in members]
    if MANIFEST not in names or len(set(names)) < len(names):
        raise not_a_file_of_ours(path, f"a zip archive with the members {names[:10]}")
    return members


def _content(file: ZipFile, info: ZipInfo, path: str | PathLike[str]) -> bytes:
    # A few compressed bytes could fill the memory.
    if info.compress_type != ZIP_STORED:
        raise not_a_file_of_ours(path, f"one whose member {info.filename!r} is compressed")
    return file.read(info)


def _digests(content: bytes, path: str | PathLike[str]) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise not_a_file_of_ours(path, "one whose manifest is no JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise not_a_file_of_ours(path, "a zip archive of another format")
    version, digests = manifest.get("version"), manifest.get("sha256")
    if type(version) is not int or version < 1 or not isinstance(digests, dict):
        raise not_a_file_of_ours(path, f"one of format version {version!r}")
    if version > VERSION:
        raise ValueError(
            f"`path` must be a file of format {VERSION} or earlier, which this sklearn_mtl reads: upgrade "
            f"sklearn_mtl. Found format {version}, written by sklearn_mtl {manifest.get('package_version')}: "
            f"{path}."
        )
    return digests
