"""A scratch repository in which jsorc, git and kubectl run as a person runs them, in processes of their own."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.controlplane.server import ControlPlane

# Whoever runs the demo may have no git identity, or sign every commit.
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Demo" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "demo@example.com" for role in ("AUTHOR", "COMMITTER")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ran to its end: as a person types it, what it printed, its exit code."""

    command: str
    output: str
    code: int


class Scratch:
    """A repository beside a control plane; `env` is what its commands see."""

    def __init__(self, folder: Path, *, controlplane: ControlPlane) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.controlplane = controlplane
        self.env = {**os.environ, **_GIT, "KUBECONFIG": str(controlplane.kubeconfig)}

    def jsorc(self, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        command = shlex.join(["jsorc", *arguments])
        return self._run([sys.executable, "-m", "jsorc_gitops", *arguments], command=command, env=env)

    def start_jsorc(self, *arguments: str, sink: IO[str] | None = None) -> subprocess.Popen[str]:
        """Start jsorc and go on; the caller ends it. What it prints goes into the sink, or to who ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "jsorc_gitops", *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def git(self, *arguments: str) -> Done:
        return self._run(["git", *arguments], command=shlex.join(["git", *arguments]))

    def kubectl(self, *arguments: str) -> Done:
        program = str(self.controlplane.kubectl_path)
        return self._run([program, *arguments], command=shlex.join(["kubectl", *arguments]))

    def shell(self, line: str) -> Done:
        """A line as it is typed."""
        return self._run(["sh", "-c", line], command=line)

    def read(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` gives, None where there is no such object."""
        done = self.kubectl("get", *arguments, "-o", "json", "--ignore-not-found")
        assert done.code == 0, done.output
        return json.loads(done.output) if done.output.strip() else None

    def read_ledger(self, namespace: str) -> dict[str, Any]:
        """{service: {outcome, failures, …}} of those that were reset, empty where there is no ledger."""
        body = self.read("configmap", "jsorc.ledger.default", "-n", namespace)
        services: dict[str, Any] = json.loads(body["data"]["ledger.json"])["services"] if body else {}
        return {name: each for name, each in services.items() if "outcome" in each}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message: str) -> None:
        """Commit everything, then what it renders to."""
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        done = self.jsorc("render", "--commit")
        assert done.code == 0, done.output

    def _run(self, line: list[str], *, command: str, env: Mapping[str, str] | None = None) -> Done:
        done = subprocess.run(
            line,
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(command=command, output=done.stdout, code=done.returncode)


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal to a process we started and wait for it: exit code and output."""
    process.send_signal(number)
    output, _ = process.communicate()
    return process.returncode, output
