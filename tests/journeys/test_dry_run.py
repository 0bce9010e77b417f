"""jsorc diff and jsorc reconcile --dry-run: a plan that the API server was asked about, and nothing written."""

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.admission import admit_only
from tests.journeys.api_proxy import ApiProxy, start_api_proxy
from tests.journeys.scratch import Done, Scratch

pytestmark = pytest.mark.real

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: queues.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Queue, plural: queues}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}
"""
QUEUE = "apiVersion: {group}/v1\nkind: Queue\nmetadata: {{name: mail}}\nspec: {{size: 3}}\n"
PASSWORDS = ["correct horse", "battery staple"]


def make_map(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def make_secret(**data: str) -> str:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": encoded})


class Fleet:
    """A repository with one service, app, whose API server is asked through a proxy that counts."""

    def __init__(self, scratch: Scratch, proxy: ApiProxy, namespace: str) -> None:
        self.scratch = scratch
        self.proxy = proxy
        self.namespace = namespace
        scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
        scratch.write("templates/app/service.yaml", "plainSecrets: allow\n")

    def say(self, **objects: str) -> None:
        """Have git say these objects of the service, and those it said before; "" takes one back."""
        for name, text in objects.items():
            self.scratch.write(f"templates/app/{name}.yaml", text)
            if not text:
                (self.scratch.folder / f"templates/app/{name}.yaml").unlink()
        self.scratch.commit("Say something else")

    def plan(self, *options: str, command: str = "diff") -> Done:
        """A plan, which must not write."""
        words = ["diff"] if command == "diff" else ["reconcile", "--dry-run"]
        before = self.read_versions()
        self.proxy.requests.clear()
        done = self.jsorc(*words, *options)
        assert self.proxy.writes == []
        assert self.read_versions() == before
        return done

    def apply(self, *options: str) -> Done:
        return self.jsorc("reconcile", *options)

    def jsorc(self, *arguments: str) -> Done:
        return self.scratch.jsorc(*arguments, env={"KUBECONFIG": str(self.proxy.kubeconfig)})

    def read_versions(self) -> Mapping[str, str]:
        """The resourceVersion of everything in the namespace, jsorc's own objects and the Lease too."""
        kinds = "configmaps,secrets,services,deployments,leases,persistentvolumeclaims"
        listed = json.loads(self.kubectl("get", kinds, "-n", self.namespace, "-o", "json"))["items"]
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in listed
        }

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.scratch.controlplane.kubectl(*arguments, stdin=stdin)


@pytest.fixture
def proxy(controlplane: ControlPlane, tmp_path: Path) -> Iterator[ApiProxy]:
    with start_api_proxy(controlplane, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, proxy: ApiProxy, namespace: str) -> Fleet:
    return Fleet(Scratch(tmp_path / "fleet", controlplane=controlplane), proxy, namespace)


@pytest.fixture
def new_home(controlplane: ControlPlane) -> Iterator[str]:
    """The name of a namespace, and of a group of custom kinds, that are not there."""
    name = f"new-{secrets.token_hex(4)}"
    yield name
    controlplane.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    controlplane.kubectl("delete", "crd", f"queues.{name}.example.com", "--ignore-not-found", "--wait=false")


def test_a_first_install(fleet: Fleet, new_home: str) -> None:
    """Planned whole, with neither the namespace nor the definition there; then applied, as it was planned."""
    group = f"{new_home}.example.com"
    fleet.namespace = new_home
    fleet.scratch.write("jsorc.yaml", f"namespace: {new_home}\n")
    fleet.say(map=make_map("web", a="1"), crd=DEFINITION.format(group=group), queue=QUEUE.format(group=group))

    done = fleet.plan()
    codes = [fleet.plan("--exit-code", command=each).code for each in ("diff", "reconcile")]

    assert (done.code, codes) == (0, [6, 6])
    lines = [
        f"Namespace/{new_home} would be created\n",
        f"CustomResourceDefinition/queues.{group} would be created\n",
        f"ConfigMap/{new_home}/web would be created\n",
        f"    not checked: namespace {new_home} comes with this very pass\n",
        f"Queue/{new_home}/mail would be created\n",
        f" on {fleet.proxy.url}: 6 created (6 objects, ",
    ]
    assert [line for line in lines if line not in done.output] == []
    assert fleet.scratch.read("namespace", new_home) is None
    assert fleet.apply().code == 0
    assert "nothing to do (6 objects" in fleet.plan("--exit-code").output


def test_a_kind_that_comes_into_a_namespace_that_is_there(fleet: Fleet, new_home: str) -> None:
    """The object of a kind that this pass defines is listed, and it is said that nobody checked it."""
    group = f"{new_home}.example.com"
    fleet.say(crd=DEFINITION.format(group=group), queue=QUEUE.format(group=group))

    done = fleet.plan()

    assert f"Queue/{fleet.namespace}/mail would be created\n" in done.output
    assert "    not checked: the kind Queue comes with this very pass\n" in done.output


