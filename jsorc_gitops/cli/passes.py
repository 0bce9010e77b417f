"""One pass of `jsorc reconcile`, or one every `interval` seconds; imported where it runs, not for --help."""

import gc
import signal
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from jsorc_gitops import __version__
from jsorc_gitops.cli import EXIT_BUG
from jsorc_gitops.cli.doors import Clock, open_cluster, open_doors
from jsorc_gitops.cli.modes import EXIT_DIFFERENCES
from jsorc_gitops.cli.rendering import find_cache
from jsorc_gitops.cli.telling import Teller, make_teller
from jsorc_gitops.cli.terminal import Progress, clean_text
from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.settings import DEFAULT_TREE
from jsorc_gitops.reconcile.report import Ending, Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from jsorc_gitops.adapters.cluster import Cluster
    from jsorc_gitops.model.tree import Tree
    from jsorc_gitops.reconcile.ports import Doors, History, Options
    from jsorc_gitops.reconcile.records import FoundTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The command line, as far as a pass needs it."""

    root: Path
    kubeconfig: str | None
    context: str | None
    environment: str
    options: "Options"
    verbose: bool
    output: str
    exit_code: bool = False  # of a dry run: 6 where something differs
    namespace: str = ""  # where the records lie that the tree is read from; "" to read it from git
    metrics: str | None = None
    repo: str = ""  # where the tree is fetched from; "" for the repository around `root`
    branch: str = ""  # of it; "" for its own
    folder: str = "."  # that holds jsorc.yaml in it
    corridor: "Callable[[Tree, str, Doors, Options], Report] | None" = None  # instead of a pass

    @property
    def source(self) -> str:
        """What passes are over."""
        if self.namespace:
            return f"the records in {self.namespace}"
        return f"{self.branch or 'HEAD'} of {self.repo or self.root}"

    @property
    def labels(self) -> dict[str, str]:
        """What tells its metrics from those of other trees on the same host, be there a tree to read or not."""
        tree = {"tree": self.environment or DEFAULT_TREE}
        if self.namespace:
            return {"namespace": self.namespace, **tree}
        name = PurePosixPath(self.repo).name.removesuffix(".git") if self.repo else self.root.name
        return {"repository": str(PurePosixPath(name, self.folder)), **tree}


def loop_passes(invocation: Invocation) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    click.echo(
        f"jsorc {__version__}: a pass over {invocation.source} every `interval` seconds, until SIGTERM", err=True
    )
    interval = 10.0
    while not stop.is_set():
        try:
            _, interval = run_pass(invocation)
        except JsorcError as error:
            # A loop outlives a bad pass: the next one may find the API server again.
            click.echo(f"jsorc: {clean_text(str(error))}", err=True)
        stop.wait(interval)
    return 0


def run_once(invocation: Invocation) -> int:
    """One pass; SIGTERM gives the Lease back first and undoes the login to Jaseci, as ^C does."""
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        ended.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        return run_pass(invocation)[0]
    except KeyboardInterrupt:
        for number in ended:
            # Whoever sent it is told by the system that we died of it.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        raise


def run_pass(invocation: Invocation) -> tuple[int, float]:
    """One pass, told and measured; returns its exit code and the interval the settings ask for."""
    teller, begun = make_teller(invocation.output), time.monotonic()

    def end(code: int, report: Report | None = None) -> Ending:
        ending = Ending(exit_code=code, seconds=time.monotonic() - begun, at=datetime.now(UTC))
        _write_metrics(invocation, report, ending)
        return ending

    # What is known of the pass, should an error end it here.
    teller.tell_part(Report(revision="", dry_run=invocation.options.dry_run), quiet=True)
    try:
        tree, report = _read_and_reconcile(invocation, teller)
    except JsorcError as error:
        teller.tell_error(error, end(error.exit_code))
        raise
    except KeyboardInterrupt:
        teller.tell_interrupt()
        raise
    except Exception:
        end(EXIT_BUG)
        raise
    code = EXIT_DIFFERENCES if invocation.exit_code and report.differs else report.exit_code
    teller.tell_report(report, end(code, report), quiet=tree.settings.quiet and not invocation.verbose)
    return code, tree.settings.interval


def _write_metrics(invocation: Invocation, report: Report | None, ending: Ending) -> None:
    from jsorc_gitops.adapters.textfile import read_textfile, write_textfile
    from jsorc_gitops.reconcile.metrics import format_metrics

    if invocation.metrics is None:
        return
    path = Path(invocation.metrics)
    try:
        write_textfile(path, format_metrics(report, ending, labels=invocation.labels, before=read_textfile(path)))
    except JsorcError as error:
        # What the pass did counts; whoever watches the metrics sees that they are old.
        click.echo(f"warning: --metrics {clean_text(str(error))}", err=True)


def _read_and_reconcile(invocation: Invocation, teller: Teller) -> "tuple[Tree, Report]":
    # What is read lives to the end of a pass; to look through it for garbage again and again would double it.
    gc.set_threshold(100_000, 50, 1000)
    return (_read_cluster if invocation.namespace else _read_git)(invocation, teller)


def _read_cluster(invocation: Invocation, teller: Teller) -> "tuple[Tree, Report]":
    from jsorc_gitops.reconcile.holding import await_applied
    from jsorc_gitops.reconcile.ports import NoHistory
    from jsorc_gitops.reconcile.records import read_cluster_tree

    progress = Progress()
    with _open_cluster(invocation, progress) as cluster:
        cluster.read_discovery()
        begun, patience = time.monotonic(), invocation.options.wait
        found = await_applied(
            partial(read_cluster_tree, cluster, invocation.namespace, invocation.environment),
            Clock(cluster),
            progress.wait,
            seconds=patience or 0.0,
        )
        if patience is not None:
            left = max(0.0, patience - (time.monotonic() - begun))
            invocation = replace(invocation, options=replace(invocation.options, wait=left))
        known = _tell_known(invocation, teller, found.tree, found.revision)
        report = _reconcile(
            invocation, teller, cluster, found.tree, NoHistory(), known=known, progress=progress, found=found
        )
    return found.tree, report


def _read_git(invocation: Invocation, teller: Teller) -> "tuple[Tree, Report]":
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.reading import read_tree

    root = _fetch(invocation) if invocation.repo else invocation.root
    repository = Repository(root)
    revision = repository.get_head()
    tree, edited = read_tree(repository, revision, root=root, environment=invocation.environment)
    # What was fetched has no files on disk.
    if not invocation.repo and (dirty := repository.list_dirty("rendered")):
        teller.tell_warning(f"{dirty[0]} differs from HEAD; what is committed is applied")
    if edited:
        what = f"{edited[0]} was" if len(edited) == 1 else f"{edited[0]} and {len(edited) - 1} more files were"
        teller.tell_warning(
            f"{what} edited by hand and committed; the edit is applied, and belongs into templates/"
        )
    # Only on demand: not every change of a template changes what it renders to.
    if invocation.verbose and (later := repository.list_changed_since("rendered", "jsorc.yaml", "templates")):
        note = f"{later[0]} was changed after rendered/ was last committed; see jsorc render --check"
        click.echo(f"note: {note}", err=True)
    progress = Progress()
    known = _tell_known(invocation, teller, tree, revision)
    with _open_cluster(invocation, progress) as cluster:
        report = _reconcile(invocation, teller, cluster, tree, repository, known=known, progress=progress)
    return tree, report


def _tell_known(invocation: Invocation, teller: Teller, tree: "Tree", revision: str) -> Report:
    """What is known of the pass, should an error end it here."""
    known = Report(revision=revision, tree=tree.name, dry_run=invocation.options.dry_run)
    teller.tell_part(known, quiet=True)
    return known


def _fetch(invocation: Invocation) -> Path:
    from jsorc_gitops.adapters.git_clone import update_clone

    with Progress().wait(f"{invocation.repo} to answer"):
        return update_clone(find_cache(), invocation.repo, invocation.branch, invocation.folder)


def _open_cluster(invocation: Invocation, progress: Progress) -> "AbstractContextManager[Cluster]":
    return open_cluster(
        invocation.kubeconfig,
        invocation.context,
        read_only=invocation.options.dry_run,
        progress=progress.tell,
    )


def _reconcile(
    invocation: Invocation,
    teller: Teller,
    cluster: "Cluster",
    tree: "Tree",
    history: "History",
    *,
    known: Report,
    progress: Progress,
    found: "FoundTree | None" = None,
) -> Report:
    from jsorc_gitops.adapters.files import read_mask_key
    from jsorc_gitops.reconcile import converge

    options, settings = invocation.options, tree.settings
    if options.dry_run:
        options = replace(options, mask_key=read_mask_key(find_cache()))
    quiet = settings.quiet and not invocation.verbose

    def tell(part: Report) -> None:
        progress.clear()
        teller.tell_part(part, quiet=quiet)

    with open_doors(
        cluster,
        tree,
        history,
        root=invocation.root,
        progress=progress,
        asks_jaseci=not options.dry_run,
    ) as opened:
        doors = replace(opened, tell=tell)
        try:
            if invocation.corridor:
                return invocation.corridor(tree, known.revision, doors, options)
            return converge.reconcile(tree, known.revision, doors, options, found=found)
        except JsorcError:
            asked = doors.jaseci.requests if doors.jaseci else 0
            tell(replace(known, server=cluster.server, requests=cluster.requests, jaseci_requests=asked))
            raise
