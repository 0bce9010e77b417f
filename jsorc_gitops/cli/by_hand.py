"""`jsorc reset`, `jsorc pause`, `jsorc resume`: what a person does beside the passes."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.duration import is_duration, parse_duration
from jsorc_gitops.cli.options import at_cluster, in_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from jsorc_gitops.reconcile.ports import Pass


def _parse_until(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> "datetime | timedelta | None":
    """A time with its zone, or how long from now. Raises click.BadParameter."""
    from datetime import UTC, datetime, timedelta

    if value is None:
        return None
    if is_duration(value):
        return timedelta(seconds=parse_duration(context, parameter, value))
    try:
        until = datetime.fromisoformat(value)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        message = f"{value!r} is neither a duration like 2h30m nor a time like 2026-01-31T18:00:00Z"
        raise click.BadParameter(message, context, parameter)
    return until.astimezone(UTC)


@click.command()
@click.argument("service")
@in_environment
@at_cluster
@click.pass_obj
def reset(root: "Path", *, service: str, environment: str, kubeconfig: str | None, context: str | None) -> int:
    """Reset SERVICE now, once, though it runs; verified and written down as the resets of passes are."""
    from jsorc_gitops.cli.telling import print_lines
    from jsorc_gitops.reconcile.by_hand import reset_by_hand
    from jsorc_gitops.reconcile.report import format_body

    with _open_pass(root, environment, kubeconfig, context) as run:
        report = reset_by_hand(run, service)
    print_lines(format_body(report, quiet=False))
    return report.exit_code


@click.command()
@click.argument("service")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who wonder.")
@click.option(
    "--until",
    callback=_parse_until,
    metavar="TIME",
    help="When it ends by itself: a duration (2h30m) or a time (2026-01-31T18:00:00Z).",
)
@in_environment
@at_cluster
@click.pass_obj
def pause(
    root: "Path",
    *,
    service: str,
    reason: str,
    until: "datetime | timedelta | None",
    environment: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """Have passes leave SERVICE alone: neither applied, nor pruned, nor reset, until it is resumed."""
    from jsorc_gitops.reconcile.by_hand import pause_service

    if not reason.strip():
        raise click.UsageError("--reason: say why, for those who wonder")
    with _open_pass(root, environment, kubeconfig, context) as run:
        end = pause_service(run, service, reason=" ".join(reason.split()), until=until)
    click.echo(f"{service} is paused until {end or 'it is resumed'}")
    return 0


@click.command()
@click.argument("service")
@in_environment
@at_cluster
@click.pass_obj
def resume(root: "Path", *, service: str, environment: str, kubeconfig: str | None, context: str | None) -> int:
    """End the pause of SERVICE; the next pass takes care of it again."""
    from jsorc_gitops.reconcile.by_hand import resume_service

    with _open_pass(root, environment, kubeconfig, context) as run:
        resume_service(run, service)
    click.echo(f"{service} is resumed; the next pass takes care of it")
    return 0


@contextmanager
def _open_pass(root: "Path", environment: str, kubeconfig: str | None, context: str | None) -> "Iterator[Pass]":
    """A pass over HEAD's tree, with all doors open."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.doors import open_cluster, open_doors
    from jsorc_gitops.cli.reading import read_tree
    from jsorc_gitops.cli.terminal import Progress
    from jsorc_gitops.reconcile.ports import Options, Pass

    repository = Repository(root)
    revision = repository.get_head()
    tree, _ = read_tree(repository, revision, root=root, environment=environment)
    with (
        open_cluster(kubeconfig, context) as cluster,
        open_doors(cluster, tree, repository, root=root, progress=Progress()) as doors,
    ):
        yield Pass(tree=tree, revision=revision, doors=doors, options=Options())
