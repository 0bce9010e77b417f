"""Flux's real kustomize-controller beside a control plane, and the Kustomizations that a test gives it."""

import json
import os
import secrets
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

from tests.controlplane.server import ControlPlane
from tests.gitops.artifacts import ArtifactServer
from tests.gitops.build import ensure_flux
from tests.gitops.definitions import apply_definitions
from tests.machine import Server, SetupError, free_ports
from tests.waiting import T, wait_until

NAMESPACE = "flux-system"
Body = dict[str, Any]


class Flux:
    """A running kustomize-controller; `folder` has its log, kustomize-controller.log."""

    def __init__(self, folder: Path, plane: ControlPlane, programs: Path) -> None:
        self.folder = folder
        self.plane = plane
        self._programs = programs
        self._undo = ExitStack()

    @classmethod
    def start(cls, folder: Path, plane: ControlPlane) -> Self:
        """Build it where needed, and start it; returns once it is at work. Raises SetupError."""
        programs = ensure_flux()
        (folder / "tmp").mkdir(parents=True)
        flux = cls(folder, plane, programs)
        with ExitStack() as unless_started:
            unless_started.callback(flux.stop)
            flux._start_all()
            unless_started.pop_all()
        return flux

    def stop(self) -> None:
        """End the controller; what it applied stays, and so do its Kustomizations. Again, do nothing."""
        self._undo.close()

    def uninstall(self) -> None:
        """Remove all Kustomizations, which prunes what they keep, then the controller and its CRDs."""
        try:
            self.plane.kubectl(
                "delete", "kustomizations.kustomize.toolkit.fluxcd.io", "--all", "-A", "--timeout=30s"
            )
        finally:
            self.stop()
        self.plane.kubectl("delete", "--timeout=60s", "-R", "-f", self._programs / "crds")

    def follow(
        self, repository: Path, *, name: str, namespace: str = NAMESPACE, commit: str = "HEAD", **spec: Any
    ) -> "Kustomization":
        """Have Flux apply `rendered/` of this commit, and what is published later; see Kustomization."""
        return Kustomization(self, repository, name=name, namespace=namespace, commit=commit, spec=spec)

    def _start_all(self) -> None:
        apply_definitions(self.plane, "-R", "-f", self._programs / "crds")
        # It stays, empty: to wait for the end of a namespace takes longer than all else here.
        namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.plane.kubectl("apply", "--server-side", "-f", "-", stdin=namespace)
        self.artifacts = ArtifactServer(self.folder / "artifacts", self.plane)
        self._undo.callback(self.artifacts.stop)
        metrics, health = free_ports(2)
        server = Server(
            [
                self._programs / "kustomize-controller",
                "--feature-gates=ExternalArtifact=true",
                "--enable-leader-election=false",
                "--watch-all-namespaces=true",
                "--events-addr=",
                "--requeue-dependency=1s",
                "--log-encoding=json",
                f"--metrics-addr=127.0.0.1:{metrics}",
                f"--health-addr=127.0.0.1:{health}",
            ],
            log=self.folder / "kustomize-controller.log",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "TMPDIR": str(self.folder / "tmp"),
                "KUBECONFIG": str(self.plane.kubeconfig),
                "RUNTIME_NAMESPACE": NAMESPACE,
            },
        )
        self._undo.callback(server.stop)
        await_health(server, f"http://127.0.0.1:{health}/readyz")


def await_health(server: Server, url: str) -> None:
    """Return once a server answers there; raise SetupError with its log's end where it does not."""

    def answers() -> bool:
        server.check()
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - of our own, on loopback
                return bool(answer.status)
        except (URLError, ConnectionError):
            return False

    try:
        wait_until(answers, what=f"an answer of {url}")
    except TimeoutError as late:
        raise SetupError(f"{late}; the log is {server.log}") from late


class Kustomization:
    """One Kustomization and the ExternalArtifact that it follows, both of one name; gone at the end of a `with`.

    Flux comes back by itself only after an hour (`interval`, as all of `spec`, is the test's to choose), at once
    where a commit is published, the spec changed or `reconcile` called.
    """

    def __init__(
        self, flux: Flux, repository: Path, *, name: str, namespace: str, commit: str, spec: Body
    ) -> None:
        self.name, self.namespace = name, namespace
        self._flux, self._repository = flux, repository
        self.revision = ""  # published last, as Flux spells it: main@sha1:…
        self.publish(commit)
        body = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "interval": "1h",
                "path": "./rendered",
                "prune": True,
                "wait": True,
                "timeout": "30s",
                "sourceRef": {"kind": "ExternalArtifact", "name": name},
                **spec,
            },
        }
        flux.plane.kubectl("create", "-f", "-", stdin=json.dumps(body))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def publish(self, commit: str = "HEAD") -> str:
        """Offer this commit to Flux; its revision."""
        self.revision = self._flux.artifacts.publish(
            self._repository, commit, name=self.name, namespace=self.namespace
        )
        return self.revision

    def read(self) -> Body:
        """The Kustomization as it is now."""
        body: Body = json.loads(self._kubectl("get", "-o", "json"))
        return body

    def await_applied(self) -> Body:
        """The Kustomization, once the revision published last is applied and, by `wait`, all of it is ready."""

        def find() -> Body | None:
            body = self.read()
            at_revision = body.get("status", {}).get("lastAppliedRevision") == self.revision
            return body if at_revision and self._read_ready(body)["status"] == "True" else None

        return self._await(find, f"Flux has applied {self.revision}")

    def await_failed(self) -> str:
        """Why, once the revision published last could not be applied, or is not ready within `timeout`."""

        def find() -> str | None:
            body = self.read()
            if body.get("status", {}).get("lastAttemptedRevision") != self.revision:
                return None
            ready = self._read_ready(body)
            return f"{ready['reason']}: {ready['message']}" if ready["status"] == "False" else None

        return self._await(find, f"Flux has failed to apply {self.revision}")

    def reconcile(self) -> None:
        """Have Flux go through all objects once more; returns once it has begun to."""
        token = secrets.token_hex(8)
        self._kubectl("annotate", "--overwrite", f"reconcile.fluxcd.io/requestedAt={token}")
        self._await(
            lambda: self.read()["status"].get("lastHandledReconcileAt") == token,
            "Flux reconciles as it was asked to",
        )

    def patch(self, **spec: Any) -> None:
        """Change the spec: `suspend=True`."""
        self._kubectl("patch", "--type=merge", "-p", json.dumps({"spec": spec}))

    def delete(self) -> None:
        """Returns once it is gone, and by `prune` with it what it keeps, unless it is suspended."""
        self._kubectl("delete")

    def _read_ready(self, body: Body) -> Body:
        """Its condition Ready; one of an older spec counts as not known."""
        status = body.get("status", {})
        found = [each for each in status.get("conditions", ()) if each["type"] == "Ready"]
        current = status.get("observedGeneration") == body["metadata"]["generation"]
        return found[0] if found and current else {"status": "Unknown"}

    def _kubectl(self, verb: str, *args: str) -> str:
        kind = "kustomizations.kustomize.toolkit.fluxcd.io"
        return self._flux.plane.kubectl(verb, kind, self.name, "-n", self.namespace, *args)

    def _await(self, find: Callable[[], T | None], what: str) -> T:
        try:
            return wait_until(find, what=what, seconds=120)
        except TimeoutError as late:
            ready = self._read_ready(self.read())
            raise TimeoutError(f"{late}; Ready is {ready}; its log: {self._flux.folder}") from late
