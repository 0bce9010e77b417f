"""What a real API server writes into managedFields is what reconcile.ownership and reconcile.plan read there."""

import json
from collections.abc import Iterator

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, parse_manifest
from jsorc_gitops.reconcile.ownership import compute_conflicts, compute_fingerprint, find_own_entry, find_owners
from jsorc_gitops.reconcile.plan import diff_live, make_release_patch
from tests.adapters.sending import apply, connect, make_map, ref_of, refused, send
from tests.controlplane.server import ControlPlane
from tests.waiting import wait_until

pytestmark = pytest.mark.real


@pytest.fixture
def cluster(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The admin's connection."""
    with connect(controlplane.kubeconfig) as made:
        yield made


def make_web(namespace: str) -> Body:
    """A Deployment with fields of every notation: keys, values, labels with dots, ports."""
    container = {
        "name": "main",
        "image": "image:1",
        "args": ["serve"],
        "env": [{"name": "LEVEL", "value": "info"}],
        "ports": [{"containerPort": 80}],
        "volumeMounts": [{"name": "data", "mountPath": "/données"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {
        "name": "web",
        "namespace": namespace,
        "labels": {"test": "yes", "app.kubernetes.io/name": "web"},
        "annotations": {"example.com/note": "ours"},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def fingerprint(body: Body, live: Body) -> str:
    return compute_fingerprint(parse_manifest(body, where="the test"), live)


def read(cluster: Cluster, body: Body) -> Body:
    """The object as a LIST of its namespace has it."""
    kind, ref = (body["apiVersion"], body["kind"]), ref_of(body)
    (found,) = cluster.list_objects([kind], namespaces=[ref.namespace])
    assert isinstance(found, list), found
    return next(each for each in found if ref_of(each) == ref)


def test_an_applied_object_is_unchanged_in_the_list(cluster: Cluster, namespace: str) -> None:
    """Defaults and the controller's status come to it; our fields stay as they were when we applied."""
    body = make_web(namespace)
    applied = fingerprint(body, apply(cluster, body))

    def observed() -> Body | None:
        live = read(cluster, body)
        return live if live.get("status", {}).get("observedGeneration") else None

    live = wait_until(observed, what="the controller has seen the Deployment")
    assert fingerprint(body, live) == applied


@pytest.mark.parametrize(
    "args",
    [
        ("scale", "deployment/web", "--replicas=2"),
        ("set", "image", "deployment/web", "main=image:2"),
        ("set", "env", "deployment/web", "LEVEL=debug"),
        ("set", "env", "deployment/web", "LEVEL-"),
        ("label", "deployment/web", "app.kubernetes.io/name-"),
        ("label", "deployment/web", "test-"),
        ("annotate", "deployment/web", "example.com/note-"),
        ("patch", "deployment/web", "-p", '{"metadata": {"managedFields": [{}]}}'),
    ],
    ids=lambda args: " ".join(args[:2]) + f" {args[-1]}",
)
def test_a_persons_change_of_our_fields_shows(
    cluster: Cluster, controlplane: ControlPlane, namespace: str, args: tuple[str, ...]
) -> None:
    """Whatever way it was made."""
    body = make_web(namespace)
    applied = fingerprint(body, apply(cluster, body))
    controlplane.kubectl(*args, "-n", namespace)
    assert fingerprint(body, read(cluster, body)) != applied


@pytest.mark.parametrize(
    "args",
    [
        ("annotate", "deployment/web", "example.com/theirs=1"),
        ("label", "deployment/web", "theirs=1"),
        ("set", "env", "deployment/web", "THEIRS=1"),
        ("patch", "deployment/web", "-p", '{"spec": {"minReadySeconds": 5}}'),
    ],
    ids=lambda args: " ".join(args[:2]) + f" {args[-1]}",
)
def test_what_others_add_does_not_show(
    cluster: Cluster, controlplane: ControlPlane, namespace: str, args: tuple[str, ...]
) -> None:
    """A field that is not ours is none of our business."""
    body = make_web(namespace)
    applied = fingerprint(body, apply(cluster, body))
    controlplane.kubectl(*args, "-n", namespace)
    assert fingerprint(body, read(cluster, body)) == applied


def test_every_cause_is_found_with_its_owner_and_values(
    cluster: Cluster, controlplane: ControlPlane, namespace: str
) -> None:
    """The server's spelling of a path is ours, for keys, dots, subresources and letters beyond ASCII."""
    body = make_web(namespace)
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["readOnly"] = False
    apply(cluster, body)
    changes = [
        ("spec/template/spec/containers/0/image", "image:2"),
        ("spec/template/spec/containers/0/args", ["other"]),
        ("spec/template/spec/containers/0/env/0/value", "debug"),
        ("spec/template/spec/containers/0/volumeMounts/0/readOnly", True),
        ("metadata/labels/app.kubernetes.io~1name", "other"),
    ]
    patch = [{"op": "replace", "path": f"/{path}", "value": value} for path, value in changes]
    controlplane.kubectl(
        "patch", "deployment/web", "-n", namespace, "--type=json", "-p", json.dumps(patch), "--field-manager=x"
    )
    controlplane.kubectl("scale", "deployment/web", "-n", namespace, "--replicas=2")
    paths = [each["field"] for each in refused(send(cluster, body)).causes]
    conflicts = compute_conflicts(paths, body, read(cluster, body), adopting=False)
    assert {(each.path, each.owner.manager, each.owner.subresource, str(each.theirs)) for each in conflicts} == {
        ('.spec.template.spec.containers[name="main"].image', "x", "", "image:2"),
        ('.spec.template.spec.containers[name="main"].args', "x", "", "['other']"),
        ('.spec.template.spec.containers[name="main"].env[name="LEVEL"].value', "x", "", "debug"),
        (
            '.spec.template.spec.containers[name="main"].volumeMounts[mountPath="/données"].readOnly',
            "x",
            "",
            "True",
        ),
        (".metadata.labels.app.kubernetes.io/name", "x", "", "other"),
        (".spec.replicas", "kubectl", "scale", "2"),
    }


def wait_for_controller(cluster: Cluster, body: Body) -> Body:
    """The Deployment as it is once its controller has written what it writes of this generation."""

    def seen() -> Body | None:
        live = read(cluster, body)
        return (
            live if live.get("status", {}).get("observedGeneration") == live["metadata"]["generation"] else None
        )

    return wait_until(seen, what="the Deployment's controller has written what it writes")


def test_a_dry_run_tells_what_an_apply_would_change(
    cluster: Cluster, controlplane: ControlPlane, namespace: str
) -> None:
    """By field, with the hand that had set it; what the server sets by itself is left out."""
    body = make_web(namespace)
    apply(cluster, body)
    controlplane.kubectl("set", "image", "deployment/web", "main=image:2", "-n", namespace)
    live = wait_for_controller(cluster, body)
    answer = send(cluster, body, force=True, dry_run=True)
    assert not isinstance(answer, ClusterError)
    (change,) = diff_live(live, answer)
    assert (change.path, change.before, change.after) == (
        '.spec.template.spec.containers[name="main"].image',
        "image:2",
        "image:1",
    )
    assert change.by == "kubectl-set"


def test_the_same_again_changes_nothing(cluster: Cluster, namespace: str) -> None:
    """Neither by field nor in its version."""
    body = make_web(namespace)
    apply(cluster, body)

    live = wait_for_controller(cluster, body)
    assert diff_live(live, apply(cluster, body)) == ()


def test_a_release_leaves_the_object_to_others(cluster: Cluster, namespace: str) -> None:
    """Our labels and our entry are gone, its data and its uid stay; no entry of our name is left behind."""
    body = make_map(namespace)
    live = apply(cluster, body)
    released = cluster.patch_object(
        "v1", ref_of(body), make_release_patch(live, labels=("test",), part_of="applyset-a")
    )
    assert (released["metadata"]["uid"], released["data"]) == (live["metadata"]["uid"], live["data"])
    assert "test" not in released["metadata"].get("labels", {})
    assert find_own_entry(released) is None
    assert find_owners(released) == {}
    assert released["metadata"]["annotations"] == {"jsorc.jaseci.org/released-by": "applyset-a"}


def test_a_release_of_what_has_changed_is_refused(
    cluster: Cluster, controlplane: ControlPlane, namespace: str
) -> None:
    """It holds for the object that was looked at."""
    body = make_map(namespace)
    live = apply(cluster, body)
    controlplane.kubectl("annotate", "configmap/a", "theirs=1", "-n", namespace)
    with pytest.raises(ClusterError) as error:
        cluster.patch_object("v1", ref_of(body), make_release_patch(live, labels=("test",), part_of="applyset-a"))
    assert (error.value.status, error.value.reason, error.value.causes) == (409, "Conflict", ())


def test_a_secret_in_either_spelling_is_written_as_data(cluster: Cluster, namespace: str) -> None:
    """What a fingerprint's comparison of Secrets relies on: stringData comes back as data alone."""
    body = {**make_map(namespace, "s"), "kind": "Secret", "data": {}, "stringData": {"password": "hunter2"}}
    live = apply(cluster, body)
    assert live["data"] == {"password": "aHVudGVyMg=="}
    assert "stringData" not in live
