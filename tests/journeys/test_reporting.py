"""What a pass leaves with whom: events for a program, metrics for Prometheus, colours for a person."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.server import ControlPlane
from tests.jaseci.proxy import Delay
from tests.journeys.api_proxy import start_api_proxy
from tests.journeys.scratch import Scratch
from tests.machine import free_ports
from tests.reconcile.exposition import Samples, parse_gauges
from tests.reconcile.schema import check_events
from tests.render.commands import Outcome, start
from tests.waiting import wait_until

pytestmark = pytest.mark.real

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1"}]}
"""


def make_map(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


@pytest.fixture
def scratch(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Scratch:
    """A service with a Deployment and a ConfigMap, in a namespace of its own."""
    scratch = Scratch(tmp_path / "fleet", controlplane=controlplane)
    scratch.write("jsorc.yaml", f"namespace: {namespace}\n")
    scratch.write("templates/app/web.yaml", WEB)
    scratch.write("templates/app/map.yaml", make_map("settings", color="blue"))
    scratch.commit("Begin")
    return scratch


@pytest.fixture
def away(scratch: Scratch) -> str:
    """A kubeconfig of an API server that is not there."""
    (port,) = free_ports(1)
    text = scratch.controlplane.kubeconfig.read_text()
    scratch.write("../away", text.replace(scratch.controlplane.url, f"https://127.0.0.1:{port}"))
    return str(scratch.folder.parent / "away")


def run(scratch: Scratch, *arguments: str) -> Outcome:
    return start(*arguments, cwd=scratch.folder, **scratch.env)


def read_events(done: Outcome) -> list[Any]:
    """The events of a pass, all of which are as docs/json.md says."""
    events = [json.loads(line) for line in done.out.splitlines()]
    check_events(events)
    assert events[-1]["exitCode"] == done.code
    return events


def test_events(scratch: Scratch, namespace: str) -> None:
    """One a line for all that happens, and a summary: created, nothing to do, drift, a refusal."""
    created = read_events(run(scratch, "reconcile", "--output", "json", "--verbose"))
    calm = read_events(run(scratch, "reconcile", "--output", "json"))
    scratch.controlplane.kubectl("scale", "deployment/web", "--replicas=3", "-n", namespace)
    scratch.controlplane.kubectl("create", "configmap", "theirs", "-n", namespace)
    scratch.write("templates/other/theirs.yaml", make_map("theirs"))
    scratch.commit("Name something of theirs")
    refused = read_events(run(scratch, "reconcile", "--output", "json"))

    assert [each["event"] for each in created].count("object") == 4
    assert [each for each in created if each["event"] == "health"] != []
    assert (created[-1]["outcome"], created[-1]["cluster"]) == ("changed", scratch.controlplane.url)
    assert [each["event"] for each in calm if each["event"] != "health"] == ["summary"]
    assert (calm[-1]["outcome"], calm[-1]["counts"]["unchanged"]) == ("unchanged", 4)
    assert (refused[-1]["outcome"], refused[-1]["failed"]) == ("refused", 2)
    [drift] = [each for each in refused if each.get("action") == "configure"]
    assert drift["fields"] == [{"path": "spec.replicas", "before": 3, "after": 1, "by": "kubectl"}]


def test_a_pass_that_an_error_ends(scratch: Scratch, away: str) -> None:
    """Two events, the error and the summary; a person reads the error on standard error."""
    done = run(scratch, "reconcile", "--output", "json", "--kubeconfig", away)

    error, summary = read_events(done)
    assert done.err == f"jsorc: {error['message']}\n"
    assert "does not answer" in error["message"]
    assert summary["outcome"] == "refused"
    assert f"the API server {summary['cluster']} does not answer" in error["message"]


def test_a_loop(scratch: Scratch) -> None:
    """It says on standard error what it does until when; every pass of it ends with its summary."""
    scratch.write("jsorc.yaml", (scratch.folder / "jsorc.yaml").read_text() + "interval: 0.2\n")
    scratch.commit("Be quick")
    command = [sys.executable, "-m", "jsorc_gitops", "reconcile", "--loop", "--output", "json"]
    out = scratch.folder.parent / "out"
    with out.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=scratch.folder, env=scratch.env, stdout=sink, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: out.read_text().count('"event": "summary"') >= 2, what="two passes")
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate()

    assert process.returncode == 0
    assert told.startswith("jsorc 0.1.0: a pass over HEAD of ")
    assert told.endswith(" every `interval` seconds, until SIGTERM\n")
    outcomes = [json.loads(line).get("outcome") for line in out.read_text().splitlines()]
    assert [each for each in outcomes if each][:2] == ["changed", "unchanged"]


def read_metrics(path: Path) -> dict[str, float]:
    """All samples by name, and by the label that tells them apart."""
    samples: Samples = parse_gauges(path.read_text())
    own = {("repository", "fleet"), ("tree", "default")}
    assert all(own <= set(labels) for _, labels in samples)
    return {
        "/".join([name, *(value for _, value in sorted(set(labels) - own))]): found
        for (name, labels), found in samples.items()
    }


def test_metrics(scratch: Scratch, away: str, tmp_path: Path) -> None:
    """Written after a pass that succeeded, and after one that an error ended, which keeps the last success."""
    path = tmp_path / "jsorc.prom"
    assert run(scratch, "reconcile", "--metrics", str(path)).code == 0
    good = read_metrics(path)
    assert run(scratch, "reconcile", "--metrics", str(path), "--kubeconfig", away).code == 1
    bad = read_metrics(path)

    success, last = "jsorc_last_success_timestamp_seconds", "jsorc_last_pass_timestamp_seconds"
    assert (good["jsorc_exit_code"], good["jsorc_objects/create"], good[success]) == (0, 4, good[last])
    assert good["jsorc_service_health/app/progressing"] == 1
    assert good["jsorc_pass_requests/kubernetes"] > 10
    assert (bad["jsorc_exit_code"], bad[success]) == (1, good[success])
    assert bad[last] > good[last]
    assert [each.name for each in tmp_path.glob("*jsorc.prom*")] == ["jsorc.prom"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_metrics_that_cannot_be_written(scratch: Scratch, tmp_path: Path) -> None:
    """A warning; what the pass did counts."""
    path = tmp_path / "missing" / "jsorc.prom"

    done = run(scratch, "reconcile", "--metrics", str(path))

    assert (done.code, done.err) == (
        0,
        f"warning: --metrics {path}: cannot be written: No such file or directory\n",
    )


POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}
    resourceRules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
  matchConditions: [{{name: settings, expression: "object.metadata.name == 'settings'"}}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: 'Object{{metadata: Object.metadata{{annotations: {{"policy": "new"}}}}}}'
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}}}
"""


@pytest.fixture
def policy(controlplane: ControlPlane, namespace: str) -> Iterator[str]:
    """An admission policy that annotates a ConfigMap whenever it is written; it is not there yet."""
    yield POLICY.format(name=namespace)
    kinds = "mutatingadmissionpolicies,mutatingadmissionpolicybindings"
    controlplane.kubectl("delete", kinds, namespace, "--ignore-not-found")


def read_annotation(scratch: Scratch, namespace: str) -> str:
    metadata = scratch.read("configmap", "settings", "-n", namespace)["metadata"]
    return str(metadata.get("annotations", {}).get("policy", ""))


def test_an_audit(scratch: Scratch, namespace: str, policy: str) -> None:
    """An admission policy that came later leaves no trace; the audit finds it, and applies it like drift."""
    probe = ("apply", "--server-side", "--dry-run=server", "-n", namespace, "-f", "-", "-o", "json")
    assert run(scratch, "reconcile").code == 0
    scratch.controlplane.kubectl("apply", "-f", "-", stdin=policy)
    wait_until(
        lambda: '"policy": "new"' in scratch.controlplane.kubectl(*probe, stdin=make_map("settings", a="b")),
        what="the policy works",
    )
    state = ("configmap", "jsorc.state.default", "-n", namespace)
    before = scratch.read(*state)["metadata"]["resourceVersion"]

    quiet = run(scratch, "reconcile")
    unseen = (read_annotation(scratch, namespace), scratch.read(*state)["metadata"]["resourceVersion"])
    audited = run(scratch, "reconcile", "--audit-every", "1s")

    assert ([line for line in quiet.out.splitlines() if "ConfigMap" in line], unseen) == ([], ("", before))
    assert f"ConfigMap/{namespace}/settings configured\n    .metadata.annotations: set to" in audited.out
    assert read_annotation(scratch, namespace) == "new"
    assert "configured" not in run(scratch, "reconcile", "--audit-every", "1s").out


def test_edits_by_hand(scratch: Scratch) -> None:
    """One that was committed is applied, and warned of; so is one that was not, which is not applied."""
    path = scratch.folder / "rendered/app/ConfigMap.yaml"
    path.write_text(path.read_text().replace("blue", "red"))
    scratch.git("commit", "--quiet", "--all", "--message", "Edit it here")
    committed = run(scratch, "diff")
    path.write_text(path.read_text().partition("\n")[2])
    scratch.git("commit", "--quiet", "--all", "--message", "Take the first line off")
    unmarked = run(scratch, "diff")
    (scratch.folder / "rendered/app/Deployment.yaml").write_text("")
    differing = run(scratch, "diff")

    warning = "rendered/app/ConfigMap.yaml was edited by hand and committed; the edit is applied, and"
    assert committed.err == unmarked.err == f"warning: {warning} belongs into templates/\n"
    assert (
        "warning: rendered/app/Deployment.yaml differs from HEAD; what is committed is applied\n" in differing.err
    )
    assert differing.code == 0


def run_on_terminal(scratch: Scratch, *arguments: str, **environment: str) -> str:
    """All that a terminal gets of a run of jsorc, standard output and standard error."""
    ours, theirs = pty.openpty()
    env = {**scratch.env, "TERM": "xterm-256color", "NO_COLOR": "", **environment}
    command = [sys.executable, "-m", "jsorc_gitops", *arguments]
    process = subprocess.Popen(command, cwd=scratch.folder, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        select.select([ours], [], [])
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            part = b""
        if not part:
            break
        seen += part
    os.close(ours)
    process.wait()
    return seen.decode()


def test_on_a_terminal(scratch: Scratch, controlplane: ControlPlane, tmp_path: Path) -> None:
    """A slow pass says how far it is, in one line that is gone before the report; the report is in colours."""
    with start_api_proxy(controlplane, tmp_path) as proxy:
        proxy.misbehave(Delay(seconds=0.3))
        seen = run_on_terminal(scratch, "reconcile", KUBECONFIG=str(proxy.kubeconfig))

    progress, _, report = seen.rpartition("\r\x1b[K")
    assert "\r\x1b[Kapplying " in progress
    assert "\n" not in progress
    assert "\x1b[1mapp\x1b[0m" in report
    assert "\x1b[32m  ConfigMap/" in report
    assert "4 created" in report


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no-color", "dumb"])
def test_without_colours(scratch: Scratch, environment: dict[str, str]) -> None:
    """On a terminal, too, where the user or the terminal wants none."""
    seen = run_on_terminal(scratch, "diff", **environment)

    assert "would be created" in seen
    assert "\x1b[1m" not in seen
    assert "\x1b[32m" not in seen


def test_in_a_log(scratch: Scratch, controlplane: ControlPlane, tmp_path: Path) -> None:
    """Neither colours nor progress, however slow."""
    with start_api_proxy(controlplane, tmp_path) as proxy:
        proxy.misbehave(Delay(seconds=0.3))
        done = start("reconcile", cwd=scratch.folder, **{**scratch.env, "KUBECONFIG": str(proxy.kubeconfig)})

    assert (done.code, done.err, "\x1b" in done.out) == (0, "", False)


def test_what_a_live_object_holds_is_not_obeyed(scratch: Scratch, namespace: str) -> None:
    """A value with control characters is shown without them: it could hide lines, or make up others."""
    assert run(scratch, "reconcile").code == 0
    patch = json.dumps({"data": {"color": "\x1b[2K\x1b[1Aall is well"}})
    scratch.controlplane.kubectl("patch", "configmap", "settings", "-n", namespace, "-p", patch)

    done = run(scratch, "reconcile")

    assert ".data.color: \ufffd[2K\ufffd[1Aall is well → blue (set by kubectl-patch)" in done.out
