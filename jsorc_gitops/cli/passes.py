"""One pass of `jsorc reconcile`, or one every `interval` seconds; imported where it runs, not for --help."""

import os
import signal
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jsorc_gitops.errors import JsorcError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.adapters.jaseci import BrokenJaseci, Jaseci
    from jsorc_gitops.model.jaseci import Credentials
    from jsorc_gitops.model.settings import JaseciSettings
    from jsorc_gitops.model.tree import Tree
    from jsorc_gitops.reconcile.ports import Options
    from jsorc_gitops.reconcile.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The command line, as far as a pass needs it."""

    root: Path
    kubeconfig: str | None
    context: str | None
    environment: str
    options: "Options"
    verbose: bool


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def loop_passes(invocation: Invocation) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    interval = 10.0
    while not stop.is_set():
        try:
            _, interval = run_pass(invocation)
        except JsorcError as error:
            # A loop outlives a bad pass: the next one may find the API server again.
            click.echo(f"jsorc: {error}", err=True)
        stop.wait(interval)
    return 0


def run_pass(invocation: Invocation) -> "tuple[Report, float]":
    """One pass, printed; returns its report and the interval the settings ask for."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.reconcile.report import format_report

    repository = Repository(invocation.root)
    revision = repository.get_head()
    tree = _read_tree(repository, revision, invocation.environment)
    if dirty := repository.list_dirty("rendered"):
        click.echo(f"warning: {dirty[0]} differs from HEAD; what is committed is applied", err=True)
    # Only on demand: not every change of a template changes what it renders to.
    if invocation.verbose and (later := repository.list_changed_since("rendered", "jsorc.yaml", "templates")):
        note = f"{later[0]} was changed after rendered/ was last committed; run jsorc render --commit"
        click.echo(f"note: {note}", err=True)
    report = _reconcile(invocation, repository, tree, revision)
    for line in format_report(report, quiet=tree.settings.quiet and not invocation.verbose):
        click.echo(line)
    return report, tree.settings.interval


def _read_tree(repository: "Repository", revision: str, environment: str) -> "Tree":
    from jsorc_gitops.model.layout import FOLDER, compute_folder
    from jsorc_gitops.model.tree import find_tree, parse_tree

    files = repository.read_tree(revision, FOLDER)
    if not files:
        raise JsorcError(f"HEAD ({revision[:12]}) has no {FOLDER}/; run jsorc render --commit first")
    name = find_tree(files, environment, where=FOLDER)
    below = compute_folder(name)
    mine = {path.removeprefix(below): text for path, text in files.items() if path.startswith(below)}
    return parse_tree(mine, name=name, where=f"{FOLDER}/{below}".rstrip("/"))


def _reconcile(invocation: Invocation, repository: "Repository", tree: "Tree", revision: str) -> "Report":
    from jsorc_gitops.adapters.cluster import Cluster
    from jsorc_gitops.adapters.lease import Lease
    from jsorc_gitops.reconcile import converge
    from jsorc_gitops.reconcile.ownership import FIELD_MANAGER
    from jsorc_gitops.reconcile.ports import Doors

    with ExitStack() as stack:
        cluster = Cluster(
            field_manager=FIELD_MANAGER,
            kubeconfig=Path(invocation.kubeconfig) if invocation.kubeconfig else None,
            context=invocation.context,
        )
        stack.callback(cluster.close)
        settings = tree.settings
        jaseci = stack.enter_context(_open_jaseci(settings.jaseci, invocation.root)) if settings.jaseci else None
        doors = Doors(
            cluster=cluster,
            history=repository,
            lease=Lease(cluster, tree=tree.name, namespace=settings.namespace),
            clock=SystemClock(),
            jaseci=jaseci,
        )
        return converge.reconcile(tree, revision, doors, invocation.options)


@contextmanager
def _open_jaseci(settings: "JaseciSettings", root: Path) -> "Iterator[Jaseci | BrokenJaseci]":
    """The Jaseci server; without usable credentials one that knows nothing: objects are applied all the same."""
    from jsorc_gitops.adapters.jaseci import BrokenJaseci, Jaseci

    try:
        credentials = _read_credentials(settings, root)
    except SettingsError as error:
        yield BrokenJaseci(str(error))
        return
    with closing(Jaseci(settings.url, credentials)) as jaseci:
        yield jaseci


def _read_credentials(settings: "JaseciSettings", root: Path) -> "Credentials":
    from jsorc_gitops.adapters.files import read_secret_file
    from jsorc_gitops.model.jaseci import parse_credentials

    name = settings.credentials.name
    if settings.credentials.kind == "file":
        return parse_credentials(read_secret_file(root / name), source=name, url=settings.url)
    text = os.environ.get(name)
    if not text:
        raise SettingsError(f"jaseci.credentials: the variable {name} is not set")
    return parse_credentials(text, source=f"${name}", url=settings.url)
