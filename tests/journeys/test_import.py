"""`jsorc import`: what runs in a cluster, as a service that renders to the same."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.model.objects import CLUSTER_SCOPED, parse_manifest
from tests.controlplane.server import ControlPlane
from tests.jaseci.packages import find_manifests
from tests.render.builders import make_object
from tests.render.commands import Outcome, start
from tests.render.worktree import put, spell

WEB = make_object("Service", "web", more="spec: {clusterIP: 10.0.0.1, ports: [{port: 80, protocol: TCP}]}\n")
IMPORTED = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
"""
DEFINITION = """\
class WebService:
    def build_kube(self, hook):
        return hook.service_glob("WEB_KUBE", {"ConfigMap": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}]})
    def build_config(self, hook):
        return {"enabled": True}
"""


def run(root: Path, *arguments: str, stdin: bytes = b"") -> Outcome:
    command = [sys.executable, "-m", "jsorc_gitops", "import", *arguments]
    done = subprocess.run(command, cwd=root, input=stdin, capture_output=True, env=os.environ, check=False)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("source", ["web.yaml", "-"])
def test_a_file_or_standard_input(tmp_path: Path, source: str) -> None:
    """Its objects are written as a service, which is said with what comes next."""
    put(tmp_path, {"web.yaml": WEB})

    outcome = run(tmp_path, source, "--service", "web", stdin=WEB.encode())

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        "templates/web/ is written, with 1 object.\nLook through it, commit it, then: jsorc render --commit\n"
    )
    assert spell(tmp_path / "templates")["web/manifests/Service.yaml"] == IMPORTED


def test_a_definition(tmp_path: Path) -> None:
    """A class of the repository's own code names its service, and gives objects and config."""
    put(tmp_path, {"fleet.py": DEFINITION, "jsorc.yaml": "keep_alive: []\n"})

    outcome = run(tmp_path, "fleet:WebService", "--python", sys.executable)

    assert "note: keep_alive in jsorc.yaml does not name web" in outcome.out
    written = spell(tmp_path / "templates/web")
    assert yaml.safe_load(written["service.yaml"]) == {"config": {"enabled": True}, "reset": {"via": "none"}}
    assert "name: web" in written["manifests/ConfigMap.yaml"]


def test_byte_order_marks_are_no_text(tmp_path: Path) -> None:
    """Windows writes one at the beginning of a file."""
    assert run(tmp_path, "-", "--service", "web", stdin=b"\xef\xbb\xbf" + WEB.encode()).code == 0


@pytest.mark.parametrize(
    ("arguments", "files", "code", "words"),
    [
        (["-"], {}, 2, "say --service NAME"),
        (["web.yaml", "--service", "Web"], {"web.yaml": WEB}, 2, "say --service NAME"),
        (["web.yaml"], {}, 1, "web.yaml: no such file, and no package.module:NAME"),
        (["web.d"], {"web.d/x": ""}, 2, "say --service NAME"),
        (["web"], {"web/x": ""}, 1, "web: cannot be read: Is a directory"),
        (["web.yaml"], {"web.yaml": WEB, "templates/web/values.yaml": ""}, 1, "templates/web is there already"),
        (["web.yaml"], {"web.yaml": "kind: Service\n"}, 1, "web.yaml:1: apiVersion is missing"),
        (["web.yaml"], {"web.yaml": make_object("Secret", more="data: {a: eA==}\n")}, 1, "--plain-secrets"),
        (["fleet:Web"], {"fleet.py": "import nowhere"}, 1, "python fleet:Web: ModuleNotFoundError: No module"),
        (
            ["fleet:KUBE"],
            {"fleet.py": "KUBE = {'Service': None}"},
            1,
            "python fleet:KUBE: Service: must be an object",
        ),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], files: Mapping[str, str], code: int, words: str) -> None:
    """One line, an exit code, and nothing is written."""
    put(tmp_path, files)
    before = spell(tmp_path)

    outcome = run(tmp_path, *arguments)

    assert outcome.code == code
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert spell(tmp_path) == before


def test_what_is_no_text(tmp_path: Path) -> None:
    """As PowerShell writes it."""
    (tmp_path / "web.yaml").write_bytes(WEB.encode("utf-16"))

    outcome = run(tmp_path, "web.yaml")

    assert outcome.err.startswith(f"jsorc: {tmp_path}/web.yaml: not UTF-8")


# Of the server's own, wherever it stands.
SET_BY_SERVER = {
    "clusterIPs",
    "config_version",
    "creationTimestamp",
    "generation",
    "ipFamilies",
    "kubectl.kubernetes.io/last-applied-configuration",
    "managedFields",
    "resourceVersion",
    "status",
    "terminationMessagePath",
    "uid",
    "volumeName",
}
OTHER_WHEN_MADE_ANEW = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
    "annotations",
)


def read_shipped(folder: Path, namespace: str) -> Iterator[dict[str, Any]]:
    """The objects that our own services render to."""
    assert start("init", cwd=folder).code == 0
    for name, old, new in (
        ("jsorc.yaml", "namespace: default", f"namespace: {namespace}"),
        ("templates/promon/service.yaml", 'clusterScopedSuffix: ""', f"clusterScopedSuffix: -{namespace}"),
    ):
        text = (folder / name).read_text()
        assert old in text
        put(folder, {name: text.replace(old, new)})
    assert start("render", cwd=folder).code == 0
    for path in list_objects(folder / "rendered/*"):
        yield from yaml.safe_load_all(path.read_text())


