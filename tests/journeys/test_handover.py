"""A tree goes over to Flux or Argo CD, played by their field managers on a real API server, and comes back."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jsorc_gitops.model.masks import encode_strings
from jsorc_gitops.model.objects import KEEP_ANNOTATIONS
from tests.controlplane.proxy import Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done
from tests.journeys.test_killed import read_inventory, run_killed
from tests.journeys.test_ownership import CRDS, SETTINGS, WEB, Tree, is_calm

pytestmark = pytest.mark.real

RUNNING = WEB.replace("replicas: 0", "replicas: 2").replace(
    "labels: {app: web}}", "labels: {app: web}, annotations: {test.jsorc/pods: ready}}"
)
LOGIN = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {user: a, password: b}\n"
PORTS = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
)
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
PART_OF = "applyset.kubernetes.io/part-of"
FLUX, ARGO = "kustomize.toolkit.fluxcd.io", "argoproj.io"


class Syncer:
    """Flux or Argo CD as the API server sees them: field manager, marks, a Kustomization or an Application."""

    def __init__(self, tree: Tree, applier: str) -> None:
        self.tree = tree
        self.applier = applier
        self.manager = {"flux": "kustomize-controller", "argocd": "argocd-controller"}[applier]

    def sync(self, *kinds: str) -> None:
        """Apply what is rendered, but only these kinds where some are given, and say so in the status."""
        done = self.tree.scratch.jsorc("render", "--stdout", "--output", "json")
        assert done.code == 0, done.output
        bodies = [each for each in json.loads(done.output)["items"] if not kinds or each["kind"] in kinds]
        for each in bodies:
            self.mark(each)
        options = ("--server-side", "--force-conflicts", f"--field-manager={self.manager}")
        listed = {"apiVersion": "v1", "kind": "List", "items": bodies}
        self.tree.kubectl("apply", *options, "-f", "-", stdin=json.dumps(listed))
        # Neither labels nor managers of our own: what they are does not matter here.
        self.tree.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(self._make_keeper(bodies)))

    def mark(self, body: dict[str, Any]) -> None:
        metadata, group = body["metadata"], body["apiVersion"].rpartition("/")[0]
        if self.applier == "flux":
            if "stringData" in body:
                body |= {"data": encode_strings(body)["data"]}
                del body["stringData"]
            metadata["labels"] |= {f"{FLUX}/name": "app", f"{FLUX}/namespace": self.tree.namespace}
        else:
            tracking = f"app:{group}/{body['kind']}:{metadata.get('namespace', '')}/{metadata['name']}"
            metadata["annotations"] = {
                **metadata.get("annotations", {}),
                "argocd.argoproj.io/tracking-id": tracking,
            }

    def _make_keeper(self, bodies: list[dict[str, Any]]) -> dict[str, Any]:
        refs = [
            (each["metadata"].get("namespace", ""), each["metadata"]["name"], each["apiVersion"], each["kind"])
            for each in bodies
        ]
        metadata = {"name": "app", "namespace": self.tree.namespace}
        if self.applier == "flux":
            entries = [
                {"id": f"{namespace}_{name}_{version.rpartition('/')[0]}_{kind}"}
                for namespace, name, version, kind in refs
            ]
            body = {"apiVersion": f"{FLUX}/v1", "kind": "Kustomization", "spec": {"prune": True}}
            return {**body, "metadata": metadata, "status": {"inventory": {"entries": entries}}}
        resources = [
            {"namespace": namespace, "name": name, "group": version.rpartition("/")[0], "kind": kind}
            for namespace, name, version, kind in refs
        ]
        spec = {"syncPolicy": {"automated": {"prune": True}}}
        body = {"apiVersion": f"{ARGO}/v1", "kind": "Application", "spec": spec}
        return {**body, "metadata": metadata, "status": {"resources": resources}}


class Handover(Tree):
    """The tree, who applies it, and what must stay as it is."""

    def say_applier(self, applier: str, *objects: str) -> None:
        self.scratch.write("jsorc.yaml", f"namespace: {self.namespace}\napplier: {applier}\n")
        self.say(*objects, plainSecrets="allow")

    def release(self, *options: str) -> Done:
        return self.scratch.jsorc("release", *options)

    def adopt(self, *options: str) -> Done:
        return self.scratch.jsorc("adopt", *options)

    def run_named(self, output: str) -> None:
        """Run the kubectl command that ends the output's line."""
        command = output.strip().splitlines()[0].rpartition(": kubectl ")[2]
        done = self.scratch.kubectl(*shlex.split(command))
        assert done.code == 0, done.output

    def read_all(self) -> list[Any]:
        kinds = "deployments,pods,secrets,services,configmaps,persistentvolumeclaims"
        listed = self.scratch.read(kinds, "-n", self.namespace, "--show-managed-fields")["items"]
        return [each for each in listed if not each["metadata"]["name"].startswith(("jsorc.", "kube-root"))]

    def read_running(self) -> dict[str, Any]:
        """UID and spec of all objects, pods too. (A generation counts changed annotations, too.)"""
        return {
            f"{each['kind']}/{each['metadata']['name']}": (each["metadata"]["uid"], each.get("spec"))
            for each in self.read_all()
        }

    def read_owners(self) -> set[str]:
        """Who applies what, and whose labels and annotations are on anything."""
        found = set()
        for each in self.read_all():
            metadata = each["metadata"]
            if each["kind"] == "Pod":
                continue
            found |= {entry["manager"] for entry in metadata["managedFields"] if entry["operation"] == "Apply"}
            marks = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
            found |= {key for key in marks if key == PART_OF or key.startswith((FLUX, "argocd"))}
        # These two are rendered, whoever applies.
        return found - KEEP_ANNOTATIONS.keys()


