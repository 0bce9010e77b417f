"""From definitions to all a tree holds: labels, annotations, records."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceRecord, format_record, parse_record
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.yaml import parse_documents
from jsorc_gitops.render import publish
from tests.render.builders import TOOLS, make_object, make_redis, make_service, render_bodies

LABELS = {"jsorc.jaseci.org/service": "redis", "jsorc.jaseci.org/tree": "default"}
KEPT = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}

STATEFUL = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: redis
  labels: {app: redis}
spec:
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
  volumeClaimTemplates:
  - metadata: {name: data, labels: {app: redis}}
    spec: {accessModes: [ReadWriteOnce]}
"""


def record_of(service: str, bodies: dict[str, Any]) -> ServiceRecord:
    body = bodies[f"ConfigMap/default/jsorc.record.default.{service}"]
    return parse_record(body["data"]["service.json"], where="record")


def workload(name: str, kind: str = "Deployment") -> ObjectRef:
    return ObjectRef(group="apps", kind=kind, namespace="default", name=name)


def complaint(*texts: tuple[str, str]) -> str:
    with pytest.raises(DefinitionError) as caught:
        render_bodies(*(make_service(text, name=name) for name, text in texts))
    return str(caught.value)


def test_labels_are_put_on_the_object_alone() -> None:
    """Selectors, pod templates and claim templates, which cannot be changed later, stay as they are written."""
    [document] = parse_documents(STATEFUL, source="x")
    expected = {
        **document.value,
        "metadata": {"name": "redis", "namespace": "default", "labels": {"app": "redis", **LABELS}},
    }

    assert render_bodies(make_service({"a.yaml": STATEFUL}))["StatefulSet/default/redis"] == expected


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Namespace", "v1"),
        ("PersistentVolume", "v1"),
        ("PersistentVolumeClaim", "v1"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    ],
)
def test_what_holds_data_is_kept_by_every_tool(kind: str, version: str) -> None:
    """Flux and Argo CD are told not to delete what holds data; annotations that were there stay."""
    spec = "spec: {group: a, scope: Namespaced, names: {kind: A}}\n"
    text = make_object(kind, "x\n  annotations: {a: b}", version=version, more=spec)
    [body] = [body for body in render_bodies(make_service({"a.yaml": text})).values() if body["kind"] == kind]

    assert body["metadata"]["annotations"] == {"a": "b", **KEPT}


def test_other_objects_are_not_annotated() -> None:
    """What holds no data is pruned with its service, so nothing holds a tool back."""
    bodies = render_bodies(make_redis())

    assert [name for name, body in bodies.items() if "annotations" in body["metadata"]] == []


def test_everything_of_a_tree() -> None:
    """A tree holds the objects, a record per service, the settings and the Namespace, and no more."""
    found = render_bodies(make_redis(), make_service(name="mail"), settings=Settings(namespace="jaseci"))

    assert sorted(found) == [
        "ConfigMap/jaseci/jsorc.record.default.mail",
        "ConfigMap/jaseci/jsorc.record.default.redis",
        "ConfigMap/jaseci/jsorc.settings.default",
        "Deployment/jaseci/redis",
        "Namespace/jaseci",
    ]


def test_the_record_says_what_the_definition_says() -> None:
    """Config, reset and dependencies reach the record, with the workloads that the service renders to."""
    definition = "config: {enabled: true}\nreset: {via: none, name: cache}\ndependsOn: [mail]\n"
    texts = {
        "service.yaml": definition,
        "b.yaml": STATEFUL,
        "a.yaml": make_object("DaemonSet", "b", version="apps/v1"),
    }
    bodies = render_bodies(
        make_service({**texts, "c.yaml": make_object("Job", version="batch/v1")}), make_service(name="mail")
    )
    workloads = (workload("b", "DaemonSet"), workload("redis", "StatefulSet"))

    assert record_of("redis", bodies) == ServiceRecord(
        name="redis",
        keep_alive=True,
        config={"enabled": True},
        via="none",
        jaseci_name="cache",
        depends_on=("mail",),
        workloads=workloads,
        watch=workloads,
        others=(ObjectRef(group="batch", kind="Job", namespace="default", name="x"),),
    )


def test_the_record_names_what_else_has_a_health() -> None:
    """Objects that are no workloads and may have a status, those of kinds of others included; nothing else."""
    texts = {
        "service.yaml": "",
        "a.yaml": make_object("Deployment", "a", version="apps/v1"),
        "b.yaml": make_object("Service", "a"),
        "c.yaml": make_object("ConfigMap", "a"),
        "d.yaml": make_object("Queue", "a", version="example.com/v1"),
    }
    record = record_of("redis", render_bodies(make_service(texts)))

    assert [(each.group, each.kind) for each in record.others] == [("", "Service"), ("example.com", "Queue")]
    assert parse_record(format_record(record), where="record") == record


