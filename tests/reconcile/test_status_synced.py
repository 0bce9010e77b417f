"""status beside Flux: how far it is, and how what it has applied stands against git."""

import json
from copy import deepcopy
from dataclasses import replace

import pytest

from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.status import TreeStatus, read_status
from jsorc_gitops.reconcile.status_json import make_document
from jsorc_gitops.reconcile.status_objects import Standing
from jsorc_gitops.reconcile.status_text import LINES, format_status
from jsorc_gitops.reconcile.syncers import ARGO
from tests.reconcile.builders import HOME, make_body, make_config_map, make_manifest, make_ref
from tests.reconcile.fleet import FAILED, PLAIN, TREE, A, B, Fleet
from tests.reconcile.schema import check_status


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def look(fleet: Fleet, *trees: tuple[str, Tree], tree: Tree = TREE) -> TreeStatus:
    """The status at A; `trees` are what this clone has at other commits."""
    status = read_status(
        tree,
        A,
        fleet.doors(jaseci=False),
        count_apart=lambda *_: (0, 1),
        read_at=lambda commit: dict(trees).get(commit),
    )
    check_status(json.loads(json.dumps(make_document(status))))
    return status


def stand(status: TreeStatus) -> dict[ObjectRef, tuple[Standing, str]]:
    return {each.ref: (each.standing, each.reason) for of in status.services for each in of.objects}


def show(status: TreeStatus, *, verbose: bool = False) -> list[str]:
    return [each.text for each in format_status(status, verbose=verbose, guides=LINES)]


def test_status_beside_flux(fleet: Fleet) -> None:
    """What Flux has applied of HEAD is as in git, and settled; what it does not keep is told."""
    fleet.sync()
    lost = make_ref("ConfigMap", "redis")
    fleet.cluster.put(deepcopy(dict(TREE.manifests[lost].body)))
    status = look(fleet)

    told = stand(status)
    assert told.pop(lost) == (Standing.NEW, "no Kustomization or Application keeps it")
    assert {*told.values()} == {(Standing.APPLIED, "")}
    assert show(status)[0].startswith(f"default at {A[:12]}, applied; ")
    assert f"Kustomization/flux-system/app: current, main@sha1:{A} is applied" in show(status, verbose=True)


def test_status_while_flux_is_at_another_commit(fleet: Fleet) -> None:
    """What git says of each object there is compared with HEAD; the Kustomization is told with what it is at."""
    old = make_manifest(make_config_map("redis", service="redis", data="old"))
    fleet.history.touching = {B}
    fleet.sync(revision=B)
    status = look(fleet, (B, replace(TREE, manifests={**TREE.manifests, old.ref: old})))

    told = stand(status)
    assert told.pop(old.ref) == (Standing.OUTDATED, f"{B[:12]} is applied")
    assert {*told.values()} == {(Standing.APPLIED, "")}
    assert (status.applied, status.apart, status.exit_code) == (B, (0, 1), 6)
    assert "says the same" not in show(status)[0]
    assert "Kustomization/flux-system/app: progressing" in show(status)[1]


def test_status_of_a_commit_that_this_clone_does_not_know(fleet: Fleet) -> None:
    """Nobody can say then whether git says the same, and nothing is made up."""
    fleet.sync(revision="d" * 40)
    why = f"{'d' * 12} is applied, which this clone does not know"

    assert {*stand(look(fleet)).values()} == {(Standing.UNREAD, why)}


def test_status_while_flux_is_suspended_or_fails(fleet: Fleet) -> None:
    """It says so, and a failure is exit code 4."""
    fleet.sync(suspend=True)
    status = look(fleet)
    assert "suspended; nothing is applied until it is resumed" in show(status)[1]
    assert status.exit_code == 0

    fleet.sync(conditions=[FAILED])
    status = look(fleet)
    assert show(status)[1] == "Kustomization/flux-system/app: failed, BuildFailed: no such file"
    assert status.exit_code == 4


def test_status_before_flux_has_applied_anything(fleet: Fleet) -> None:
    """It is Flux that has not; whether jsorc has, in times before, is another matter."""
    fleet.run(PLAIN, A)

    assert f"default at {A[:12]}, not applied by Flux yet;" in show(look(fleet))[0]


def test_a_namespace_that_flux_keeps(fleet: Fleet) -> None:
    """It is an object of the tree like any other, though jsorc has not made it."""
    home = make_body("Namespace", HOME, namespace="")
    tree = replace(TREE, manifests={**TREE.manifests, make_manifest(home).ref: make_manifest(home)})
    fleet.sync(tree)

    assert stand(look(fleet, tree=tree))[make_manifest(home).ref] == (Standing.APPLIED, "")


def test_what_argocd_calls_out_of_sync(fleet: Fleet) -> None:
    """Its revision is what it has compared: an object that could not be applied is not as in git."""
    late = make_ref("ConfigMap", "redis")
    resources = [{**ref._asdict(), "status": "OutOfSync" if ref == late else "Synced"} for ref in TREE.manifests]
    for ref, each in TREE.manifests.items():
        body = deepcopy(dict(each.body))
        body["metadata"]["annotations"] = {
            "argocd.argoproj.io/tracking-id": f"app:{ref.group}/{ref.kind}:{ref.namespace}/{ref.name}"
        }
        fleet.cluster.put(body, "argocd-controller")
    fleet.cluster.served.add((f"{ARGO}/v1alpha1", "Application"))
    sync = {"status": "OutOfSync", "revision": A}
    status = {"sync": sync, "resources": resources}
    app = make_body(
        "Application", "app", namespace="argocd", apiVersion=f"{ARGO}/v1alpha1", spec={}, status=status
    )
    fleet.cluster.put(app)
    tree = replace(TREE, settings=replace(TREE.settings, applier="argocd"))
    found = look(fleet, tree=tree)

    told = stand(found)
    assert told.pop(late) == (Standing.OUTDATED, f"OutOfSync with {A[:12]}")
    assert {*told.values()} == {(Standing.APPLIED, "")}
    assert f"default at {A[:12]}, not all applied at one commit;" in show(found)[0]

    # One that it could not even make.
    del fleet.cluster.objects[late]
    assert f"default at {A[:12]}, not all applied at one commit;" in show(look(fleet, tree=tree))[0]
