"""One repository, an environment per cluster or namespace: a tree for each."""

import json
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Scratch

pytestmark = pytest.mark.real

SERVICE = "values: {name: app, color: red, nested: {a: 1, b: 2}, list: [1, 2]}\n"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ values.name }}
data:
  color: {{ values.color }}
  nested: {{ values.nested | tojson | tojson }}
  list: {{ values.list | tojson | tojson }}
"""


@pytest.fixture
def scratch(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Scratch:
    """Two environments, staging and production, in two namespaces of one cluster."""
    scratch = Scratch(tmp_path, controlplane=controlplane)
    homes = {name: f"{namespace}-{name}" for name in ("production", "staging")}
    environments = {name: {"namespace": home} for name, home in homes.items()}
    scratch.write("jsorc.yaml", json.dumps({"environments": environments}))
    scratch.write("templates/app/service.yaml", SERVICE)
    scratch.write("templates/app/app.yaml.j2", TEMPLATE)
    scratch.write("templates/app/values.staging.yaml", "color: blue\nnested: {b: 3, c: null}\nlist: [3]\n")
    scratch.commit("Begin")
    return scratch


def read_data(scratch: Scratch, namespace: str) -> dict[str, object]:
    data = scratch.read("configmap", "app", "-n", namespace)["data"]
    return {key: json.loads(text) if text[0] in "[{" else text for key, text in data.items()}


def test_each_environment_has_its_tree(scratch: Scratch, namespace: str) -> None:
    """values.<env>.yaml is merged deeply over the values, and each tree is applied by itself."""
    files = sorted(
        path.relative_to(scratch.folder).as_posix() for path in (scratch.folder / "rendered").iterdir()
    )
    assert files == ["rendered/production", "rendered/staging"]

    done = scratch.jsorc("reconcile", "--env", "staging")

    assert done.code == 0, done.output
    assert read_data(scratch, f"{namespace}-staging") == {
        "color": "blue",
        "nested": {"a": 1, "b": 3, "c": None},
        "list": [3],
    }
    assert scratch.read("namespace", f"{namespace}-production") is None
    assert scratch.jsorc("reconcile", "--env", "production").code == 0
    assert read_data(scratch, f"{namespace}-production") == {
        "color": "red",
        "nested": {"a": 1, "b": 2},
        "list": [1, 2],
    }
    assert scratch.jsorc("reconcile", "--env", "staging").output == ""
    scratch.kubectl(
        "delete", "namespace", "--wait=false", *(f"{namespace}-{name}" for name in ("staging", "production"))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "rendered: several environments (found: production, staging); name one with --env"),
        (
            ("--env", "test"),
            "rendered: no environment 'test' there (found: production, staging); name one with --env",
        ),
    ],
)
def test_the_environment_must_be_named(scratch: Scratch, arguments: tuple[str, ...], message: str) -> None:
    """Where there are several trees, reconcile never chooses by itself."""
    done = scratch.jsorc("reconcile", *arguments)

    assert (done.code, done.output) == (1, f"jsorc: {message}\n")


def test_the_wrong_cluster_is_refused(scratch: Scratch) -> None:
    """An environment that is pinned to another cluster is not applied here; the right pin is."""
    uid = scratch.read("namespace", "kube-system")["metadata"]["uid"]
    settings = json.loads((scratch.folder / "jsorc.yaml").read_text())
    settings["environments"]["staging"]["cluster"] = uid
    settings["environments"]["production"]["cluster"] = "another"
    scratch.write("jsorc.yaml", json.dumps(settings))
    scratch.commit("Pin")

    wrong, right = (scratch.jsorc("reconcile", "--env", name) for name in ("production", "staging"))

    assert (wrong.code, right.code) == (1, 0), right.output
    assert wrong.output.startswith(f"jsorc: this is cluster {uid}, but jsorc.yaml has `cluster: another`")
    home = settings["environments"]["staging"]["namespace"]
    scratch.kubectl("delete", "namespace", "--wait=false", home)


def test_one_environment_alone(scratch: Scratch) -> None:
    """--env renders and commits one tree and leaves the others as they are, broken values included."""
    scratch.write("templates/app/values.staging.yaml", "color: green\n")
    scratch.write("templates/app/values.production.yaml", "color: [\n")
    scratch.git("add", "--all")
    scratch.git("commit", "--quiet", "--message", "Change")

    alone, all_of_them = (
        scratch.jsorc("render", "--commit", "--env", "staging"),
        scratch.jsorc("render", "--check"),
    )

    assert alone.code == 0, alone.output
    assert alone.output.startswith("staging/app\n  ~ ConfigMap/app: ")
    assert all_of_them.code == 1
    assert "templates/app/values.production.yaml" in all_of_them.output
    assert scratch.git("log", "-1", "--format=%s").output.startswith("render: staging/app ")


def test_a_removed_environment_leaves_the_tree(scratch: Scratch) -> None:
    """An environment that is taken out of jsorc.yaml, with its values, leaves rendered/ with the next render."""
    settings = json.loads((scratch.folder / "jsorc.yaml").read_text())
    del settings["environments"]["staging"]
    scratch.write("jsorc.yaml", json.dumps(settings))
    assert "has no environment 'staging'" in scratch.jsorc("render").output
    scratch.git("rm", "--quiet", "templates/app/values.staging.yaml")
    scratch.commit("Remove staging")

    assert [path.name for path in (scratch.folder / "rendered").iterdir()] == ["production"]
    assert scratch.jsorc("reconcile", "--env", "staging").code == 1
