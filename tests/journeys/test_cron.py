"""docs/cron.md: its commands make a cron job, whose own command runs in the image with its own rights alone."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.adapters.git_http import GitServer, serve
from tests.controlplane.server import ControlPlane
from tests.image import ROOT, Image, build_image
from tests.journeys.scratch import Scratch
from tests.journeys.test_ownership import SETTINGS, WEB
from tests.waiting import wait_until

# The first time, the image's base is made, which takes minutes where others are at work.
pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

PAGE = (ROOT / "docs" / "cron.md").read_text()
[GIT_CONFIG] = re.findall(r"\$ cat config\n(\[credential\]\n.*)\n", PAGE)
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
PASSWORD = "of-the-server"  # noqa: S105 - a test's


def list_blocks(heading: str) -> list[str]:
    """The commands of each block under a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return ["".join(re.sub(r"^(\$ | {4})", "", line) + "\n" for line in each.splitlines()) for each in blocks]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    made = build_image(tmp_path_factory.mktemp("image"))
    yield made
    made.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ran in a pod to its end."""

    output: str
    code: int


class Pod:
    """What a kubelet would make of a pod template on this machine: its folders, variables and command."""

    def __init__(self, image: Image, scratch: Scratch, namespace: str, template: Any, folder: Path) -> None:
        self._image, self._scratch, self._namespace = image, scratch, namespace
        self.spec = template["spec"]
        [self.container] = self.spec["containers"]
        self.folder = folder
        self.mounts = {each["mountPath"]: folder / each["name"] for each in self.container["volumeMounts"]}
        for each in self.spec["volumes"]:
            (folder / each["name"]).mkdir(parents=True)
            if "secret" in each:
                self._write_secret(folder / each["name"], each["secret"]["secretName"])
            else:
                os.chown(folder / each["name"], image.user, image.user)
        assert self.spec["automountServiceAccountToken"] is True
        self.mounts[ACCOUNT] = folder / "account"
        self._write_account(folder / "account")

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        address, port = self._scratch.controlplane.url.removeprefix("https://").split(":")
        env = {each["name"]: self._find_value(each) for each in self.container["env"]}
        service = {"KUBERNETES_SERVICE_HOST": address, "KUBERNETES_SERVICE_PORT": port}
        return self._image.start(command, env=env | service, mounts=self.mounts)

    def run(self, *command: str) -> Ran:
        """Run a command of its own; without one, what the container is for."""
        entry = [*self._image.config["Entrypoint"], *self.container["args"]]
        process = self.start([*command] or entry)
        output, _ = process.communicate()
        return Ran(output=output, code=process.returncode)

    def _find_value(self, variable: Mapping[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        place = variable["valueFrom"]["secretKeyRef"]
        data = self._scratch.read("secret", place["name"], "-n", self._namespace)["data"]
        return base64.b64decode(data[place["key"]]).decode()

    def _write_secret(self, folder: Path, name: str) -> None:
        for key, value in self._scratch.read("secret", name, "-n", self._namespace)["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))

    def _write_account(self, folder: Path) -> None:
        folder.mkdir()
        account = self.spec["serviceAccountName"]
        token = self._scratch.kubectl("create", "token", account, "-n", self._namespace)
        assert token.code == 0, token.output
        (folder / "token").write_text(token.output.strip())
        (folder / "ca.crt").write_bytes(self._scratch.controlplane.ca.read_bytes())
        (folder / "namespace").write_text(self._namespace)


class Fleet(Scratch):
    """A repository on a git server that asks for a password; the page's commands run in it."""

    def __init__(self, folder: Path, plane: ControlPlane, namespace: str, server: GitServer) -> None:
        super().__init__(folder / "repository", controlplane=plane)
        self.namespace = namespace
        self.url = server.create("fleet.git")
        programs = {"jsorc": f"{sys.executable} -m jsorc_gitops", "kubectl": str(plane.kubectl_path)}
        for name, line in programs.items():
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
            path.chmod(0o755)
        self.env["PATH"] = f"{folder / 'bin'}:{self.env['PATH']}"
        self.write("jsorc.yaml", f"namespace: {namespace}\nkeep_alive: [app]\n")
        self.write("templates/app/objects.yaml", f"{WEB}---\n{SETTINGS}")
        self.write("templates/app/service.yaml", "reset: {via: none}\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(server.folder / "fleet.git"))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Begin")
        self.git("push", "--quiet", "--set-upstream", "origin", "main")

    def paste(self, commands: str) -> str:
        """Run commands of the page as a person would, in the namespace of the test."""
        text = commands.replace("namespace default", f"namespace {self.namespace}")
        done = subprocess.run(
            ["sh", "-e"], input=text, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def change_values(self, **changed: Any) -> None:
        path = self.folder / "templates/jsorc/service.yaml"
        definition = yaml.safe_load(path.read_text())
        definition["values"] |= changed
        path.write_text(json.dumps(definition))


@pytest.fixture
def fleet(tmp_path: Path, controlplane: ControlPlane, namespace: str) -> Iterator[Fleet]:
    (tmp_path / "server").mkdir()
    with serve(tmp_path / "server") as server:
        made = Fleet(tmp_path, controlplane, namespace, server)
        server.password = PASSWORD
        yield made
    role = f"jsorc.{namespace}.default"
    names = (f"clusterrole/{role}", f"clusterrolebinding/{role}")
    controlplane.kubectl("delete", "--ignore-not-found", *names)


def set_up(fleet: Fleet, **values: Any) -> None:
    """Follow the page to its end, where jsorc itself applies the tree."""
    begin, first, rights, apply, *_ = list_blocks("Set it up")
    fleet.paste(begin)
    git = yaml.safe_load((fleet.folder / "templates/jsorc/service.yaml").read_text())["values"]["git"]
    fleet.change_values(git={**git, "url": fleet.url, "secret": "jsorc-git"}, **values)
    fleet.paste(first)
    fleet.paste(rights)
    fleet.paste(apply)
    https, *_ = list_blocks("A private repository")
    fleet.write("config", GIT_CONFIG)
    fleet.write("credentials", fleet.url.replace("//", f"//user:{PASSWORD}@").removesuffix("/fleet.git") + "\n")
    fleet.paste(https.partition("kubectl create")[1] + https.partition("kubectl create")[2])
    for name in ("config", "credentials"):
        (fleet.folder / name).unlink()


def find_rule(roles: list[dict[str, Any]], resource: str) -> Mapping[str, Any]:
    rules = [rule for role in roles for rule in role.get("rules") or () if resource in rule["resources"]]
    assert rules
    found: Mapping[str, Any] = rules[0]
    return found


def test_the_cron_jobs_command(fleet: Fleet, image: Image, tmp_path: Path) -> None:
    """The very command, account and Roles reconcile what was pushed; one right less is an error that names it."""
    set_up(fleet)
    namespace = fleet.namespace
    job = fleet.read("cronjob", "jsorc", "-n", namespace)["spec"]["jobTemplate"]["spec"]["template"]
    pod = Pod(image, fleet, namespace, job, tmp_path / "pod")
    assert (image.user, pod.spec["securityContext"]["runAsUser"]) == (65532, 65532)
    assert "Read-only file system" in pod.run("touch", "/opt/jsorc/x").output

    quiet = pod.run()
    fleet.write("templates/app/objects.yaml", "---\n".join((WEB, SETTINGS.replace("blue", "red"))))
    fleet.commit("Another color")
    fleet.git("push", "--quiet")
    changed = pod.run()

    assert (quiet.code, quiet.output) == (0, "")
    assert changed.code == 0, changed.output
    assert ".data.color: blue → red" in changed.output
    assert fleet.read("configmap", "settings", "-n", namespace)["data"]["color"] == "red"

    roles = [*yaml.safe_load_all((fleet.folder / "templates/jsorc/roles.yaml").read_text())]
    find_rule(roles, "deployments")["verbs"].remove("list")
    fleet.write("../poorer.yaml", yaml.safe_dump_all(roles))
    assert fleet.kubectl("apply", "--server-side", "--force-conflicts", "-f", "../poorer.yaml").code == 0
    poorer = pod.run()
    assert poorer.code == 1
    rule = 'apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]'
    assert f"it takes a Role in namespace {namespace} with {rule}" in poorer.output


def test_the_cron_jobs_command_beside_flux(fleet: Fleet, image: Image, tmp_path: Path) -> None:
    """With the rights to look it judges what another has applied, without git, and may not write it."""
    jaseci = "jaseci: {url: 'http://jaseci', credentials: {env: JASECI_CREDENTIALS}}\n"
    settings = f"namespace: {fleet.namespace}\nkeep_alive: [app, jsorc]\napplier: flux\nquiet: false\n"
    fleet.write("jsorc.yaml", settings + jaseci)
    begin, first, rights, _, credentials, *_ = list_blocks("Set it up")
    fleet.paste(begin)
    fleet.paste(first.replace("jsorc reconcile", "git push"))
    fleet.paste(rights)
    # As kubectl would, or Flux.
    fleet.paste("kubectl apply --server-side -k rendered")
    fleet.paste(credentials)
    job = fleet.read("cronjob", "jsorc", "-n", fleet.namespace)["spec"]["jobTemplate"]["spec"]["template"]
    pod = Pod(image, fleet, fleet.namespace, job, tmp_path / "pod")

    done = pod.run()

    # All that is missing is Flux itself.
    assert (done.code, done.output.count("error: ")) == (1, 1), done.output
    assert "error: applier is flux, but no Kustomization of this cluster has applied the records" in done.output
    assert f"Deployment/{fleet.namespace}/web current" in done.output
    told = pod.run("python3", "-c", "import os; print(os.environ['JASECI_CREDENTIALS'])")
    assert json.loads(told.output) == {"origin": "http://jaseci.default.svc", "token": "…"}
    write = ("auth", "can-i", "patch", "deployments", "-n", fleet.namespace)
    account = f"system:serviceaccount:{fleet.namespace}:jsorc"
    assert fleet.kubectl(*write, f"--as={account}").output.strip() == "no"


def test_a_loop_that_hangs_is_seen(fleet: Fleet, image: Image, tmp_path: Path) -> None:
    """The probes of the Deployment, run in the image: started after a pass, alive while passes end, not after."""
    fleet.write("jsorc.yaml", f"namespace: {fleet.namespace}\nkeep_alive: [app]\ninterval: 0.2\n")
    set_up(fleet, mode="loop", deadline=300)
    template = fleet.read("deployment", "jsorc", "-n", fleet.namespace)["spec"]["template"]
    pod = Pod(image, fleet, fleet.namespace, template, tmp_path / "pod")
    started = pod.container["startupProbe"]["exec"]["command"]
    alive = pod.container["livenessProbe"]["exec"]["command"]
    assert pod.run(*started).code == 1
    file = pod.mounts["/var/cache/jsorc"] / "heartbeat.prom"

    process = pod.start([*image.config["Entrypoint"], *pod.container["args"]])
    try:
        wait_until(file.exists, what="the end of the first pass")
        assert (pod.run(*started).code, pod.run(*alive).code) == (0, 0)
        process.send_signal(signal.SIGSTOP)
        os.utime(file, (0, file.stat().st_mtime - 301))
        assert pod.run(*alive).code == 1
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: pod.run(*alive).code == 0, what="another pass")
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
    assert process.returncode == 0, output
