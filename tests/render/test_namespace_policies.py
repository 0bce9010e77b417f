"""Where a service's objects go: as written, home, or into one namespace; what refers to them follows."""

from collections.abc import Mapping
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.settings import AS_WRITTEN, HOME, Settings
from jsorc_gitops.render import publish
from tests.render.builders import TOOLS, make_object, make_service, render_bodies

RBAC = "rbac.authorization.k8s.io/v1"
WEBHOOKS = "webhooks: [{name: a, clientConfig: {service: {%s}}}, {name: b, clientConfig: {url: x}}]\n"


def place(kind: str, name: str = "x", *, namespace: str = "", version: str = "v1", more: str = "") -> str:
    """An object that names its namespace, where one is given."""
    where = f"  namespace: {namespace}\n" if namespace else ""
    return make_object(kind, name, version=version, more=where + more)


def render(
    *texts: str, policy: str = AS_WRITTEN, home: str = "jaseci", overrides: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The objects of a service of this policy, by spelling."""
    service = make_service({"service.yaml": f"namespace: {policy}\n", "a.yaml": "---\n".join(texts)})
    found = render_bodies(service, settings=Settings(namespace=home, namespaces=overrides or {}))
    return {name: body for name, body in found.items() if "/jsorc." not in name}


@pytest.mark.parametrize(
    ("policy", "plain", "written", "dedicated"),
    [
        (AS_WRITTEN, "jaseci", "cache", "jsorc-dedicated-1"),
        (HOME, "jaseci", "jaseci", "jsorc-dedicated-1"),
        ("mine", "mine", "mine", "jsorc-dedicated-1"),
    ],
)
def test_policies(policy: str, plain: str, written: str, dedicated: str) -> None:
    """An object without a namespace, one with, and one in a dedicated one, which every policy keeps."""
    found = render(
        place("ConfigMap", "plain"),
        place("ConfigMap", "written", namespace="cache"),
        place("ConfigMap", "dedicated", namespace="jsorc-dedicated-1"),
        place("ClusterRole", "nowhere", version=RBAC),
        policy=policy,
    )

    names = {f"ConfigMap/{plain}/plain", f"ConfigMap/{written}/written", f"ConfigMap/{dedicated}/dedicated"}
    spaces = {f"Namespace/{each}" for each in (plain, written, dedicated, "jaseci")}
    assert found.keys() == names | spaces | {"ClusterRole/nowhere"}
    assert all(found[name]["metadata"]["namespace"] == name.split("/")[1] for name in names)


def test_one_name_in_two_namespaces_is_two_objects() -> None:
    """In one file, as it stands there: JsOrc took the last one for both."""
    texts = [place("ConfigMap", namespace=each, more=f"data: {{in: {each}}}\n") for each in ("cache", "shop")]

    found = render(*texts)

    assert {each: found[f"ConfigMap/{each}/x"]["data"]["in"] for each in ("cache", "shop")} == {
        "cache": "cache",
        "shop": "shop",
    }


@pytest.mark.parametrize(("override", "namespace"), [(AS_WRITTEN, "cache"), (HOME, "jaseci"), ("prod", "prod")])
def test_settings_override_a_service(override: str, namespace: str) -> None:
    """What jsorc.yaml says of a service counts, not what its service.yaml says."""
    found = render(place("ConfigMap", namespace="cache"), policy="mine", overrides={"redis": override})

    assert f"ConfigMap/{namespace}/x" in found


def test_a_namespace_of_the_service_is_kept() -> None:
    """A Namespace that a service defines stays, as in JsOrc, where all its objects move elsewhere, too."""
    assert render(place("Namespace", "cache"), place("ConfigMap", namespace="cache"), policy=HOME).keys() == {
        "Namespace/cache",
        "Namespace/jaseci",
        "ConfigMap/jaseci/x",
    }


@pytest.mark.parametrize("namespace", ["cache", "jsorc-dedicated"])
@pytest.mark.parametrize("policy", [HOME, "mine"])
def test_a_namespace_on_a_cluster_scoped_object_goes(policy: str, namespace: str) -> None:
    """Where a policy says where all go, what is written does not count: a ClusterRole is left without."""
    found = render(place("ClusterRole", namespace=namespace, version=RBAC), policy=policy)

    assert "namespace" not in found["ClusterRole/x"]["metadata"]


def test_templates_know_where_they_go() -> None:
    """The variable `namespace` is where an object goes that names none: home, or the one of the policy."""
    for policy, expected in ((AS_WRITTEN, "jaseci"), (HOME, "jaseci"), ("mine", "mine")):
        service = make_service(
            {
                "service.yaml": f"namespace: {policy}",
                "a.yaml.j2": make_object(more="data: {a: {{ namespace }}}\n"),
            }
        )
        found = render_bodies(service, settings=Settings(namespace="jaseci"))

        assert found[f"ConfigMap/{expected}/x"]["data"] == {"a": expected}


SUBJECT = "subjects: [{kind: ServiceAccount, %s}]\nroleRef: {kind: ClusterRole, name: x}\n"

REFERENCES = [
    (place("RoleBinding", "r", namespace="cache", version=RBAC, more=SUBJECT), "ServiceAccount", "subjects.0"),
    (place("ClusterRoleBinding", "r", version=RBAC, more=SUBJECT), "ServiceAccount", "subjects.0"),
    *(
        (
            place(kind, "r", version="admissionregistration.k8s.io/v1", more=WEBHOOKS),
            "Service",
            "webhooks.0.clientConfig.service",
        )
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    ),
    (
        place(
            "CustomResourceDefinition",
            "r",
            version="apiextensions.k8s.io/v1",
            more="spec: {group: a.b, scope: Namespaced, names: {kind: A},"
            " conversion: {strategy: Webhook, webhook: {clientConfig: {service: {%s}}}}}\n",
        ),
        "Service",
        "spec.conversion.webhook.clientConfig.service",
    ),
    (
        place("APIService", "r", version="apiregistration.k8s.io/v1", more="spec: {group: a, service: {%s}}\n"),
        "Service",
        "spec.service",
    ),
    (
        place("PersistentVolume", "r", more="spec: {claimRef: {kind: PersistentVolumeClaim, %s}}\n"),
        "PersistentVolumeClaim",
        "spec.claimRef",
    ),
]


def find(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body[int(step) if step.isdecimal() else step]
    return body


@pytest.mark.parametrize("place_of_reference", REFERENCES, ids=lambda each: each[2])
@pytest.mark.parametrize(
    ("policy", "target", "reference", "expected"),
    [
        # The target names its namespace, and the reference the same.
        (AS_WRITTEN, "cache", "name: x, namespace: cache", "cache"),
        (HOME, "cache", "name: x, namespace: cache", "jaseci"),
        ("mine", "cache", "name: x, namespace: cache", "mine"),
        # The reference names none.
        (AS_WRITTEN, "cache", "name: x", "cache"),
        (HOME, "cache", "name: x", "jaseci"),
        (AS_WRITTEN, "", "name: x", "jaseci"),
        ("mine", "", "name: x", "mine"),
        # The target names none, the reference the home namespace that it would be in.
        ("mine", "", "name: x, namespace: jaseci", "mine"),
        # It did not move.
        (HOME, "jsorc-dedicated", "name: x, namespace: jsorc-dedicated", "jsorc-dedicated"),
        (HOME, "jsorc-dedicated", "name: x", "jsorc-dedicated"),
        # What is named is another one's: of that name elsewhere, or of another name.
        (HOME, "cache", "name: x, namespace: kube-system", "kube-system"),
        (HOME, "cache", "name: z, namespace: cache", "cache"),
        (HOME, "cache", "name: z", "jaseci"),
        ("mine", "cache", "name: z", "mine"),
    ],
)
def test_references_follow(
    place_of_reference: tuple[str, str, str], policy: str, target: str, reference: str, expected: str
) -> None:
    """A reference goes with the object of its service that it names; one that names another stays as written."""
    text, kind, path = place_of_reference
    found = render(place(kind, namespace=target), text.replace("%s", reference), policy=policy)
    [body] = [body for body in found.values() if body["metadata"]["name"] == "r"]

    assert find(body, path)["namespace"] == expected


@pytest.mark.parametrize(
    "more",
    [
        "subjects: [{kind: User, name: x}, {kind: Group, name: x, namespace: cache}]\n",
        "subjects: x\n",
        "subjects: [x, null]\n",
        "subjects: [{kind: ServiceAccount}, {kind: ServiceAccount, name: [a]}]\n",
        "subjects: [{kind: ServiceAccount, name: x, namespace: 5}]\n",
        "other: 1\n",
    ],
)
def test_what_names_no_object_is_left_alone(more: str) -> None:
    """Users and groups lie in no namespace, and what has another shape is for the schemas to refuse."""
    account, binding = place("ServiceAccount", namespace="cache"), place("ClusterRoleBinding", "r", version=RBAC)
    before = render(account, binding + more)["ClusterRoleBinding/r"]

    assert render(account, binding + more, policy=HOME)["ClusterRoleBinding/r"] == before
    assert "jaseci" not in str(before.get("subjects"))


def test_a_custom_kind_of_the_same_name_is_no_target() -> None:
    """A Service of another API group is not what a webhook names."""
    found = render(
        place("Service", namespace="cache", version="serving.knative.dev/v1"),
        place("APIService", "r", version="apiregistration.k8s.io/v1", more="spec: {service: {name: x}}\n"),
    )

    assert found["APIService/r"]["spec"]["service"] == {"name": "x", "namespace": "jaseci"}


def test_a_reference_that_could_mean_two_is_refused() -> None:
    """Two accounts of one name in two namespaces, and a binding that does not say which, are an error."""
    binding = place("ClusterRoleBinding", "r", version=RBAC, more=SUBJECT.replace("%s", "name: x"))
    accounts = [place("ServiceAccount", namespace=each) for each in ("a", "b")]

    with pytest.raises(DefinitionError) as caught:
        render(*accounts, binding)

    assert str(caught.value) == (
        "templates/redis/a.yaml:13: ClusterRoleBinding/r: names ServiceAccount x, which is in a and b; "
        "say its namespace"
    )


def test_two_objects_that_meet_are_refused() -> None:
    """Objects of one name that a policy moves into one namespace are one identity, used twice."""
    service = make_service(
        {
            "service.yaml": "namespace: home\n",
            **{f"{each}.yaml": make_object(more=f"  namespace: {each}\n") for each in "ab"},
        }
    )

    with pytest.raises(DefinitionError, match="ConfigMap/jaseci/x: this service defines the same object"):
        publish.render("namespace: jaseci\n", {"redis": service}, {}, **TOOLS)
