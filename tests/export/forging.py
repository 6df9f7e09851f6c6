"""Files as somebody could make them up, with digests in order, and what loading them may cost."""

import io
import json
import re
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

from sklearn_mtl.export.archive import read_archive, write_archive

MEMBERS = {"model": "model.json", "tensors": "tensors.safetensors", "skops": "preprocessing.skops"}


def forge(path, **changed):
    """Rewrite a file with other members, their digests in order; a member of None is left out."""
    members = read_archive(path)
    for name, content in changed.items():
        members[MEMBERS[name]] = content
    write_archive(path, {name: content for name, content in members.items() if content is not None}, "0")


def rezip(path, change, compression=zipfile.ZIP_STORED):
    """Rewrite the zip with its members changed, and the digests as they were."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def model_of(path):
    return json.loads(read_archive(path)["model.json"])


def members_of(content):
    """Return the members of a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    """Return a zip of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def skops_with(content, change):
    """Return a skops file after a change of its members and its schema, which is parsed."""
    members = members_of(content)
    schema = json.loads(members["schema.json"])
    change(members, schema)
    return zipped({**members, "schema.json": json.dumps(schema).encode()})


def with_header(tensors, change):
    """Return safetensors after a change of their header, which is parsed."""
    length = int.from_bytes(tensors[:8], "little")
    header = json.loads(tensors[8 : 8 + length])
    change(header)
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + tensors[8 + length :]


def _status(name):
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024


@contextmanager
def little_memory(most, room=2**30):
    """Fail if the block takes more memory than ``most``, and let it have no more than ``room`` of addresses.

    Both can be measured on Linux only.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    limits = resource.getrlimit(resource.RLIMIT_DATA)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    resource.setrlimit(resource.RLIMIT_DATA, (_status("VmData") + room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
    taken = _status("VmHWM") - before
    assert taken < most, f"{taken / 2**20:.0f} MiB were taken"
