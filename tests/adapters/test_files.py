"""The door to the rendered tree: what is read, what is written, and that nothing is written anywhere else."""

import os
from pathlib import Path

import pytest

from jsorc_gitops.adapters.files import TreeFolder
from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.layout import TreeDiff, diff_files
from tests.render.worktree import put, spell


def write(folder: Path, files: dict[str, str]) -> None:
    """Bring the folder to these files."""
    tree = TreeFolder(folder)
    tree.write_tree(files, diff_files(tree.read_tree(), files))


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    return tmp_path / "repository" / "rendered"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the repository that nothing may touch."""
    put(tmp_path / "outside", {"file": "by hand\n"})
    (tmp_path / "outside" / "empty").mkdir()
    return tmp_path / "outside"


def test_a_tree_comes_back_as_it_was_written(rendered: Path) -> None:
    """What is written is read back: UTF-8 and lines that end as on Unix, whatever the machine is used to."""
    files = {"a.yaml": "ü→\n", "b/c.yaml": "x\ny", "b/d/e.yaml": ""}
    write(rendered, files)

    assert TreeFolder(rendered).read_tree() == files
    assert (rendered / "a.yaml").read_bytes() == "ü→\n".encode()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Before the first rendering there is no folder, and that is no error."""
    assert TreeFolder(tmp_path / "rendered").read_tree() == {}


def test_writing_leaves_just_the_files(rendered: Path) -> None:
    """After a change, an addition and a removal, just the new files lie there: no scratch, no empty folder."""
    write(rendered, {"a": "1", "b/c/d": "1", "e/f": "1", "e/g": "1"})
    write(rendered, {"a": "2", "e/g": "1", "h/i": "1"})

    assert spell(rendered) == {"a": "2", "e": "/", "e/g": "1", "h": "/", "h/i": "1"}


def test_a_folder_with_a_strangers_file_stays(rendered: Path) -> None:
    """Removing our last file of a folder leaves the folder where somebody else's file lies in it."""
    write(rendered, {"a/b": "1"})
    put(rendered, {"a/notes": "by hand"})
    TreeFolder(rendered).write_tree({}, TreeDiff(added=(), changed=(), removed=("a/b",)))

    assert spell(rendered) == {"a": "/", "a/notes": "by hand"}


def test_a_file_that_is_gone_already_is_removed(rendered: Path) -> None:
    """A file that somebody removed in between, with its folder, is no error."""
    write(rendered, {"a": "1"})
    TreeFolder(rendered).write_tree({}, TreeDiff(added=(), changed=(), removed=("gone/b", "c")))

    assert spell(rendered) == {"a": "1"}


def test_files_are_replaced_whole(outside: Path, rendered: Path) -> None:
    """A changed file is a new one, so who has the old one open, or linked, never sees half of the new."""
    write(rendered, {"a": "old"})
    os.link(rendered / "a", outside / "linked")
    write(rendered, {"a": "new"})

    assert ((rendered / "a").read_text(), (outside / "linked").read_text()) == ("new", "old")


def test_a_write_that_fails_leaves_the_old_file(rendered: Path) -> None:
    """Where a text cannot be written, the old file is as it was and no scratch is left."""
    write(rendered, {"a": "old"})
    with pytest.raises(UnicodeEncodeError):
        write(rendered, {"a": "\ud800"})

    assert spell(rendered) == {"a": "old"}


@pytest.mark.parametrize(
    "target", ["../../outside/file", "../../outside", "/etc/hostname", "nowhere", "link", "a"]
)
@pytest.mark.parametrize("place", ["link", "b/link"])
def test_symbolic_links_are_refused(outside: Path, rendered: Path, place: str, target: str) -> None:
    """A link in the tree, wherever it leads, is refused by name before anything is read or written."""
    write(rendered, {"a": "1", "b/c": "1"})
    (rendered / place).symlink_to(target)
    before = spell(rendered)

    with pytest.raises(TreeError) as caught:
        write(rendered, {"a": "2", place: "2", f"{place}/file": "2"})

    assert str(caught.value) == f"{rendered / place} is a symbolic link or no regular file; remove it"
    assert (spell(rendered), spell(outside)) == (before, {"empty": "/", "file": "by hand\n"})


