"""What the shipped services may do, and where: rights, tokens, Secrets, namespaces."""

from typing import Any

import pytest

from tests.render.shipped import (
    WITH_VALUES,
    Body,
    all_objects,
    containers_of,
    is_cluster_scoped,
    objects_by_name,
    objects_of,
    pod_templates,
    spell,
)

# A second environment in one cluster: the CRDs are those of the first.
APART: dict[str, Any] = {
    "elastic": {"clusterScopedSuffix": "-staging", "crds": False},
    "promon": {"clusterScopedSuffix": "-staging"},
}


def list_grants(body: Body) -> set[tuple[str, str]]:
    """(resource, verb) of everything a role allows."""
    rules = body.get("rules", ())
    return {(what, verb) for rule in rules for what in rule.get("resources", ()) for verb in rule["verbs"]}


def list_cluster_scoped(service: str, values: Body) -> set[str]:
    return {spell(body) for body in objects_of(service, **values) if is_cluster_scoped(body)}


@pytest.mark.parametrize("service", WITH_VALUES)
def test_metadata_names_no_namespace(service: str) -> None:
    """Where objects go is the renderer's to say, so no template says it."""
    assert [spell(body) for body in objects_of(service) if "namespace" in body["metadata"]] == []


@pytest.mark.parametrize("service", WITH_VALUES)
@pytest.mark.parametrize("values", [{}, {"clusterScopedSuffix": "-staging"}], ids=["default", "suffix"])
def test_bindings_lead_to_roles_and_accounts_that_are_there(service: str, values: Body) -> None:
    """Each binding binds a role of its service to an account of it, in the namespace it is rendered for."""
    objects = objects_by_name(service, namespace="elsewhere", **values)
    bindings = [body for body in objects.values() if body["kind"].endswith("Binding")]
    subjects = [subject for body in bindings for subject in body["subjects"]]

    assert {f"{body['roleRef']['kind']}/{body['roleRef']['name']}" for body in bindings} <= objects.keys()
    assert {f"{subject['kind']}/{subject['name']}" for subject in subjects} <= objects.keys()
    assert {subject["namespace"] for subject in subjects} <= {"elsewhere"}


@pytest.mark.parametrize("service", WITH_VALUES)
def test_environments_share_no_cluster_scoped_name(service: str) -> None:
    """With clusterScopedSuffix, a second environment in one cluster has cluster-scoped names of its own."""
    names = list_cluster_scoped(service, {})
    first = {name for name in names if not name.startswith("CustomResourceDefinition/")}
    second = list_cluster_scoped(service, APART.get(service, {}))

    assert bool(first) == (service in APART)
    assert {f"{name}-staging" for name in first} == second


def test_containers_are_locked_down() -> None:
    """No container may gain privileges, keeps capabilities, or writes to its own image."""
    contexts = [
        each["securityContext"] for template in pod_templates().values() for each in containers_of(template)
    ]
    locked_down = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }

    assert [context for context in contexts if context != locked_down] == []


def test_pods_do_not_run_as_root() -> None:
    """Every pod runs as a named user that is not root, under the runtime's system call filter."""
    contexts = {name: template["spec"]["securityContext"] for name, template in pod_templates().items()}

    assert [
        name for name, context in contexts.items() if not (context["runAsNonRoot"] and context["runAsUser"])
    ] == []
    assert {context["seccompProfile"]["type"] for context in contexts.values()} == {"RuntimeDefault"}


def account_of(template: Body) -> str:
    return str(template["spec"].get("serviceAccountName", "default"))


def test_only_what_asks_the_api_server_has_a_token() -> None:
    """Prometheus, kube-state-metrics, Elastic's operator and jsorc ask the API server; no other has a token."""
    barred = {
        body["metadata"]["name"]
        for body in all_objects()
        if body["kind"] == "ServiceAccount" and body.get("automountServiceAccountToken") is False
    }
    with_token = {
        name
        for name, template in pod_templates().items()
        if template["spec"].get("automountServiceAccountToken", account_of(template) not in barred)
    }

    assert with_token == {
        "CronJob/jsorc",
        "Deployment/jaseci-prometheus-kube-state-metrics",
        "Deployment/jaseci-prometheus-server",
        "StatefulSet/elastic-operator",
    }


