"""Opens what lies outside for a pass, a look, and what a person does by hand; imported where that runs."""

import os
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jsorc_gitops.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsorc_gitops.adapters.cluster import Cluster
    from jsorc_gitops.adapters.jaseci import BrokenJaseci, Jaseci
    from jsorc_gitops.cli.terminal import Progress
    from jsorc_gitops.model.jaseci import Credentials
    from jsorc_gitops.model.settings import JaseciSettings, Settings
    from jsorc_gitops.model.tree import Tree
    from jsorc_gitops.reconcile.ports import Doors, History


class Clock:
    """The API server's time of day, since what it stamped is measured by it; this machine's until it is known."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster

    def now(self) -> datetime:
        return self._cluster.time or datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@contextmanager
def open_doors(
    cluster: "Cluster",
    tree: "Tree",
    history: "History",
    *,
    root: Path,
    progress: "Progress",
    asks_jaseci: bool = True,
    seconds: float = 0.0,  # a call to Jaseci may take; 0 for as long as a pass allows
) -> "Iterator[Doors]":
    """All that is outside of one pass over a tree, beside the cluster, closed at the end."""
    from jsorc_gitops.adapters.lease import Lease
    from jsorc_gitops.reconcile.ports import Doors

    settings = tree.settings
    with ExitStack() as stack:
        stack.callback(progress.clear)
        jaseci = stack.enter_context(open_jaseci(settings, root, seconds=seconds)) if asks_jaseci else None
        yield Doors(
            cluster=cluster,
            history=history,
            lease=Lease(cluster, tree=tree.name, namespace=settings.namespace, waiting=progress.wait),
            clock=Clock(cluster),
            jaseci=jaseci,
            waiting=progress.wait,
        )


@contextmanager
def open_cluster(
    kubeconfig: str | None,
    context: str | None,
    *,
    read_only: bool = False,
    progress: "Callable[[str, int, int], None]" = lambda *_: None,
) -> "Iterator[Cluster]":
    """A connection to the cluster that kubectl would take, closed at the end."""
    from jsorc_gitops.adapters.lean import import_kubernetes

    import_kubernetes()
    from jsorc_gitops.adapters.cluster import Cluster
    from jsorc_gitops.reconcile.ownership import FIELD_MANAGER

    cluster = Cluster(
        field_manager=FIELD_MANAGER,
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        context=context,
        read_only=read_only,
        progress=progress,
    )
    with closing(cluster):
        yield cluster


@contextmanager
def open_jaseci(
    settings: "Settings", root: Path, *, seconds: float = 0.0
) -> "Iterator[Jaseci | BrokenJaseci | None]":
    """Jaseci, None where there is none; one that knows nothing where its credentials cannot be used.

    `seconds` is how long a call may take, 0 for as long as a pass allows.
    """
    from jsorc_gitops.adapters.jaseci import BrokenJaseci, Jaseci
    from jsorc_gitops.adapters.jaseci_wire import SECONDS

    if (where := settings.jaseci) is None:
        yield None
        return
    try:
        credentials = _read_credentials(where, where.locate(settings.namespace), root)
    except SettingsError as error:
        yield BrokenJaseci(str(error))
        return
    jaseci = Jaseci(where.url, credentials, port=where.port, seconds=seconds or SECONDS)
    try:
        yield jaseci
    finally:
        jaseci.close()
        if jaseci.leftover:
            click.echo(f"warning: {jaseci.leftover}", err=True)


def _read_credentials(settings: "JaseciSettings", url: str, root: Path) -> "Credentials":
    from jsorc_gitops.adapters.files import read_secret_file
    from jsorc_gitops.model.jaseci import parse_credentials

    name = settings.credentials.name
    if settings.credentials.kind == "file":
        return parse_credentials(read_secret_file(root / name), source=name, url=url)
    text = os.environ.get(name)
    if not text:
        raise SettingsError(f"jaseci.credentials: the variable {name} is not set")
    return parse_credentials(text, source=f"${name}", url=url)
