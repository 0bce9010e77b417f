"""A running fleet goes from jsorc to the tool that syncs it, and comes back."""

import os
import subprocess
from typing import Any

from jsorc_gitops.model.objects import KEEP_ANNOTATIONS
from tests.gitops.fleet import Fleet, Synced
from tests.journeys.test_ownership import is_calm
from tests.waiting import wait_until

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: login}}\ndata: {data}\n"
LOGIN = f"{CONFIG}---\napiVersion: v1\nkind: Secret\nmetadata: {{{{name: login}}}}\nstringData: {{{{user: a}}}}\n"
KINDS = (
    "deployments,statefulsets,services,configmaps,secrets,persistentvolumeclaims,"
    "namespaces,customresourcedefinitions"
)
PART_OF = "applyset.kubernetes.io/part-of"


def check_handover(fleet: Fleet, synced: Synced, *, applier: str, manager: str, marks: set[str]) -> None:
    """jsorc, which has applied it before, to the tool and back: nothing made anew, and what git drops goes.

    `marks` are what the tool puts on what it applies, `manager` is what it applies as.
    """
    synced.await_applied()
    running = _read_running(fleet)
    # A field that git drops while both own it stays, until the release makes it the tool's alone.
    say(fleet, applier, "{a: '1', b: '2'}")
    synced.publish()
    synced.await_applied()
    assert _read_data(fleet) == {"a": "1", "b": "2", "c": "3"}
    assert _read_owners(fleet) == {"jsorc", PART_OF, manager, *marks}

    released = fleet.jsorc("release")

    assert released.code == 0, released.output
    assert _read_owners(fleet) == {manager, *marks}
    say(fleet, applier, "{a: '1'}")
    synced.publish()
    synced.await_applied()
    wait_until(lambda: _read_data(fleet) == {"a": "1"}, what="both fields are gone")
    assert _read_running(fleet) == running

    say(fleet, "jsorc", "{a: '1', b: '2'}")
    refused = fleet.jsorc("adopt")
    assert (refused.code, "nothing is taken over: " in refused.output) == (1, True), refused.output
    run_named(fleet, refused.output)
    adopted = fleet.jsorc("adopt")

    assert adopted.code == 0, adopted.output
    assert _read_owners(fleet) == {"jsorc", PART_OF}, (adopted.output, _read_owners(fleet))
    run_named(fleet, adopted.output)
    assert is_calm(fleet.jsorc("reconcile"))
    say(fleet, "jsorc", "{a: '1'}")
    assert fleet.jsorc("reconcile").code == 0
    assert (_read_data(fleet), _read_running(fleet)) == ({"a": "1"}, running)


def begin_handover(fleet: Fleet, applier: str) -> None:
    """Have jsorc apply it until all is ready, then commit who is to apply it."""
    fleet.write("templates/login/service.yaml", "plainSecrets: allow\n")
    say(fleet, "jsorc", "{a: '1', b: '2', c: '3'}")
    done = fleet.jsorc("reconcile", "--wait")
    assert done.code == 0, done.output
    say(fleet, applier, "{a: '1', b: '2', c: '3'}")


def say(fleet: Fleet, applier: str, data: str) -> None:
    fleet.write("jsorc.yaml", f"namespace: {fleet.namespace}\napplier: {applier}\n")
    fleet.write("templates/login/objects.yaml", LOGIN.format(data=data))
    fleet.commit(f"{applier} applies {data}")


def run_named(fleet: Fleet, output: str) -> None:
    """Run the kubectl commands that the first line of the output ends with, as a shell does."""
    line = output.splitlines()[0]
    path = f"{fleet.controlplane.kubectl_path.parent}:{os.environ['PATH']}"
    command = line[line.index("kubectl ") :]
    subprocess.run(["sh", "-c", command], env={**fleet.env, "PATH": path}, check=True)


def _read_data(fleet: Fleet) -> Any:
    found = fleet.find("configmap/login")
    assert found
    return found["data"]


def _read_tree(fleet: Fleet) -> list[Any]:
    """All objects of the tree, in its namespaces and outside of them."""
    listed = fleet.read(KINDS, "-A", "-l", "jsorc.jaseci.org/tree=default", "--show-managed-fields")["items"]
    return [
        each
        for each in listed
        if fleet.namespace in f"{each['metadata'].get('namespace')} {each['metadata']['name']}"
    ]


def _read_running(fleet: Fleet) -> dict[str, Any]:
    """UID and spec of every object and pod, and the data of the Secret."""
    pods = fleet.read("pods", "-n", fleet.namespace)["items"]
    assert len(pods) == 2
    return {
        f"{each['kind']}/{each['metadata']['name']}": (
            each["metadata"]["uid"],
            each.get("spec"),
            each["kind"] == "Secret" and each["data"],
        )
        for each in [*pods, *_read_tree(fleet)]
    }


def _read_owners(fleet: Fleet) -> set[str]:
    """Who applies anything, and whose labels and annotations are on anything."""
    found = set()
    for each in _read_tree(fleet):
        metadata = each["metadata"]
        found |= {entry["manager"] for entry in metadata["managedFields"] if entry["operation"] == "Apply"}
        marks = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        found |= {key for key in marks if key == PART_OF or "fluxcd" in key or "argoproj" in key}
    # These are rendered, whoever applies.
    return found - KEEP_ANNOTATIONS.keys()
