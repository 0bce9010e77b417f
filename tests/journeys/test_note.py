"""The note of `jsorc reconcile --verbose` that rendered/ may be older than its definitions."""

from pathlib import Path

from tests.render.builders import make_object
from tests.render.commands import start
from tests.render.worktree import Worktree


def test_later_definitions_are_noted_with_what_to_do(tmp_path: Path) -> None:
    """Where a definition was committed after rendered/, the file is named, and what tells if it matters."""
    work = Worktree(tmp_path / "work")
    work.commit({"jsorc.yaml": "", "templates/app/a.yaml": make_object()})
    assert start("render", "--commit", cwd=work.root).code == 0
    work.commit({"templates/app/a.yaml": make_object(name="y")})

    # Told before a cluster is asked, so it needs none.
    done = start("reconcile", "--verbose", "--kubeconfig", str(tmp_path / "gone"), cwd=work.root)

    assert done.err.splitlines()[0] == (
        "note: templates/app/a.yaml was changed after rendered/ was last committed; see jsorc render --check"
    )
