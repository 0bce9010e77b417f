"""The options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

in_environment = click.option(
    "--env", "environment", default="", metavar="NAME", help="The environment, if there are several."
)
as_report = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="A report, or a JSON event a line."
)


def at_cluster(command: Command) -> Command:
    """Which cluster, as kubectl is told."""
    file = click.option(
        "--kubeconfig", type=click.Path(dir_okay=False), help="The kubeconfig file, as in kubectl."
    )
    context = click.option("--context", help="The context in the kubeconfig, as in kubectl.")
    return file(context(command))
