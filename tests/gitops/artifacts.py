"""What a source of Flux does: packs a commit, serves it on loopback, tells it by an ExternalArtifact's status."""

import hashlib
import json
import subprocess
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.controlplane.server import ControlPlane


class ArtifactServer:
    """Serves the packed commits of any number of ExternalArtifacts of one control plane."""

    def __init__(self, folder: Path, plane: ControlPlane) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._plane = plane
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def publish(self, repository: Path, commit: str, *, name: str, namespace: str) -> str:
        """Have the ExternalArtifact, made where it is missing, offer this commit; its revision for Flux."""
        command = ["git", "-C", str(repository)]
        sha = subprocess.run(
            [*command, "rev-parse", f"{commit}^{{commit}}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        packed = subprocess.run(
            [*command, "archive", "--format=tar.gz", sha], capture_output=True, check=True
        ).stdout
        path = f"{namespace}-{name}-{sha}.tar.gz"
        (self._folder / path).write_bytes(packed)
        revision, now = f"main@sha1:{sha}", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        artifact = {
            "url": f"http://127.0.0.1:{self._server.server_port}/{path}",
            "path": path,
            "revision": revision,
            "digest": f"sha256:{hashlib.sha256(packed).hexdigest()}",
            "size": len(packed),
            "lastUpdateTime": now,
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": f"stored {revision}",
            "lastTransitionTime": now,
        }
        self._make(name, namespace)
        patch = json.dumps({"status": {"artifact": artifact, "conditions": [ready]}})
        self._plane.kubectl(
            *("patch", "externalartifact", name, "-n", namespace),
            *("--subresource=status", "--type=merge", "-p", patch),
        )
        return revision

    def _make(self, name: str, namespace: str) -> None:
        body = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "ExternalArtifact",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {},
        }
        self._plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body))


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
