"""A fleet with a service that is not kept alive, and what `jsorc bootstrap` prints for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from jsorc_gitops.model.settings import Applier
from tests.controlplane.server import ControlPlane
from tests.gitops.fleet import Fleet, make_fleet

Body = dict[str, Any]
API = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: api}\n"


@contextmanager
def make_bootstrap_fleet(
    folder: Path, controlplane: ControlPlane, namespace: str, applier: Applier
) -> Iterator[Fleet]:
    """Services web, api that depends on it, and store, which is not kept alive."""
    with make_fleet(folder, controlplane, namespace) as fleet:
        fleet.write("templates/api/service.yaml", "dependsOn: [web]\n")
        fleet.write("templates/api/api.yaml", API)
        keep_alive(fleet, applier, "api", "web")
        yield fleet


def keep_alive(fleet: Fleet, applier: Applier, *services: str) -> None:
    settings = {"namespace": fleet.namespace, "applier": applier, "keep_alive": services}
    fleet.write("jsorc.yaml", json.dumps(settings))
    fleet.commit(f"Keep {services} alive")


def bootstrap(fleet: Fleet, *arguments: str) -> list[Body]:
    """The objects, called after the fleet's namespace."""
    done = fleet.jsorc("bootstrap", *arguments, "--name", fleet.namespace)
    assert done.code == 0, done.output
    return list(yaml.safe_load_all(done.output))


def make_list(bodies: list[Body]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})


def check_fields(plane: ControlPlane, bodies: list[Body]) -> None:
    """Have the API server check all of it by the definitions of this version; an unknown field is an error."""
    options = ("--server-side", "--dry-run=server", "--validate=strict")
    plane.kubectl("apply", *options, "-f", "-", stdin=make_list(bodies))


def is_there(fleet: Fleet, *names: str) -> list[bool]:
    return [fleet.find(each) is not None for each in names]


def find_image(fleet: Fleet) -> str:
    """That of the service which is not kept alive."""
    store = fleet.find("statefulset/store")
    assert store
    return str(store["spec"]["template"]["spec"]["containers"][0]["image"])


def set_image(fleet: Fleet) -> None:
    """By hand, against git."""
    fleet.controlplane.kubectl("set", "image", "statefulset/store", "main=store:2", "-n", fleet.namespace)
