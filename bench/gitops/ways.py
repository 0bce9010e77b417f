"""Four ways from a commit to a reset that is verified, each for a fleet of its own in one cluster."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.check import CheckError
from bench.measure import Sample
from tests.controlplane.server import ControlPlane
from tests.gitops.argocd import ArgoCD
from tests.gitops.flux import Flux
from tests.gitops.resets import Site
from tests.jaseci.proxy import Proxy
from tests.jaseci.server import Jaseci, Redis

JSORC, KUBECTL, FLUX, ARGOCD = (
    "jsorc reconcile --wait",
    "kubectl apply -k, then a pass",
    "Flux, and jsorc reconcile --wait",
    "Argo CD, and jsorc reconcile --wait",
)
# Of the fleets, and who applies each as jsorc.yaml says.
_APPLIERS = {"own": "jsorc", "kubectl": "jsorc", "flux": "flux", "argocd": "argocd"}
_MIB = 1024  # KiB


@dataclass(kw_only=True, slots=True)
class Spent:
    """What processes have cost: seconds of the processors, MiB of the largest."""

    cpu: float = 0.0
    rss: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How a commit reaches the cluster, and what then resets; `deliver` is the part before jsorc."""

    name: str
    site: Site
    deliver: Callable[[Spent], object]
    options: tuple[str, ...] = field(default=())  # of `jsorc reconcile`

    def begin(self) -> None:
        """Bring the fleet up, and have all of it run. Raises CheckError."""
        self._go(Spent())
        self.site.take_resets()

    def measure(self, number: int) -> Sample:
        """Commit a rollout, and return the time from there until redis was reset for it. Raises CheckError."""
        self.site.say(f"7.{100 + number}")
        spent, begun = Spent(), time.monotonic()
        self._go(spent)
        wall = time.monotonic() - begun
        if (resets := self.site.take_resets()) != ["redis", "task"]:
            raise CheckError(f"{self.name}: reset were {resets}, not redis and task once")
        return Sample(command=self.name, size=0, round=number, wall=wall, cpu=spent.cpu, rss=spent.rss)

    def _go(self, spent: Spent) -> None:
        self.deliver(spent)
        run(self.site, spent, sys.executable, "-m", "jsorc_gitops", "reconcile", "--wait", *self.options)


def run(site: Site, spent: Spent, *command: str | Path) -> None:
    """Run a command in the fleet's clone; raise CheckError where it fails."""
    printed = site.folder.parent / "printed"
    with printed.open("wb") as sink:
        process = subprocess.Popen(command, cwd=site.folder, env=site.env, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
        # So that nobody waits for it again.
        process.returncode = os.waitstatus_to_exitcode(status)
    spent.cpu += usage.ru_utime + usage.ru_stime
    spent.rss = max(spent.rss, usage.ru_maxrss / _MIB)
    if process.returncode:
        raise CheckError(f"{command[0]} ended with {process.returncode}: {printed.read_text()[-500:]}")


@contextmanager
def open_ways(scratch: Path) -> Iterator[list[Way]]:
    """All four, each with its fleet applied and its services running; everything ends with the block."""
    with ExitStack() as stack:
        plane = ControlPlane.start(scratch / "plane")
        stack.callback(plane.stop)
        flux = Flux.start(scratch / "flux", plane)
        stack.callback(flux.stop)
        argocd = ArgoCD.start(scratch / "argocd", plane)
        stack.callback(argocd.stop)

        def make_site(name: str, applier: str) -> Site:
            """A fleet with a Jaseci of its own, since services are Jaseci's, not the fleet's."""
            redis = Redis(scratch / name / "redis")
            stack.callback(redis.stop)
            jaseci = Jaseci.start(scratch / name / "jaseci", redis_port=redis.port)
            stack.callback(jaseci.stop)
            redis.start()
            proxy = stack.enter_context(Proxy(jaseci.url))
            site = Site(scratch / name, plane, name, proxy, jaseci.token)
            site.begin(applier)
            return site

        sites = {name: make_site(name, applier) for name, applier in _APPLIERS.items()}
        kustomization = stack.enter_context(flux.follow(sites["flux"].folder, name="flux"))
        application = stack.enter_context(argocd.follow(sites["argocd"].folder, name="argocd"))
        kubectl = sites["kubectl"]

        def apply(spent: Spent) -> None:
            run(kubectl, spent, plane.kubectl_path, "apply", "-k", "rendered")

        yield [
            Way(name=JSORC, site=sites["own"], deliver=lambda _: None),
            Way(
                name=KUBECTL,
                site=kubectl,
                deliver=apply,
                options=("--from-cluster", "--namespace", "kubectl"),
            ),
            Way(name=FLUX, site=sites["flux"], deliver=lambda _: kustomization.publish()),
            Way(name=ARGOCD, site=sites["argocd"], deliver=lambda _: application.publish()),
        ]
