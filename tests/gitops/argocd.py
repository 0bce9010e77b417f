"""Argo CD's real repo-server and application-controller beside a control plane, and a test's Applications."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.adapters.git_http import serve
from tests.controlplane.server import ControlPlane
from tests.gitops.build import ensure_argocd
from tests.gitops.definitions import apply_definitions
from tests.jaseci.server import Redis
from tests.machine import Server, SetupError, free_ports
from tests.waiting import T, wait_until

NAMESPACE = "argocd"
# What the Application's `destination` says, and here means the control plane of the kubeconfig.
CLUSTER = "https://kubernetes.default.svc"
Body = dict[str, Any]


def require_own_network() -> None:
    """Raise SetupError unless only this process and its children can reach what listens here.

    The application-controller serves its metrics on every address, and cannot be told otherwise.
    """
    if len(Path("/proc/net/route").read_text().splitlines()) > 1:
        raise SetupError(
            "Argo CD listens on every address of the machine, so it is only started in a network of its own:"
            " run these tests by `make test-argocd`"
        )


class ArgoCD:
    """A running Argo CD without its server and user interface; `folder` has its logs and repositories."""

    def __init__(self, folder: Path, plane: ControlPlane, programs: Path) -> None:
        self.folder = folder
        self.plane = plane
        self._programs = programs
        self._crds = [f"-f={programs}/crds/{each}-crd.yaml" for each in ("application", "appproject")]
        self._undo = ExitStack()

    @classmethod
    def start(cls, folder: Path, plane: ControlPlane) -> Self:
        """Build it where needed, and start it; returns once its repo-server listens. Raises SetupError."""
        require_own_network()
        argocd = cls(folder.resolve(), plane, ensure_argocd())
        with ExitStack() as unless_started:
            unless_started.callback(argocd.stop)
            argocd._prepare_cluster()
            argocd._start_all()
            unless_started.pop_all()
        return argocd

    def stop(self) -> None:
        """End its programs; what it applied stays, and so do its Applications. Again, do nothing."""
        self._undo.close()

    def uninstall(self) -> None:
        """Remove all Applications, which deletes what they keep, then the programs and the CRDs."""
        try:
            self.plane.kubectl("delete", "applications.argoproj.io", "--all", "-A", "--timeout=30s")
        finally:
            self.stop()
        self.plane.kubectl("delete", "--timeout=60s", *self._crds)

    def follow(self, repository: Path, *, name: str, commit: str = "HEAD", **spec: Any) -> "Application":
        """Have Argo CD sync `rendered/` of this commit, and what is published later; see Application."""
        return Application(self, repository, name=name, commit=commit, spec=spec)

    def _prepare_cluster(self) -> None:
        kubectl = self.plane.kubectl
        config = self._programs / "config"
        apply_definitions(self.plane, *self._crds)
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(_make("v1", "Namespace", NAMESPACE)))
        kubectl("apply", "--server-side", "-n", NAMESPACE, "-k", config)
        key = {"stringData": {"server.secretkey": secrets.token_urlsafe(32)}}
        kubectl("patch", "secret", "argocd-secret", "-n", NAMESPACE, "-p", json.dumps(key))
        project = _make("argoproj.io/v1alpha1", "AppProject", "default") | {
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            }
        }
        kubectl("apply", "--server-side", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(project))

    def _start_all(self) -> None:
        (self.folder / "git").mkdir(parents=True)
        self.git = self._undo.enter_context(serve(self.folder / "git"))
        redis = Redis(self.folder / "redis")
        self._undo.callback(redis.stop)
        redis.start()
        store = ("--redis", f"127.0.0.1:{redis.port}")
        repo, *metrics = free_ports(3)
        repo_server = self._run(
            "argocd-repo-server",
            *("--address", "127.0.0.1", "--port", repo),
            *("--metrics-address", "127.0.0.1", "--metrics-port", metrics[0]),
            *(*store, "--disable-tls", "--client-ca-path="),
        )
        controller = self._run(
            "argocd-application-controller",
            *("--kubeconfig", self.plane.kubeconfig, "--namespace", NAMESPACE),
            *("--repo-server", f"127.0.0.1:{repo}", "--repo-server-plaintext"),
            *(*store, "--metrics-port", metrics[1], "--app-resync", 10),
        )
        self._check = [repo_server.check, controller.check]

    def _run(self, role: str, *args: str | int | Path) -> Server:
        home = self.folder / "home"
        for each in ("tmp", "tls", "ssh", "plugins"):
            (home / each).mkdir(parents=True, exist_ok=True)
        (home / "gnupg").mkdir(mode=0o700, exist_ok=True)
        env = {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "KUBECONFIG": self.plane.kubeconfig,
            "HOME": home,
            "TMPDIR": home / "tmp",
            "ARGOCD_BINARY_NAME": role,
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_RECONCILIATION_TIMEOUT": "10s",
            "ARGOCD_RECONCILIATION_JITTER": "0s",
            "ARGOCD_TLS_DATA_PATH": home / "tls",
            "ARGOCD_SSH_DATA_PATH": home / "ssh",
            "ARGOCD_PLUGINSOCKFILEPATH": home / "plugins",
            "ARGOCD_ASK_PASS_SOCK": home / "ask.sock",
            "ARGOCD_APP_CONF_PATH": home,
            "ARGOCD_GNUPGHOME": home / "gnupg",
        }
        server = Server(
            [self._programs / "argocd", *map(str, args)],
            log=self.folder / f"{role}.log",
            env={name: str(value) for name, value in env.items()},
        )
        self._undo.callback(server.stop)
        return server

    def check(self) -> None:
        """Raise SetupError where one of its programs has ended."""
        for each in self._check:
            each()


class Application:
    """One Application, and the bare repository that it follows, both of one name; gone at the end of a `with`.

    Argo CD looks at git every ten seconds, and at once where something is published or `reconcile` called;
    it syncs, prunes and heals by itself (`spec` is the test's to choose).
    """

    def __init__(self, argocd: ArgoCD, repository: Path, *, name: str, commit: str, spec: Body) -> None:
        self.name = name
        self.revision = ""  # published last: a commit
        self._argocd, self._repository = argocd, repository
        self.url = argocd.git.create(f"{name}.git")
        self._push(commit)
        application = _make("argoproj.io/v1alpha1", "Application", name) | {
            "spec": {
                "project": "default",
                "source": {"repoURL": self.url, "targetRevision": "main", "path": "rendered"},
                "destination": {"server": CLUSTER, "namespace": "default"},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "syncOptions": ["ServerSideApply=true"],
                },
                **spec,
            }
        }
        # So its deletion deletes what it keeps.
        application["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        argocd.plane.kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(application))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def publish(self, commit: str = "HEAD") -> str:
        """Push this commit, and have Argo CD look; its hash."""
        self._push(commit)
        self._ask()
        return self.revision

    def read(self) -> Body:
        """The Application as it is now."""
        body: Body = json.loads(self._kubectl("get", "-o", "json"))
        return body

    def await_applied(self) -> Body:
        """The Application, once it is Synced to the commit published last, and Healthy."""

        def find() -> Body | None:
            body = self.read()
            sync, health = (body.get("status", {}).get(each, {}) for each in ("sync", "health"))
            if sync.get("revision") != self.revision:
                self._ask()
                return None
            return body if (sync["status"], health.get("status")) == ("Synced", "Healthy") else None

        return self._await(find, f"Argo CD has synced {self.revision}")

    def await_failed(self) -> str:
        """Why, once Argo CD could not compare or sync the commit published last."""

        def find() -> str | None:
            body = self.read()
            status = body.get("status", {})
            errors = [each["message"] for each in status.get("conditions", ()) if each["type"].endswith("Error")]
            done = status.get("operationState", {})
            # One that is tried again is Running.
            has_failed = done.get("phase") in {"Failed", "Error"} or done.get("retryCount")
            if done.get("syncResult", {}).get("revision") == self.revision and has_failed:
                results = done["syncResult"].get("resources", ())
                errors += [done["message"], *(each["message"] for each in results)]
            return None if self._is_asked(body) else "; ".join(errors)

        return self._await(find, f"Argo CD has failed to sync {self.revision}")

    def reconcile(self) -> None:
        """Have Argo CD compare everything once more; returns once it has."""
        self._ask()
        self._await(lambda: not self._is_asked(self.read()), "Argo CD has compared as it was asked to")

    def patch(self, **spec: Any) -> None:
        """Change the spec: `syncPolicy={"automated": None}`."""
        self._kubectl("patch", "--type=merge", "-p", json.dumps({"spec": spec}))

    def delete(self) -> None:
        """Returns once it is gone, and with it what it keeps."""
        self._kubectl("delete")

    def _push(self, commit: str) -> None:
        path = self._argocd.git.folder / f"{self.name}.git"
        git = ["git", "-C", str(self._repository)]
        told = subprocess.run(
            [*git, "rev-parse", f"{commit}^{{commit}}"], capture_output=True, text=True, check=True
        )
        self.revision = told.stdout.strip()
        subprocess.run([*git, "push", "--quiet", "--force", path, f"{self.revision}:refs/heads/main"], check=True)

    def _ask(self) -> None:
        self._kubectl("annotate", "--overwrite", "argocd.argoproj.io/refresh=normal")

    def _is_asked(self, body: Body) -> bool:
        return "argocd.argoproj.io/refresh" in body["metadata"].get("annotations", {})

    def _kubectl(self, verb: str, *args: str) -> str:
        return self._argocd.plane.kubectl(verb, "applications.argoproj.io", self.name, "-n", NAMESPACE, *args)

    def _await(self, find: Callable[[], T | None], what: str) -> T:
        def look() -> T | None:
            self._argocd.check()
            return find()

        try:
            return wait_until(look, what=what, seconds=120)
        except TimeoutError as late:
            status = {key: self.read().get("status", {}).get(key) for key in ("sync", "health", "conditions")}
            raise TimeoutError(f"{late}; {status}; its logs: {self._argocd.folder}") from late


def _make(version: str, kind: str, name: str) -> Body:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
