"""Who owns which field: the table of docs/reconcile.md row by row, with real writers on a real API server."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import ApiClient, CoreV1Api

from tests.controlplane.proxy import Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch
from tests.waiting import wait_until

pytestmark = pytest.mark.real

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1", env: [{name: LEVEL, value: info}]}]}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: blue, size: small}\n"
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 3, maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""
CRDS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


class Tree:
    """One service, app, in a namespace of its own."""

    def __init__(self, folder: Path, controlplane: ControlPlane, namespace: str) -> None:
        self.scratch = Scratch(folder, controlplane=controlplane)
        self.namespace = namespace
        self.scratch.write("jsorc.yaml", f"namespace: {namespace}\n")

    def say(self, *objects: str, **service: Any) -> None:
        """Have git say exactly these objects and this service.yaml."""
        self.scratch.write("templates/app/objects.yaml", "---\n".join(objects))
        self.scratch.write("templates/app/service.yaml", json.dumps(service))
        self.scratch.commit("Say something else")

    def reconcile(self, *options: str) -> Done:
        return self.scratch.jsorc("reconcile", *options)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.scratch.controlplane.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def read(self, kind: str, name: str) -> Any:
        return self.scratch.read(kind, name, "-n", self.namespace, "--show-managed-fields")

    def data(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.read("configmap", "settings")["data"]
        return found


def is_calm(done: Done) -> bool:
    """Whether a pass found nothing to do, be pods on their way or not, and warned or not."""
    return done.code == 0 and (
        not done.output or re.search(": nothing (changed|to do) ", done.output) is not None
    )


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


@pytest.fixture
def web(tree: Tree) -> Tree:
    """A Deployment and a ConfigMap, applied."""
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    return tree


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        (("scale", "deployment/web", "--replicas=2"), ".spec.replicas: 2 → 0 (set by kubectl)"),
        (
            ("set", "image", "deployment/web", "main=web:2"),
            '.spec.template.spec.containers[name="main"].image: web:2 → web:1 (set by kubectl-set)',
        ),
        (
            ("set", "env", "deployment/web", "LEVEL-"),
            '.spec.template.spec.containers[name="main"].env',
        ),
        (
            ("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}'),
            ".data.color: red → blue (set by kubectl-patch)",
        ),
        (("delete", "configmap/settings"), "ConfigMap/{namespace}/settings created: deleted by somebody"),
    ],
    ids=["scale", "set-image", "remove", "patch", "delete"],
)
def test_a_persons_hand_is_taken_back(web: Tree, hand: tuple[str, ...], told: str) -> None:
    """Drift is repaired, and the report says whose it was; the pass after that has nothing to do."""
    web.kubectl(*hand)

    done = web.reconcile()

    assert done.code == 0
    assert told.format(namespace=web.namespace) in done.output
    assert is_calm(web.reconcile())
    assert (web.read("deployment", "web")["spec"]["replicas"], web.data()["color"]) == (0, "blue")


def test_kubectl_edit_is_a_persons_hand(web: Tree, tmp_path: Path) -> None:
    """As with an editor that a person uses."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/color: blue/color: green/" "$1"\n')
    editor.chmod(0o755)
    web.scratch.env["KUBE_EDITOR"] = str(editor)
    assert web.scratch.kubectl("edit", "configmap/settings", "-n", web.namespace).code == 0

    done = web.reconcile()

    assert ".data.color: green → blue (set by kubectl-edit)" in done.output


def test_fields_that_others_add_stay(web: Tree) -> None:
    """What git does not mention is nobody's business here."""
    web.kubectl("annotate", "configmap/settings", "note=mine")
    web.kubectl("patch", "configmap/settings", "-p", '{"data": {"extra": "mine"}}')

    done = web.reconcile()

    assert is_calm(done)
    assert web.data()["extra"] == "mine"


