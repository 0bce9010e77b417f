"""jsorc status on real parts: it tells what is there, writes nothing, and waits for nobody."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.proxy import Delay, Proxy
from tests.controlplane.server import ControlPlane
from tests.jaseci import proxy as wire
from tests.journeys.scratch import Done
from tests.journeys.story import Story
from tests.journeys.test_ownership import SETTINGS, WEB, Tree
from tests.journeys.test_rbac import Limited
from tests.journeys.test_story import bring_up, ok, start_first_pass
from tests.journeys.test_story import story as story  # noqa: PLC0414 - a fixture
from tests.journeys.test_waiting import Terminal, hold
from tests.reconcile.schema import check_status
from tests.waiting import wait_until

pytestmark = pytest.mark.real

KEY = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: planted-in-git}\n"
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def tree(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Tree:
    return Tree(tmp_path / "repository", controlplane, namespace)


@pytest.fixture
def proxy(controlplane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(controlplane) as proxy:
        yield proxy


def look(tree: Tree, *options: str) -> Done:
    return tree.scratch.jsorc("status", *options)


def read(tree: Tree, *options: str) -> Any:
    """The document, which is as docs/json.md says."""
    done = look(tree, "--output", "json", *options)
    assert done.code == 0, done.output
    document = json.loads(done.output)
    check_status(document)
    return document


def find(document: Any, name: str) -> Any:
    """The one object of this kind and name: Kind/name."""
    [found] = [
        each
        for service in document["services"]
        for each in service["objects"]
        if f"{each['object']['kind']}/{each['object']['name']}" == name
    ]
    return found


def list_fields(status: Any, which: str) -> list[list[str]]:
    keys = ("path", "manager", "subresource", "verdict")
    return [[each[key] for key in keys] for each in status[which]["fields"]]


def test_before_and_after_the_first_pass(tree: Tree) -> None:
    """Where nothing was ever applied all is new; then all is as in git, and the Lease was given back."""
    tree.say(SETTINGS)
    before = read(tree)
    assert tree.reconcile().code == 0
    after, text = read(tree), look(tree).output.splitlines()

    head = tree.scratch.git("rev-parse", "HEAD").output.strip()
    assert (before["applied"]["revision"], after["applied"]["revision"]) == (None, head)
    assert [find(each, "ConfigMap/settings")["standing"] for each in (before, after)] == ["new", "applied"]
    assert (before["exitCode"], after["exitCode"]) == (6, 0)
    assert re.fullmatch(
        rf"default at {head[:12]}, applied; https://127\.0\.0\.1:\d+; lease free, given back \d+ s ago", text[0]
    )
    assert text[1:3] == ["├─ tree: 1 object as in git", "└─ app: 2 objects as in git"]
    assert re.fullmatch(r"1 service, 3 objects \(\d+ requests to Kubernetes\)", text[3])


def test_before_the_home_namespace_is_there(tree: Tree) -> None:
    """As before the first pass, since that is what it is."""
    tree.scratch.write("jsorc.yaml", f"namespace: {tree.namespace}-later\n")
    tree.say(SETTINGS)

    document = read(tree)

    assert (document["applied"]["revision"], document["lease"]["state"]) == (None, "free")
    assert find(document, "ConfigMap/settings")["standing"] == "new"


def test_drift_and_who_did_it(tree: Tree) -> None:
    """What somebody changed, deleted or added by hand is told by its fields, with no dry-run and no write."""
    tree.say(WEB, SETTINGS, CLAIM)
    assert tree.reconcile().code == 0
    tree.kubectl("scale", "deployment/web", "--replicas=2")
    tree.kubectl("delete", "configmap/settings")
    tree.kubectl("annotate", "persistentvolumeclaim/data", "owner=me")
    before = tree.kubectl("get", "deployment,configmap,lease", "-o", "jsonpath={..resourceVersion}")

    document = read(tree)

    web, data = find(document, "Deployment/web"), find(document, "PersistentVolumeClaim/data")
    assert (web["standing"], find(document, "ConfigMap/settings")["standing"]) == ("changed", "missing")
    assert list_fields(web, "contested") == [["spec.replicas", "kubectl", "scale", "take"]]
    assert (data["standing"], list_fields(data, "extra")) == (
        "applied",
        [["metadata.annotations.owner", "kubectl-annotate", None, None]],
    )
    assert look(tree, "--exit-code").code == 6
    after = tree.kubectl("get", "deployment,configmap,lease", "-o", "jsonpath={..resourceVersion}")
    # The Deployment's status goes on; the Lease and the ConfigMaps stay.
    assert after.split()[1:] == before.split()[1:]


def test_what_an_autoscaler_has(tree: Tree) -> None:
    """Told as left to it while git sets the field, as extra once git does not."""
    tree.say(WEB)
    assert tree.reconcile().code == 0
    scale = ("--type=merge", "-p", '{"spec": {"replicas": 3}}', "--field-manager=kube-controller-manager")
    tree.kubectl("patch", "deployment/web", "--subresource=scale", *scale)
    assert tree.reconcile().code == 0
    statuses = [find(read(tree), "Deployment/web")]
    tree.say(WEB.replace("  replicas: 0\n", ""))
    assert tree.reconcile().code == 0
    statuses.append(find(read(tree), "Deployment/web"))

    field = ["spec.replicas", "kube-controller-manager", "scale"]
    assert [each["standing"] for each in statuses] == ["applied", "applied"]
    assert [list_fields(each, "contested") for each in statuses] == [[[*field, "yield"]], []]
    assert [list_fields(each, "extra") for each in statuses] == [[], [[*field, None]]]


def test_no_secret_is_told(tree: Tree) -> None:
    """The fields of a Secret are named; neither value is, decoded or not, in text or JSON."""
    tree.say(KEY, plainSecrets="allow")
    assert tree.reconcile().code == 0
    tree.kubectl(
        "patch", "secret/key", "-p", '{"stringData": {"password": "planted-by-hand", "more": "planted"}}'
    )

    document = read(tree)
    text = look(tree, "--verbose").output

    assert list_fields(find(document, "Secret/key"), "contested") == [
        ["data.password", "kubectl-patch", None, "take"]
    ]
    assert ".data.more (kubectl-patch)" in text
    told = json.dumps(document) + text
    assert [each for each in ("planted", "cGxhbnRlZ") if each in told] == []


def test_while_a_pass_is_at_work(tree: Tree, proxy: Proxy) -> None:
    """It tells who holds the Lease and what is pending, at once; then the pass goes on as if nothing was."""
    tree.say(SETTINGS)
    assert tree.reconcile().code == 0
    tree.say(SETTINGS, WEB)
    proxy.misbehave(Delay(), match=r"^PATCH .*/deployments/web\?(?!.*dryRun)", times=1)
    process = tree.scratch.start_jsorc("reconcile", "--kubeconfig", str(proxy.kubeconfig_for()))
    wait_until(lambda: proxy.count(r"^PATCH .*/deployments/web\?(?!.*dryRun)"), what="the pass to apply")

    document = read(tree)
    head = look(tree).output.splitlines()[0]
    proxy.behave()
    output, _ = process.communicate()

    assert (process.returncode, "web created" in output) == (0, True)
    assert document["lease"]["state"] == "held"
    assert f"-{process.pid}-" in document["lease"]["holder"]
    assert re.search(r"; lease held by \S+ for \d+ s, renewed \d+ s ago", head)
    web = find(document, "Deployment/web")
    assert (web["standing"], web["reason"]) == ("pending", "create was begun, and is not finished")


def test_how_many_requests(tree: Tree, proxy: Proxy) -> None:
    """Fewer than a pass with nothing to do: of the Lease it takes one GET, and it writes nothing."""
    tree.say(WEB, SETTINGS)
    assert tree.reconcile().code == 0
    kubeconfig = ("--kubeconfig", str(proxy.kubeconfig_for()))
    assert tree.reconcile(*kubeconfig).code == 0
    passed = len(proxy.requests)

    document = read(tree, *kubeconfig)

    asked = proxy.requests[passed:]
    assert {each.method for each in asked} == {"GET"}
    assert document["requests"] == {"kubernetes": len(asked), "jaseci": 0}
    assert len(asked) < passed
    # Discovery; state, ledger and Lease; three kinds; what no label finds; pods.
    assert len(asked) <= 2 + 3 + 3 + 2 + 1


def test_the_rights_of_a_pass_are_enough(tree: Tree) -> None:
    """What `jsorc rbac` prints allows all of it; who may read less is told what is missing."""
    limited = Limited(tree)
    assert limited.reconcile().code == 0
    [place] = [each for each in limited.roles if each["kind"] == "Role"]
    reading = [{**rule, "verbs": [*{"get", "list"} & {*rule["verbs"]}]} for rule in place["rules"]]
    place["rules"] = [each for each in reading if each["verbs"]]
    limited.grant([place])

    document = read(tree, "--kubeconfig", "../limited")

    assert (document["errors"], document["exitCode"]) == ([], 0)
    place["rules"] = [each for each in place["rules"] if "leases" not in each["resources"]]
    limited.grant([place])
    assert "lease unknown: " in look(tree, "--kubeconfig", "../limited").output.splitlines()[0]
    tree.scratch.kubectl("delete", "priorityclass", tree.namespace)


def test_a_newer_state(tree: Tree) -> None:
    """One line that says what to do, and exit code 1."""
    tree.say(SETTINGS)
    assert tree.reconcile().code == 0
    patch = json.dumps({"data": {"state.json": '{"version": 99}'}})
    tree.kubectl("patch", "configmap/jsorc.state.default", "--type=merge", "-p", patch)

    done = look(tree)

    where = f"jsorc: ConfigMap {tree.namespace}/jsorc.state.default"
    assert (done.code, done.output) == (
        1,
        f"{where} has version 99, this jsorc reads up to 2; use a newer jsorc\n",
    )


def test_commits_ahead_and_behind(tree: Tree) -> None:
    """How far HEAD is from the commit applied last, and whether that makes a difference here."""
    tree.say(SETTINGS)
    before = tree.scratch.git("rev-parse", "HEAD").output.strip()
    tree.say(SETTINGS.replace("blue", "red"))
    assert tree.reconcile().code == 0
    applied = tree.scratch.git("rev-parse", "HEAD").output.strip()
    tree.scratch.git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    ahead = look(tree).output.splitlines()[0]
    tree.scratch.git("reset", "--hard", "--quiet", before)
    behind = read(tree)
    tree.scratch.git("checkout", "--quiet", "--orphan", "other")
    tree.scratch.git("commit", "--quiet", "--message", "Other")
    apart = look(tree).output.splitlines()[0]

    assert f", 1 commit ahead of {applied[:12]}, which was applied last and says the same of these" in ahead
    # The change and its render.
    assert behind["applied"] == {"revision": applied, "settled": applied, "ahead": 0, "behind": 2}
    assert find(behind, "ConfigMap/settings")["standing"] == "outdated"
    assert f", 1 commit ahead of and 4 commits behind {applied[:12]}, which was applied last;" in apart


def test_a_server_that_is_not_there(tree: Tree, tmp_path: Path) -> None:
    """One line, exit code 1, and no document."""
    tree.say(SETTINGS)
    config = json.loads(tree.scratch.controlplane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "nowhere").write_text(json.dumps(config))

    done = look(tree, "--output", "json", "--kubeconfig", "../nowhere")

    assert (done.code, len(done.output.splitlines())) == (1, 1)
    assert done.output.startswith("jsorc: the API server https://127.0.0.1:1 does not answer")


def test_on_a_terminal(tree: Tree) -> None:
    """In lines and colours; what somebody wrote into the cluster is shown there, not obeyed."""
    tree.say(SETTINGS)
    assert tree.reconcile().code == 0
    hold(tree, "laptop-\x1b[2Ja")
    tree.kubectl("patch", "configmap/settings", "-p", '{"data": {"color": "red"}}')
    terminal = Terminal(tree.scratch, "status", colours=True)

    assert terminal.finish() == 0
    assert "\x1b[2J" not in terminal.seen
    # On a slow machine it says before how far it is, and takes that away.
    told = terminal.seen.rpartition("\r\x1b[K")[2]
    first, *lines, _ = told.replace("\r\n", "\n").splitlines()
    assert re.fullmatch(r"\x1b\[1mdefault at .*; lease held by laptop-\ufffd\[2Ja .*\x1b\[0m", first)
    assert lines == [
        "├─ \x1b[1mtree: 1 object as in git\x1b[0m",
        "└─ \x1b[33mapp: 1 of 2 objects not as in git\x1b[0m",
        f"   └─ \x1b[33mConfigMap/{tree.namespace}/settings: changed since it was applied\x1b[0m",
        "      └─ \x1b[33mheld by others: .data.color (kubectl-patch, to be taken back)\x1b[0m",
    ]


def test_a_log_without_lines(tree: Tree) -> None:
    """Where the output's encoding has none, the tree is drawn in ASCII."""
    tree.say(SETTINGS)
    done = tree.scratch.jsorc("status", env={"PYTHONIOENCODING": "latin-1"})
    assert [each[:3] for each in done.output.splitlines()] == ["def", "|- ", "|  ", "`- ", "   ", "   ", "1 s"]


