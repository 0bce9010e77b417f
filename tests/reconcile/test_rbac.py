"""rbac: the rights that a pass needs, as far as no journey shows them one by one."""

from typing import Any

import pytest

from jsorc_gitops.model.settings import Applier, CredentialsReference, JaseciSettings
from jsorc_gitops.reconcile.rbac import compute_rules
from tests.reconcile.builders import make_body, make_config_map, make_deployment, make_ref, make_tree

CREDENTIALS = CredentialsReference(kind="env", name="X")
SECRET = {"valueFrom": {"secretKeyRef": {"name": "mail", "key": "pass"}}}


def find(_: str, kind: str) -> tuple[str, bool]:
    return f"{kind.lower()}s", True


def compute(jaseci: JaseciSettings | None, **config: Any) -> set[tuple[str, str, str, str]]:
    """(namespace, resource, name, verb) of what the resets of one service without objects need."""
    bare = make_tree({"task": []})
    tree = make_tree({"task": []}, records={"task": {"config": config}}, jaseci=jaseci)
    return flatten(compute_rules(tree, find)) - flatten(compute_rules(bare, find))


def flatten(rules: dict[str, list[dict[str, Any]]]) -> set[tuple[str, str, str, str]]:
    return {
        (place, resource, name, verb)
        for place, made in rules.items()
        for rule in made
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize(
    ("jaseci", "needed"),
    [
        (JaseciSettings(url="http://127.0.0.1:80", credentials=CREDENTIALS), set()),
        (JaseciSettings(url="http://j", credentials=CREDENTIALS), {("home", "endpointslices", "", "list")}),
        (
            JaseciSettings(url="http://j.shop", credentials=CREDENTIALS),
            {("shop", "endpointslices", "", "list")},
        ),
        (JaseciSettings(selector="a=b", port=80, credentials=CREDENTIALS), {("home", "pods", "", "list")}),
        (
            JaseciSettings(selector="a=b", port=80, namespace="shop", credentials=CREDENTIALS),
            {("shop", "pods", "", "list")},
        ),
    ],
)
def test_who_looks_for_jaseci_may_see_its_pods(
    jaseci: JaseciSettings, needed: set[tuple[str, str, str, str]]
) -> None:
    """And no more than that."""
    assert compute(jaseci) == needed


def test_a_secret_that_a_config_refers_to_may_be_read() -> None:
    """By its name; where no Jaseci is there to be told, not at all."""
    url = JaseciSettings(url="http://127.0.0.1:80", credentials=CREDENTIALS)
    assert compute(url, password=SECRET) == {("home", "secrets", "mail", "get")}
    assert compute(None, password=SECRET) == set()


WEB = make_deployment("web", service="web")
CLAIM = make_body("PersistentVolumeClaim", "data", service="web")
ROLE = make_body(
    "Role",
    "reader",
    service="web",
    apiVersion="rbac.authorization.k8s.io/v1",
    rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
)


def test_what_is_not_kept_alive_takes_no_rights() -> None:
    """Not even those that its own Roles grant: nobody looks at it."""
    asleep = make_tree({"web": [WEB, CLAIM, ROLE]}, records={"web": {"keep_alive": False}})
    bare = make_tree({"web": []})

    assert compute_rules(asleep, find) == compute_rules(bare, find)


@pytest.mark.parametrize(
    ("applier", "asked"),
    [("flux", ("", "kustomizations", "", "get")), ("argocd", ("", "applications", "", "list"))],
)
def test_beside_flux_or_argo_cd_a_pass_only_looks(applier: Applier, asked: tuple[str, str, str, str]) -> None:
    """It writes what it remembers in its home, asks the syncing tool, and reads what the records name."""
    claim = (make_ref("PersistentVolumeClaim", "data"),)
    objects = [WEB, CLAIM, ROLE, make_config_map("settings", service="web")]
    tree = make_tree({"web": objects}, records={"web": {"others": claim}}, applier=applier)

    rules = flatten(compute_rules(tree, find))

    assert {rule for rule in rules if rule[3] not in {"get", "list", "watch"}} == {
        ("home", "configmaps", "", "create"),
        ("home", "configmaps", "", "update"),
        ("home", "leases", "", "create"),
        ("home", "leases", "", "update"),
    }
    assert {rule for rule in rules if rule[0] == ""} == {asked}
    read = {rule[1] for rule in rules}
    assert {"deployments", "persistentvolumeclaims", "pods", "events", "pods/log"} <= read
    assert not {"roles", "secrets"} & read


def test_what_is_restarted_may_be_patched() -> None:
    """Where Flux applies the tree that is the workloads of services with `via: rollout`, and no others."""
    services = {"web": [WEB], "db": [make_body("StatefulSet", "db", service="db", apiVersion="apps/v1")]}
    tree = make_tree(services, records={"web": {"via": "rollout"}}, applier="flux")

    rules = flatten(compute_rules(tree, find))

    assert {rule for rule in rules if rule[3] == "patch"} == {("home", "deployments", "", "patch")}
