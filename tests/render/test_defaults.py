"""What is stripped as default is exactly what a real API server fills in."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from jsorc_gitops.model.objects import parse_manifest
from jsorc_gitops.model.settings import AS_WRITTEN
from jsorc_gitops.render.cleaning import clean_object
from jsorc_gitops.render.defaults import strip_defaults
from jsorc_gitops.render.namespaces import place_in_namespaces
from tests.controlplane.server import ControlPlane

BARE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("bare_objects.yaml").read_text())


@pytest.mark.real
@pytest.mark.parametrize("body", BARE, ids=lambda body: body["metadata"]["name"])
def test_what_the_server_fills_in_is_stripped(controlplane: ControlPlane, body: dict[str, Any]) -> None:
    """An object with nothing too much comes back from the API server, cleaned, as it went in."""
    [manifest] = place_in_namespaces(
        [parse_manifest(body, where="")], policy=AS_WRITTEN, home="default", scopes=frozenset()
    )
    command = ("create", "--dry-run=server", "--show-managed-fields", "-f", "-", "-o", "json")

    live = json.loads(controlplane.kubectl(*command, stdin=json.dumps(manifest.body)))

    assert live["metadata"]["uid"]
    assert clean_object(parse_manifest(live, where="")) == manifest.body


def test_what_is_not_the_default_is_kept() -> None:
    """What there is to say stays, where it is another value, another type, or in another place."""
    container = {
        "name": "web",
        "image": "web:1",
        "imagePullPolicy": "Always",
        "livenessProbe": {"timeoutSeconds": True, "periodSeconds": 5},
        "resources": {"limits": {"cpu": "1"}},
    }
    volumes = [{"name": "scratch", "emptyDir": {}}, {"name": "files", "configMap": {"defaultMode": 256}}]
    spec = {
        "replicas": 1,
        "revisionHistoryLimit": 3,
        "strategy": {"rollingUpdate": {"maxSurge": "50%"}},
        "template": {
            "metadata": {"annotations": {"protocol": "TCP"}},
            "spec": {"containers": [container], "serviceAccount": "old", "volumes": volumes},
        },
    }

    assert strip_defaults(("apps", "Deployment"), {"spec": spec, "paused": False}) == {
        "spec": spec,
        "paused": False,
    }


def test_stripping_again_changes_nothing() -> None:
    """What is left without its defaults has no other ones."""
    for body in BARE:
        group_kind = parse_manifest(body, where="").ref.group_kind
        once = strip_defaults(group_kind, body)
        assert strip_defaults(group_kind, once) == once == body


@pytest.mark.parametrize("kind", ["Deployment", "Widget"])
def test_other_kinds_have_no_defaults(kind: str) -> None:
    """A kind of another group keeps what it says, whatever its name is."""
    body = {
        "spec": {"replicas": 1, "revisionHistoryLimit": 10, "template": {"spec": {"dnsPolicy": "ClusterFirst"}}}
    }

    assert strip_defaults(("example.com", kind), body) == body
