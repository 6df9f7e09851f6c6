"""A file is whole at every moment, and is otherwise written as `open` would."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from sklearn_mtl.replacing import file_name, file_to_write, replacing

unix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of Unix")


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def permissions(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("there", [None, b"old"])
def test_the_file_is_there_when_the_block_is_done(tmp_path, there):
    path = tmp_path / "file"
    if there is not None:
        path.write_bytes(there)
    with replacing(path) as file:
        file.write(b"new")
        assert (path.read_bytes() if path.exists() else None) == there
        (beside,) = set(tmp_path.iterdir()) - {path}
        assert beside.match(".sklearn_mtl-*.tmp")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_all_is_as_it_was(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def failing():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        failing()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("path", ["file", Path("file")], ids=["str", "path"])
def test_a_path_without_a_directory_is_in_this_one(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    write(path)
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("x" * 255)
    write(path)
    write(path, b"newer")
    assert path.read_bytes() == b"newer"


@unix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "file")
        (tmp_path / "other").write_bytes(b"")
    finally:
        os.umask(before)
    assert permissions(tmp_path / "file") == permissions(tmp_path / "other") == 0o666 & ~umask


@unix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as file:
        (beside,) = set(tmp_path.iterdir()) - {path}
        assert permissions(beside) == mode, "before anything is written"
        file.write(b"new")
    assert permissions(path) == mode
    assert path.read_bytes() == b"new"


@unix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write every file")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o400)
    with pytest.raises(PermissionError):
        write(path)
    assert path.read_bytes() == b"old"


@unix
@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path, there):
    target, link = tmp_path / "models" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    link.symlink_to(Path("models") / "target")
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert list(target.parent.iterdir()) == [target]


@unix
def test_a_link_to_itself_is_an_error(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(OSError, match="symbolic link"):
        write(link)
    assert link.is_symlink()


@unix
def test_what_is_no_regular_file_is_written_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert found == [b"new"]
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_a_directory_is_refused_and_a_missing_one_too(tmp_path):
    for directory in (tmp_path, f"{tmp_path}{os.sep}", f"{tmp_path / 'new'}{os.sep}"):
        with pytest.raises(ValueError, match=r"`path` must be a file to write. Found a directory"):
            file_to_write(directory)
    with pytest.raises(FileNotFoundError, match=r"`path` must be in a directory that is there. Found none"):
        file_to_write(tmp_path / "new" / "file")
    assert not list(tmp_path.iterdir())


class Odd:
    def __fspath__(self):
        return b"file"


@pytest.mark.parametrize("wrong", [None, 3, b"file", Odd()], ids=lambda wrong: type(wrong).__name__)
def test_only_a_string_or_a_path_is_one(wrong):
    with pytest.raises(TypeError, match="`path` must be a str or a path"):
        file_name(wrong)
