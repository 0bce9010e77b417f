"""The user's way from an empty repository to a rendered one, and what happens where something is wrong."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jsorc_gitops.cli import run
from jsorc_gitops.render import publish
from tests.render.builders import REDIS, make_object
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put

ROOT = Path(__file__).parents[2]

SERVICE = "values:\n  image: redis:6\n  replicas: 1\n"


Jsorc = Callable[..., Outcome]


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """An empty git repository."""
    return Worktree(tmp_path / "work")


@pytest.fixture
def small(work: Worktree) -> Worktree:
    """A repository with one small service, rendered and committed."""
    work.commit(
        {"jsorc.yaml": "", "templates/redis/service.yaml": SERVICE, "templates/redis/redis.yaml.j2": REDIS}
    )
    assert run(["-C", str(work.root), "render", "--commit"]) == 0
    return work


@pytest.fixture
def jsorc(work: Worktree, capsys: pytest.CaptureFixture[str]) -> Jsorc:
    """Runs jsorc in the repository."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(["-C", str(work.root), *arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def test_from_nothing_to_a_commit(work: Worktree) -> None:
    """init, a commit by hand, render --commit: one commit that names every service Jaseci ships."""
    assert start("init", cwd=work.root).code == 0
    source = work.commit(message="start")

    outcome = start("render", "--commit", cwd=work.root)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith(f"Committed {work.git('rev-parse', 'HEAD')[:12]}.\n")
    assert work.list_commits() == [
        "render: settings; mail added; promon added; redis added; task added",
        "start",
    ]
    message = work.git("log", "-1", "--format=%B")
    paragraphs = [each.splitlines() for each in message.split("\n\n")[1:-1]]
    assert [each[0] for each in paragraphs] == ["tree:", "mail:", "promon:", "redis:", "task:"]
    assert message.count("\n  + ") == 35
    assert paragraphs[3][1:] == [
        "  + ConfigMap/jaseci-redis-config",
        "  + ConfigMap/jsorc.record.default.redis",
        "  + Service/jaseci-redis",
        "  + Deployment/jaseci-redis",
    ]
    assert f"\nJsorc-Source: {source}\nJsorc-Digest: sha256:" in message
    assert work.git("status", "--porcelain") == ""


def test_what_was_rendered_is_up_to_date(small: Worktree, jsorc: Jsorc) -> None:
    """Right after render --commit there is nothing to do, for --check, render and render --commit alike."""
    before = small.snapshot()

    assert [jsorc("render", *options) for options in (["--check"], [], ["--commit"])] == [
        Outcome(0, "rendered/ is up to date: 3 objects.\n", ""),
        Outcome(0, "rendered/ is up to date: 3 objects.\n", ""),
        Outcome(0, "Nothing changed: 3 objects as committed.\n", ""),
    ]
    assert small.snapshot() == before


def test_a_changed_value(small: Worktree, jsorc: Jsorc) -> None:
    """A new image is seen by --check, which writes nothing, then written, then committed with its source."""
    source = small.commit({"templates/redis/service.yaml": SERVICE.replace("redis:6", "redis:7")})
    before = small.snapshot()
    told = "redis\n  ~ Deployment/redis: image 6→7\n"

    assert jsorc("render", "--check") == Outcome(
        6, f"{told}rendered/ would be written: 1 changed of 5 files.\n", ""
    )
    assert small.snapshot() == before
    assert jsorc("render") == Outcome(0, f"{told}rendered/ was written: 1 changed of 5 files.\n", "")
    assert small.snapshot().status == " M rendered/redis/Deployment.yaml"
    assert jsorc("render", "--commit").out.startswith(f"{told}Committed ")
    assert (small.list_commits()[0], small.list_committed()) == (
        "render: redis image 6→7",
        {"rendered/redis/Deployment.yaml": "M"},
    )
    assert f"\nJsorc-Source: {source}\n" in small.git("log", "-1", "--format=%B")


