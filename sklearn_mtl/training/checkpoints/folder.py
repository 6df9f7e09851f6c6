"""The folder of a checkpoint: files of safetensors and JSON, each whole at every moment."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EACCES, EPERM, EROFS
from typing import Any

import torch
from filelock import FileLock, Timeout

from sklearn_mtl.messages import first_line, shown
from sklearn_mtl.replacing import not_written, replacing
from sklearn_mtl.training.checkpoints.checkpoint import Checkpoint
from sklearn_mtl.training.checkpoints.values import Packer, unpacked

MANIFEST = "checkpoint.json"
# Held by whoever trains; it is empty, and stays.
LOCK = ".lock"
SUFFIX = ".safetensors"
# Under this name the header of a safetensors file has the JSON.
KEY = "state"
RULE = "`checkpoint` must be a folder that can be written to"
_UNFINISHED = re.compile(r"\.sklearn_mtl-[0-9a-f]+\.tmp")


@dataclass(frozen=True)
class CheckpointFolder:
    """The files of one checkpoint.

    A state has a name, and where it is one of many the number of its epoch: ``net-0-12.safetensors``. It is
    JSON, in the header of the file, and the tensors that the JSON refers to. A new state is written beside
    the others, to a temporary name, and renamed when it is whole and on the disk.

    Parameters
    ----------
    path : str
        The folder.
    every : int, default=1
        After every so many epochs a state is written.
    keep : int, default=1
        How many states of a name are kept.
    """

    path: str
    every: int = 1
    keep: int = 1

    @classmethod
    def of(cls, checkpoint: Checkpoint, part: str = "") -> CheckpointFolder:
        """Return the folder of a checkpoint, or a part of it, which is made where it is not there.

        Parameters
        ----------
        checkpoint : Checkpoint
            Checked by `Checkpoint.of`.
        part : str, default=""
            The name of a folder in it.

        Raises
        ------
        ImportError
            If safetensors is not installed.
        OSError
            If the folder can't be made, or its place is taken by a file.
        """
        _safetensors()
        path = os.path.join(os.path.abspath(os.fspath(checkpoint.folder)), part).rstrip(os.sep)
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise not_written(error, RULE, path) from None
        return cls(path, int(checkpoint.every), int(checkpoint.keep))

    def manifest(self) -> dict[str, Any] | None:
        """Return what the checkpoint is of; None where nothing is known of it.

        Raises
        ------
        ValueError
            If it is not what `write_manifest` wrote.
        """
        try:
            with open(self._path(MANIFEST), encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise self._damaged(MANIFEST, error) from error
        if not isinstance(found, dict):
            raise self._damaged(MANIFEST, TypeError(f"it holds {type(found).__name__}."))
        return found

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write what the checkpoint is of.

        Parameters
        ----------
        manifest : mapping
            Plain values.
        """
        self._write(MANIFEST, json.dumps(manifest, indent=1, allow_nan=False).encode())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process and thread out of the folder, until the block or the process ends.

        Raises
        ------
        ValueError
            If another one holds it.
        OSError
            If its place is not reached.
        """
        lock = FileLock(self._path(LOCK), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                "`checkpoint` must be a folder that no other fit writes to at the same time. Found one at "
                f"work in {shown(self.path)}: wait for its end, or name another folder."
            ) from None
        except OSError as error:
            # Whoever may not write can't disturb anybody, and a fit that is finished is still there for it.
            if error.errno not in (EACCES, EPERM, EROFS):
                raise not_written(error, RULE, self.path) from None
        try:
            yield
        finally:
            lock.release()

    def remove_unfinished(self) -> None:
        """Remove what processes that were killed have left unfinished."""
        for name in os.listdir(self.path):
            if _UNFINISHED.fullmatch(name):
                self._remove(name)

    def check(self, name: str, state: Mapping[str, Any]) -> None:
        """Raise `CannotHold` if a state can't be written.

        Parameters
        ----------
        name, state
            As in `write`.
        """
        Packer().pack(state, name)

    def write(self, name: str, state: Mapping[str, Any], epoch: int | None = None) -> None:
        """Write a state; of those that are numbered, older ones than are to be kept are removed.

        Parameters
        ----------
        name : str
            Its name.
        state : mapping
            What `Packer` can hold.
        epoch : int, optional
            The number of its epoch; without one, the state is the only one of its name, and the last.

        Raises
        ------
        CannotHold
            If a value can't be held.
        OSError
            If it can't be written. The last state is there still.
        """
        packer = Packer()
        header = {KEY: json.dumps(packer.pack(state, name))}
        content = _safetensors().save(packer.arrays, metadata=header)
        self._write(_file_name(name, epoch), content)
        kept = 0 if epoch is None else self.keep
        for old in sorted(self._epochs(name), reverse=True)[kept:]:
            self._remove(_file_name(name, old))

    def read(self, name: str, device: torch.device) -> Any:
        """Return the last state of a name; None where there is none.

        Parameters
        ----------
        name : str
            Its name.
        device : torch.device
            Where its tensors go.

        Raises
        ------
        ValueError
            If its file is damaged.
        """
        epochs = self._epochs(name)
        if os.path.exists(self._path(_file_name(name, None))):
            file_name = _file_name(name, None)
        elif epochs:
            file_name = _file_name(name, max(epochs))
        else:
            return None
        # What is wrong with a damaged file is said in many ways.
        try:
            with open(self._path(file_name), "rb") as file:
                content = file.read()
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            state = json.loads(header["__metadata__"][KEY])
            return unpacked(state, _safetensors().load(content), device)
        except OSError:
            raise
        except Exception as error:
            raise self._damaged(file_name, error) from error

    def _epochs(self, name: str) -> list[int]:
        of_name = re.compile(re.escape(name) + r"-(\d+)" + re.escape(SUFFIX))
        found = (of_name.fullmatch(file) for file in os.listdir(self.path))
        return [int(match[1]) for match in found if match]

    def _path(self, file_name: str) -> str:
        return os.path.join(self.path, file_name)

    def _write(self, file_name: str, content: bytes) -> None:
        try:
            with replacing(self._path(file_name)) as file:
                file.write(content)
        except OSError as error:
            raise not_written(error, RULE, self.path) from None

    def _remove(self, file_name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._path(file_name))

    def _damaged(self, file_name: str, found: Exception) -> ValueError:
        return ValueError(
            "`checkpoint` must be a folder that `fit` wrote. "
            f"Found a damaged file, {self._path(file_name)}: {first_line(found)} Remove the file to go on "
            "from what was written before, or the folder to begin anew."
        )


def _file_name(name: str, epoch: int | None) -> str:
    return f"{name}{SUFFIX}" if epoch is None else f"{name}-{epoch}{SUFFIX}"


def _safetensors() -> Any:
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise ImportError('`checkpoint` needs safetensors: pip install "sklearn-mtl[export]"') from error