@pytest.mark.parametrize("target", ["../outside", "nowhere", "rendered"])
def test_a_tree_that_is_a_symbolic_link_is_refused(outside: Path, rendered: Path, target: str) -> None:
    """rendered/ itself must be a folder, not a link to one."""
    rendered.symlink_to(target)

    with pytest.raises(TreeError) as caught:
        write(rendered, {"file": "2"})

    assert str(caught.value) == f"{rendered} is a symbolic link; a rendered tree is a real folder"
    assert spell(outside) == {"empty": "/", "file": "by hand\n"}


@pytest.mark.parametrize("path", ["link/file", "link/new", "link/empty/new"])
def test_a_link_that_appears_in_between_is_not_followed(outside: Path, rendered: Path, path: str) -> None:
    """Also a link that somebody makes between reading and writing leads nothing out of the tree."""
    rendered.mkdir()
    (rendered / "link").symlink_to("../../outside")

    for diff in (
        TreeDiff(added=(path,), changed=(), removed=()),
        TreeDiff(added=(), changed=(), removed=(path,)),
    ):
        with pytest.raises(TreeError, match="cannot be written"):
            TreeFolder(rendered).write_tree({path: "2"}, diff)

    assert spell(outside) == {"empty": "/", "file": "by hand\n"}


def test_a_tree_that_becomes_a_link_in_between_is_not_followed(outside: Path, rendered: Path) -> None:
    """Also rendered/ itself, made a link between reading and writing, leads nowhere."""
    rendered.symlink_to("../outside")

    with pytest.raises(TreeError, match="cannot be written"):
        TreeFolder(rendered).write_tree({"file": "2"}, TreeDiff(added=(), changed=("file",), removed=()))

    assert spell(outside) == {"empty": "/", "file": "by hand\n"}


def test_a_file_that_becomes_a_link_in_between_is_replaced(outside: Path, rendered: Path) -> None:
    """A link in the place of a file is replaced by the file; what it leads to is not written."""
    rendered.mkdir()
    (rendered / "a").symlink_to("../../outside/file")
    TreeFolder(rendered).write_tree({"a": "2"}, TreeDiff(added=(), changed=("a",), removed=()))

    assert (spell(rendered), spell(outside)["file"]) == ({"a": "2"}, "by hand\n")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", ".", "", "a/", "a/.."])
def test_a_path_that_leaves_the_tree_is_refused(outside: Path, rendered: Path, path: str) -> None:
    """Whatever path it is asked to write, nothing lies outside the tree afterwards."""
    with pytest.raises(TreeError, match="leaves the tree"):
        TreeFolder(rendered).write_tree({path: "2"}, TreeDiff(added=(path,), changed=(), removed=()))

    assert sorted(path.name for path in outside.parent.rglob("*")) == [
        "empty",
        "file",
        "outside",
        "repository",
    ]


def test_an_absolute_path_is_refused(outside: Path, rendered: Path) -> None:
    """A path from the root of the disk is not written to."""
    path = str(outside / "new")
    with pytest.raises(TreeError, match="leaves the tree"):
        TreeFolder(rendered).write_tree({path: "2"}, TreeDiff(added=(path,), changed=(), removed=()))

    assert spell(outside) == {"empty": "/", "file": "by hand\n"}


def test_what_is_no_file_is_refused(rendered: Path) -> None:
    """A pipe or a socket in the tree is refused, not read: reading it could last for ever."""
    rendered.mkdir()
    os.mkfifo(rendered / "pipe")

    with pytest.raises(TreeError, match="pipe is a symbolic link or no regular file; remove it"):
        TreeFolder(rendered).read_tree()


def test_a_file_in_the_place_of_the_folder_is_refused(rendered: Path) -> None:
    """A file named rendered is said plainly to be none."""
    rendered.write_text("by hand")

    with pytest.raises(TreeError, match="rendered: cannot be read: Not a directory"):
        TreeFolder(rendered).read_tree()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_tree(tmp_path: Path) -> None:
    """Where the folder cannot be made, the message says so; it is no bug of ours."""
    with pytest.raises(TreeError, match="rendered: cannot be written: "):
        TreeFolder(tmp_path / "gone" / "rendered").write_tree(
            {"a": "1"}, TreeDiff(added=("a",), changed=(), removed=())
        )