def test_a_removed_service(small: Worktree, jsorc: Jsorc) -> None:
    """A service whose folder is gone leaves rendered/, and the commit says so and may consent to pruning it."""
    small.git("rm", "--quiet", "-r", "templates/redis")
    small.commit({"templates/mail/service.yaml": ""})

    assert jsorc("render", "--commit", "--allow-prune", "redis").code == 0
    assert small.list_commits()[0] == "render: mail added; redis removed"
    assert small.git("log", "-1", "--format=%(trailers:key=Jsorc-Prune,valueonly)").strip() == "redis"
    assert not (small.root / "rendered" / "redis").exists()


def test_a_strangers_file_is_told(small: Worktree, jsorc: Jsorc) -> None:
    """A file in rendered/ that jsorc did not write stays, with a warning each time."""
    small.write({"rendered/redis/notes.md": "by hand\n"})

    assert jsorc("render") == Outcome(
        0,
        "rendered/ is up to date: 3 objects.\n",
        "warning: rendered/redis/notes.md was not written by jsorc and belongs to no service\n",
    )
    assert (small.root / "rendered/redis/notes.md").read_text() == "by hand\n"


@pytest.mark.parametrize("name", ["templates/redis/service.yaml", "jsorc.yaml", "templates/new/a.yaml"])
def test_sources_that_are_not_committed(small: Worktree, jsorc: Jsorc, name: str) -> None:
    """A render commit names its source, so with changed or new sources it is refused, and nothing is written."""
    small.write({name: {"templates/redis/service.yaml": SERVICE.replace("1", "2")}.get(name, "# new\n")})
    before = small.snapshot()

    assert jsorc("render", "--commit") == Outcome(
        1,
        "",
        f"jsorc: {name} is not committed, but a render commit names its source; "
        "commit it or pass --allow-dirty\n",
    )
    assert small.snapshot() == before


# What is wrong → the files that make it so, and the one error the user reads.
BAD = {
    "undefined name": (
        {"templates/redis/a.yaml.j2": "{# #}\na: {{ values.imgae }}\n"},
        r"templates/redis/a.yaml.j2:2: no key 'imgae' here; did you mean image\?",
    ),
    "template syntax": ({"templates/redis/a.yaml.j2": "\n{% if %}"}, r"templates/redis/a.yaml.j2:2: Expected .*"),
    "invalid YAML": ({"templates/redis/a.yaml": "a:\n  - [b\n"}, r"templates/redis/a.yaml:3: not valid YAML: .*"),
    "no kind": (
        {"templates/redis/a.yaml": "apiVersion: v1\nmetadata: {name: a}\n"},
        r"templates/redis/a.yaml:1: kind is missing or not a text; every object needs one",
    ),
    "no name": (
        {"templates/redis/a.yaml": "apiVersion: v1\nkind: ConfigMap\n"},
        r"templates/redis/a.yaml:1: metadata.name is missing or not a text; every object needs one",
    ),
    "one identity in one service": (
        {"templates/redis/a.yaml": f"{make_object()}---\n{make_object()}"},
        r"templates/redis/a.yaml.*: ConfigMap/default/x: this service defines the same object .*",
    ),
    "one identity in two services": (
        {"templates/mail/a.yaml": make_object(), "templates/redis/a.yaml": make_object()},
        r"templates/redis/a.yaml.*: ConfigMap/default/x: service mail defines .* \(templates/mail/a.yaml.*\); .*",
    ),
    "kind that leaves rendered/": (
        {"templates/redis/a.yaml": make_object("../../../etc/x")},
        r"(?s:templates/redis/a.yaml.*: kind: '../../../etc/x' is no word with a capital letter; .*)",
    ),
    "group that leaves rendered/": (
        {"templates/redis/a.yaml": make_object(version="../../x/v1")},
        r"templates/redis/a.yaml.*: ConfigMap/default/x: apiVersion: the API group '../../x' is no DNS name",
    ),
    "file in the way": (
        {"templates/mail/service.yaml": "", "rendered/mail": "by hand\n"},
        r"rendered/mail was not written by jsorc; move it away",
    ),
    "unknown key": (
        {"jsorc.yaml": "keep_alve: []\n"},
        r"jsorc.yaml:1: keep_alve: unknown key; did you mean .*\?",
    ),
    "unknown service": (
        {"jsorc.yaml": "keep_alive: [rdis]\n"},
        r"jsorc.yaml:1: keep_alive\[0\]: no service 'rdis' .*",
    ),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("options", [[], ["--check"], ["--commit"]])
def test_bad_input_changes_nothing(small: Worktree, jsorc: Jsorc, what: str, options: list[str]) -> None:
    """Wrong input is one clear error; rendered/, the index and the history are byte for byte as they were."""
    files, message = BAD[what]
    small.write({"templates/redis/service.yaml": SERVICE.replace("redis:6", "redis:7")})
    small.commit(files)
    small.write({"half": "done"})
    small.git("add", "half")
    before = small.snapshot()

    outcome = jsorc("render", *options)

    assert replace(outcome, err="") == Outcome(1, "", "")
    assert re.fullmatch(f"jsorc: {message}\n", outcome.err)
    assert small.snapshot() == before


@pytest.mark.parametrize("link", ["rendered/redis/Service.yaml", "rendered/mail", "rendered"])
def test_a_link_out_of_the_tree(small: Worktree, jsorc: Jsorc, tmp_path: Path, link: str) -> None:
    """With a symbolic link in rendered/, or in its place, nothing is written: neither here nor where it leads."""
    (tmp_path / "outside").mkdir()
    if link == "rendered":
        (small.root / "rendered").rename(small.root / "moved")
    (small.root / link).symlink_to(tmp_path / "outside")
    small.commit({"templates/redis/service.yaml": SERVICE.replace("redis:6", "redis:7")})
    before = small.snapshot()

    outcome = jsorc("render", "--commit")

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"jsorc: {small.root / link} is a symbolic link")
    assert (small.snapshot(), list((tmp_path / "outside").iterdir())) == (before, [])