def test_an_autoscaler_keeps_what_it_scales(web: Tree) -> None:
    """A real HorizontalPodAutoscaler scales; its replicas are left to it, also by the next commit."""
    web.say(WEB.replace("replicas: 0", "replicas: 1"), SETTINGS)
    assert web.reconcile().code == 0
    web.kubectl("apply", "-f", "-", stdin=HPA)
    wait_until(lambda: web.read("deployment", "web")["spec"]["replicas"] == 3, what="the autoscaler has scaled")

    first, second = web.reconcile(), web.reconcile()
    web.say(WEB.replace("replicas: 0", "replicas: 1").replace("web:1", "web:2"), SETTINGS)
    third = web.reconcile()

    spec = web.read("deployment", "web")["spec"]
    assert (first.code, is_calm(second), third.code) == (0, True, 0)
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "web:2")


def take_over(web: Tree, **data: str) -> None:
    """A second applier that forces itself upon the ConfigMap."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}
    options = ("--server-side", "--force-conflicts", "--field-manager=other-tool")
    web.kubectl("apply", *options, "-f", "-", stdin=json.dumps(body))


def test_a_second_applier_is_refused(web: Tree) -> None:
    """Field, manager and both values; nothing is written, exit 1."""
    take_over(web, color="red")

    done = web.reconcile()

    assert done.code == 1
    assert ".data.color is set by other-tool to 'red', git says 'blue'" in done.output
    assert web.data()["color"] == "red"


@pytest.mark.parametrize(
    ("verdicts", "color", "code"),
    [
        ({".data.color": "take"}, "blue", 0),
        ({"data": "take"}, "blue", 0),
        ({"data.color": "yield"}, "red", 0),
        ({"data": "take", "data.color": "fail"}, "red", 1),
        ({"data.size": "take"}, "red", 1),
    ],
    ids=["take", "take-below", "yield", "fail", "another-field"],
)
def test_a_service_says_what_becomes_of_a_conflict(
    web: Tree, verdicts: Mapping[str, str], color: str, code: int
) -> None:
    """By field; the longest path counts. What is settled stays settled."""
    web.say(WEB, SETTINGS, conflicts=verdicts)
    assert web.reconcile().code == 0
    take_over(web, color="red")

    done = web.reconcile()

    assert (done.code, web.data()) == (code, {"color": color, "size": "small"})
    if code == 0:
        assert is_calm(web.reconcile())


def test_a_person_may_be_let_have_their_way(web: Tree) -> None:
    """`yield` counts for a person's hand, too."""
    web.say(WEB, SETTINGS, conflicts={"spec.replicas": "yield"})
    assert web.reconcile().code == 0
    web.kubectl("scale", "deployment/web", "--replicas=2")

    done = web.reconcile()

    assert (done.code, web.read("deployment", "web")["spec"]["replicas"]) == (0, 2)
    assert is_calm(web.reconcile())


def make_as_helm(tree: Tree) -> None:
    body = SETTINGS.replace("size: small", "size: small, extra: helm")
    tree.kubectl("create", "--field-manager=helm", "-f", "-", stdin=body)
    tree.kubectl("label", "--field-manager=helm", "configmap/settings", "app.kubernetes.io/managed-by=Helm")


def make_by_client_side_apply(tree: Tree) -> None:
    tree.kubectl("apply", "-f", "-", stdin=SETTINGS.replace("size: small", "size: small, extra: kubectl"))


def make_by_python_client(tree: Tree) -> None:
    """As JsOrc does: a client generated from OpenAPI, which names no field manager."""
    client: ApiClient = config.new_client_from_config(str(tree.scratch.controlplane.kubeconfig))
    with client:
        body = {"metadata": {"name": "settings"}, "data": {"color": "blue", "size": "small", "extra": "python"}}
        CoreV1Api(client).create_namespaced_config_map(tree.namespace, body)


def make_without_managers(tree: Tree) -> None:
    make_as_helm(tree)
    strip = '{"metadata": {"managedFields": [{}]}}'
    tree.kubectl("patch", "configmap/settings", "--type=merge", "-p", strip)


FORMER = pytest.mark.parametrize(
    "make", [make_as_helm, make_by_client_side_apply, make_by_python_client, make_without_managers]
)


@FORMER
def test_what_exists_is_refused(tree: Tree, make: Any) -> None:
    """An object that is there and not ours is let alone until somebody says otherwise."""
    make(tree)
    tree.say(SETTINGS)

    done = tree.reconcile()

    assert done.code == 1
    assert "exists and is not ours" in done.output
    assert "`adopt: allow` in its service.yaml" in done.output
    assert "applyset.kubernetes.io/part-of" not in tree.read("configmap", "settings")["metadata"].get(
        "labels", {}
    )


