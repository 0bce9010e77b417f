"""Stamps of files: equal only while nothing changed, and given only where a change would show."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jsorc_gitops.adapters.files import TreeFolder
from jsorc_gitops.adapters.memo import MemoFile, stamp_files
from jsorc_gitops.model.layout import diff_files
from tests.render.worktree import put

NAMES = ("jsorc.yaml", "templates", "rendered")
FILES = {"jsorc.yaml": "a: 1\n", "templates/app/app.yaml": "b: 1\n", "rendered/app/App.yaml": "c: 1\n"}
LATER = 10**12  # nanoseconds from now: nothing was changed then


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file of each kind, all older than a moment."""
    put(tmp_path, FILES)
    for name in FILES:
        os.utime(tmp_path / name, ns=(1_000_000_001, 1_000_000_001))
    return tmp_path


def replace_with_equal_times(path: Path) -> None:
    status = path.stat()
    path.write_text("z: 9\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: put(root, {"templates/app/app.yaml": "b: 2\n"}),
        lambda root: replace_with_equal_times(root / "templates/app/app.yaml"),
        lambda root: put(root, {"templates/app/new.yaml": ""}),
        lambda root: put(root, {"templates/.hidden": ""}),
        lambda root: (root / "rendered/app/App.yaml").unlink(),
        lambda root: (root / "rendered/app/App.yaml").rename(root / "rendered/app/Other.yaml"),
        lambda root: (root / "jsorc.yaml").unlink(),
        lambda root: (root / "templates/empty").mkdir(),
    ],
)
def test_every_change_makes_another_stamp(root: Path, change: Callable[[Path], object]) -> None:
    """Content, a name, a file more or less, an empty folder; also where size and time look the same."""
    before = stamp_files(root, NAMES)
    assert before == stamp_files(root, NAMES)

    change(root)

    assert stamp_files(root, NAMES) not in {before, None}


def test_a_link_says_nothing(root: Path) -> None:
    """What a link leads to may change unseen."""
    (root / "templates/app/link.yaml").symlink_to(root / "jsorc.yaml")

    assert stamp_files(root, NAMES) is None


def test_what_changed_while_it_was_read_says_nothing(root: Path) -> None:
    """A file that changed when reading had begun, or a tick of the clock before, may not be what was read."""
    put(root, {"templates/app/app.yaml": "b: 2\n"})

    assert stamp_files(root, NAMES, before=time.time_ns()) is None
    assert stamp_files(root, NAMES, before=time.time_ns() + LATER) == stamp_files(root, NAMES)


def test_what_we_wrote_is_taken_as_it_was_written(root: Path) -> None:
    """A tree that was just written has a stamp; not so when somebody changed a file of it in between."""
    folder = TreeFolder(root / "rendered")
    tree = {"app/App.yaml": "c: 2\n", "app/New.yaml": "d: 1\n"}
    folder.write_tree(tree, diff_files(folder.read_tree(), tree))
    written = {f"rendered/{path}": stamp for path, stamp in folder.written.items()}
    assert written.keys() == {"rendered/app/App.yaml", "rendered/app/New.yaml"}
    stamp = stamp_files(root, ["rendered"], before=0, written=written)

    assert stamp == stamp_files(root, ["rendered"]) is not None

    put(root, {"rendered/app/New.yaml": "d: 2\n"})
    assert stamp_files(root, ["rendered"], before=0, written=written) is None


def test_a_change_right_after_the_stamp_shows(root: Path) -> None:
    """The stamp waits until the clock has ticked, so that a change of the same size makes another one."""
    folder = TreeFolder(root / "rendered")
    path = root / "rendered/app/App.yaml"
    for number in range(20):
        text = f"c: {number % 10}\n"
        folder.write_tree({"app/App.yaml": text}, diff_files(folder.read_tree(), {"app/App.yaml": text}))
        written = {f"rendered/{name}": stamp for name, stamp in folder.written.items()}
        stamp = stamp_files(root, ["rendered"], before=0, written=written)
        with path.open("r+") as sink:
            sink.write("x: 0\n")
        assert stamp_files(root, ["rendered"]) != stamp


def test_a_memo_comes_back(tmp_path: Path) -> None:
    """A memo is read back as it was written, and its folder holds nothing else."""
    memo = MemoFile(tmp_path, Path("/repository"))
    assert memo.read() == ""

    memo.write("one")
    memo.write("two")

    assert memo.read() == "two"
    assert len([*(tmp_path / "jsorc").iterdir()]) == 1
