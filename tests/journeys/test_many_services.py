"""jsorc render where there are so many services that a second core helps."""

from pathlib import Path

from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.render.publish import render
from tests.render.builders import PYTHON
from tests.render.commands import start
from tests.render.worktree import put

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