@FORMER
@pytest.mark.parametrize("by", ["flag", "service"])
def test_adoption_migrates_what_former_managers_set(tree: Tree, make: Any, by: str) -> None:
    """What git does not say goes with adoption, what it drops later goes then; the losses are told."""
    make(tree)
    tree.say(SETTINGS, **({"adopt": "allow"} if by == "service" else {}))

    done = tree.reconcile(*(["--adopt"] if by == "flag" else []))

    assert done.code == 0, done.output
    assert f"ConfigMap/{tree.namespace}/settings adopted" in done.output
    assert ".data.extra: " in done.output
    assert tree.data() == {"color": "blue", "size": "small"}
    managers = {each["manager"] for each in tree.read("configmap", "settings")["metadata"]["managedFields"]}
    assert managers <= {"jsorc"}
    assert is_calm(tree.reconcile())
    tree.say(SETTINGS.replace(", size: small", ""))
    assert tree.reconcile().code == 0
    assert tree.data() == {"color": "blue"}


def test_a_secret_in_clear_is_no_loss(tree: Tree) -> None:
    """What git says as stringData lies as data in the cluster: adoption loses only what git does not say."""
    client: ApiClient = config.new_client_from_config(str(tree.scratch.controlplane.kubeconfig))
    with client:
        body = {"metadata": {"name": "login"}, "stringData": {"user": "a", "password": "b", "extra": "c"}}
        CoreV1Api(client).create_namespaced_secret(tree.namespace, body)
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {user: a, password: b}\n"
    tree.say(text, plainSecrets="allow")

    foreseen = tree.reconcile("--adopt", "--dry-run")
    done = tree.reconcile("--adopt")

    for each in (foreseen, done):
        assert each.code == 0, each.output
        assert ".data.extra: " in each.output
        assert not {".data.user", ".data.password"} & set(each.output.replace(":", " ").split())
    assert tree.read("secret", "login")["data"] == {"user": "YQ==", "password": "Yg=="}
    assert is_calm(tree.reconcile())


