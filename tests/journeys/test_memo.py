"""A render that changes nothing is recognised without rendering, and only then."""

import json
from pathlib import Path

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import put

FILES = {
    "jsorc.yaml": "",
    "templates/app/app.yaml.j2": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ service }}}\n",
}
UP_TO_DATE = Outcome(0, "rendered/ is up to date: 3 objects.\n", "")


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    """A rendered folder, and the memo of it, which claims 99 objects so that its use shows."""
    put(tmp_path / "repository", FILES)
    assert run(tmp_path).code == 0
    [memo] = (tmp_path / "cache" / "jsorc").iterdir()
    memo.write_text(json.dumps({**json.loads(memo.read_text()), "objects": 99}))
    return memo


def run(folder: Path, *options: str) -> Outcome:
    return start("render", *options, cwd=folder / "repository", XDG_CACHE_HOME=str(folder / "cache"))


@pytest.mark.usefixtures("memo")
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_nothing_changed_is_recalled(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Where nothing changed, what the last render said is said again."""
    assert run(tmp_path, *options) == Outcome(0, "rendered/ is up to date: 99 objects.\n", "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jsorc.yaml", "# another\n"),
        ("templates/app/app.yaml.j2", f"{FILES['templates/app/app.yaml.j2']}# another\n"),
        ("templates/app/new.txt", ""),
    ],
)
@pytest.mark.usefixtures("memo")
def test_another_input_is_rendered(tmp_path: Path, name: str, text: str) -> None:
    """A definition that changed is rendered, whatever the memo says; then that is remembered."""
    put(tmp_path / "repository", {name: text})

    assert [run(tmp_path), run(tmp_path)] == [UP_TO_DATE, UP_TO_DATE]


@pytest.mark.usefixtures("memo")
def test_another_tree_is_rendered(tmp_path: Path) -> None:
    """A rendered file that somebody removed is written again."""
    (tmp_path / "repository/rendered/app/ConfigMap.yaml").unlink()

    assert run(tmp_path, "--check").code == 6
    assert run(tmp_path).out.endswith("rendered/ was written: 1 added of 5 files.\n")
    assert run(tmp_path) == UP_TO_DATE


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_broken_memo_is_none(tmp_path: Path, memo: Path, text: str) -> None:
    """Whatever lies there, it is only a shortcut."""
    memo.write_text(text)

    assert run(tmp_path) == UP_TO_DATE


def test_without_a_cache_it_renders(tmp_path: Path) -> None:
    """Where nothing can be remembered, everything works all the same."""
    put(tmp_path / "repository", FILES)
    (tmp_path / "cache").write_text("no folder")

    assert [run(tmp_path).code, run(tmp_path)] == [0, UP_TO_DATE]
