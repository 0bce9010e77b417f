"""Trees of several teams in one cluster, called alike: what one has, another leaves alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.proxy import Proxy, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.test_handover import RUNNING
from tests.journeys.test_ownership import Tree, is_calm

pytestmark = pytest.mark.real


class Team(Tree):
    """Its tree says of a ClusterRole, which all share, what it may do."""

    def say_role(self, verb: str) -> None:
        meta = (
            f"metadata: {{name: {self.shared}}}\nrules: [{{apiGroups: [''], resources: [pods], verbs: [{verb}]}}]"
        )
        self.say(f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n{meta}\n")

    @property
    def shared(self) -> str:
        return self.namespace.rpartition("-")[0]

    def read_verb(self) -> str:
        verb: str = self.scratch.read("clusterrole", self.shared)["rules"][0]["verbs"][0]
        return verb


@pytest.fixture
def teams(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[tuple[Team, Team]]:
    """The first has applied its tree."""
    one, two = (Team(tmp_path / each, controlplane, f"{namespace}-{each}") for each in ("one", "two"))
    one.say_role("get")
    two.say_role("list")
    assert one.reconcile().code == 0
    yield one, two
    gone = (f"namespace/{one.namespace}", f"namespace/{two.namespace}", f"clusterrole/{namespace}")
    controlplane.kubectl("delete", "--wait=false", "--ignore-not-found", *gone)


def test_whose_it_is_is_said(teams: tuple[Team, Team]) -> None:
    """By tree and namespace, not by the digest of them that the object carries; taken over, it is the other's."""
    one, two = teams
    told = f"(it is part of tree default in namespace {one.namespace}); name it otherwise, or --adopt"

    refused, status, taken = two.reconcile(), two.scratch.jsorc("status"), two.reconcile("--adopt")

    assert (refused.code, taken.code) == (1, 0)
    assert told in refused.output, refused.output
    assert told in status.output, status.output
    assert f"adopted: was part of tree default in namespace {one.namespace}" in taken.output
    assert f"part of tree default in namespace {two.namespace}" in one.reconcile().output
    one.say()
    assert (one.reconcile().code, two.read_verb(), is_calm(two.reconcile())) == (0, "list", True)


def test_what_is_taken_over_meanwhile(teams: tuple[Team, Team], controlplane: ControlPlane) -> None:
    """Between the plan and its write: it is the other's, though both write under one name."""
    one, two = teams
    one.say_role("watch")

    def take(_: Request) -> None:
        assert two.reconcile("--adopt").code == 0

    with Proxy(controlplane) as proxy:
        proxy.misbehave(take, match="PATCH .*/clusterroles/", times=1)
        done = one.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert (done.code, one.read_verb()) == (1, "list"), done.output
    assert "exists and is not ours" in done.output


def test_what_both_make_at_once(teams: tuple[Team, Team], controlplane: ControlPlane) -> None:
    """Who is second is refused, though it looked before the first one's was there."""
    one, two = teams
    controlplane.kubectl("delete", "clusterrole", one.shared)

    def make(_: Request) -> None:
        assert two.reconcile().code == 0

    with Proxy(controlplane) as proxy:
        proxy.misbehave(make, match=r"PATCH .*/clusterroles/(?!.*dryRun)", times=1)
        done = one.reconcile("--kubeconfig", str(proxy.kubeconfig_for()))

    assert (done.code, one.read_verb(), is_calm(two.reconcile())) == (1, "list", True), done.output
    assert "exists and is not ours" in done.output


def test_metrics_beside_one_another(teams: tuple[Team, Team], tmp_path: Path) -> None:
    """One host follows both trees: no series is in both files, which Prometheus would refuse."""
    found = []
    for each in teams:
        each.say()
        assert each.reconcile().code == 0
        path = tmp_path / f"{each.namespace}.prom"
        options = ("--from-cluster", "--namespace", each.namespace, "--metrics", str(path))
        assert teams[0].reconcile(*options).code == 0
        found.append({line.rpartition(" ")[0] for line in path.read_text().splitlines() if line[0] != "#"})

    assert len(found[0]) == len(found[1]) > 10
    assert not found[0] & found[1]


def test_what_is_another_trees_is_not_restarted(teams: tuple[Team, Team], controlplane: ControlPlane) -> None:
    """A reset by hand comes to nothing where the workload that it would restart is not ours."""
    for each in teams:
        each.scratch.write("jsorc.yaml", f"namespace: {each.namespace}\nnamespaces: {{app: as-written}}\n")
        text = RUNNING.replace("{name: web}\nspec", f"{{name: web, namespace: {each.shared}}}\nspec")
        each.say(text, reset={"via": "rollout"})
    assert teams[0].reconcile("--wait").code == 0
    teams[1].reconcile()

    done = teams[1].scratch.jsorc("reset", "app")

    assert (done.code, "is another tree's" in done.output) == (4, True), done.output
    template = controlplane.kubectl(
        "-n", teams[0].shared, "get", "deployment/web", "-o", "jsonpath={.spec.template}"
    )
    assert "restartedAt" not in template
