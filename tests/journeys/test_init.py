"""jsorc init: what it writes renders, and it overwrites nothing."""

from pathlib import Path

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put, spell

USUAL = ["mail", "promon", "redis", "task"]


def list_services(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "templates").iterdir())


@pytest.mark.parametrize(
    ("options", "services"),
    [
        ((), USUAL),
        (("--service", "mail"), ["mail"]),
        (("--service", "task"), ["redis", "task"]),
        (("--service", "task", "--service", "mail", "--service", "task"), ["mail", "redis", "task"]),
    ],
)
def test_what_is_chosen_renders(tmp_path: Path, options: tuple[str, ...], services: list[str]) -> None:
    """The services that were asked for, and those they depend on, make a tree as they are."""
    Worktree(tmp_path)

    done = start("init", *options, cwd=tmp_path)

    assert (done.code, list_services(tmp_path)) == (0, services)
    assert f"keep_alive: [{', '.join(services)}]" in (tmp_path / "jsorc.yaml").read_text()
    assert start("render", cwd=tmp_path).code == 0
    assert start("render", "--check", cwd=tmp_path).code == 0


def test_a_service_joins_a_repository(tmp_path: Path) -> None:
    """With --service, a repository keeps its jsorc.yaml and gains the folder."""
    put(tmp_path, {"jsorc.yaml": "# mine\n"})

    done = start("init", "--service", "redis", cwd=tmp_path)

    assert done.out.startswith(
        "templates/ (redis) is written. Where jsorc.yaml has keep_alive, name them there.\n"
    )
    assert ((tmp_path / "jsorc.yaml").read_text(), list_services(tmp_path)) == ("# mine\n", ["redis"])


@pytest.mark.parametrize(
    ("there", "options"),
    [
        ("jsorc.yaml", ()),
        ("templates/redis/redis.yaml.j2", ()),
        ("templates/redis/service.yaml", ("--service", "task")),
    ],
)
def test_nothing_is_overwritten(tmp_path: Path, there: str, options: tuple[str, ...]) -> None:
    """Where one of the files is there already, nothing at all is written, and the message names it."""
    put(tmp_path, {there: "# mine\n"})
    before = spell(tmp_path)

    assert start("init", *options, cwd=tmp_path) == Outcome(
        1, "", f"jsorc: {tmp_path / there} is there already; nothing was written\n"
    )
    assert spell(tmp_path) == before


def test_a_service_that_is_not_shipped(tmp_path: Path) -> None:
    """A name nobody knows is a usage error that lists the services there are."""
    done = start("init", "--service", "reddis", cwd=tmp_path)

    assert done.code == 2
    assert "jsorc ships no service 'reddis'; it has " in done.err
    assert spell(tmp_path) == {}