def test_a_service_without_objects_has_a_record() -> None:
    """A service that lives in Jaseci alone is known to reconcile all the same."""
    assert record_of("mail", render_bodies(make_service(name="mail"))) == ServiceRecord(
        name="mail",
        keep_alive=True,
        config={},
        via="jaseci",
        jaseci_name="mail",
        depends_on=(),
        workloads=(),
        watch=(),
    )


def test_watch_is_a_choice_of_the_workloads() -> None:
    """Workloads that reset.watch leaves out are judged, and reset nothing."""
    texts = {
        "service.yaml": "reset: {watch: [Deployment/b]}",
        "a.yaml": make_object("Deployment", "a", version="apps/v1"),
        "b.yaml": make_object("Deployment", "b", version="apps/v1"),
    }
    record = record_of("redis", render_bodies(make_service(texts)))

    assert (record.workloads, record.watch) == ((workload("a"), workload("b")), (workload("b"),))


def test_watch_may_be_empty() -> None:
    """With an empty watch no rollout resets the service."""
    texts = {"service.yaml": "reset: {watch: []}", "a.yaml": make_object("Deployment", "a", version="apps/v1")}

    assert record_of("redis", render_bodies(make_service(texts))).watch == ()


def test_an_unknown_workload_to_watch_is_refused() -> None:
    """A name that no workload of the service has would watch nothing; those that are there are listed."""
    texts = {
        "service.yaml": "reset: {watch: [Deployment/rdis]}",
        "a.yaml": f"{make_object('Deployment', 'redis', version='apps/v1')}---\n{make_object('Service', 'rdis')}",
    }
    with pytest.raises(DefinitionError) as caught:
        render_bodies(make_service(texts))

    assert str(caught.value) == (
        "templates/redis/service.yaml: reset.watch names Deployment/rdis; "
        "the service's workloads are: Deployment/redis"
    )


def test_a_service_that_is_not_kept_alive_stays_in_the_tree() -> None:
    """Its objects are rendered as ever, and its record says that it is not kept alive."""
    every = render_bodies(make_redis(), make_service(name="mail"))
    some = render_bodies(make_redis(), make_service(name="mail"), settings=Settings(keep_alive=("mail",)))
    kept = {name: record_of(name, some).keep_alive for name in ("mail", "redis")}

    assert kept == {"mail": True, "redis": False}
    assert some["Deployment/default/redis"] == every["Deployment/default/redis"]


def test_a_circle_of_dependencies_is_refused() -> None:
    """Services that wait for each other would wait for ever; the message shows the circle."""
    message = complaint(
        ("a", "dependsOn: [b]"), ("b", "dependsOn: [c]"), ("c", "dependsOn: [a]"), ("d", "dependsOn: [a]")
    )

    assert message.removeprefix("dependsOn goes round in a circle: ") in {
        "a → b → c → a",
        "b → c → a → b",
        "c → a → b → c",
    }


def test_one_object_in_two_services_is_refused() -> None:
    """Two services that define one object, one of them by leaving its namespace out, are refused."""
    services = [
        make_service({"a.yaml": make_object(name="x\n  namespace: default")}, name="mail"),
        make_service({"a.yaml": make_object()}, name="redis"),
    ]
    with pytest.raises(DefinitionError) as caught:
        publish.render("", {each.name: each for each in services}, {}, **TOOLS)

    assert "ConfigMap/default/x: service mail defines the same object (templates/mail/a.yaml" in str(caught.value)


RESTARTED = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  STRATEGY
  template:
    metadata: {labels: {app: web}, annotations: {ANNOTATIONS}}
    spec: {containers: [{name: main, image: 'web:1'}]}
"""


def restart(strategy: str = "replicas: 1", annotations: str = "", reset: str = "via: rollout") -> None:
    text = RESTARTED.replace("STRATEGY", strategy).replace("ANNOTATIONS", annotations)
    render_bodies(make_service({"web.yaml": text, "service.yaml": f"reset: {{{reset}}}\n"}, name="web"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"reset": "via: rollout, watch: []"},
            "reset.via: rollout restarts workloads, and the service watches none",
        ),
        ({"strategy": "updateStrategy: {type: OnDelete}"}, "rollout cannot replace the pods of StatefulSet/"),
        ({"strategy": "updateStrategy: {rollingUpdate: {partition: 1}}"}, "rollout cannot replace the pods of"),
        ({"annotations": "kubectl.kubernetes.io/restartedAt: now"}, "has it from git; take it out there"),
        (
            {"reset": "via: rollout, config: apply"},
            "reset.config: only what is reset via jaseci has a config there",
        ),
        ({"reset": "via: none, config: apply"}, "reset.config: only what is reset via jaseci has a config there"),
    ],
)
def test_a_restart_that_could_not_be_seen_is_refused(arguments: dict[str, str], message: str) -> None:
    """Else it would be called done with the old pods, be undone by git, or do nothing."""
    restart()
    with pytest.raises(DefinitionError) as caught:
        restart(**arguments)
    assert message in str(caught.value)