@pytest.fixture(scope="module", autouse=True)
def kinds(controlplane: ControlPlane) -> Iterator[None]:
    """The kinds of Flux and Argo CD; nobody acts on them."""
    made = [("Kustomization", "kustomizations", FLUX), ("Application", "applications", ARGO)]
    names = [f"crd/{plural}.{group}" for _, plural, group in made]
    for kind, plural, group in made:
        controlplane.kubectl("create", "-f", "-", stdin=CRDS.format(kind=kind, plural=plural, group=group))
    controlplane.kubectl("wait", "--for=condition=Established", *names)
    yield
    controlplane.kubectl("delete", *names)


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Handover:
    return Handover(tmp_path / "repository", controlplane, namespace)


def say_both(tree: Handover, *objects: str) -> Syncer:
    """Apply by jsorc, then by Flux as well."""
    tree.say_applier("jsorc", *objects)
    assert tree.reconcile().code == 0
    tree.say_applier("flux", *objects)
    syncer = Syncer(tree, "flux")
    syncer.sync()
    return syncer


def drop(text: str) -> str:
    return text.replace(", size: small", "")


APPLIERS = pytest.mark.parametrize(
    ("applier", "marks"),
    [
        ("flux", {f"{FLUX}/name", f"{FLUX}/namespace"}),
        ("argocd", {"argocd.argoproj.io/tracking-id"}),
    ],
)


@APPLIERS
def test_there_and_back(tree: Handover, applier: str, marks: set[str]) -> None:
    """No object is made anew, no pod restarted; what git drops goes, whoever applies; outputs tell the way."""
    objects = [RUNNING, LOGIN, PORTS, CLAIM]
    tree.say_applier("jsorc", *objects, SETTINGS)
    assert tree.reconcile("--wait").code == 0
    tree.kubectl("rollout", "restart", "deployment/web")
    assert tree.reconcile("--wait").code == 0
    running = tree.read_running()
    assert [name.partition("/")[0] for name in running].count("Pod") == 2

    tree.say_applier(applier, *objects, SETTINGS)
    syncer = Syncer(tree, applier)
    syncer.sync()
    assert tree.read_owners() == {"jsorc", PART_OF, syncer.manager, *marks}
    foreseen, released, again = tree.release("--dry-run"), tree.release(), tree.release()
    assert [each.code for each in (foreseen, released, again)] == [0, 0, 0], released.output
    assert f"Secret/{tree.namespace}/login would be released" in foreseen.output
    assert f"Secret/{tree.namespace}/login released" in released.output
    assert "nothing to do (" in again.output
    assert "object" not in again.output
    assert (tree.read_owners(), read_inventory(tree)) == ({syncer.manager, *marks}, {})
    tree.say_applier(applier, *objects, drop(SETTINGS))
    syncer.sync()
    assert tree.data() == {"color": "blue"}

    tree.say_applier("jsorc", *objects, SETTINGS)
    refused = tree.adopt()
    assert (refused.code, "nothing is taken over" in refused.output) == (1, True)
    tree.run_named(refused.output)
    foreseen, adopted = tree.adopt("--dry-run"), tree.adopt()
    assert f"Deployment/{tree.namespace}/web would be adopted" in foreseen.output
    assert adopted.code == 0, adopted.output
    assert tree.read_owners() == {"jsorc", PART_OF}
    assert (tree.data(), tree.read_running()) == ({"color": "blue", "size": "small"}, running)
    tree.run_named(adopted.output)
    assert is_calm(tree.reconcile())
    tree.say_applier("jsorc", *objects, drop(SETTINGS))
    assert tree.reconcile().code == 0
    assert tree.data() == {"color": "blue"}
    assert tree.read_running() == running


