"""Starts and stops a real Kubernetes control plane on loopback; KWOK stands in for nodes and kubelets."""

import json
import os
import secrets
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from tests.controlplane.build import ensure_programs
from tests.machine import Server, SetupError, free_ports, require_debian_packages, run_logged
from tests.waiting import wait_until

HERE = Path(__file__).parent
GROUPS = {"admin": "system:masters", "limited": ""}

PodState = Literal["ready", "unready", "crash-loop", "image-pull", "succeeded"]


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it wrote to standard error."""


class ControlPlane:
    """One running control plane; all it writes, its logs too (NAME.log), lies in `folder`.

    Attributes:
        url: of the API server, https://127.0.0.1:PORT.
        ca: the certificate (a PEM file) that it proves itself with.
        tokens: bearer tokens by user: `admin` may do everything, `limited` is in no group and has no rights.
        kubeconfig: the admin's; contexts `admin` and `limited`.
        client_ca: signs client certificates (a PEM file; its key is NAME.key): /CN=limited is that user.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.kubectl_path = programs / "kubectl"
        self._programs = programs
        self._servers: dict[str, Server] = {}
        self._ports = dict(
            zip(("api", "etcd", "peer", "manager", "scheduler", "kwok"), free_ports(6), strict=True)
        )
        self.url = f"https://127.0.0.1:{self._ports['api']}"
        self.ca = folder / "certs/apiserver.crt"
        self.tokens = {user: secrets.token_urlsafe(16) for user in GROUPS}
        self.kubeconfig = folder / "kubeconfig-admin"
        self.client_ca = folder / "client-ca.crt"

    @property
    def token(self) -> str:
        return self.tokens["admin"]

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start everything, building it first where needed; returns once pods can be scheduled.

        Raises:
            SetupError: a program could not be built or ended early, or time ran out. Nothing is left
                running then; `folder` keeps the logs.
        """
        require_debian_packages({"openssl": lambda: shutil.which("openssl") is not None})
        folder.mkdir(parents=True, exist_ok=True)
        plane = cls(folder.resolve(), ensure_programs())
        with ExitStack() as undo:
            undo.callback(plane.stop)
            try:
                plane._start_all()
            except (TimeoutError, KubectlError) as error:
                raise SetupError(f"{error}; the logs are {folder}/*.log") from error
            undo.pop_all()
        return plane

    def stop(self) -> None:
        """End every program, etcd last; returns once all of them are gone. Again, it does nothing."""
        while self._servers:
            self._servers.popitem()[1].stop()

    def kubectl(self, *args: str | Path, stdin: str | None = None) -> str:
        """What `kubectl ARGS` of the server's own version prints, as admin unless ARGS name a context.

        Raises:
            KubectlError: it ended with another code than 0.
        """
        env = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "kubectl"),
            "KUBERC": "off",
        }
        done = subprocess.run(
            [self.kubectl_path, *args], input=stdin or "", env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def kubeconfig_for(self, user: str) -> Path:
        """A kubeconfig whose current context is this user's (`admin` or `limited`)."""
        path = self.folder / f"kubeconfig-{user}"
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "fake", "cluster": cluster}],
                    "users": [{"name": each, "user": {"token": token}} for each, token in self.tokens.items()],
                    "contexts": [
                        {"name": each, "context": {"cluster": "fake", "user": each}} for each in self.tokens
                    ],
                    "current-context": user,
                }
            )
        )
        return path

    def mark_pods(
        self,
        namespace: str,
        pods: PodState,
        *,
        selector: str = "",
        ip: str | None = None,
        restarts: int | None = None,
    ) -> list[str]:
        """Tell the pods that exist now, and are not being deleted, what to be; return their names.

        Only annotates: their status follows within milliseconds, and pods that come later know nothing of
        it (annotate the pod template for those). `ip` and `restarts` stay as they were where None.

        Raises:
            LookupError: there is no such pod.
            KubectlError: one of them was deleted meanwhile, or the API server does not answer.
        """
        found = json.loads(self.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json"))
        names = [
            each["metadata"]["name"] for each in found["items"] if "deletionTimestamp" not in each["metadata"]
        ]
        if not names:
            raise LookupError(f"no pod in namespace {namespace} matches {selector!r}")
        told = {"pods": pods, "pod-ip": ip, "restarts": restarts}
        annotations = [f"test.jsorc/{key}={value}" for key, value in told.items() if value is not None]
        self.kubectl("annotate", "pods", "-n", namespace, "--overwrite", *names, *annotations)
        return names

    def stop_apiserver(self) -> None:
        """End the API server alone; returns once nobody listens on its port."""
        self._servers.pop("kube-apiserver").stop()

    def start_apiserver(self) -> None:
        """Start the API server, at the same port and with the same certificate; returns once it is ready."""
        self._run(
            "kube-apiserver",
            *("--etcd-servers", f"http://127.0.0.1:{self._ports['etcd']}"),
            *("--secure-port", self._ports["api"]),
            *("--bind-address", "127.0.0.1"),
            *("--advertise-address", "127.0.0.1"),
            *("--cert-dir", self.ca.parent),
            *("--service-account-key-file", self.folder / "sa.key"),
            *("--service-account-signing-key-file", self.folder / "sa.key"),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--token-auth-file", self.folder / "tokens.csv"),
            *("--client-ca-file", self.client_ca),
            *("--authorization-mode", "RBAC"),
            *("--service-cluster-ip-range", "10.0.0.0/16"),
            "--endpoint-reconciler-type=none",
            "--allow-privileged",
        )
        self._wait("the API server is ready", "get", "--raw", "/readyz")

    def stop_controllers(self) -> None:
        """End all but etcd and the API server: from then on nobody writes by himself."""
        for name in ("kwok", "kube-scheduler", "kube-controller-manager"):
            self._servers.pop(name).stop()

    def _start_all(self) -> None:
        etcd = f"http://127.0.0.1:{self._ports['etcd']}"
        self._run(
            "etcd",
            *("--data-dir", self.folder / "etcd"),
            *("--listen-client-urls", etcd),
            *("--advertise-client-urls", etcd),
            *("--listen-peer-urls", f"http://127.0.0.1:{self._ports['peer']}"),
            "--unsafe-no-fsync",
        )
        log = self.folder / "openssl.log"
        run_logged(["openssl", "genrsa", "-out", self.folder / "sa.key", "2048"], log=log)
        ca = ("-subj", "/CN=clients", "-out", self.client_ca, "-keyout", self.client_ca.with_suffix(".key"))
        run_logged(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *ca], log=log)
        (self.folder / "tokens.csv").write_text(
            "".join(f"{token},{user},{user},{GROUPS[user]}\n" for user, token in self.tokens.items())
        )
        self.kubeconfig_for("admin")
        self.start_apiserver()
        common = ("--kubeconfig", self.kubeconfig, "--bind-address", "127.0.0.1", "--leader-elect=false")
        self._run(
            "kube-controller-manager",
            *common,
            *("--secure-port", self._ports["manager"]),
            *("--cert-dir", self.folder / "certs-manager"),
            *("--service-account-private-key-file", self.folder / "sa.key"),
            *("--root-ca-file", self.ca),
            "--controllers=*,-node-ipam-controller",
        )
        self._run(
            "kube-scheduler",
            *common,
            *("--secure-port", self._ports["scheduler"]),
            *("--cert-dir", self.folder / "certs-scheduler"),
        )
        self._run(
            "kwok",
            *("--kubeconfig", self.kubeconfig),
            *("--server-address", f"127.0.0.1:{self._ports['kwok']}"),
            *("--node-ip", "127.0.0.1"),
            # Reserved for benchmarks (RFC 2544), so no network has it: nobody is called by accident.
            *("--cidr", "198.18.0.0/15"),
            "--manage-all-nodes=true",
            *(f"--config={each}" for each in sorted(HERE.glob("stages/*.yaml"))),
        )
        self.kubectl("create", "-f", HERE / "cluster.yaml")
        ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        self._wait("the node is Ready", "get", "node", "fake", "-o", ready, answer="True")
        self._wait("the default ServiceAccount exists", "get", "serviceaccount", "default", "-n", "default")

    def _run(self, name: str, *args: str | int | Path) -> None:
        self._servers[name] = Server(
            [self._programs / name, *map(str, args)],
            log=self.folder / f"{name}.log",
            # On SIGTERM the API server closes its port, then waits a minute for watches that never end.
            grace=1,
        )

    def _wait(self, what: str, *args: str, answer: str = "") -> None:
        """Wait until kubectl succeeds and its output contains `answer`, or a program of ours has ended."""

        def succeeds() -> bool:
            for server in self._servers.values():
                server.check()
            try:
                return answer in self.kubectl(*args)
            except KubectlError:
                return False

        wait_until(succeeds, what=what)
