"""JsOrc's own manifests, under its own policies, come out as from its own code (jaseci 1.4.2.6)."""

import functools
import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.settings import AS_WRITTEN, HOME
from jsorc_gitops.render.namespaces import find_cluster_scoped, place_in_namespaces
from jsorc_gitops.render.placeholders import resolve_placeholders
from jsorc_gitops.render.templates import TemplateRenderer
from tests.jaseci.install import install, server_env
from tests.render.builders import make_service

pytestmark = pytest.mark.real

FILES = ("database", "elastic", "prometheus", "redis")
POLICIES = {"SOURCE": AS_WRITTEN, "DEDICATED": HOME, "MANUAL": "mine"}
HOME_NAMESPACE = "jaseci"

# Four ClusterRoles of prometheus.yaml say a namespace, which the API server passes over. Where all is to be as
# written, we do not.
WRONG_NAMESPACE = "metadata.namespace}\n  namespace: prometheus\nrules:"

# Runs in Jaseci's environment: its manifests as they are, and as its code resolves them. The namespaces are given
# as known, so that it asks no cluster for them.
RESOLVE = """
import json, pathlib, sys
import jaseci.jsorc
from jaseci.extens.svc.kube_svc import KubeService
from jaseci.jsorc.jsorc_utils import ManifestType, load_default_yaml

folder = pathlib.Path(jaseci.jsorc.__file__).parent / "manifests"
files, policies, home, manual = json.loads(sys.argv[1])
kube = KubeService.__new__(KubeService)
kube.namespace = home
kube._cached_namespace = {home, manual, "default", "jsorc-dedicated", "prometheus", *files}
answer = {"texts": {}, "resolved": {}}
for file in files:
    answer["texts"][file] = (folder / f"{file}.yaml").read_text()
    for policy in policies:
        resolved = kube.resolve_manifest(load_default_yaml(file), ManifestType[policy], manual)
        objects = [each for kind in resolved.values() for each in kind.values()]
        answer["resolved"][f"{file} {policy}"] = objects
print("JSON " + json.dumps(answer, default=str))
"""


@functools.cache
def ask_jsorc() -> dict[str, Any]:
    """The texts of the manifests by file, and what JsOrc makes of them by file and policy."""
    installed = install()
    question = json.dumps([FILES, list(POLICIES), HOME_NAMESPACE, POLICIES["MANUAL"]])
    done = subprocess.run(
        [installed.jsserv.with_name("python"), "-c", RESOLVE, question],
        capture_output=True,
        text=True,
        check=False,
        env=server_env(installed.home),
        cwd=installed.home,  # it writes logs to where it runs
    )
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("JSON ")]
    answer: dict[str, Any] = json.loads(line.removeprefix("JSON "))
    return answer


def resolve(file: str, text: str, policy: str) -> list[Manifest]:
    manifests = TemplateRenderer().fill(make_service({f"{file}.yaml": text}, name=file), {}).make_manifests()
    scopes = find_cluster_scoped(manifests)
    placed = place_in_namespaces(manifests, policy=policy, home=HOME_NAMESPACE, scopes=scopes)
    return resolve_placeholders({file: placed})[file]


def spell(body: Any) -> str:
    return f"{body['kind']}/{body['metadata'].get('namespace', '')}/{body['metadata']['name']}"


def read_text(file: str, policy: str) -> str:
    text: str = ask_jsorc()["texts"][file]
    return text.replace(WRONG_NAMESPACE, "metadata.namespace}\nrules:") if policy == "SOURCE" else text


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("file", FILES)
def test_manifests_come_out_as_from_jsorc(file: str, policy: str) -> None:
    """Every object has the identity, the namespace and all other fields that JsOrc's own code gives it."""
    theirs = ask_jsorc()["resolved"][f"{file} {policy}"]
    for body in theirs:
        if body["kind"] == "ClusterRole":
            body["metadata"].pop("namespace", None)
        elif body["metadata"]["name"].startswith("jaseci-grafana"):
            # Three objects name no namespace. JsOrc leaves them so, which no API server takes; ours go home.
            body["metadata"].setdefault("namespace", HOME_NAMESPACE)

    ours = resolve(file, read_text(file, policy), POLICIES[policy])

    assert {spell(each.body): each.body for each in ours} == {spell(body): body for body in theirs}
    assert "$j{" not in json.dumps([each.body for each in ours])


@pytest.mark.parametrize(
    ("policy", "namespaces"),
    [
        ("SOURCE", {"prometheus": 16, "jsorc-dedicated": 3, HOME_NAMESPACE: 3}),
        ("DEDICATED", {HOME_NAMESPACE: 19, "jsorc-dedicated": 3}),
        ("MANUAL", {"mine": 19, "jsorc-dedicated": 3}),
    ],
)
def test_where_they_go(policy: str, namespaces: dict[str, int]) -> None:
    """The objects of prometheus.yaml are where its text says, at home, or in one namespace, but for three."""
    manifests = resolve("prometheus", read_text("prometheus", policy), POLICIES[policy])

    assert Counter(each.ref.namespace for each in manifests) == namespaces | {"": 8}


def test_what_has_to_be_mended() -> None:
    """As it is written, prometheus.yaml has four objects that we refuse, by line: ClusterRoles in a namespace."""
    with pytest.raises(DefinitionError) as caught:
        resolve("prometheus", ask_jsorc()["texts"]["prometheus"], AS_WRITTEN)

    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        f"templates/prometheus/prometheus.yaml:{number}" for number in (461, 612, 627, 642)
    ]
    assert all(line.endswith("a ClusterRole lies in no namespace; remove metadata.namespace") for line in lines)
