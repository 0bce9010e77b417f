"""Credentials as kubectl finds them: kubeconfig files and what they refer to, or a pod's ServiceAccount."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from jsorc_gitops.errors import ClusterError

_LONGEST = 300  # characters of what a loader or a plugin has to say


def load_configuration(kubeconfig: Path | None, context: str | None) -> Configuration:
    """Address and credentials as they are now; runs the credential plugin where there is one.

    Raises ClusterError. What it returns never reads them again by itself: the package would run a plugin once
    for each request when a token is about to expire, and would not look into a tokenFile again.
    """
    configuration = Configuration()
    name = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        found = _load_files(name, context, configuration)
    except ClusterError:
        raise
    except Exception as error:  # the loader raises whatever it stumbles over in a broken file
        # Not chained: what the loader quotes of the file may be a secret.
        raise ClusterError(f"no usable kubeconfig in {name}: {_explain(error)}") from None
    if not found:
        if kubeconfig or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise ClusterError(f"no usable kubeconfig in {name}: there is no such file")
        _load_service_account(configuration)
    configuration.refresh_api_key_hook = None
    if token := configuration.api_key.get("BearerToken"):
        # A token file mostly ends with a newline.
        configuration.api_key["BearerToken"] = token.strip()
    # What may be sent twice is decided in Connection, and a redirect could carry our token elsewhere.
    configuration.retries = False
    return configuration


def _load_files(name: str, context: str | None, configuration: Configuration) -> bool:
    """Read the files that `name` lists; False where there are none."""
    merger = KubeConfigMerger(name)
    if merger.config is None:
        return False
    chosen = context or _find_current_context(list(merger.config_files.values()))
    known = [each["name"] for each in merger.config["contexts"].value]
    if chosen not in known:
        raise ClusterError(f"no usable kubeconfig in {name}: no context {chosen}; there is {', '.join(known)}")
    with _hear_complaints() as complaints:
        loader = KubeConfigLoader(
            merger.config, active_context=chosen, config_base_path=None, config_persister=merger.save_changes
        )
        loader.load_and_set(configuration)
    if complaints:
        raise ClusterError(f"the credential plugin of the kubeconfig failed: {complaints[0]}")
    if not hasattr(loader, "host"):
        # The package would send the credentials to localhost.
        raise ClusterError(f"no usable kubeconfig in {name}: the cluster of context {chosen} has no server")
    return True


def _find_current_context(files: Sequence[Mapping[str, Any]]) -> str:
    """That of the first file that has one, as in kubectl; the package takes the last."""
    found = next(filter(None, (each.get("current-context") for each in files)), None)
    if not found:
        raise config.ConfigException("it has no current-context; name one with --context")
    return str(found)


@contextmanager
def _hear_complaints() -> Iterator[list[str]]:
    """What the loader logs of a plugin that failed; it goes on without credentials then."""
    complaints: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = _shorten(record.getMessage())
            # On a terminal a plugin writes to that, and the package stumbles over having nothing to quote.
            complaints.append("what it says stands above" if text.startswith("'NoneType'") else text)

    listener = Listener()
    listener.addFilter(lambda record: record.module == "kube_config")
    root = logging.getLogger()
    root.addHandler(listener)
    try:
        yield complaints
    finally:
        root.removeHandler(listener)


def _load_service_account(configuration: Configuration) -> None:
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ClusterError(f"in a pod, but without a usable ServiceAccount: {error}") from error


def _explain(error: Exception) -> str:
    if isinstance(error, AttributeError | TypeError | KeyError | IndexError):
        return "it is not written as a kubeconfig is"
    # The loader names a place by its file and all that stands there, tokens too.
    return _shorten(str(error).partition("/{")[0].removeprefix("Invalid kube-config file. "))


def _shorten(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
