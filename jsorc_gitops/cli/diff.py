"""`jsorc diff`: what a pass would change."""

from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.duration import HOUR

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--env", "environment", default="", metavar="NAME", help="The environment, if there are several.")
@click.option("--exit-code", is_flag=True, help="Exit 6 when a pass would change something.")
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="A report, or a JSON event a line."
)
@click.option("--kubeconfig", type=click.Path(dir_okay=False), help="The kubeconfig file, as in kubectl.")
@click.option("--context", help="The context in the kubeconfig, as in kubectl.")
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