def test_what_git_says_in_clear_is_owned_as_data(tree: Tree) -> None:
    """A key that git drops goes, and one that another controller sets is refused as any field is."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {user: a, password: b}\n"
    tree.say(text, plainSecrets="allow")
    assert tree.reconcile().code == 0
    tree.say(text.replace(", password: b", ""), plainSecrets="allow")
    assert tree.reconcile().code == 0
    assert tree.read("secret", "login")["data"] == {"user": "YQ=="}
    tree.kubectl("patch", "--field-manager=operator", "secret/login", "-p", '{"data": {"user": "Yw=="}}')

    done = tree.reconcile()

    assert done.code == 1
    assert ".data.user is set by operator to '***', git says '***'" in done.output


def test_helm_later_is_unknown(tree: Tree) -> None:
    """Migration is done once: who goes on writing is refused like anybody else."""
    make_as_helm(tree)
    tree.say(SETTINGS, adopt="allow")
    assert tree.reconcile().code == 0
    tree.kubectl("patch", "--field-manager=helm", "configmap/settings", "-p", '{"data": {"color": "red"}}')

    done = tree.reconcile()

    assert done.code == 1
    assert ".data.color is set by helm to 'red', git says 'blue'" in done.output


def test_a_fight_is_given_up(web: Tree) -> None:
    """Taken back three passes in a row, then left to whoever goes on, and said; another commit starts anew."""
    outputs = []
    for _ in range(4):
        web.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')
        outputs.append(web.reconcile())

    assert [each.code for each in outputs] == [0, 0, 0, 0]
    assert [".data.color: red → blue" in each.output for each in outputs] == [True, True, True, False]
    assert ".data.color was taken back 3 passes in a row, and is left to kubectl-patch" in outputs[3].output
    assert web.data()["color"] == "red"
    told = "ConfigMap/{}/settings: .data.color was taken back 3 passes in a row, and is left as it is until git"
    for command in (("reconcile",), ("diff", "--exit-code")):
        again = web.scratch.jsorc(*command)
        assert (again.code, told.format(web.namespace) in again.output) == (0, True)
    web.kubectl("patch", "configmap/settings", "-p", '{"data": {"size": "large"}}')
    assert ".data.size: large → small" in web.reconcile().output
    assert web.data() == {"color": "red", "size": "small"}
    web.say(WEB, SETTINGS.replace("blue", "green"))
    assert ".data.color: red → green" in web.reconcile().output


@pytest.fixture
def given_up(web: Tree) -> Tree:
    """Red is what somebody made of blue in four passes in a row."""
    for _ in range(4):
        web.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')
        assert web.reconcile().code == 0
    assert web.data()["color"] == "red"
    return web


def test_a_field_given_up_is_decided_by_the_service(given_up: Tree) -> None:
    """Also though git says the same of the object; what is to be taken is never given up again."""
    given_up.say(WEB, SETTINGS, conflicts={".data.color": "take"})
    for _ in range(5):
        assert given_up.reconcile().code == 0
        assert given_up.data()["color"] == "blue"
        given_up.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')


def test_a_field_given_up_is_that_of_one_object(given_up: Tree) -> None:
    """What is made anew is as git says, and is kept so."""
    given_up.kubectl("delete", "configmap", "settings")
    assert given_up.reconcile().code == 0
    assert given_up.data()["color"] == "blue"
    given_up.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')
    assert ".data.color: red → blue" in given_up.reconcile().output


def test_calm_between_ends_a_fight(web: Tree) -> None:
    """Three times taken back with a calm pass in between is no fight."""
    for number in range(4):
        web.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')
        assert ".data.color: red → blue" in web.reconcile().output, number
        if number == 1:
            assert is_calm(web.reconcile())
    assert web.data()["color"] == "blue"


@pytest.fixture
def gitops(controlplane: ControlPlane) -> Iterator[None]:
    """The kinds of Flux and Argo CD; nobody acts on them."""
    kinds = [
        ("Kustomization", "kustomizations", "kustomize.toolkit.fluxcd.io"),
        ("Application", "applications", "argoproj.io"),
    ]
    names = [f"crd/{plural}.{group}" for _, plural, group in kinds]
    for kind, plural, group in kinds:
        controlplane.kubectl("create", "-f", "-", stdin=CRDS.format(kind=kind, plural=plural, group=group))
    controlplane.kubectl("wait", "--for=condition=Established", *names)
    yield
    controlplane.kubectl("delete", *names)


def make_flux(tree: Tree, *, kept: str) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Labels and manager as Flux leaves them, and the Kustomization that keeps one ConfigMap."""
    group = "kustomize.toolkit.fluxcd.io"
    labels = {f"{group}/name": "app", f"{group}/namespace": tree.namespace}
    inventory = {"entries": [{"id": f"{tree.namespace}_{kept}__ConfigMap", "v": "v1"}]}
    keeper = {"apiVersion": f"{group}/v1", "kind": "Kustomization", "status": {"inventory": inventory}}
    return {"labels": labels}, "kustomize-controller", keeper


def make_argo(tree: Tree, *, kept: str) -> tuple[dict[str, Any], str, dict[str, Any]]:
    tracking = f"app:/ConfigMap:{tree.namespace}/settings"
    metadata = {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}
    resources = [{"kind": "ConfigMap", "namespace": tree.namespace, "name": kept, "version": "v1"}]
    keeper = {"apiVersion": "argoproj.io/v1", "kind": "Application", "status": {"resources": resources}}
    return metadata, "argocd-controller", keeper


def keep(tree: Tree, make: Any, *, kept: str = "settings", alive: bool = True) -> str:
    """Have a GitOps controller apply the ConfigMap, with another color; return who keeps it."""
    metadata, manager, keeper = make(tree, kept=kept)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"color": "red"}}
    body["metadata"] = {"name": "settings", **metadata}
    options = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
    tree.kubectl("apply", *options, "-f", "-", stdin=json.dumps(body))
    if alive:
        keeper["metadata"] = {"name": "app"}
        tree.kubectl("create", "-f", "-", stdin=json.dumps(keeper))
    return (
        f"Kustomization {tree.namespace}/app"
        if manager.startswith("kustomize")
        else f"Application {tree.namespace}/app"
    )


