"""rbac: the rights that a pass needs, as far as no journey shows them one by one."""

from typing import Any

import pytest

from jsorc_gitops.model.settings import CredentialsReference, JaseciSettings
from jsorc_gitops.reconcile.rbac import compute_rules
from tests.reconcile.builders import make_tree

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