@pytest.mark.parametrize(
    "line",
    ["render --check --commit", "render --allow-prune a", "render --chekc", "rendre", "-C /gone render", ""],
)
def test_usage(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that means nothing is answered on stderr with how to write it, and exit code 2."""
    code = run(line.split())
    captured = capsys.readouterr()

    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("Usage: jsorc")


def test_without_git_there_is_still_a_tree(work: Worktree) -> None:
    """Where there is no git, everything but --commit works, and --commit says what it misses."""
    start("init", cwd=work.root)

    outcomes = [start("render", *options, cwd=work.root, PATH="/nonexistent") for options in ([], ["--commit"])]

    assert [each.code for each in outcomes] == [0, 1]
    assert outcomes[1].err == "jsorc: git is not installed, or not on PATH\n"


def test_the_bytes_do_not_depend_on_the_machine(small: Worktree) -> None:
    """Another locale, hash seed, time zone and encoding make the same tree."""
    environment = {"LC_ALL": "C", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONUTF8": "0"}
    before = small.snapshot().files
    for path in (small.root / "rendered").rglob("*.yaml"):
        path.unlink()

    assert start("render", cwd=small.root, **environment).code == 0
    assert small.snapshot().files == before


@pytest.mark.usefixtures("small")
def test_our_own_bug(small: Worktree, jsorc: Jsorc, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we did not foresee is exit code 3 and a log with the traceback, which the user does not see."""
    put(small.root, {"templates/redis/note.txt": "so that it is rendered\n"})
    monkeypatch.setattr(publish, "render", lambda *_, **__: 1 / 0)

    outcome = jsorc("render")

    assert replace(outcome, err="") == Outcome(3, "", "")
    message, _, name = outcome.err.strip().rpartition(" ")
    log = Path(name)
    text = log.read_text()
    log.unlink()
    assert message == "jsorc: this is a bug in jsorc; what happened is in"
    assert text.startswith("jsorc 0.")
    assert "Traceback (most recent call last)" in text
    assert "ZeroDivisionError" in text


def test_this_repository_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    """The rendered/ of this repository is what its templates/ render to."""
    code = run(["-C", str(ROOT), "render", "--check"])

    assert (code, capsys.readouterr().err) == (0, "")
