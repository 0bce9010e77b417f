"""jsorc render --stdout: the tree into a pipe."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jsorc_gitops.model.yaml import parse_documents
from tests.controlplane.server import ControlPlane
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put, spell

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {é: 'y'}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: app}]}\n"
FILES = {"jsorc.yaml": "namespace: shop\n", "templates/app/a.yaml": POD, "templates/app/b.yaml": MAP}
LONG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: long}\ndata:\n  a: "
WARNING = (
    "warning: templates/app/a.yaml:1: Pod/shop/app: spec.containers[0].image: "
    "app names no version; add a tag or a digest\n"
)


def stream(root: Path, *options: str, **environment: str) -> Outcome:
    return start("render", "--stdout", *options, cwd=root, **environment)


def test_a_full_disk_is_no_bug(tmp_path: Path) -> None:
    """What cannot be printed is told in one line, exit 1."""
    put(tmp_path, FILES)

    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jsorc_gitops", "render", "--stdout"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("jsorc: [Errno 28] No space left on device; ")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams(tmp_path: Path, closed: str) -> None:
    """Whoever closed them sees nothing, and the exit code all the same."""
    put(tmp_path, FILES)
    line = f"'{sys.executable}' -m jsorc_gitops render --check {closed}"

    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 6
    assert "Traceback" not in done.stderr


def test_the_tree_in_the_order_of_applying(tmp_path: Path) -> None:
    """All documents of rendered/, in the order of applying; warnings on stderr; nothing is written."""
    put(tmp_path, FILES)
    before = spell(tmp_path)

    done = stream(tmp_path)

    assert (done.code, done.err, spell(tmp_path)) == (0, WARNING, before)
    bodies = [each.value for each in parse_documents(done.out, source="")]
    assert [f"{each['kind']}/{each['metadata']['name']}" for each in bodies] == [
        "Namespace/shop",
        "ConfigMap/app",
        "ConfigMap/jsorc.record.default.app",
        "ConfigMap/jsorc.settings.default",
        "Pod/app",
    ]
    assert json.loads(stream(tmp_path, "--output", "json").out)["items"] == bodies
    assert start("render", cwd=tmp_path).code == 0
    texts = [path.read_text() for path in (tmp_path / "rendered").rglob("*.yaml")]
    written = [each.value for text in texts for each in parse_documents(text, source="")]
    assert all(each in written for each in bodies)
    assert len(bodies) == len([each for each in written if each["kind"] != "Kustomization"])


def test_what_lies_in_rendered_does_not_count(tmp_path: Path) -> None:
    """Not edits by hand, not what stands in the way of a file, and no memo of a render before."""
    put(tmp_path, FILES)
    fresh = stream(tmp_path)
    put(tmp_path, {"rendered/app": "in the way"})
    (tmp_path / "rendered/link").symlink_to("/")

    assert stream(tmp_path) == fresh
    (tmp_path / "rendered/link").unlink()
    (tmp_path / "rendered/app").unlink()
    assert [start("render", cwd=tmp_path).code, stream(tmp_path)] == [0, fresh]


def test_one_environment(tmp_path: Path) -> None:
    """With several environments it takes exactly one --env; with one there is no choice."""
    put(tmp_path, {**FILES, "jsorc.yaml": "environments: {blue: {namespace: b}, red: {namespace: r}}\n"})

    for options in ((), ("--env", "blue", "--env", "red")):
        refused = stream(tmp_path, *options)
        assert (refused.code, refused.out) == (2, "")
        assert "--stdout prints one tree; choose one: --env blue or --env red" in refused.err
    assert "namespace: r\n" in stream(tmp_path, "--env", "red").out
    put(tmp_path, {"jsorc.yaml": "environments: {blue: {namespace: b}}\n"})
    assert "namespace: b\n" in stream(tmp_path).out


@pytest.mark.parametrize("output", ["text", "json"])
def test_what_is_refused_prints_nothing(tmp_path: Path, output: str) -> None:
    """Half a tree, or a document about errors, is nothing that kubectl should be given."""
    put(tmp_path, {**FILES, "templates/app/c.yaml": MAP})

    done = stream(tmp_path, "--output", output)

    assert (done.code, done.out) == (1, "")
    assert "this service defines the same object" in done.err


@pytest.mark.parametrize("more", ["--check", "--commit", "--branch=b", "--diff", "--force", "--output=markdown"])
def test_it_goes_alone(tmp_path: Path, more: str) -> None:
    """Every other mode is a usage error."""
    put(tmp_path, FILES)

    assert (stream(tmp_path, more).code, (tmp_path / "rendered").exists()) == (2, False)


def test_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """Not a character is replaced where the terminal could not show it."""
    put(tmp_path, FILES)

    done = subprocess.run(
        [sys.executable, "-m", "jsorc_gitops", "render", "--stdout"],
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii", "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
    )

    assert "é: " in done.stdout.decode()


def test_a_reader_that_has_read_enough(tmp_path: Path) -> None:
    """`jsorc render --stdout | head -1` ends without a word, as with every Unix tool."""
    put(tmp_path, {**FILES, "templates/app/c.yaml": f"{LONG}{'x' * 900_000}\n"})
    put(tmp_path, {"templates/app/a.yaml": POD.replace("image: app", "image: 'app:1'")})

    line = f"'{sys.executable}' -m jsorc_gitops render --stdout | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("apiVersion: v1\n141\n", "")


@pytest.mark.real
def test_kubectl_takes_it(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """The stream and the List are applied by kubectl, which then finds no difference."""
    plain = MAP.replace("é", "e")
    put(tmp_path, {**FILES, "jsorc.yaml": f"namespace: {namespace}\n", "templates/app/b.yaml": plain})

    told = []
    for output in ("text", "json"):
        tree = stream(tmp_path, "--output", output).out
        told.append(controlplane.kubectl("apply", "-f", "-", stdin=tree))

    assert "configmap/app created\n" in told[0]
    assert told[1].count(" unchanged\n") == len(told[1].splitlines()) == 5
    assert controlplane.kubectl("diff", "-f", "-", stdin=tree) == ""


def render_unread(root: Path, *options: str) -> Outcome:
    """Render into a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jsorc_gitops", "render", *options]
    done = subprocess.run(command, cwd=root, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    return Outcome(done.returncode, "", done.stderr)


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_reader_who_has_read_enough_of_a_report(tmp_path: Path, output: str) -> None:
    """`jsorc render --commit --push --diff | head` commits and pushes, then ends as every Unix tool does."""
    work = Worktree(tmp_path / "work")
    work.commit(FILES)
    work.git("init", "--quiet", "--bare", str(tmp_path / "server"))
    work.git("remote", "add", "origin", str(tmp_path / "server"))

    done = render_unread(work.root, "--commit", "--push", "--diff", "--output", output)

    assert (done.code, done.err) == (-signal.SIGPIPE, WARNING)
    assert work.list_commits()[0].startswith("render: ")
    assert work.git("ls-remote", "origin", "main").split()[0] == work.git("rev-parse", "HEAD")


@pytest.mark.parametrize("output", ["text", "json"])
def test_an_error_is_told_without_a_reader(tmp_path: Path, output: str) -> None:
    """Whoever reads just the beginning of a report learns on stderr that it ended with an error."""
    work = Worktree(tmp_path / "work")
    work.commit(FILES)

    done = render_unread(work.root, "--commit", "--push", "--diff", "--output", output)

    assert done.code == 1
    assert done.err.removeprefix(WARNING).startswith("jsorc: ")
