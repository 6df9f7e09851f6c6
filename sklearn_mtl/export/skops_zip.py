"""The zip that skops writes, in one form whatever the addresses of objects, and read with bounds.

In it ``schema.json`` is a tree of nodes. A node says how to make one object, and may name another member of
the zip, which holds an array or bytes. Its ``__id__`` is the address of the object: nodes of one address are
made once.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from sklearn_mtl.export.zips import checked_zip

SCHEMA = "schema.json"
# Of these, equal ones are as good as the same.
_EQUAL_IS_SAME = ("JsonNode", "TypeNode", "FunctionNode")
# Of these, whether two are the same depends on who made them, and nothing depends on it.
_NEVER_SAME = ("TupleNode", "BytesNode", "DTypeNode")

# Attributes of transformers that are addresses, by which they know what they have checked.
_ADDRESSES = ("_stop_words_id",)

# Members may be as long as this, and as this many times the whole: honest ones are about 40 times as long.
MOST_BYTES, MOST_RATIO = 2**22, 100
# What skops takes in memory: for a JSON object, for a node, and for one that has a list of names to trust.
BYTES_OF_DICT, BYTES_OF_NODE, BYTES_OF_HEAVY_NODE = 400, 1_000, 8_000
_LIGHT = (
    "JsonNode",
    "ListNode",
    "DictNode",
    "TupleNode",
    "TypeNode",
    "NdArrayNode",
    "SliceNode",
    "BytesNode",
)
# So much memory, and so many times the whole, nodes may take: honest ones take about 200 times the whole.
MOST_MEMORY, MOST_MEMORY_RATIO = 2**26, 400
# An array without numbers may claim to be this long: it is walked through all the same.
MOST_OF_NOTHING = 2**20


def canonical(content: bytes) -> bytes:
    """Return a skops file that is the same for equal objects, in every process.

    Objects are numbered instead of named by their addresses, sets are sorted, and no member has a date.

    Parameters
    ----------
    content : bytes
        What ``skops.io.dumps`` returned.
    """
    with ZipFile(io.BytesIO(content)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members.pop(SCHEMA))
    _without_what_varies(schema)
    numbers: dict[Any, int] = {}
    renamed: dict[str, bytes] = {}
    for node in _nodes(schema):
        same = _same(node)
        number = None if same is None else numbers.setdefault(same, len(numbers) + 1)
        node.pop("__id__", None)
        if number is not None:
            node["__id__"] = number
        if isinstance(node.get("file"), str):
            suffix = node["file"].rpartition(".")[2]
            name = f"{len(renamed)}.{suffix}" if number is None else f"object-{number}.{suffix}"
            renamed[name] = members[node["file"]]
            node["file"] = name
    renamed[SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as file:
        for name, member in renamed.items():
            file.writestr(ZipInfo(name), member, ZIP_DEFLATED)
    return buffer.getvalue()


def check_bounds(content: bytes) -> None:
    """Raise a ``ValueError`` if skops would make far more of a file than an honest one of its length is.

    Parameters
    ----------
    content : bytes
        What may be a skops file.
    """
    most = MOST_BYTES + MOST_RATIO * len(content)
    with checked_zip(io.BytesIO(content), most) as file:
        sizes = {info.filename: info.file_size for info in file.infolist()}
        for name in sizes:
            if name != SCHEMA:
                _check_array(file.read(name), most)
        schema = file.read(SCHEMA)
    # skops writes no other letters, and one would make a text four times as long.
    if not schema.isascii():
        raise ValueError("its schema is not in ASCII")
    counted = _Counted(sizes)
    json.loads(schema, object_hook=counted.count)
    if counted.n_bytes > most:
        raise ValueError(f"it reads its members to {counted.n_bytes} bytes")
    memory = counted.memory + BYTES_OF_DICT * schema.count(b"[")
    if memory > MOST_MEMORY + MOST_MEMORY_RATIO * len(content):
        raise ValueError(f"its schema makes {memory} bytes of nodes")


class _Counted:
    """Counts what skops would make of nodes, those of one object once."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.seen: set[Any] = set()
        self.n_bytes = self.memory = 0

    def count(self, node: dict[str, Any]) -> None:
        self.memory += BYTES_OF_DICT
        number = node.get("__id__")
        if not _is_node(node) or number in self.seen:
            return
        if number:
            self.seen.add(number)
        self.memory += BYTES_OF_NODE if node["__loader__"] in _LIGHT else BYTES_OF_HEAVY_NODE
        if "file" in node:
            self.n_bytes += self.sizes.get(node["file"], 0)


def _is_node(value: Mapping[str, Any]) -> bool:
    # A dict of the user's may have any keys; its values are nodes.
    return isinstance(value.get("__loader__"), str)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all nodes, in the order in which they are written."""
    if isinstance(value, dict):
        if _is_node(value):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def _same(node: Mapping[str, Any]) -> Any:
    """Return what is equal for nodes that are to be one object; None for one that is its own."""
    loader = node["__loader__"]
    if loader in _EQUAL_IS_SAME:
        return loader, node["__module__"], node["__class__"], node.get("content")
    # A number of numpy is an array of no dimensions to skops.
    is_number = loader == "NdArrayNode" and not node["__class__"].endswith("array")
    return None if loader in _NEVER_SAME or is_number else node.get("__id__")


def _without_what_varies(schema: Any) -> None:
    """Put sets in one order, and leave out addresses: both differ between processes."""
    for node in _nodes(schema):
        if node["__loader__"] == "SetNode":
            node["content"].sort(key=lambda item: json.dumps(_without_ids(item)))
        if node["__loader__"] == "DictNode":
            for name in _ADDRESSES:
                if name in node["content"]:
                    node["content"][name]["content"] = "null"


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key not in ("__id__", "file")}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value


def _check_array(member: bytes, most: int) -> None:
    """Raise a ``ValueError`` if an array of numpy or scipy claims to be longer than it is."""
    if member.startswith(b"PK"):
        with checked_zip(io.BytesIO(member), most) as file:
            for name in file.namelist():
                _check_array(file.read(name), most)
    if not member.startswith(np.lib.format.MAGIC_PREFIX):
        return
    header = io.BytesIO(member)
    version = np.lib.format.read_magic(header)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"it holds an array of format {version}")
    shape, _, dtype = read[version](header)
    claimed = math.prod(shape) * dtype.itemsize
    of_nothing = math.prod(max(length, 1) for length in shape) * max(dtype.itemsize, 1)
    if (
        min(shape, default=0) < 0
        or claimed > len(member) - header.tell()
        or of_nothing > max(claimed, MOST_OF_NOTHING)
    ):
        raise ValueError(f"it holds an array that claims to be of shape {shape} and dtype {dtype}")
