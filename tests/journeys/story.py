"""The seed's story on real parts, step by step; told by `make demo`, checked by test_story.py."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.server import ControlPlane
from tests.jaseci.server import Jaseci, Redis

NAMESPACE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ran to its end: as a person types it, what it printed, its exit code."""

    command: str
    output: str
    code: int


class Story:
    """A scratch repository beside a control plane, a Jaseci server and a Redis that is still down."""

    def __init__(self, folder: Path, *, controlplane: ControlPlane, jaseci: Jaseci, redis: Redis) -> None:
        self.repository = folder
        self.controlplane = controlplane
        self.jaseci = jaseci
        self.redis = redis
        credentials = {"origin": jaseci.url, "token": jaseci.token}
        self._env = {
            **os.environ,
            "KUBECONFIG": str(controlplane.kubeconfig),
            "JASECI_CREDENTIALS": json.dumps(credentials),
        }

    def jsorc(self, *arguments: str) -> Done:
        """Run jsorc in the repository as a user does, in a process of its own."""
        return self._run(
            [sys.executable, "-m", "jsorc_gitops", *arguments], command=f"jsorc {' '.join(arguments)}"
        )

    def git(self, *arguments: str) -> Done:
        return self._run(["git", *arguments], command=f"git {' '.join(arguments)}")

    def kubectl(self, *arguments: str) -> Done:
        program = str(self.controlplane.kubectl_path)
        return self._run([program, *arguments], command=f"kubectl {' '.join(arguments)}")

    def begin(self) -> list[Done]:
        """A repository with jsorc.yaml and templates/, pointed at the Jaseci server, committed."""
        done = [self.git("init", "--quiet", "--initial-branch=main"), self.jsorc("init")]
        settings = self.repository / "jsorc.yaml"
        jaseci = f"jaseci:\n  url: {self.jaseci.url}\n  credentials: {{env: JASECI_CREDENTIALS}}\n"
        settings.write_text(settings.read_text() + jaseci)
        self.git("add", "--all")
        return [*done, self.git("commit", "--quiet", "--message", "Begin with the services that Jaseci ships")]

    def make_pods_ready(self) -> list[str]:
        """What the kubelet would report in a while; returns the pods' names."""
        return self.controlplane.mark_pods(NAMESPACE, "ready")

    def remove_service(self, name: str) -> list[Done]:
        """Take a service's definition out of templates/ and keep_alive, and commit that."""
        settings = self.repository / "jsorc.yaml"
        settings.write_text(settings.read_text().replace(f"{name}, ", "").replace(f", {name}", ""))
        done = self.git("rm", "--quiet", "-r", f"templates/{name}")
        return [done, self.git("commit", "--quiet", "--all", "--message", f"Remove {name}")]

    def _run(self, command_line: list[str], *, command: str) -> Done:
        done = subprocess.run(
            command_line,
            cwd=self.repository,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Done(command=command, output=done.stdout, code=done.returncode)
