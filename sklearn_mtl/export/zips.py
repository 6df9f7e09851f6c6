"""Zip archives from anywhere, opened only if their sizes can be believed."""

from __future__ import annotations

import os
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

# What comes before a member's content is at least as long as this and its name.
BYTES_BEFORE = 30


def checked_zip(file: BinaryIO, most: int, *, compressed: bool = True) -> ZipFile:
    """Open a zip archive to read.

    Parameters
    ----------
    file : binary file
        Open, and positioned anywhere.
    most : int
        Bytes that all members together may have.
    compressed : bool, default=True
        Whether members may be compressed, by "deflate" alone: others read with as much memory as a file says.

    Raises
    ------
    BadZipFile
        If it is none; if members overlap, go beyond the file, have one name, are compressed as they may not
        be, or together are longer.
    """
    length = file.seek(0, os.SEEK_END)
    archive = ZipFile(file)
    members = sorted(archive.infolist(), key=lambda info: info.header_offset)
    if len({info.filename for info in members}) < len(members):
        raise BadZipFile("two members have one name")
    usual = (ZIP_STORED, ZIP_DEFLATED) if compressed else (ZIP_STORED,)
    if any(info.compress_type not in usual for info in members):
        raise BadZipFile("members are compressed")
    total = sum(info.file_size for info in members)
    if total > most:
        raise BadZipFile(f"members of {total} bytes in {length}")
    end = 0
    for info in members:
        if info.header_offset < end:
            raise BadZipFile("members overlap")
        end = info.header_offset + BYTES_BEFORE + len(info.filename) + info.compress_size
    if end > archive.start_dir:
        raise BadZipFile("a member goes beyond the end")
    return archive
