"""syncers: how far Flux and Argo CD are; the shapes are those that the real controllers write."""

from typing import Any

import pytest

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.health import Status
from jsorc_gitops.reconcile.syncers import ARGO, FLUX, SKIPPED, Syncer, judge_syncer

A, B = "a" * 40, "b" * 40
READY = {"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "Applied"}
SOURCE = {"repoURL": "http://git/app.git", "targetRevision": "main", "path": "rendered"}
CLAIM = {"kind": "PersistentVolumeClaim", "namespace": "n", "name": "data"}
WEB = {"group": "apps", "kind": "Deployment", "namespace": "n", "name": "web"}


def flux(*conditions: dict[str, str], generation: int = 1, suspend: bool = False, **status: Any) -> Syncer:
    revision = f"main@sha1:{A}"
    said = {"observedGeneration": 1, "lastAppliedRevision": revision, "lastAttemptedRevision": revision}
    body = {
        "metadata": {"name": "app", "namespace": "flux-system", "generation": generation},
        "spec": {"suspend": suspend},
        "status": {**said, "conditions": list(conditions), **status},
    }
    ref = ObjectRef(group=FLUX, kind="Kustomization", namespace="flux-system", name="app")
    return Syncer(ref=ref, body=body)


def ready(status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": "Ready", "status": status, "reason": reason, "message": message}


def argo(
    *resources: dict[str, Any], sync: str = "Synced", skipped: bool = False, path: str = "rendered", **status: Any
) -> Syncer:
    compared = {"source": {**SOURCE, "path": path}, "destination": {"namespace": "n"}}
    body = {
        "metadata": {"name": "app", "namespace": "argocd", "annotations": {SKIPPED: "true"} if skipped else {}},
        "spec": {"source": SOURCE, "syncPolicy": {"automated": {}}},
        "status": {
            "sync": {"status": sync, "revision": A, "comparedTo": compared},
            "operationState": {"phase": "Succeeded", "message": "successfully synced"},
            "health": {"status": "Healthy"},
            "resources": list(resources) or [{**WEB, "status": "Synced"}],
            **status,
        },
    }
    return Syncer(ref=ObjectRef(group=ARGO, kind="Application", namespace="argocd", name="app"), body=body)


@pytest.mark.parametrize(
    ("syncer", "status", "message"),
    [
        (flux(READY), Status.CURRENT, f"main@sha1:{A} is applied"),
        (flux(READY, suspend=True), Status.PROGRESSING, "suspended; nothing is applied until it is resumed"),
        (flux(READY, generation=2), Status.PROGRESSING, "Flux has not seen its last change yet"),
        (flux(), Status.PROGRESSING, "Flux has said nothing of it yet"),
        (
            flux(READY, lastAttemptedRevision=f"main@sha1:{B}"),
            Status.PROGRESSING,
            f"main@sha1:{A} is applied, main@sha1:{B} is on its way",
        ),
        (
            flux(
                {
                    "type": "Ready",
                    "status": "Unknown",
                    "reason": "Progressing",
                    "message": "Running health checks",
                }
            ),
            Status.PROGRESSING,
            "Progressing: Running health checks",
        ),
        (
            flux(
                {"type": "Ready", "status": "False", "reason": "DependencyNotReady", "message": "dependency 'a'"}
            ),
            Status.PROGRESSING,
            "DependencyNotReady: dependency 'a'",
        ),
        (
            flux(
                ready("False", "ReconciliationFailed", "ConfigMap/n/a dry-run failed:\n invalid"),
                {"type": "Reconciling", "status": "True", "reason": "ProgressingWithRetry", "message": ""},
            ),
            Status.FAILED,
            "ReconciliationFailed: ConfigMap/n/a dry-run failed: invalid",
        ),
        (argo(), Status.CURRENT, f"{A[:12]} is synced"),
        (argo(skipped=True), Status.PROGRESSING, f"{SKIPPED}: nothing is applied until it is taken away"),
        (
            argo({**WEB, "status": "OutOfSync"}, sync="OutOfSync"),
            Status.PROGRESSING,
            f"Deployment/n/web OutOfSync with {A[:12]}",
        ),
        (
            argo(
                {**WEB, "status": "Synced"},
                {**CLAIM, "status": "OutOfSync", "requiresPruning": True},
                sync="OutOfSync",
            ),
            Status.CURRENT,
            f"{A[:12]} is synced",
        ),
        (
            argo(sync="Unknown", conditions=[{"type": "ComparisonError", "message": "Failed to load\n target"}]),
            Status.FAILED,
            "ComparisonError: Failed to load target",
        ),
        (
            argo(
                {**WEB, "status": "OutOfSync"},
                operationState={"phase": "Succeeded", "retryCount": 1, "message": "successfully synced"},
            ),
            Status.PROGRESSING,
            f"Deployment/n/web OutOfSync with {A[:12]}",
        ),
        (argo(sync="Unknown"), Status.PROGRESSING, "sync status Unknown"),
        (
            argo({**WEB, "status": "OutOfSync", "requiresPruning": True}, sync="OutOfSync"),
            Status.CURRENT,
            f"{A[:12]} is synced",
        ),
        (
            argo(operationState={"phase": "Running", "message": "waiting for completion of hook"}),
            Status.PROGRESSING,
            "syncing: waiting for completion of hook",
        ),
        (
            argo(
                {**WEB, "status": "OutOfSync"},
                operationState={"phase": "Failed", "message": "one or more objects failed to apply"},
            ),
            Status.FAILED,
            "the sync failed: one or more objects failed to apply",
        ),
        (
            argo(
                {**WEB, "status": "OutOfSync"},
                operationState={
                    "phase": "Running",
                    "retryCount": 1,
                    "message": "one or more tasks are running",
                    "syncResult": {"resources": [{"status": "SyncFailed", "message": "ConfigMap: refused"}]},
                },
            ),
            Status.FAILED,
            "the sync failed: ConfigMap: refused",
        ),
        (
            argo(path="old"),
            Status.PROGRESSING,
            "Argo CD has not seen its last change yet",
        ),
        (
            Syncer(ref=flux().ref, body=ClusterError("403: forbidden", status=403)),
            Status.UNKNOWN,
            "it could not be read: 403: forbidden",
        ),
    ],
)
def test_how_far_it_is(syncer: Syncer, status: Status, message: str) -> None:
    """Done is: ready for this very spec, all of the revision applied. Argo CD's health is not asked."""
    found = judge_syncer(syncer)

    assert (found.ref, found.status, found.message) == (syncer.ref, status, message)


def test_what_argocd_fills_in_is_no_change() -> None:
    """The source that it compared has empty fields which nobody has set; with several sources there is none."""
    syncer = argo()
    assert isinstance(syncer.body, dict)
    status = syncer.body["status"]
    filled = {**SOURCE, "directory": {"include": "x", "jsonnet": {}}}
    for spec, compared in (
        ({"source": {**SOURCE, "directory": {"include": "x"}}}, {"source": filled}),
        ({"sources": [SOURCE]}, {"source": {"repoURL": ""}, "sources": [SOURCE]}),
    ):
        sync = {"status": "Synced", "revisions": [A, B], "comparedTo": compared}
        body = {**syncer.body, "spec": spec, "status": {**status, "sync": sync}}
        found = Syncer(ref=syncer.ref, body=body)

        assert judge_syncer(found).message == f"{A[:12]}, {B[:12]} is synced"
        assert found.revision == f"{A}+{B}"


@pytest.mark.parametrize(
    ("syncer", "revision"),
    [
        (flux(READY), A),
        (flux(READY, lastAppliedRevision="latest@sha256:" + "c" * 64), "latest@sha256:" + "c" * 64),
        (flux(READY, lastAppliedRevision="x@sha256:1", lastAppliedOriginRevision=f"main@sha1:{B}"), B),
        (flux(READY, lastAppliedRevision=None), ""),
        (argo(), A),
        (Syncer(ref=flux().ref, body=ClusterError("403")), ""),
    ],
)
def test_the_revision_it_applied(syncer: Syncer, revision: str) -> None:
    """A commit is told apart from the digest of an image; the commit that one was made from counts more."""
    assert syncer.revision == revision


def test_what_it_keeps() -> None:
    """By Flux's inventory, which spells colons its way, and by Argo CD's resources; unknown is kept."""
    role = ObjectRef(group="rbac.authorization.k8s.io", kind="Role", namespace="n", name="system:a")
    record = ObjectRef(group="", kind="ConfigMap", namespace="n", name="jsorc.record.x.web")
    web = ObjectRef(**WEB)
    entries = ["n_system__a_rbac.authorization.k8s.io_Role", "n_jsorc.record.x.web__ConfigMap"]
    kustomization = flux(READY, inventory={"entries": [{"id": each} for each in entries]})
    application = argo({**WEB, "status": "Synced"}, {"kind": "ConfigMap", "namespace": "n", "name": record.name})

    assert [kustomization.keeps(each) for each in (role, web, record)] == [True, False, True]
    assert [application.keeps(each) for each in (role, web, record)] == [False, True, True]
    assert Syncer(ref=flux().ref, body=ClusterError("403")).keeps(web)
    for each in (kustomization, application):
        assert each.list_names(kind="ConfigMap", namespace="n") == {record.name}
        assert each.list_names(kind="ConfigMap", namespace="m") == set()


@pytest.mark.parametrize(
    ("syncer", "at_rest"),
    [
        (flux(READY), False),
        (flux(READY, suspend=True), True),
        (argo(), False),
        (argo(skipped=True), True),
        (Syncer(ref=flux().ref, body=ClusterError("403")), False),
    ],
)
def test_who_is_at_rest(syncer: Syncer, *, at_rest: bool) -> None:
    """Suspended, or told to skip; one that cannot be asked may be at work."""
    assert syncer.is_at_rest is at_rest


@pytest.mark.parametrize(
    ("policy", "at_rest"), [({}, True), ({"automated": {"enabled": False}}, True), ({"automated": {}}, False)]
)
def test_an_application_without_automated_sync_is_at_rest(policy: dict[str, Any], *, at_rest: bool) -> None:
    """It applies when a person asks for it alone."""
    syncer = argo()
    assert isinstance(syncer.body, dict)
    body = {**syncer.body, "spec": {"source": SOURCE, "syncPolicy": policy}}

    assert Syncer(ref=syncer.ref, body=body).is_at_rest is at_rest
