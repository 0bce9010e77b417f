"""`jsorc reconcile`: one pass over the committed tree, or one every `interval` seconds."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--loop", is_flag=True, help="Repeat every `interval` seconds until SIGTERM; a pass begun is finished."
)
@click.option("--env", "environment", default="", metavar="NAME", help="The environment, if there are several.")
@click.option("-v", "--verbose", is_flag=True, help="Also print what is as it should be, whatever `quiet` says.")
@click.option("--adopt", is_flag=True, help="Take over objects that exist already and are not ours.")
@click.option("--allow-prune", is_flag=True, help="Prune in this pass whatever the prune budget says.")
@click.option(
    "--allow-rewind", is_flag=True, help="Prune although HEAD does not descend from the last applied commit."
)
@click.option("--kubeconfig", type=click.Path(dir_okay=False), help="The kubeconfig file, as in kubectl.")
@click.option("--context", help="The context in the kubeconfig, as in kubectl.")
@click.pass_obj
def reconcile(
    root: "Path",
    *,
    loop: bool,
    environment: str,
    verbose: bool,
    adopt: bool,
    allow_prune: bool,
    allow_rewind: bool,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """Make the cluster what HEAD's rendered/ says; reset the Jaseci services that do not run.

    Exit codes: 0 converged or on its way; 1 something was refused or failed; 4 applied, but a workload or a
    Jaseci service does not work; 5 another reconciler is at work.
    """
    from jsorc_gitops.cli.passes import Invocation, loop_passes, run_pass
    from jsorc_gitops.reconcile.ports import Options

    options = Options(adopt=adopt, allow_prune=allow_prune, allow_rewind=allow_rewind)
    invocation = Invocation(
        root=root,
        kubeconfig=kubeconfig,
        context=context,
        environment=environment,
        options=options,
        verbose=verbose,
    )
    if loop:
        return loop_passes(invocation)
    report, _ = run_pass(invocation)
    return report.exit_code
