"""`jsorc status`: how the fleet is now."""

from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.options import at_cluster, in_environment

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@in_environment
@click.option(
    "-v", "--verbose", is_flag=True, help="Name every object, also where there is nothing to tell of it."
)
@click.option("--no-jaseci", is_flag=True, help="Do not ask Jaseci how its services are.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit 4 when something does not work, 6 when a pass would change something.",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="A tree, or a JSON document.")
@at_cluster
@click.pass_obj
def status(
    root: "Path",
    *,
    services: tuple[str, ...],
    environment: str,
    verbose: bool,
    no_jaseci: bool,
    exit_code: bool,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """Print how services and their objects are now, those named or all.

    It only reads, also while a pass is at work.
    """
    from jsorc_gitops.cli.looking import Invocation, look, print_document, print_tree

    invocation = Invocation(
        root=root,
        services=services,
        environment=environment,
        jaseci=not no_jaseci,
        kubeconfig=kubeconfig,
        context=context,
    )
    found = look(invocation)
    if output == "json":
        print_document(found)
    else:
        print_tree(found, verbose=verbose)
    return found.exit_code if exit_code else 0
