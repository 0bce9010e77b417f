"""The door to git, with a real git: what is staged, on its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from tests.adapters.complaints import complaint
from tests.render.worktree import Worktree, spell

ROOT = Path(__file__).parents[2]


def export(work: Worktree, folder: Path) -> dict[str, str]:
    """What is staged, file by file."""
    root = Repository(work.root).export_index(folder)
    return {path: text for path, text in spell(root).items() if text != "/"}


def test_what_is_staged_is_exported(work: Worktree, tmp_path: Path) -> None:
    """What is staged counts, not what lies on disk nor what is committed; and nothing changes."""
    work.commit({"gone": "1", "rendered/a": "1"})
    work.write({"jsorc.yaml": "staged", "ü/code.py": "1", "rendered/new": "1"})
    work.git("add", "--all")
    work.git("rm", "--quiet", "gone")
    work.write({"jsorc.yaml": "on disk", "intended": "1", "unknown": "1"})
    work.git("add", "--intent-to-add", "intended")
    before = work.snapshot()

    assert export(work, tmp_path / "out") == {
        "jsorc.yaml": "staged",
        "rendered/a": "1",
        "rendered/b/c": "1",
        "rendered/new": "1",
        "templates/redis/a.yaml": "1",
        "ü/code.py": "1",
    }
    assert work.snapshot() == before


def test_of_a_folder_of_a_repository(tmp_path: Path) -> None:
    """In a monorepo only the folder that holds jsorc.yaml is exported."""
    work = Worktree(tmp_path / "work", folder="deploy/prod")
    work.commit({"jsorc.yaml": "1", "../../other": "1"})

    assert export(work, tmp_path / "out") == {"jsorc.yaml": "1"}
    assert {path for path, text in spell(tmp_path / "out").items() if text != "/"} == {"deploy/prod/jsorc.yaml"}


def test_during_a_conflict(work: Worktree, tmp_path: Path) -> None:
    """While a file is in conflict there is nothing that could be committed, and the message names it."""
    work.git("switch", "--quiet", "--create", "side")
    work.commit({"rendered/a": "side"})
    work.git("switch", "--quiet", "main")
    work.commit({"rendered/a": "main"})
    subprocess.run(["git", "-C", work.path, "merge", "--quiet", "side"], capture_output=True, check=False)

    assert complaint(lambda: export(work, tmp_path / "out")) == (
        "rendered/a has a merge conflict; resolve it and git add it"
    )


EXPORT = """\
import sys
from pathlib import Path
from jsorc_gitops.adapters.git import Repository
root = Repository(Path(sys.argv[1])).export_index(Path(sys.argv[2]))
Path(sys.argv[2], "result").write_text((root / "a").read_text() + (root / "b").read_text())
"""


@pytest.mark.parametrize(
    ("options", "expected"), [([], "21"), (["--all"], "33"), (["--only", "deploy/prod/b"], "13")]
)
@pytest.mark.parametrize("linked", [False, True])
def test_in_a_hook(tmp_path: Path, options: list[str], expected: str, *, linked: bool) -> None:
    """In a pre-commit hook it is what this very commit will hold, however git commit was asked."""
    work = Worktree(tmp_path / "work", folder="deploy/prod")
    work.commit({"a": "1", "b": "1"})
    command = f"{sys.executable} -c '{EXPORT}' deploy/prod {tmp_path}/out"
    work.add_hook("pre-commit", f"export PYTHONPATH={ROOT}; {command}")
    if linked:
        work.git("worktree", "add", "--quiet", "-b", "side", "../linked")
        work = Worktree(tmp_path / "linked", folder="deploy/prod")
    work.write({"a": "2"})
    work.git("add", "--all")
    work.write({"a": "3", "b": "3"})

    work.git("commit", "--quiet", "--message", "x", *options)

    assert (tmp_path / "out/result").read_text() == expected
    assert work.git("show", "HEAD:deploy/prod/a") + work.git("show", "HEAD:deploy/prod/b") == expected
