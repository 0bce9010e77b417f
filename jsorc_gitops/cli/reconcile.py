"""`jsorc reconcile`: one pass over the committed tree, or one every `interval` seconds."""

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from jsorc_gitops.cli.duration import parse_duration
from jsorc_gitops.cli.options import as_report, at_cluster, in_environment

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--loop", is_flag=True, help="Repeat every `interval` seconds until SIGTERM; a pass begun is finished."
)
@click.option("--wait", is_flag=True, help="Stay until every object is as git says, fails, or time runs out.")
@click.option(
    "--timeout",
    callback=parse_duration,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long --wait stays; then the exit code is 4.",
)
@in_environment
@click.option(
    "--from-cluster",
    is_flag=True,
    help="Read the tree from its records in the cluster, not from git; apply and prune nothing.",
)
@click.option("--namespace", default="", metavar="NAME", help="With --from-cluster: where the records lie.")
@click.option("--repo", default="", metavar="URL", help="Fetch the tree from there, not from this folder.")
@click.option(
    "--branch", default="", metavar="NAME", help="With --repo: the branch; the remote's own by default."
)
@click.option(
    "--folder", default=".", metavar="PATH", help="With --repo: the folder in it that holds jsorc.yaml."
)
@click.option("-v", "--verbose", is_flag=True, help="Also print what is as it should be, whatever `quiet` says.")
@click.option("--dry-run", is_flag=True, help="Print what a pass would change, and write nothing.")
@click.option("--exit-code", is_flag=True, help="With --dry-run: exit 6 when a pass would change something.")
@click.option("--adopt", is_flag=True, help="Take over objects that exist already and are not ours.")
@click.option("--allow-prune", is_flag=True, help="Prune in this pass whatever the prune budget says.")
@click.option(
    "--allow-rewind", is_flag=True, help="Apply and prune although HEAD is no descendant of the commit applied."
)
@click.option(
    "--audit-every",
    callback=parse_duration,
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="Dry-run all objects, also those that look unchanged, when that was last done so long ago; 0 never.",
)
@as_report
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write metrics of each pass there, for Prometheus' node exporter.",
)
@at_cluster
@click.pass_obj
def reconcile(
    root: "Path",
    /,
    *,
    loop: bool,
    wait: bool,
    timeout: float,
    from_cluster: bool,
    dry_run: bool,
    exit_code: bool,
    adopt: bool,
    allow_prune: bool,
    allow_rewind: bool,
    audit_every: float,
    metrics: str | None,
    **rest: Any,  # what an Invocation takes as it is
) -> int:
    """Make the cluster what HEAD's rendered/ says; reset the Jaseci services that do not run.

    Where jsorc.yaml says that Flux or Argo CD is the applier, a pass judges and resets alone.

    Exit codes: 0 converged or on its way; 1 something was refused or failed; 4 applied, but a workload or a
    Jaseci service does not work, or --wait ran out of time; 5 another reconciler is at work.
    """
    _check_usage(dry_run=dry_run, exit_code=exit_code, is_pass=bool(loop or metrics))
    _check_source(from_cluster=from_cluster, namespace=rest["namespace"])
    _check_repo(rest["repo"], rest["branch"], rest["folder"], from_cluster=from_cluster)
    patience = _find_patience(timeout, wait=wait, once=not (loop or dry_run))
    from jsorc_gitops.cli.passes import Invocation, loop_passes, run_once
    from jsorc_gitops.reconcile.ports import Options

    options = Options(
        adopt=adopt,
        allow_prune=allow_prune,
        allow_rewind=allow_rewind,
        dry_run=dry_run,
        audit_every=audit_every,
        wait=patience,
    )
    invocation = Invocation(root=root, options=options, exit_code=exit_code, metrics=metrics, **rest)
    return loop_passes(invocation) if loop else run_once(invocation)


def _check_usage(*, dry_run: bool, exit_code: bool, is_pass: bool) -> None:
    if dry_run and is_pass:
        raise click.UsageError("--dry-run is no pass, so it goes neither with --loop nor with --metrics")
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code tells of differences, so it needs --dry-run")


def _check_source(*, from_cluster: bool, namespace: str) -> None:
    if bool(namespace) != from_cluster:
        raise click.UsageError("--from-cluster and --namespace go together: the records lie in a namespace")
    context = click.get_current_context()
    for name in ("dry_run", "adopt", "allow_prune", "allow_rewind", "audit_every"):
        if from_cluster and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"--from-cluster applies nothing, so it does not go with {option}")


def _check_repo(repo: str, branch: str, folder: str, *, from_cluster: bool) -> None:
    if not repo:
        if branch or folder != ".":
            raise click.UsageError("--branch and --folder are of a remote repository, so they need --repo")
        return
    if from_cluster:
        raise click.UsageError("--repo reads the tree from git, --from-cluster from the cluster; say one of them")
    if folder.startswith("/") or ".." in folder.split("/"):
        raise click.UsageError(f"--folder: {folder} leads out of the repository")
    from jsorc_gitops.adapters.git_clone import check_url

    check_url(repo)


def _find_patience(timeout: float, *, wait: bool, once: bool) -> float | None:
    """How many seconds to wait for verdicts, None where nobody wants to; raises UsageError."""
    if wait and not once:
        raise click.UsageError("--wait is for one pass, so it goes neither with --loop nor with --dry-run")
    source = click.get_current_context().get_parameter_source("timeout")
    if not wait and source is not ParameterSource.DEFAULT:
        raise click.UsageError("--timeout is how long to wait, so it needs --wait")
    return timeout if wait else None
