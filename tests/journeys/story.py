"""The seed's story on real parts, step by step; told by `make demo`, checked by test_story.py."""

import json
from pathlib import Path

from tests.controlplane.server import ControlPlane
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Done, Scratch

NAMESPACE = "default"


class Story(Scratch):
    """A scratch repository beside a control plane, a Jaseci server and a Redis that is still down."""

    def __init__(self, folder: Path, *, controlplane: ControlPlane, jaseci: Jaseci, redis: Redis) -> None:
        super().__init__(folder, controlplane=controlplane)
        self.jaseci = jaseci
        self.redis = redis
        credentials = {"origin": jaseci.url, "token": jaseci.token}
        self.env["JASECI_CREDENTIALS"] = json.dumps(credentials)

    def begin(self) -> list[Done]:
        """A repository with jsorc.yaml and templates/, pointed at the Jaseci server, committed."""
        done = [self.git("init", "--quiet", "--initial-branch=main"), self.jsorc("init")]
        settings = self.folder / "jsorc.yaml"
        jaseci = f"jaseci:\n  url: {self.jaseci.url}\n  credentials: {{env: JASECI_CREDENTIALS}}\n"
        settings.write_text(settings.read_text() + jaseci)
        self.git("add", "--all")
        return [*done, self.git("commit", "--quiet", "--message", "Begin with the services that Jaseci ships")]

    def make_pods_ready(self) -> list[str]:
        """What the kubelet would report in a while; returns the pods' names."""
        return self.controlplane.mark_pods(NAMESPACE, "ready")

    def remove_service(self, name: str) -> list[Done]:
        """Take a service's definition out of templates/ and keep_alive, and commit that."""
        settings = self.folder / "jsorc.yaml"
        settings.write_text(settings.read_text().replace(f"{name}, ", "").replace(f", {name}", ""))
        done = self.git("rm", "--quiet", "-r", f"templates/{name}")
        return [done, self.git("commit", "--quiet", "--all", "--message", f"Remove {name}")]
