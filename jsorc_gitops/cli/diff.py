"""`jsorc diff`: what a pass would change."""

from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.duration import HOUR
from jsorc_gitops.cli.options import as_report, at_cluster, in_environment

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@in_environment
@click.option("--exit-code", is_flag=True, help="Exit 6 when a pass would change something.")
@as_report
@at_cluster
@click.pass_obj
def diff(
    root: "Path",
    *,
    environment: str,
    exit_code: bool,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """Print what `jsorc reconcile` would change in the cluster, and write nothing.

    It asks the API server by dry-runs. The same as `jsorc reconcile --dry-run`.
    """
    from jsorc_gitops.cli.passes import Invocation, run_pass
    from jsorc_gitops.reconcile.ports import Options

    invocation = Invocation(
        root=root,
        kubeconfig=kubeconfig,
        context=context,
        environment=environment,
        options=Options(dry_run=True, audit_every=HOUR),
        verbose=False,
        output=output,
        exit_code=exit_code,
    )
    return run_pass(invocation)[0]