def test_a_reader_that_has_read_enough(tree: Tree) -> None:
    """It ends as other tools do."""
    tree.say(SETTINGS)
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "jsorc_gitops", "status"]
    process = subprocess.Popen(command, cwd=tree.scratch.folder, env=tree.scratch.env, stdout=theirs)
    os.close(theirs)
    os.close(ours)
    assert process.wait() == -signal.SIGPIPE


def test_jaseci(story: Story) -> None:
    """What a real Jaseci says now, the last reset, and a pause; a Jaseci that hangs or has no token for us."""
    start_first_pass(story)
    early = ok(story.jsorc("status")).output
    bring_up(story)
    ok(story.jsorc("pause", "redis", "--reason", "an incident"))
    late = ok(story.jsorc("status")).output.splitlines()

    assert re.search(r"─ redis: progressing, Jaseci failed, 4 objects as in git\n.*Jaseci: Error 111", early)
    assert "├─ mail: Jaseci disabled, 1 object as in git" in late
    assert "├─ redis: paused (an incident), current, Jaseci running, 4 objects as in git" in late
    resets = [each for each in late if "last reset done, " in each]
    assert [
        re.search(r"was failed \(Error 111 .*\), verified running$", each) is not None for each in resets
    ] == [
        True,
        True,
    ]
    with wire.Proxy(story.jaseci.url) as before:
        before.misbehave(wire.Delay())
        settings = story.folder / "jsorc.yaml"
        settings.write_text(settings.read_text().replace(story.jaseci.url, before.url))
        story.commit("Jaseci has moved")
        strange = ok(story.jsorc("status")).output
        token = {"origin": before.url, "token": story.jaseci.token}
        hanging = ok(story.jsorc("status", env={"JASECI_CREDENTIALS": json.dumps(token)})).output
        before.release()
    assert "so they are not sent there" in strange
    assert len(re.findall(r"─ Jaseci: Jaseci did not answer within 8 s", hanging)) == 4
    assert story.jsorc("status", "--exit-code").code == 4
    silent = story.jsorc("status", "--no-jaseci", "--exit-code")
    assert (silent.code, "Jaseci" in silent.output.replace("last reset", "")) == (6, False)