GITOPS = pytest.mark.parametrize("make", [make_flux, make_argo])


@GITOPS
@pytest.mark.usefixtures("gitops")
def test_what_a_gitops_controller_keeps_is_left_to_it(tree: Tree, make: Any) -> None:
    """Even with --adopt, and when it leaves git; the report says who keeps it."""
    keeper = keep(tree, make)
    tree.say(SETTINGS, WEB)

    outputs = [tree.reconcile("--adopt"), tree.reconcile()]
    tree.say(WEB)
    outputs.append(tree.reconcile())

    assert [each.code for each in outputs] == [0, 0, 0]
    assert all(
        f"ConfigMap/{tree.namespace}/settings yielded: {keeper} applies it" in each.output for each in outputs[:2]
    )
    assert tree.data() == {"color": "red"}


@GITOPS
@pytest.mark.usefixtures("gitops")
def test_what_it_takes_over_later_is_left_to_it(web: Tree, make: Any) -> None:
    """An object of ours, too; and it is not pruned."""
    keeper = keep(web, make)

    done = web.reconcile()
    web.say(WEB)
    pruned = web.reconcile()

    assert (done.code, pruned.code) == (0, 0)
    assert f"yielded: {keeper} applies it" in done.output
    assert f"yielded: {keeper} applies it; left alone" in pruned.output
    assert web.data()["color"] == "red"


@GITOPS
@pytest.mark.parametrize("anew", [False, True], ids=["as it is", "made anew"])
@pytest.mark.usefixtures("gitops")
def test_what_it_takes_over_in_mid_pass_is_left_to_it(web: Tree, make: Any, *, anew: bool) -> None:
    """Between the plan and the dry-run: planned anew, it is yielded like one that was kept before."""
    web.say(WEB, SETTINGS.replace("blue", "green"))
    told = []

    def take_over(_: Request) -> None:
        if anew:
            web.kubectl("delete", "configmap/settings")
        told.append(f"ConfigMap/{web.namespace}/settings yielded: {keep(web, make)} applies it")

    with Proxy(web.scratch.controlplane) as proxy:
        proxy.misbehave(take_over, match="PATCH .*/configmaps/settings", times=1)
        done = web.reconcile("--adopt", "--kubeconfig", str(proxy.kubeconfig_for()))

    assert done.code == 0, done.output
    assert told[0] in done.output
    assert web.data()["color"] == "red"
    assert told[0] in web.reconcile().output


@GITOPS
@pytest.mark.usefixtures("gitops")
def test_what_it_takes_over_before_a_deletion_is_left_to_it(web: Tree, make: Any) -> None:
    """Between the plan to prune it and the deletion, which is refused as stale."""
    web.say(WEB)
    told = []

    def take_over(_: Request) -> None:
        told.append(f"ConfigMap/{web.namespace}/settings yielded: {keep(web, make)} applies it")

    with Proxy(web.scratch.controlplane) as proxy:
        proxy.misbehave(take_over, match="^DELETE .*/configmaps/settings", times=1)
        done = web.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert done.code == 0, done.output
    assert told[0] in done.output
    assert web.data()["color"] == "red"


@GITOPS
@pytest.mark.parametrize(("kept", "alive"), [("settings", False), ("another", True)], ids=["gone", "copied"])
@pytest.mark.usefixtures("gitops")
def test_a_stale_mark_does_not_count(tree: Tree, make: Any, kept: str, *, alive: bool) -> None:
    """What nobody keeps any more is adopted, and loses what the controller had set."""
    keep(tree, make, kept=kept, alive=alive)
    tree.say(SETTINGS)

    done = tree.reconcile("--adopt")

    assert done.code == 0, done.output
    assert f"ConfigMap/{tree.namespace}/settings adopted" in done.output
    live = tree.read("configmap", "settings")
    assert live["data"] == {"color": "blue", "size": "small"}
    assert {each["manager"] for each in live["metadata"]["managedFields"]} == {"jsorc"}
    assert is_calm(tree.reconcile())