def test_a_pod_with_an_account_of_its_own(fleet: Fleet) -> None:
    """The server takes no Pod whose ServiceAccount is not there: a plan says so, a pass makes that one before."""
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mine}\n"
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {%s, containers: [{name: main, image: 'a:1'}]}\n"
    )
    fleet.say(account=account, pod=pod % "serviceAccountName: mine")

    plan = fleet.plan()
    done = fleet.apply()

    assert plan.code == 0, plan.output
    assert "not checked: ServiceAccount mine comes with this very pass" in plan.output
    assert done.code == 0, done.output
    assert f"Pod/{fleet.namespace}/one created" in done.output


def test_a_kind_whose_definition_changes(fleet: Fleet, new_home: str) -> None:
    """An object that only the coming schema allows is no error; it is said what the server says as of now."""
    group = f"{new_home}.example.com"
    definition = DEFINITION.format(group=group)
    fleet.say(crd=definition, queue=QUEUE.format(group=group))
    assert fleet.apply().code == 0
    more = definition.replace("size: {type: integer}", "size: {type: integer}, tag: {type: string}")
    fleet.say(crd=more, queue=QUEUE.format(group=group).replace("size: 3", "size: 3, tag: new"))

    done = fleet.plan()

    assert done.code == 0
    assert "not checked: the kind Queue changes with this very pass (now: " in done.output
    assert "field not declared in schema" in done.output
    assert fleet.apply().code == 0


def test_field_by_field(fleet: Fleet) -> None:
    """What a commit and what a hand changed, with both values and whose hand it was; exit 6 on demand."""
    fleet.say(map=make_map("web", color="blue", size="small"))
    assert fleet.apply().code == 0
    fleet.kubectl("patch", "configmap", "web", "-n", fleet.namespace, "-p", '{"data": {"color": "red"}}')
    fleet.say(map=make_map("web", color="blue", size="large"))

    done = fleet.plan("--exit-code")

    assert done.code == 6
    assert (
        f"  ConfigMap/{fleet.namespace}/web would be configured\n"
        "    .data.color: red → blue (set by kubectl-patch)\n"
        "    .data.size: small → large\n"
    ) in done.output
    assert fleet.plan().code == 0
    assert fleet.apply().code == 0
    assert fleet.plan("--exit-code").code == 0


def test_secrets(fleet: Fleet, tmp_path: Path) -> None:
    """Equal values have equal masks in every run of this user; no value is in any output, encoded or not."""
    fleet.scratch.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    first, second = PASSWORDS
    fleet.say(secret=make_secret(user=first, backup=second))
    assert fleet.apply().code == 0
    fleet.say(secret=make_secret(user=second, backup=first))

    outputs = [fleet.plan().output, fleet.plan("--output", "json").output]

    masks = [re.findall(r"masked:[0-9a-f]{12}", output) for output in outputs]
    assert masks[0] == masks[1]
    backup, user = masks[0][:2], masks[0][2:]
    assert len(set(masks[0])) == 2
    assert backup == user[::-1]
    assert not [word for word in ("horse", "staple", "Y29ycmVjdC", "YmF0dGVye") if word in "".join(outputs)]


def test_a_secret_that_kubectl_applied(fleet: Fleet) -> None:
    """Adopted, its last-applied-configuration goes, and that holds the data: neither plan nor pass shows it."""
    secret = make_secret(user=PASSWORDS[0], old=PASSWORDS[1])
    fleet.kubectl("apply", "-n", fleet.namespace, "-f", "-", stdin=secret)
    fleet.say(secret=make_secret(user=PASSWORDS[0]))

    outputs = [
        fleet.plan("--adopt", command="reconcile").output,
        fleet.plan("--adopt", "--output", "json", command="reconcile").output,
        fleet.apply("--adopt", "--output", "json").output,
    ]

    assert ".data.old: masked:" in outputs[0]
    assert "last-applied-configuration" in "".join(outputs)
    assert not [word for word in ("horse", "staple", "Y29ycmVjdC", "YmF0dGVye") if word in "".join(outputs)]


def test_pruning(fleet: Fleet) -> None:
    """What would go is listed, one by one; beyond the budget, too, with the refusal and exit 1."""
    fleet.say(**{f"map{number}": make_map(f"map{number}") for number in range(12)})
    assert fleet.apply().code == 0
    fleet.say(map0="")
    some = fleet.plan("--exit-code")
    fleet.say(**{f"map{number}": "" for number in range(1, 12)})
    many = fleet.plan("--exit-code")
    allowed = fleet.plan("--allow-prune", "--exit-code", command="reconcile")

    assert (some.code, many.code, allowed.code) == (6, 1, 6)
    assert f"  ConfigMap/{fleet.namespace}/map0 would be pruned\n" in some.output
    assert many.output.count(" not pruned: refused\n") == 12
    assert "error: 12 of 14 objects would go (app), more than the 10 that a pass may prune" in many.output
    assert allowed.output.count(" would be pruned\n") == 12


