"""jsorc rbac: the rights it prints are enough for everything a pass does, and none of its rules is too many."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch
from tests.journeys.test_ownership import SETTINGS, WEB, Tree, is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [events], verbs: [get, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: web, namespace: default}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: web, namespace: default}]
"""
PRIORITY = """\
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: {name}}}
value: {value}
"""
EVENTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}


def make_account(tree: Tree) -> list[dict[str, Any]]:
    """The Roles that `jsorc rbac` prints; ../limited is the kubeconfig of the account that is to hold them."""
    tree.kubectl("create", "serviceaccount", "jsorc")
    printed = tree.scratch.jsorc("rbac")
    assert printed.code == 0, printed.output
    config = json.loads(tree.scratch.controlplane.kubeconfig.read_text())
    token = tree.kubectl("create", "token", "jsorc").strip()
    config["users"] = [{"name": "jsorc", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "jsorc"
    tree.scratch.write("../limited", json.dumps(config))
    return list(yaml.safe_load_all(printed.output))


class Limited:
    """A tree in a namespace that is there, and a ServiceAccount that holds what `jsorc rbac` prints for it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.objects = [WEB, SETTINGS, CLAIM, ROLE, PRIORITY.format(name=tree.namespace, value=1)]
        tree.say(*self.objects)
        self.roles = make_account(tree)
        self.grant(self.roles)

    def grant(self, roles: list[dict[str, Any]]) -> None:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
        self.tree.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed)

    def say(self, *objects: str) -> None:
        self.tree.say(*objects)

    def reconcile(self, *options: str) -> Done:
        return self.tree.reconcile("--kubeconfig", "../limited", *options)


@pytest.fixture
def limited(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Limited]:
    made = Limited(Tree(tmp_path / "repository", controlplane, namespace))
    yield made
    role = f"jsorc.{namespace}.default"
    names = (f"clusterrole/{role}", f"clusterrolebinding/{role}", f"priorityclass/{namespace}")
    controlplane.kubectl("delete", "--ignore-not-found", *names)


def live_through(limited: Limited) -> list[Done]:
    """Install, nothing to do, a change, and everything but one service's Deployment removed."""
    namespace = limited.tree.namespace
    outputs = [limited.reconcile(), limited.reconcile()]
    limited.say(
        WEB.replace("web:1", "web:2"),
        SETTINGS.replace("blue", "red"),
        CLAIM.replace("{name: data}", "{name: data, labels: {a: b}}"),
        ROLE.replace("[get, watch]", "[get]"),
        PRIORITY.format(name=namespace, value=1).replace("value", "description: other\nvalue"),
    )
    outputs.append(limited.reconcile())
    limited.say("")
    outputs.append(limited.reconcile())
    return outputs


def test_they_are_enough(limited: Limited) -> None:
    """For all that a pass does in the life of a tree, without a word about rights."""
    outputs = live_through(limited)

    assert [each.code for each in outputs] == [0, 0, 0, 0], "\n".join(each.output for each in outputs)
    assert is_calm(outputs[1])
    assert "pruned" in outputs[3].output
    assert f"PersistentVolumeClaim/{limited.tree.namespace}/data released" in outputs[3].output


def test_they_are_enough_to_wait(limited: Limited) -> None:
    """For pods with --wait; without the right to watch that is an error, which names it."""
    wait = ("--wait", "--timeout", "60s")
    one = WEB.replace("replicas: 0", "replicas: 1")
    told = one.replace("{labels: {app: web}}", "{labels: {app: web}, annotations: {test.jsorc/pods: ready}}")
    limited.say(told)
    done = limited.reconcile(*wait)
    assert done.code == 0, done.output

    for rule in (rule for role in limited.roles for rule in role.get("rules", ())):
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
    limited.grant(limited.roles)
    # Its pod does not come by itself, so that there is something to watch.
    limited.say(one.replace("web:1", "web:2"))
    done = limited.reconcile(*wait)

    assert done.code == 1, done.output
    named = re.findall(r"could not be watched: .*it takes a Role in namespace (\S+) with (.*)", done.output)
    assert {where for where, _ in named} == {limited.tree.namespace}
    assert all('verbs: ["watch"]' in what for _, what in named)


def test_no_rule_is_too_many(limited: Limited) -> None:
    """With one rule less the pass fails, and names what it lacks; it does without Events and logs alone."""
    rules = [
        (role["kind"], number, rule)
        for role in limited.roles
        if "rules" in role
        for number, rule in enumerate(role["rules"])
        if rule["resources"] != ["pods/log"] and rule != EVENTS
    ]
    assert len(rules) >= 10
    # What is needed to grant and to bind comes first: once the rest is applied, nobody asks for it again.
    for kind, number, rule in sorted(
        rules, key=lambda each: each[2]["verbs"] not in (["bind"], ["get", "watch"])
    ):
        limited.grant(without(limited.roles, kind, number))

        done = limited.reconcile()

        assert done.code == 1, (rule, done.output)
        named = [
            f'resources: ["{each}"]' in done.output or f'"{each}"' in done.output for each in rule["resources"]
        ]
        assert any(named) or rule["verbs"] == ["bind"], (rule, done.output)
    limited.grant(limited.roles)
    assert limited.reconcile().code == 0


def test_without_events_a_pass_knows_no_causes(limited: Limited) -> None:
    """They are granted, since a claim says nothing itself; without them the pass says less, and nothing of it."""
    poorer = json.loads(json.dumps(limited.roles))
    for role in (role for role in poorer if "rules" in role):
        role["rules"] = [rule for rule in role["rules"] if rule != EVENTS]
    assert limited.reconcile().code == 0
    cause = 'it is not bound: storageclass.storage.k8s.io "none" not found'
    wait_until(lambda: cause in limited.reconcile().output, what="the claim has an Event")

    limited.grant(poorer)
    done = limited.reconcile()

    assert done.code == 0, done.output
    assert (
        f"PersistentVolumeClaim/{limited.tree.namespace}/data progressing: it is not bound yet\n" in done.output
    )
    assert "event" not in done.output


def without(roles: list[dict[str, Any]], kind: str, number: int) -> list[dict[str, Any]]:
    """The same roles, of one kind without the rule of that number."""
    changed: list[dict[str, Any]] = json.loads(json.dumps(roles))
    for role in changed:
        if role["kind"] == kind:
            del role["rules"][number]
    return changed


def test_a_tree_of_another_repository_keeps_its_rights(limited: Limited, tmp_path: Path) -> None:
    """Trees that are both called default, each with objects outside of namespaces, do not share a role."""
    other = Tree(tmp_path / "other", limited.tree.scratch.controlplane, f"{limited.tree.namespace}-other")
    other.say(SETTINGS, PRIORITY.format(name=other.namespace, value=1))

    printed = list(yaml.safe_load_all(other.scratch.jsorc("rbac").output))

    names = [
        {(each["kind"], each["metadata"]["name"]) for each in roles if each["kind"].startswith("Cluster")}
        for roles in (limited.roles, printed)
    ]
    assert all(names)
    assert not names[0] & names[1]


def test_rights_for_a_kind_that_left_git_are_needed_until_it_is_pruned(limited: Limited) -> None:
    """What is printed says so: applied before that pass, nothing is pruned; applied after it, all is well."""
    assert limited.reconcile().code == 0
    limited.say(WEB, SETTINGS, CLAIM, PRIORITY.format(name=limited.tree.namespace, value=1))
    printed = limited.tree.scratch.jsorc("rbac").output
    assert "# apply these after that pass." in printed
    poorer = list(yaml.safe_load_all(printed))

    limited.grant(poorer)
    early = limited.reconcile()
    limited.grant(limited.roles)
    pruned = limited.reconcile()
    limited.grant(poorer)

    assert "nothing is pruned, because Role, RoleBinding could not be read" in early.output
    assert f"Role/{limited.tree.namespace}/reader pruned" in pruned.output
    assert is_calm(limited.reconcile())


def test_a_plan_names_what_deleting_lacks(limited: Limited) -> None:
    """Before it is merged: jsorc diff asks whether it may delete what would be pruned."""
    assert limited.reconcile().code == 0
    poorer = json.loads(json.dumps(limited.roles))
    for rule in (rule for role in poorer for rule in role.get("rules", ())):
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "delete"]
    limited.grant(poorer)
    limited.say(WEB, CLAIM, ROLE)

    done = limited.tree.scratch.jsorc("diff", "--kubeconfig", "../limited")

    assert done.code == 1, done.output
    assert f"ConfigMap/{limited.tree.namespace}/settings not pruned: " in done.output
    assert 'resources: ["configmaps"], verbs: ["delete"]' in done.output


@pytest.mark.parametrize("account", ["a/b/c", "Foo", "/a", "a/", ""])
def test_an_account_that_is_none(tmp_path: Path, controlplane: ControlPlane, account: str) -> None:
    """Nobody would be given what is printed."""
    done = Scratch(tmp_path, controlplane=controlplane).jsorc("rbac", "--service-account", account)
    assert done.code == 2
    assert "neither NAME nor NAMESPACE/NAME" in done.output
