"""A file that can't be written is named by `save`, and what was in its place is there still."""

import os
import sys
from errno import EACCES, EFBIG, ENOSPC, EROFS
from pathlib import Path

import pytest

pytest.importorskip("safetensors")

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.trunks import MLP

unix = pytest.mark.skipif(sys.platform == "win32", reason="limits and devices of Unix")


@pytest.fixture(scope="module")
def est():
    rows = [[x / 40] for x in range(40)]
    settings = {"trunk": MLP((4,)), "n_bags": 1, "max_epochs": 1, "linear_blend": False, "random_state": 0}
    return MultiTaskRegressor(preprocessing=None, **settings).fit(rows, {"sum": [x for (x,) in rows]})


def assert_refused(est, path, error, number, words):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(
        error, match=rf"`path` must be a file that can be written; .*Found: {words}"
    ) as raised:
        save(est, path)
    assert (raised.value.errno, raised.value.filename) == (number, str(path))
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not list(path.parent.glob(".sklearn_mtl-*"))


def fails(number):
    def failing(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return failing


# The disk is full once the content is flushed, and what is renamed may not be.
@pytest.mark.parametrize(
    ("function", "number", "error"),
    [("fsync", ENOSPC, OSError), ("replace", EACCES, PermissionError), ("replace", EROFS, OSError)],
)
@pytest.mark.parametrize("there", [True, False])
def test_the_old_file_is_whole_after_an_error(est, tmp_path, monkeypatch, there, function, number, error):
    path = tmp_path / "model.mtl"
    if there:
        save(est, path)
    monkeypatch.setattr(os, function, fails(number))
    assert_refused(est, path, error, number, os.strerror(number))
    monkeypatch.undo()
    save(est, path)
    assert load(path).n_iter_ == 1


def test_no_permission_is_found_before_the_work(est, tmp_path, monkeypatch):
    path = tmp_path / "model.mtl"
    path.write_bytes(b"old")

    def no_permission(name, mode="r", *args, **kwargs):
        if "a" in mode or "x" in mode:
            raise PermissionError(EACCES, os.strerror(EACCES), name)
        return open(name, mode, *args, **kwargs)

    monkeypatch.setattr("sklearn_mtl.replacing.open", no_permission, raising=False)
    monkeypatch.setattr("sklearn_mtl.export.model._described", None)
    assert_refused(est, path, PermissionError, EACCES, "Permission denied")


@unix
def test_a_disk_that_takes_no_more_in_the_middle_of_a_file(est, tmp_path):
    import resource
    import signal

    path = tmp_path / "model.mtl"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
        assert_refused(est, path, OSError, EFBIG, "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@unix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux that is always full")
def test_a_device_that_is_full(est):
    assert_refused(est, Path("/dev/full"), OSError, ENOSPC, "No space left on device")
