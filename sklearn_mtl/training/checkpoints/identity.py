"""What a fit is of: its parameters and its data, told apart by digests."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.data.rows import DeviceRows
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import fingerprint
from sklearn_mtl.training.checkpoints.folder import CheckpointFolder
from sklearn_mtl.training.runs import NetPlan

# To be raised when states are written in another way.
FORMAT = 1
# About as many rows of data that is not in memory are looked at.
ROWS_LOOKED_AT = 10_000
MOST_CHARACTERS = 60


@dataclass(frozen=True)
class FitIdentity:
    """What a fit is of, in words and digests.

    Parameters
    ----------
    versions : mapping of str to str
        By what it is computed: packages, and the kind of device.
    parameters : mapping of str to (str, str)
        For each parameter a digest of its value, and the value in words.
    data : mapping of str to str
        A digest of each part of the data.
    """

    versions: Mapping[str, str]
    parameters: Mapping[str, Sequence[str]]
    data: Mapping[str, str]

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any], plans: Sequence[NetPlan], more: Mapping[str, Any] | None = None
    ) -> FitIdentity:
        """Return what a fit is of.

        Parameters
        ----------
        parameters : mapping of str to object
            All that decides what is trained, by name. A value that can't be pickled counts by its class.
        plans : sequence of NetPlan
            Its nets. Of rows that are not in memory, some thousand at equal distances are read.
        more : mapping of str to object, optional
            What else the data is described by, such as folds.
        """
        versions = {
            "sklearn_mtl": version("sklearn-mtl"),
            "torch": torch.__version__,
            "device": plans[0].settings.device.type,
            "processor": platform.machine(),
        }
        data = {**_digests(plans), **{name: str(_digest_of(value)) for name, value in (more or {}).items()}}
        described = {
            name: [_digest_of(value), shown(value, MOST_CHARACTERS)] for name, value in parameters.items()
        }
        return cls(versions, described, data)

    def open(self, folder: CheckpointFolder, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the manifest of a folder that is held, which is written where there is none.

        Parameters
        ----------
        folder : CheckpointFolder
            The files.
        more : mapping, optional
            Plain values that a new manifest has besides.

        Raises
        ------
        ValueError
            If it is the folder of another fit; what differs is said.
        """
        manifest = folder.manifest()
        if manifest is None:
            manifest = {"format": FORMAT, **vars(self), **(more or {})}
            folder.write_manifest(manifest)
        if manifest.get("format") != FORMAT:
            found = [f"its format is {shown(manifest.get('format'))}, and this version writes {FORMAT}"]
        else:
            found = list(self._differences(manifest))
        if found:
            raise ValueError(
                "`checkpoint` must be a folder of this very fit, with the same data and parameters. Found "
                f"another one in {shown(folder.path)}: {'; '.join(found[:5])}. Name another folder for this "
                "fit, or remove that one."
            )
        folder.remove_unfinished()
        return manifest

    def _differences(self, before: Mapping[str, Any]) -> Iterator[str]:
        for name, now_here in self.versions.items():
            was = before["versions"].get(name)
            if was != now_here:
                yield f"{name} was {was}, and is {now_here}"
        for name in {**before["parameters"], **self.parameters}:
            was, now = before["parameters"].get(name, ["", "?"]), self.parameters.get(name, ["", "?"])
            if was[0] != now[0]:
                same = " (another value that is written alike)" if was[1] == now[1] else ""
                yield f"`{name}` was {was[1]}, and is {now[1]}{same}"
        for name in {**before["data"], **self.data}:
            if before["data"].get(name) != self.data.get(name):
                yield f"{name} is not the same"


def _digest_of(value: Any) -> str:
    found = fingerprint(value)
    if type(found) is object:
        # It can't be pickled, and nothing else of it lasts longer than a process.
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return found if isinstance(found, str) else repr(found)


def _digests(plans: Sequence[NetPlan]) -> dict[str, str]:
    """Return digests of the encoded rows of nets, and of which rows each learns from and holds out."""
    X, y, weight, rows = (blake2b(digest_size=16) for _ in range(4))
    known: dict[int, int] = {}
    for plan in plans:
        for table in (plan.train, plan.valid):
            if table is None:
                rows.update(b"none")
                continue
            key = _storage(table)
            if key not in known:
                known[key] = len(known)
                _add_inputs(X, table)
                _add(y, table.stored_y)
                _add(weight, _one_column(table.stored_weight))
            rows.update(str((known[key], len(table))).encode())
            if table.blocks.index is not None:
                _add(rows, table.blocks.index)
    names = {"X, as it is encoded,": X, "y": y, "the weight of rows": weight}
    found = {name: digest.hexdigest() for name, digest in names.items()}
    return {**found, "what is learned from and held out": rows.hexdigest(), **_of_blueprints(plans)}


def _of_blueprints(plans: Sequence[NetPlan]) -> dict[str, str]:
    """Return digests of the tasks and of the blocks of X: equal numbers may be of other kinds."""
    every = {id(plan.blueprint.tasks): plan.blueprint.tasks for plan in plans}
    specs = {id(plan.blueprint.spec): plan.blueprint.spec for plan in plans}
    tasks = [[(task.name, _digest_of(task)) for task in one] for one in every.values()]
    inputs = [_digest_of(one) for one in specs.values()]
    return {"what the tasks are": _digest_of(tasks), "what the columns of X are": _digest_of(inputs)}


def _storage(table: Table) -> int:
    blocks: Any = table.blocks
    return id(blocks.tensors if isinstance(blocks, DeviceRows) else blocks.reader)


def _add_inputs(digest: Any, table: Table) -> None:
    blocks = table.blocks
    if isinstance(blocks, DeviceRows):
        inputs: Mapping[str, Tensor] = blocks.tensors
    else:
        whole = replace(table, blocks=replace(blocks, index=None))  # type: ignore[type-var]
        digest.update(str(len(whole)).encode())
        inputs = whole.sample(ROWS_LOOKED_AT)
    for name in sorted(inputs):
        digest.update(name.encode())
        _add(digest, inputs[name])


def _add(digest: Any, tensor: Tensor) -> None:
    array = tensor.detach().cpu().contiguous().numpy()
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.reshape(-1).view(np.uint8))


def _one_column(weight: Tensor) -> Tensor:
    """Return weights without the columns that share the memory of the first."""
    return weight[:, :1] if weight.ndim == 2 and weight.shape[1] > 1 and weight.stride(1) == 0 else weight