def test_what_a_pass_would_refuse(fleet: Fleet) -> None:
    """What is not ours, and what the server would not take: told as the pass tells it, exit 1."""
    fleet.kubectl("create", "configmap", "theirs", "-n", fleet.namespace)
    fleet.say(
        theirs=make_map("theirs"),
        mine=make_map("mine"),
        claim=json.dumps(CLAIM | {"metadata": {"name": "claim"}}),
    )

    done = fleet.plan("--exit-code")

    assert done.code == 1
    assert f"  ConfigMap/{fleet.namespace}/theirs refused: exists and is not ours" in done.output
    assert f"  ConfigMap/{fleet.namespace}/mine not created: left as it is, because others of app failed" in (
        done.output
    )


CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_the_plan_is_what_a_pass_does(fleet: Fleet) -> None:
    """Object by object the same actions and fields, for a commit that creates, changes, prunes and releases."""
    claim = json.dumps(CLAIM | {"metadata": {"name": "claim"}})
    fleet.say(a=make_map("a", x="1"), b=make_map("b"), claim=claim)
    assert fleet.apply().code == 0
    fleet.say(a=make_map("a", x="2"), b="", c=make_map("c"), claim="")

    told = [fleet.plan("--output", "json").output, fleet.apply("--output", "json").output]

    events = [[json.loads(line) for line in each.splitlines()] for each in told]
    planned, done = ([each for each in side if each["event"] == "object"] for side in events)
    assert planned == done
    assert {each["action"] for each in done} == {"create", "configure", "prune", "release"}
    assert [side[-1]["outcome"] for side in events] == ["different", "changed"]


def test_beside_a_pass(fleet: Fleet) -> None:
    """It needs no Lease, so it neither waits for another pass nor disturbs it."""
    fleet.say(a=make_map("a", x="1"))
    assert fleet.apply().code == 0
    lease = {"holderIdentity": "somebody", "renewTime": "2026-11-26T10:00:00.000000Z", "leaseDurationSeconds": 15}
    fleet.kubectl(
        *("patch", "lease", "jsorc.default", "-n", fleet.namespace, "--type=merge"),
        *("-p", json.dumps({"spec": lease})),
    )

    assert fleet.plan("--exit-code").code == 0


@pytest.mark.parametrize(
    "options",
    [("reconcile", "--exit-code"), ("reconcile", "--dry-run", "--loop"), ("reconcile", "--audit-every", "soon")],
)
def test_usage(fleet: Fleet, options: tuple[str, ...]) -> None:
    """What does not go together is said, exit 2."""
    assert fleet.scratch.jsorc(*options).code == 2


@pytest.fixture
def kept(fleet: Fleet) -> Iterator[Fleet]:
    """Applied ConfigMaps, of which an admission policy lets nobody delete any but `free`."""
    fleet.scratch.write("templates/app/service.yaml", "recreate: allow\n")
    sealed = {"immutable": True, **json.loads(make_map("sealed", a="1"))}
    fleet.say(kept=make_map("kept"), free=make_map("free"), sealed=json.dumps(sealed))
    assert fleet.apply().code == 0
    rule = '{apiGroups: [""], apiVersions: [v1], operations: [DELETE], resources: [configmaps]}'
    with admit_only(
        fleet.scratch.controlplane,
        fleet.namespace,
        "oldObject.metadata.name == 'free'",
        rule=rule,
        message="nobody deletes this",
        refused=("delete", "configmap", "kept"),
    ):
        yield fleet


def test_deletions_that_admission_refuses(kept: Fleet) -> None:
    """Told with the policy's words, for what would be pruned; what is still to be deleted is there."""
    kept.say(kept="", free="")

    done = kept.plan("--exit-code")

    assert done.code == 1
    assert re.search(f"ConfigMap/{kept.namespace}/kept not pruned: .*nobody deletes this", done.output)
    assert f"ConfigMap/{kept.namespace}/free would be pruned\n" in done.output


def test_a_recreation_that_admission_refuses(kept: Fleet) -> None:
    """Told by a plan and by a pass, which leaves all of the service as it is."""
    kept.say(sealed=json.dumps({"immutable": True, **json.loads(make_map("sealed", a="2"))}), new=make_map("new"))

    for done in (kept.plan("--exit-code"), kept.apply()):
        assert done.code == 1
        assert re.search(f"ConfigMap/{kept.namespace}/sealed not .*nobody deletes this", done.output)
        assert f"ConfigMap/{kept.namespace}/new not created: left as it is" in done.output
