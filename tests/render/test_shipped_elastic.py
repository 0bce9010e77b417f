"""Elastic's operator and what it runs: what a change of values makes of their objects."""

from typing import Any

from tests.render.shipped import LOGSTASH, Body, definition_of, objects_by_name, objects_of, spell


def list_namespaces(bodies: list[Body]) -> dict[str, set[str]]:
    """Where the objects say they lie ("" where it is left to the renderer)."""
    found: dict[str, set[str]] = {}
    for body in bodies:
        found.setdefault(spell(body), set()).add(body["metadata"].get("namespace", ""))
    return found


def list_rules(role: Body) -> dict[str, list[str]]:
    """{resource: verbs} of the rules that name no objects."""
    rules = [rule for rule in role["rules"] if "resourceNames" not in rule]
    return {what: rule["verbs"] for rule in rules for what in rule["resources"]}


def test_operator_may_live_elsewhere() -> None:
    """With a namespace of its own, the operator and what is its own lie there, its charges where they did."""
    bodies = objects_of("elastic", operator={"namespace": "operators"})
    places = list_namespaces(bodies)
    own = ("ConfigMap", "Secret", "Service", "ServiceAccount", "StatefulSet")

    assert {name for name, where in places.items() if where == {"operators"}} == {
        spell(body) for body in bodies if body["kind"] in own
    }
    assert {name for name, where in places.items() if where == {"default", "operators"}} == {
        "Role/elastic-operator",
        "RoleBinding/elastic-operator",
    }
    assert places["Elasticsearch/jaseci"] == places["Kibana/jaseci"] == {""}


def test_operator_elsewhere_is_found() -> None:
    """With a namespace of its own, the operator is bound and called there, and told where its charges are."""
    objects = objects_by_name("elastic", operator={"namespace": "operators"})
    env = objects["StatefulSet/elastic-operator"]["spec"]["template"]["spec"]["containers"][0]["env"]
    bindings = [body for name, body in objects.items() if "Binding/" in name]
    [configuration] = [body for name, body in objects.items() if name.startswith("ValidatingWebhook")]

    assert {subject["namespace"] for body in bindings for subject in body["subjects"]} == {"operators"}
    assert {each["clientConfig"]["service"]["namespace"] for each in configuration["webhooks"]} == {"operators"}
    assert {"name": "NAMESPACES", "value": "default"} in env
    assert "ClusterRole/elastic-operator-operators" in objects


def test_every_kind_is_looked_after() -> None:
    """For each kind, one added by hand too, there are a definition, rights and webhooks."""
    kinds: list[dict[str, Any]] = [*definition_of("elastic")["values"]["operator"]["kinds"], LOGSTASH]
    objects = objects_by_name("elastic", operator={"kinds": kinds})
    operator = list_rules(objects["Role/elastic-operator"])
    people = {end: list_rules(objects[f"ClusterRole/elastic-operator-default-{end}"]) for end in ("view", "edit")}
    webhooks = {
        rule["resources"][0]
        for each in objects["ValidatingWebhookConfiguration/elastic-webhook.k8s.elastic.co"]["webhooks"]
        for rule in each["rules"]
    }

    for each in kinds:
        plural = each["plural"]
        assert f"CustomResourceDefinition/{plural}.{each['group']}.k8s.elastic.co" in objects
        assert {"get", "update"} <= set(operator[f"{plural}/status"])
        assert "create" not in operator[plural]
        assert "create" not in people["view"][plural]
        assert "create" in people["edit"][plural]
        assert plural in webhooks


def test_added_kind_is_asked_for_at_its_path() -> None:
    """The path of an added kind's webhook follows from its group and name, as the operator has it."""
    [configuration] = [
        body
        for body in objects_of("elastic", operator={"kinds": [LOGSTASH]})
        if body["kind"] == "ValidatingWebhookConfiguration"
    ]
    [webhook] = configuration["webhooks"]

    assert webhook["clientConfig"]["service"]["path"] == "/validate-logstash-k8s-elastic-co-v1alpha1-logstash"


def test_webhooks_are_the_operators_to_certify() -> None:
    """No certificate is said for a webhook: the operator's own would be taken back with every pass."""
    [configuration] = [body for body in objects_of("elastic") if body["kind"] == "ValidatingWebhookConfiguration"]

    assert {tuple(each["clientConfig"]) for each in configuration["webhooks"]} == {("service",)}
    assert {each["failurePolicy"] for each in configuration["webhooks"]} == {"Ignore"}


def test_data_outlives_elasticsearch() -> None:
    """The operator keeps the claims when Elasticsearch is removed."""
    spec = objects_by_name("elastic", elasticsearch={"storageClass": "fast"})["Elasticsearch/jaseci"]["spec"]
    [claim] = spec["nodeSets"][0]["volumeClaimTemplates"]

    assert spec["volumeClaimDeletePolicy"] == "DeleteOnScaledownOnly"
    assert claim["spec"]["storageClassName"] == "fast"


def test_resets_do_not_wait_for_the_operator() -> None:
    """Jaseci's elastic is reset whenever it does not run: the operator's pods say nothing of Elasticsearch."""
    assert definition_of("elastic")["reset"] == {"watch": []}
