"""`jsorc release`, `jsorc adopt`: a tree goes over to Flux or Argo CD, and comes back."""

from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.options import as_report, at_cluster, in_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jsorc_gitops.model.tree import Tree
    from jsorc_gitops.reconcile.ports import Doors, Options
    from jsorc_gitops.reconcile.report import Report

_dry_run = click.option("--dry-run", is_flag=True, help="Print what would be done, and write nothing.")


@click.command()
@in_environment
@_dry_run
@as_report
@at_cluster
@click.pass_obj
def release(
    root: "Path", *, environment: str, dry_run: bool, output: str, kubeconfig: str | None, context: str | None
) -> int:
    """Let go of what Flux or Argo CD apply by now, as `applier` says; nothing is deleted or restarted.

    What they do not own as we do stays ours, and is named; the exit code is 1 then, and another run goes on.
    """
    from jsorc_gitops.reconcile.handover import release_tree
    from jsorc_gitops.reconcile.ports import Options

    return _run(
        release_tree,
        root,
        Options(dry_run=dry_run),
        environment=environment,
        output=output,
        kubeconfig=kubeconfig,
        context=context,
    )


@click.command()
@in_environment
@_dry_run
@click.option("--allow-rewind", is_flag=True, help="Although HEAD is no descendant of the commit applied.")
@as_report
@at_cluster
@click.pass_obj
def adopt(
    root: "Path",
    *,
    environment: str,
    dry_run: bool,
    allow_rewind: bool,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """Apply HEAD's rendered/ and take all of it over, from Flux or Argo CD at rest, too.

    What they have set and git does not say goes, their marks first of all; nothing is pruned, made anew or reset.
    """
    from jsorc_gitops.reconcile.handover import adopt_tree
    from jsorc_gitops.reconcile.ports import Options

    options = Options(dry_run=dry_run, allow_rewind=allow_rewind)
    return _run(
        adopt_tree, root, options, environment=environment, output=output, kubeconfig=kubeconfig, context=context
    )


def _run(
    corridor: "Callable[[Tree, str, Doors, Options], Report]",
    root: "Path",
    options: "Options",
    *,
    environment: str,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    from jsorc_gitops.cli.passes import Invocation, run_once

    invocation = Invocation(
        root=root,
        kubeconfig=kubeconfig,
        context=context,
        environment=environment,
        options=options,
        verbose=True,
        output=output,
        corridor=corridor,
    )
    return run_once(invocation)