def test_no_secret_stands_in_git() -> None:
    """The one Secret shipped is empty: the operator puts its own certificate into it."""
    secrets = [body for body in all_objects() if body["kind"] == "Secret"]

    assert [spell(body) for body in secrets] == ["Secret/elastic-webhook-server-cert"]
    assert secrets[0].keys() == {"apiVersion", "kind", "metadata"}


def test_nobody_may_change_much_of_the_whole_cluster() -> None:
    """No role for a pod lets it read Secrets, or change anything, in the whole cluster; one webhook apart."""
    # The roles that no binding names are for people: Kubernetes adds them to its own view, edit and admin.
    bound = {body["roleRef"]["name"] for body in all_objects() if body["kind"] == "ClusterRoleBinding"}
    roles = [body for body in all_objects() if body["kind"] == "ClusterRole"]
    grants = {grant for body in roles if body["metadata"]["name"] in bound for grant in list_grants(body)}
    changing = {(what, verb) for what, verb in grants if verb not in {"get", "list", "watch"}}

    assert {what for what, _ in grants} & {"secrets", "*"} == set()
    assert changing == {("validatingwebhookconfigurations", verb) for verb in ("update", "patch")}


def test_operator_changes_its_own_webhooks_only() -> None:
    """Elastic's operator may change the one webhook configuration that it is told is its own."""
    objects = objects_by_name("elastic", clusterScopedSuffix="-staging")
    rules = objects["ClusterRole/elastic-operator-default-staging"]["rules"]
    [named] = [rule["resourceNames"] for rule in rules if "update" in rule["verbs"]]

    assert named == ["elastic-webhook.k8s.elastic.co-staging"]
    assert f"ValidatingWebhookConfiguration/{named[0]}" in objects
    assert f"webhook-name: {named[0]}\n" in objects["ConfigMap/elastic-operator"]["data"]["eck.yaml"]


def test_jaseci_has_no_rights() -> None:
    """Jaseci's account is given no right in the cluster, with or without Elasticsearch."""
    for elastic in (False, True):
        kinds = {body["kind"] for body in objects_of("jaseci", elastic=elastic)}

        assert kinds == {"Deployment", "Service", "ServiceAccount"}


def test_nothing_is_open_to_the_world() -> None:
    """No Service has an address outside of the cluster, and nothing leads in: not all of Jaseci wants a login."""
    objects = all_objects()

    assert {body["spec"].get("type", "ClusterIP") for body in objects if body["kind"] == "Service"} == {
        "ClusterIP"
    }
    assert [spell(body) for body in objects if body["kind"] in {"Ingress", "HTTPRoute", "Gateway"}] == []


def test_containers_say_what_they_need() -> None:
    """The scheduler is told of every container what CPU and memory it asks for."""
    requests = [
        each["resources"]["requests"].keys()
        for template in pod_templates().values()
        for each in containers_of(template)
    ]

    assert [keys for keys in requests if keys != {"cpu", "memory"}] == []


def test_containers_with_ports_are_probed() -> None:
    """A container that listens tells whether it is ready, and whether it still lives."""
    unprobed = [
        each["name"]
        for template in pod_templates().values()
        for each in containers_of(template)
        if each.get("ports") and not {"readinessProbe", "livenessProbe"} <= each.keys()
    ]

    assert unprobed == []


def test_volumes_of_one_pod_are_let_go_first() -> None:
    """A Deployment that has a claim ends its old pod before the new one comes, which would wait for ever."""
    deployments = [body for body in all_objects() if body["kind"] == "Deployment"]
    with_claim = [
        body
        for body in deployments
        if any("persistentVolumeClaim" in each for each in body["spec"]["template"]["spec"].get("volumes", ()))
    ]

    assert len(with_claim) == 3
    assert {body["spec"]["strategy"]["rollingUpdate"]["maxSurge"] for body in with_claim} == {0}
