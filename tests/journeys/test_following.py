"""`jsorc reconcile --from-cluster` on a real API server, a real Jaseci and records that kubectl has applied."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.gitops.resets import Site, make_site
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Scratch
from tests.waiting import wait_until

pytestmark = pytest.mark.real


@pytest.fixture
def site(
    tmp_path: Path, controlplane: ControlPlane, namespace: str, jaseci: Jaseci, redis: Redis
) -> Iterator[Site]:
    """Not applied yet."""
    with make_site(tmp_path, controlplane, namespace, jaseci, redis, applier="jsorc") as made:
        yield made


def apply(site: Site) -> None:
    done = site.kubectl("apply", "-k", "rendered")
    assert done.code == 0, done.output


def test_judges_and_resets_without_git(site: Site) -> None:
    """What does not run is reset once its pods are ready, with no repository at hand; then nothing is written."""
    apply(site)
    done = site.follow("--wait", "--timeout", "60s", "--verbose")

    assert (done.code, site.take_resets()) == (0, ["redis"]), done.output
    assert f"Deployment/{site.namespace}/cache current: 1 pod ready" in done.output
    assert "tree default on https://" in done.output
    before = site.read_objects()
    again = site.follow()
    assert (again.code, again.output, site.take_resets()) == (0, "", [])
    assert site.read_objects() == before


def test_a_rollout_resets_once(site: Site) -> None:
    """A commit that is applied anew replaces pods: redis and task are reset for it, once."""
    apply(site)
    assert site.follow("--wait").code == 0
    site.take_resets()
    site.say("7.4")
    apply(site)
    done = site.follow("--wait", "--verbose")

    assert f"was running, Deployment/{site.namespace}/cache was rolled out" in done.output
    assert site.take_resets() == ["redis", "task"]
    site.follow()
    assert site.take_resets() == []


def test_credentials_are_not_sent_to_another_origin(site: Site, jaseci: Jaseci) -> None:
    """Whoever may write the settings record could name a server of their own: that one is never called."""
    with Proxy(jaseci.url) as stranger:
        site.begin("jsorc", url=stranger.url)
        apply(site)
        wait_until(lambda: (site.read("pods", "-n", site.namespace) or {}).get("items"), what="its pod")
        done = site.follow("--verbose")

    assert done.code == 4
    assert "credentials" in done.output
    assert stranger.url.removeprefix("http://") in done.output
    assert (stranger.requests, site.take_resets()) == ([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from-cluster"], "--from-cluster and --namespace go together"),
        (["--namespace", "x"], "--from-cluster and --namespace go together"),
        (["--from-cluster", "--namespace", "x", "--dry-run"], "it does not go with --dry-run"),
        (["--from-cluster", "--namespace", "x", "--adopt"], "it does not go with --adopt"),
        (["--from-cluster", "--namespace", "x", "--allow-prune"], "it does not go with --allow-prune"),
        (["--from-cluster", "--namespace", "x", "--audit-every", "0"], "it does not go with --audit-every"),
    ],
)
def test_usage(tmp_path: Path, controlplane: ControlPlane, options: list[str], message: str) -> None:
    """What would be without effect is refused, exit 2."""
    done = Scratch(tmp_path, controlplane=controlplane).jsorc("reconcile", *options)

    assert done.code == 2
    assert message in done.output


def test_waits_for_the_first_records(site: Site) -> None:
    """With --wait a pass that comes before anything was applied goes on once it is; a log hears of it."""
    process = site.outside.start_jsorc(
        *("reconcile", "--from-cluster", "--namespace", site.namespace, "--wait", "--timeout", "60s")
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    apply(site)
    output, _ = process.communicate()

    assert first == "waiting for the tree to be applied\n"
    assert (process.returncode, site.take_resets()) == (0, ["redis"]), output


def test_nothing_there(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> None:
    """A namespace without records, or one that does not exist: one line, exit 1, after --wait as well."""
    scratch = Scratch(tmp_path, controlplane=controlplane)
    for place in (namespace, f"{namespace}-none"):
        done = scratch.jsorc("reconcile", "--from-cluster", "--namespace", place)

        assert done.code == 1
        assert (
            f"no tree has its settings in namespace {place}; nothing has applied rendered/ there" in done.output
        )
    late = scratch.jsorc(*("reconcile", "--from-cluster", "--namespace", namespace, "--wait", "--timeout", "1s"))
    assert (late.code, late.output.count("\n")) == (1, 1)
