"""`jsorc reconcile --repo`: passes of a machine that has no checkout, on a real API server and a git remote."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, Scratch, end
from tests.journeys.test_ownership import SETTINGS
from tests.waiting import wait_until

pytestmark = pytest.mark.real

FOLDER = "deploy/fleet"


class Remote:
    """A repository whose fleet lies in a folder, its remote, and a machine that has neither."""

    def __init__(self, folder: Path, controlplane: ControlPlane, namespace: str) -> None:
        self.namespace = namespace
        self.path = folder / "fleet.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", self.path], check=True)
        self.work = Scratch(folder / "work" / FOLDER, controlplane=controlplane)
        self.work.git("-C", "../..", "init", "--quiet", "--initial-branch=main")
        self.outside = Scratch(folder / "elsewhere", controlplane=controlplane)
        self.work.write("jsorc.yaml", f"namespace: {namespace}\ninterval: 0.2\n")

    def say(self, color: str) -> None:
        """Commit, render and push."""
        self.work.write("templates/app/objects.yaml", SETTINGS.replace("blue", color))
        self.work.git("add", "--all")
        self.work.git("commit", "--quiet", "--allow-empty", "--message", "Say something else")
        done = self.work.jsorc("render", "--commit")
        assert done.code == 0, done.output
        self.push()

    def push(self) -> None:
        done = self.work.git("push", "--quiet", "--force", str(self.path), "HEAD:main")
        assert done.code == 0, done.output

    @property
    def options(self) -> list[str]:
        return ["reconcile", "--repo", str(self.path), "--folder", FOLDER]

    def reconcile(self, *options: str) -> Done:
        return self.outside.jsorc(*self.options, *options)

    def color(self) -> str:
        found = self.outside.read("configmap", "settings", "-n", self.namespace)
        return str(found["data"]["color"]) if found else ""


@pytest.fixture
def remote(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Remote:
    made = Remote(tmp_path, controlplane, namespace)
    made.say("blue")
    return made


def test_it_applies_what_is_pushed(remote: Remote, tmp_path: Path) -> None:
    """Each pass fetches, and proves descent as in a checkout, so it prunes; it does nothing where nothing is."""
    metrics = tmp_path / "jsorc.prom"
    assert remote.reconcile().code == 0
    assert remote.color() == "blue"
    remote.say("red")
    remote.work.write("templates/more/objects.yaml", SETTINGS.replace("{name: settings}", "{name: more}"))
    remote.say("red")
    assert remote.reconcile("--branch", "main").code == 0
    assert remote.color() == "red"
    (remote.work.folder / "templates/more/objects.yaml").unlink()
    remote.say("red")

    done = remote.reconcile("--metrics", str(metrics))

    assert (done.code, "ConfigMap/" in done.output, "pruned" in done.output) == (0, True, True), done.output
    assert f'repository="fleet/{FOLDER}"' in metrics.read_text()
    again = remote.reconcile()
    assert (again.code, again.output) == (0, "")


def test_a_rewritten_history_is_the_guards_to_judge(remote: Remote) -> None:
    """What does not come after the commit applied last is refused, until --allow-rewind takes it."""
    remote.say("red")
    assert remote.reconcile().code == 0
    remote.work.git("reset", "--hard", "--quiet", "HEAD~2")
    remote.push()

    refused = remote.reconcile()

    assert refused.code == 1
    assert "is older than commit" in refused.output
    assert remote.color() == "red"
    assert remote.reconcile("--allow-rewind").code == 0
    assert remote.color() == "blue"


def test_a_loop_outlives_a_remote_that_is_away(remote: Remote) -> None:
    """It says so once a pass, and the first pass that reaches the remote again applies what is there."""
    log = remote.outside.folder / "log"
    with log.open("w") as sink:
        process = remote.outside.start_jsorc(*remote.options, "--loop", sink=sink)
        try:
            wait_until(lambda: remote.color() == "blue", what="the first pass")
            away = remote.path.rename(remote.path.with_name("away.git"))
            failed = f"jsorc: {remote.path}: git fetch failed: "
            wait_until(lambda: failed in log.read_text(), what="a pass without the remote")
            away.rename(remote.path)
            remote.say("red")
            wait_until(lambda: remote.color() == "red", what="a pass with it")
        finally:
            code, _ = end(process, signal.SIGTERM)

    assert code == 0, log.read_text()
    assert f"a pass over HEAD of {remote.path} every `interval` seconds" in log.read_text()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--branch", "main"), "need --repo"),
        (("--repo", "/x", "--from-cluster", "--namespace", "a"), "say one of them"),
        (("--repo", "/x", "--folder", "../y"), "leads out of the repository"),
    ],
)
def test_usage(remote: Remote, options: tuple[str, ...], why: str) -> None:
    """What does not go together is a usage error."""
    done = remote.outside.jsorc("reconcile", *options)
    assert (done.code, why in done.output) == (2, True), done.output


def test_credentials_in_the_url(remote: Remote) -> None:
    """They are refused before anything is asked, and not printed."""
    done = remote.outside.jsorc("reconcile", "--repo", "https://user:hidden@127.0.0.1:1/x.git")
    assert done.code == 1
    assert "credentials do not belong into a URL" in done.output
    assert "hidden" not in done.output
