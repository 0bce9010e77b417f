"""Credentials as kubectl knows them: plugins, certificates, token files, several files, ServiceAccounts."""

import base64
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import incluster_config

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from tests.adapters.sending import connect, make_map, ref_of
from tests.controlplane.server import ControlPlane
from tests.machine import run_logged
from tests.waiting import wait_until

WRONG = "a-very-wrong-secret"


def write_config(
    folder: Path, controlplane: ControlPlane, user: Mapping[str, Any], name: str = "kubeconfig"
) -> Path:
    """A kubeconfig of one user."""
    path = folder / name
    cluster = {"server": controlplane.url, "certificate-authority": str(controlplane.ca)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    return path


def write_plugin(folder: Path, script: str, *, version: str = "v1") -> dict[str, Any]:
    """A credential plugin; a kubeconfig's user that it belongs to."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\ncd {folder}\n{script}\n")
    path.chmod(0o755)
    # Beside the kubeconfig, as a relative path says.
    return {"exec": {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "./plugin"}}


def credential(version: str = "v1", **status: str) -> str:
    api = f"client.authentication.k8s.io/{version}"
    return json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": status})


def is_admin(path: Path | None) -> bool:
    """Whether the API server takes these credentials, and for the admin's."""
    with connect(path) as cluster:
        (answer,) = cluster.list_objects([("v1", "Secret")])
        return isinstance(answer, list)


def make_certificate(folder: Path, controlplane: ControlPlane) -> tuple[Path, Path]:
    """A client certificate of the group of admins, and its key."""
    key, request, certificate = folder / "client.key", folder / "client.csr", folder / "client.crt"
    ca, log = controlplane.client_ca, folder / "openssl.log"
    subject = ("-subj", "/O=system:masters/CN=somebody")
    run_logged(
        ["openssl", "req", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", request], log=log
    )
    signer = ("-CA", ca, "-CAkey", ca.with_suffix(".key"), "-CAcreateserial")
    run_logged(["openssl", "x509", "-req", "-in", request, *signer, "-out", certificate], log=log)
    return certificate, key


@pytest.mark.real
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_plugin_gives_a_token(controlplane: ControlPlane, tmp_path: Path, version: str) -> None:
    """Of either version of its API, and found beside the kubeconfig."""
    (tmp_path / "answer").write_text(credential(version, token=controlplane.token))
    user = write_plugin(tmp_path, "cat answer", version=version)
    assert is_admin(write_config(tmp_path, controlplane, user))


@pytest.mark.real
def test_a_plugin_gives_a_certificate(controlplane: ControlPlane, tmp_path: Path) -> None:
    """With its key, as PEM."""
    certificate, key = make_certificate(tmp_path, controlplane)
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    (tmp_path / "answer").write_text(credential(**status))
    assert is_admin(write_config(tmp_path, controlplane, write_plugin(tmp_path, "cat answer")))


@pytest.mark.real
@pytest.mark.parametrize("inline", [False, True])
def test_a_certificate_in_the_kubeconfig(controlplane: ControlPlane, tmp_path: Path, *, inline: bool) -> None:
    """As a path relative to it, or as data."""
    certificate, key = make_certificate(tmp_path, controlplane)
    user = {"client-certificate": certificate.name, "client-key": key.name}
    if inline:
        user = {
            f"{name}-data": base64.b64encode((tmp_path / path).read_bytes()).decode()
            for name, path in user.items()
        }
    assert is_admin(write_config(tmp_path, controlplane, user))


@pytest.mark.real
def test_expired_credentials_are_read_again_once(controlplane: ControlPlane, tmp_path: Path) -> None:
    """On a 401, by all requests that meet it together; a plugin is not run for each of them."""
    for number, token in enumerate((WRONG, controlplane.token), start=1):
        (tmp_path / str(number)).write_text(credential(token=token, expirationTimestamp="2020-01-01T00:00:00Z"))
    user = write_plugin(tmp_path, "echo run >> runs; cat $(wc -l < runs)")
    with connect(write_config(tmp_path, controlplane, user)) as cluster:
        cluster.get_objects([("v1", ref_of(make_map("default", "missing")))] * 100)
        assert cluster.requests == 2 * 2 + 100
    assert (tmp_path / "runs").read_text() == "run\n" * 2


@pytest.mark.real
def test_credentials_that_stay_wrong_are_not_sent_again(controlplane: ControlPlane, tmp_path: Path) -> None:
    """The plugin is asked once more; nothing else was to be hoped for from the same answer."""
    (tmp_path / "answer").write_text(credential(token=WRONG))
    path = write_config(tmp_path, controlplane, write_plugin(tmp_path, "echo run >> runs; cat answer"))
    with connect(path, discover=False) as cluster:
        with pytest.raises(ClusterError, match=r"does not accept these credentials \(401\)"):
            cluster.read_discovery()
        assert cluster.requests == 2
    assert (tmp_path / "runs").read_text() == "run\n" * 2


def enter_pod(controlplane: ControlPlane, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find what a pod finds; where the package looks for the files is fixed in it."""
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(controlplane.ca))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", controlplane.url.rpartition(":")[2])


@pytest.mark.real
def test_a_token_file_that_rotates(
    controlplane: ControlPlane, tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the API server no longer takes a ServiceAccount's old token, the new one is read from the file.

    The same connection goes on, whether the file is that of a kubeconfig or that of a pod.
    """
    kubectl = controlplane.kubectl
    account = f"--serviceaccount={namespace}:default"
    kubectl("create", "rolebinding", "x", "-n", namespace, "--clusterrole=view", account)

    def make_token(secret: str) -> str:
        kubectl("create", "secret", "generic", secret, "-n", namespace)
        bound = ("--bound-object-kind=Secret", f"--bound-object-name={secret}")
        return kubectl("create", "token", "default", "-n", namespace, *bound)

    def is_refused(cluster: Cluster) -> bool:
        (answer,) = cluster.get_objects([("v1", ref_of(make_map(namespace)))])
        return isinstance(answer, ClusterError) and answer.status == 401

    token = tmp_path / "token"
    token.write_text(make_token("old"))
    enter_pod(controlplane, token, monkeypatch)
    path = write_config(tmp_path, controlplane, {"tokenFile": token.name})
    with connect(path) as outside, connect(None) as inside:
        assert not is_refused(outside)
        assert not is_refused(inside)
        kubectl("delete", "secret", "old", "-n", namespace)
        wait_until(lambda: is_refused(outside), what="the API server has forgotten the old token")
        assert is_refused(inside)
        token.write_text(make_token("new"))
        for each in (outside, inside):
            wait_until(lambda each=each: not is_refused(each), what="the new token is read")  # type: ignore[misc]


@pytest.mark.real
def test_in_a_pod(controlplane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig, by the pod's ServiceAccount; a kubeconfig that is there counts, a broken one too."""
    (tmp_path / "token").write_text(controlplane.token)
    enter_pod(controlplane, tmp_path / "token", monkeypatch)
    assert is_admin(None)
    broken = tmp_path / "broken"
    broken.write_text("[")
    monkeypatch.setenv("KUBECONFIG", str(broken))
    with pytest.raises(ClusterError, match=f"no usable kubeconfig in {broken}"):
        is_admin(None)


@pytest.mark.real
def test_a_token_file_ends_with_a_newline(controlplane: ControlPlane, tmp_path: Path) -> None:
    """As editors and `echo` leave it."""
    (tmp_path / "token").write_text(f"{controlplane.token}\n")
    assert is_admin(write_config(tmp_path, controlplane, {"tokenFile": "token"}))


@pytest.mark.real
def test_several_files_are_one(
    controlplane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contexts in one, users in another, one missing; the first that chooses a context decides, as in kubectl."""
    users = write_config(tmp_path, controlplane, {"token": WRONG}, "users")
    config = json.loads(users.read_text())
    config["users"].append({"name": "admin", "user": {"token": controlplane.token}})
    users.write_text(json.dumps(config))
    contexts = {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": "mine", "context": {"cluster": "x", "user": "admin"}}],
        "current-context": "mine",
    }
    (tmp_path / "contexts").write_text(json.dumps(contexts))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{tmp_path / 'contexts'}:{users}")
    kubectl = str(controlplane.kubectl_path)
    assert (
        subprocess.run([kubectl, "config", "current-context"], capture_output=True, text=True, check=True).stdout
        == "mine\n"
    )
    assert is_admin(None)
    assert (
        controlplane.kubectl("config", "current-context", "--kubeconfig", tmp_path / "contexts").strip() == "mine"
    )
    with pytest.raises(ClusterError, match="401"), connect(None, context="x"):
        pass


@pytest.mark.real
@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'the session has expired,'; echo 'log in again' >&2; exit 3", "process returned 3. log in again"),
        ("printf 'x%.0s' $(seq 5000) >&2; exit 1", "process returned 1. xxx"),
        ("echo Welcome", "failed to decode process output"),
        ("echo '{}'", "missing key 'apiVersion'"),
        (f"echo '{credential()}'", "missing token or clientCertificateData"),
        (f"echo '{credential('v1beta1', token=WRONG)}'", "v1beta1 does not match"),
    ],
)
def test_a_plugin_that_fails_is_told_in_one_line(
    controlplane: ControlPlane, tmp_path: Path, script: str, complaint: str
) -> None:
    """With what it wrote to standard error, shortened; nothing is asked without credentials."""
    path = write_config(tmp_path, controlplane, write_plugin(tmp_path, script))
    with (
        pytest.raises(ClusterError, match="the credential plugin of the kubeconfig failed: ") as error,
        connect(path),
    ):
        pass
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.real
def test_a_plugin_that_is_not_there_is_named(controlplane: ControlPlane, tmp_path: Path) -> None:
    """As it is called in the kubeconfig."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login"}}
    path = write_config(tmp_path, controlplane, user)
    with pytest.raises(ClusterError, match=r"plugin of the kubeconfig failed: .*'no-such-login'"), connect(path):
        pass


@pytest.mark.real
def test_a_plugin_on_a_terminal_writes_there(controlplane: ControlPlane, tmp_path: Path) -> None:
    """It may ask for something; when it fails, its own words stand above ours."""
    path = write_config(tmp_path, controlplane, write_plugin(tmp_path, "echo 'log in again' >&2; exit 3"))
    ours, theirs = pty.openpty()
    code = (
        "import sys; from pathlib import Path; from jsorc_gitops.adapters.kubeconfig import load_configuration\n"
        "try: load_configuration(Path(sys.argv[1]), None)\n"
        "except Exception as error: print(error)"
    )
    subprocess.run([sys.executable, "-c", code, path], stdout=theirs, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)
    assert shown == [
        "log in again",
        "the credential plugin of the kubeconfig failed: what it says stands above",
    ]


@pytest.mark.real
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"current-context": ""}, "it has no current-context; name one with --context"),
        ({"current-context": "y"}, "no context y; there is x"),
        ({"clusters": []}, "Expected object with name x in .*/clusters list"),
        ({"clusters": [{"name": "x", "cluster": {}}]}, "the cluster of context x has no server"),
        ({"users": [{"name": "x", "user": {"tokenFile": "nowhere"}}]}, "No such file .*/nowhere"),
    ],
)
def test_a_kubeconfig_with_a_gap_is_told_in_one_line(
    controlplane: ControlPlane, tmp_path: Path, change: Mapping[str, Any], complaint: str
) -> None:
    """Before anything is sent; what is missing is named."""
    path = write_config(tmp_path, controlplane, {"token": WRONG})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with (
        pytest.raises(ClusterError, match=f"no usable kubeconfig in {path}: .*{complaint}") as error,
        connect(path, discover=False),
    ):
        pass
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "user", [{"name": "x", "token": WRONG}, {"name": "x", "user": {"exec": {"env": WRONG}}}], ids=["user", "exec"]
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path, user: Mapping[str, Any]) -> None:
    """The package would quote all that stands where it found nothing."""
    config = {
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [user],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with pytest.raises(ClusterError, match="kubeconfig") as error, connect(path):
        pass
    assert WRONG not in f"{error.value!r} {error.value.__cause__!r}"
