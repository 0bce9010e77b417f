"""jsorc render where there are so many services that a second core helps."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.render.publish import render
from tests.adapters.test_python import find_group
from tests.render.builders import PYTHON
from tests.render.commands import start
from tests.render.worktree import put
from tests.waiting import wait_until

SETTINGS = "namespace: shop\nenvironments: {one: {}, two: {namespace: shop-two}}\n"
APP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ service }}", labels: {of: '$j{ConfigMap["{{ service }}"].metadata.namespace}'}}
spec:
  selector: {matchLabels: {app: "{{ service }}"}}
  template:
    metadata: {labels: {app: "{{ service }}"}}
    spec: {containers: [{name: app, image: "app:{{ values.version }}"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ service }}"}
data: {version: "{{ values.version }}", same: {{ values.same | tojson }}}
"""


def write(root: Path) -> list[str]:
    """A repository of forty services; return their names."""
    names = [f"svc-{number:02}" for number in range(40)]
    for number, name in enumerate(names):
        service = f"values: {{version: 1.{number}.x, same: é{number % 3}}}\n"
        put(root, {f"templates/{name}/service.yaml": service, f"templates/{name}/app.yaml.j2": APP})
    put(root, {"jsorc.yaml": SETTINGS})
    return names


WATCHED = """\
import contextlib, os, sys
from jsorc_gitops.adapters import fork
from jsorc_gitops.cli import run

original = fork.fork

@contextlib.contextmanager
def watched(function):
    with original(lambda: (os.getpid(), function())) as get:

        def get_outcome():
            pid, outcome = get()
            print("computed by", "me" if pid == os.getpid() else pid, file=sys.stderr)
            return outcome

        yield get_outcome

fork.fork = watched
sys.exit(run(["render"]))
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="on one core there is nothing to fork for")
def test_a_second_core_does_half(tmp_path: Path) -> None:
    """Copies of the process fill templates and lint; their answers are the ones that are used."""
    write(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", WATCHED], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    pids = [line.removeprefix("computed by ") for line in done.stderr.splitlines()]
    assert len({*pids} - {"me"}) == 2


LOOP = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_a_killed_run_leaves_nobody_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Whoever reads its output sees the end at once, and the copy ends soon after."""
    names = write(tmp_path)
    for name in names[20:]:
        put(tmp_path, {f"templates/{name}/loop.yaml.j2": LOOP})
    command = [sys.executable, "-m", "jsorc_gitops", "render"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, process_group=0) as process:
        wait_until(lambda: len([*find_group(process.pid)]) == 2, what="the copy is at work")

        process.send_signal(number)
        process.communicate()

    assert process.returncode == -number
    wait_until(lambda: not [*find_group(process.pid)], what="the copy has ended")


def test_a_starter_that_ignores_its_children(tmp_path: Path) -> None:
    """SIGCHLD may be ignored by whoever starts us; the tree is rendered all the same."""
    write(tmp_path)
    ignore = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    program = f"import os, signal, sys; {ignore}; os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, sys.executable, "-m", "jsorc_gitops", "render"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "rendered/one/svc-39/Deployment.yaml").exists()


def test_a_second_core_changes_nothing(tmp_path: Path) -> None:
    """Two processes write what one does."""
    write(tmp_path)
    alone = render(SETTINGS, read_definitions(tmp_path), {}, python=PYTHON, schemas=read_kubernetes_schemas)

    done = start("render", cwd=tmp_path)

    assert done.code == 0, done.err
    folder = tmp_path / "rendered"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")}
    assert files == dict(alone.files)
    assert len(files) == 2 * (40 * 4 + 3)


def test_mistakes_anywhere(tmp_path: Path) -> None:
    """Those of either half are told in the order of the services, and nothing is written."""
    names = write(tmp_path)
    for name in (names[39], names[3], names[20]):
        put(tmp_path, {f"templates/{name}/more.yaml.j2": "{{ values.vresion }}\n"})

    done = start("render", cwd=tmp_path)

    assert (done.code, (tmp_path / "rendered").exists()) == (1, False)
    assert [line.removeprefix("jsorc: ").split(": ")[0] for line in done.err.splitlines()] == [
        f"templates/{name}/more.yaml.j2:1" for name in (names[3], names[20], names[39])
    ]


def test_findings_anywhere(tmp_path: Path) -> None:
    """The lint's errors and warnings arrive as they would from one process."""
    names = write(tmp_path)
    wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other-%s}\ndtaa: {}\n"
    for name in (names[39], names[3]):
        put(tmp_path, {f"templates/{name}/more.yaml": wrong % name})

    done = start("render", cwd=tmp_path)

    assert (done.code, (tmp_path / "rendered").exists()) == (1, False)
    assert [
        line.removeprefix("jsorc: ").split(": ")[0] for line in done.err.splitlines() if ": dtaa" in line
    ] == [f"templates/{name}/more.yaml:1" for _ in ("one", "two") for name in (names[3], names[39])]