def read_jaseci(*names: str) -> Callable[[Path, str], Iterator[dict[str, Any]]]:
    """The objects of Jaseci 1.4.2.6 as JsOrc creates them: in one namespace, placeholders resolved, marked."""

    def read(_: Path, namespace: str) -> Iterator[dict[str, Any]]:
        for name in names:
            text = (find_manifests() / f"{name}.yaml").read_text()
            for body in yaml.safe_load_all(re.sub(r"\$j{[^}]*}", namespace, text)):
                if body:
                    metadata = body["metadata"]
                    if parse_manifest(body, where=name).ref.group_kind not in CLUSTER_SCOPED:
                        metadata["namespace"] = namespace
                    metadata["labels"] = {**(metadata.get("labels") or {}), "config_version": "1669161600.1"}
                    yield body

    return read


def list_objects(folder: Path) -> list[Path]:
    """The files of objects in rendered folders: kinds begin with capitals."""
    return sorted(path for path in folder.parent.glob(f"{folder.name}/*.yaml") if path.name[0].isupper())


def format_json(bodies: Iterable[Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)})


def create(plane: ControlPlane, bodies: list[Any]) -> None:
    """Create objects, those of custom kinds once their kinds are there."""
    kinds = [body for body in bodies if body["kind"] == "CustomResourceDefinition"]
    if kinds:
        plane.kubectl("create", "-f", "-", stdin=format_json(kinds))
        plane.kubectl("wait", "--for=condition=Established", "-f", "-", stdin=format_json(kinds))
    plane.kubectl("create", "-f", "-", stdin=format_json(body for body in bodies if body not in kinds))


def normalize(listing: str) -> dict[str, Any]:
    """What of live objects is the same when they are made anew, by kind and name."""
    found = {}
    for body in yaml.safe_load(listing)["items"]:
        metadata, spec = body["metadata"], body.get("spec", {})
        labels = metadata.pop("labels", None) or {}
        ours = ("jsorc.jaseci.org/", "config_version")
        metadata["labels"] = {key: text for key, text in labels.items() if not key.startswith(ours)}
        for mapping, keys in (
            (body, ("status",)),
            (metadata, OTHER_WHEN_MADE_ANEW),
            (spec, ("clusterIP", "clusterIPs", "volumeName")),
        ):
            for key in keys:
                mapping.pop(key, None)
        found[f"{body['kind']}/{metadata['name']}"] = body
    return found


def find_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from find_keys(below)


@pytest.mark.real
@pytest.mark.parametrize(
    "read",
    [read_shipped, read_jaseci("redis", "database", "prometheus"), read_jaseci("elastic")],
    ids=["shipped", "jaseci", "elastic"],
)
def test_what_runs_is_imported_and_means_the_same(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, read: Callable[[Path, str], Iterator[Any]]
) -> None:
    """Nothing that is the server's is imported. Applied to what runs, it changes nothing; made anew from it, all
    is what it was, for the server refills what was left out; and imported again, it is the same.
    """
    origin, scratch = tmp_path / "origin", tmp_path / "scratch"
    origin.mkdir()
    originals = list(read(origin, namespace))
    listed = format_json(originals)
    create(controlplane, originals)
    live = controlplane.kubectl("get", "-f", "-", "-o", "yaml", "--show-managed-fields", stdin=listed)

    put(scratch, {"live.yaml": live, "jsorc.yaml": f"namespace: {namespace}\n"})
    assert run(scratch, "live.yaml", "--service", "app", "--plain-secrets").code == 0
    files = (scratch / "templates/app/manifests").iterdir()
    imported = [body for path in files for body in yaml.safe_load_all(path.read_text())]
    assert len(imported) == len(originals)
    for body in imported:
        # In a CustomResourceDefinition, these are names of fields that its objects may have.
        spec = {} if body["kind"] == "CustomResourceDefinition" else body.get("spec")
        assert not SET_BY_SERVER & {*body, *find_keys(body["metadata"]), *find_keys(spec)}

    assert start("render", cwd=scratch).code == 0
    rendered = [
        body for path in list_objects(scratch / "rendered/app") for body in yaml.safe_load_all(path.read_text())
    ]
    command = ("apply", "--server-side", "--dry-run=server", "--field-manager=jsorc", "--force-conflicts")
    applied = controlplane.kubectl(*command, "-f", "-", "-o", "yaml", stdin=format_json(rendered))
    assert list_generations(applied) == list_generations(live)

    controlplane.kubectl("delete", "--cascade=foreground", "-f", "-", stdin=format_json(reversed(originals)))
    create(controlplane, rendered)
    anew = controlplane.kubectl("get", "-f", "-", "-o", "yaml", stdin=listed)
    assert normalize(anew) == normalize(live)

    for service, text in (("again", format_json(rendered)), ("anew", anew)):
        assert run(scratch, "-", "--service", service, "--plain-secrets", stdin=text.encode()).code == 0
        assert spell(scratch / f"templates/{service}") == spell(scratch / "templates/app")
    controlplane.kubectl("delete", "--wait=false", "-f", "-", stdin=format_json(reversed(originals)))


def list_generations(listing: str) -> dict[str, int | None]:
    """How often each live object was changed in what its controllers look at."""
    metadata = [body["metadata"] for body in yaml.safe_load(listing)["items"]]
    return {each["uid"]: each.get("generation") for each in metadata}