def test_what_is_not_applied_yet_stays(tree: Handover) -> None:
    """It is named; once it is applied, another run lets go of it."""
    tree.say_applier("jsorc", WEB, SETTINGS)
    assert tree.reconcile().code == 0
    tree.say_applier("flux", WEB, SETTINGS)
    syncer = Syncer(tree, "flux")
    syncer.sync("ConfigMap")

    done = tree.release()

    assert (done.code, "3 released, 1 refused or failed" in done.output) == (1, True), done.output
    assert f"Deployment/{tree.namespace}/web refused: Flux has not applied it yet" in done.output
    assert (PART_OF in tree.read_owners(), {*read_inventory(tree)}) == (True, {"Deployment/web"})
    assert tree.read("deployment", "web")["spec"]["replicas"] == 0
    syncer.sync()
    assert (tree.release().code, read_inventory(tree)) == (0, {})


def test_what_git_drops_before_the_release(tree: Handover) -> None:
    """It is ours alone by then; it becomes theirs, and their next apply takes it away."""
    syncer = say_both(tree, WEB, SETTINGS)
    tree.say_applier("flux", WEB.replace(", env: [{name: LEVEL, value: info}]", ""), drop(SETTINGS))
    syncer.sync()
    [container] = tree.read("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert (tree.data(), container["env"]) == (
        {"color": "blue", "size": "small"},
        [{"name": "LEVEL", "value": "info"}],
    )

    done = tree.release()
    syncer.sync()

    assert done.code == 0, done.output
    [container] = tree.read("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert (tree.data(), "env" in container) == ({"color": "blue"}, False)


@pytest.fixture(scope="module")
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


# The Lease, four objects (two are the tree's own), the state.
@pytest.mark.parametrize(("number", "done"), [(4, True), (6, False)])
def test_a_release_that_is_killed(tree: Handover, proxy: Proxy, number: int, *, done: bool) -> None:
    """Another run ends it: all is theirs, and nothing was lost."""
    syncer = say_both(tree, WEB, SETTINGS)
    before = tree.read_running()
    run_killed(tree, proxy, number, done=done, command="release")

    ended = tree.release()

    assert ended.code == 0, ended.output
    assert tree.read_owners() == {syncer.manager, f"{FLUX}/name", f"{FLUX}/namespace"}
    assert (read_inventory(tree), tree.read_running()) == ({}, before)
    assert tree.data() == {"color": "blue", "size": "small"}


def test_an_adoption_that_is_killed(tree: Handover, proxy: Proxy) -> None:
    """Half of the fields are made ours, and nothing is applied: another run ends it."""
    say_both(tree, WEB, SETTINGS)
    assert tree.release().code == 0
    before = tree.read_running()
    tree.say_applier("jsorc", WEB, SETTINGS)
    tree.run_named(tree.adopt().output)
    run_killed(tree, proxy, 4, done=True, command="adopt")

    ended = tree.adopt()

    assert ended.code == 0, ended.output
    assert (tree.read_owners(), tree.read_running()) == ({"jsorc", PART_OF}, before)
    assert is_calm(tree.reconcile())


def test_a_tree_of_the_same_name_elsewhere(tree: Handover, tmp_path: Path, controlplane: ControlPlane) -> None:
    """What Flux goes on applying in another namespace is no reason to refuse this one."""
    say_both(tree, SETTINGS)
    other = Handover(tmp_path / "other", controlplane, f"{tree.namespace}-other")
    controlplane.kubectl("create", "namespace", other.namespace)
    other.say_applier("jsorc", SETTINGS)

    adopted = other.adopt()

    controlplane.kubectl("delete", "namespace", other.namespace, "--wait=false")
    assert adopted.code == 0, adopted.output
    assert "Kustomization" not in adopted.output


def test_what_others_apply_besides(tree: Handover, tmp_path: Path, controlplane: ControlPlane) -> None:
    """What somebody else's Flux goes on applying, the tree's Namespace say, is left to it, and stops nothing."""
    meta = f"metadata: {{name: {tree.namespace}}}\n"
    shared = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n{meta}rules: []\n"
    other = Handover(tmp_path / "other", controlplane, f"{tree.namespace}-other")
    controlplane.kubectl("create", "namespace", other.namespace)
    other.say_applier("flux", shared, f"apiVersion: v1\nkind: Namespace\n{meta}")
    Syncer(other, "flux").sync()
    tree.say_applier("jsorc", shared, SETTINGS)

    done = tree.adopt()

    keeper = f"Kustomization {other.namespace}/app"
    labels = tree.scratch.read("namespace", tree.namespace)["metadata"]["labels"]
    controlplane.kubectl(
        "delete", "--wait=false", f"namespace/{other.namespace}", f"clusterrole/{tree.namespace}"
    )
    assert done.code == 0, done.output
    assert f"warning: {keeper} has not applied the tree's records, so what else it applies is left" in done.output
    assert f"ClusterRole/{tree.namespace} yielded: {keeper} applies it" in done.output
    assert (labels[f"{FLUX}/namespace"], PART_OF in labels) == (other.namespace, False)


def test_what_others_apply_without_our_label(tree: Handover) -> None:
    """Its pods are waited for, and looked at before a reset by hand, as those of any other object."""
    web = WEB.replace("replicas: 0", "replicas: 1")
    tree.say_applier("flux", web)
    Syncer(tree, "flux").sync("Deployment")
    tree.kubectl("label", "deployment/web", "jsorc.jaseci.org/tree-")
    tree.scratch.write("jsorc.yaml", f"namespace: {tree.namespace}\n")
    tree.say(web, reset={"via": "rollout"})

    waited, reset = tree.reconcile("--wait", "--timeout", "1s"), tree.scratch.jsorc("reset", "app")

    assert f"--wait ran out of time for Deployment/{tree.namespace}/web" in waited.output, waited.output
    assert f"Deployment/{tree.namespace}/web: 0 of 1 pod ready" in reset.output, reset.output


def test_who_is_resumed_meanwhile(tree: Handover, proxy: Proxy) -> None:
    """What Flux writes before its fields are made ours is neither lost nor taken over."""
    syncer = say_both(tree, WEB, SETTINGS)
    assert tree.release().code == 0
    tree.say_applier("jsorc", WEB, SETTINGS)
    tree.run_named(tree.adopt().output)

    def resume(_: Request) -> None:
        tree.kubectl(
            "patch", f"kustomizations.{FLUX}", "app", "--type=merge", "-p", '{"spec": {"suspend": false}}'
        )
        tree.kubectl(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={syncer.manager}", "-f", "-"),
            stdin=SETTINGS.replace("blue", "red").replace(
                "{name: settings}",
                f"{{name: settings, labels: {{{FLUX}/name: app, {FLUX}/namespace: {tree.namespace}}}}}",
            ),
        )

    proxy.misbehave(resume, match=r"PATCH .*/configmaps/settings\?fieldManager=jsorc$", times=1)
    done = tree.adopt("--kubeconfig", str(proxy.kubeconfig_for()))
    proxy.behave()

    keeper = f"Kustomization {tree.namespace}/app"
    assert f"ConfigMap/{tree.namespace}/settings yielded: {keeper} applies it" in done.output, done.output
    assert tree.data()["color"] == "red"
    managers = {each["manager"] for each in tree.read("configmap", "settings")["metadata"]["managedFields"]}
    assert syncer.manager in managers
