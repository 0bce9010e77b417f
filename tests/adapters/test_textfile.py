"""adapters.textfile: a file that is whole whenever somebody reads it."""

from pathlib import Path

import pytest

from jsorc_gitops.adapters.textfile import read_textfile, write_textfile
from jsorc_gitops.errors import JsorcError


def test_it_is_replaced(tmp_path: Path) -> None:
    """Not written into: who has it open goes on with what it held; nothing else is left beside it."""
    path = tmp_path / "jsorc.prom"
    write_textfile(path, "one\n")
    with path.open() as before:
        write_textfile(path, "two\n")
        assert (before.read(), read_textfile(path)) == ("one\n", "two\n")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/jsorc.prom", "file/jsorc.prom", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """It is said with its reason, and nothing is left there."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/one").write_text("")
    with pytest.raises(JsorcError, match="cannot be written: ") as caught:
        write_textfile(tmp_path / name, "text\n")
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_what_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """It counts as empty: it is about to be replaced."""
    path = tmp_path / "jsorc.prom"
    if content is not None:
        path.write_bytes(content)
    assert read_textfile(path) == ""
