"""`jsorc render --stdout`: one tree into a pipe, as kubectl takes it."""

from collections.abc import Collection
from pathlib import Path

import click

from jsorc_gitops.cli.printing import print_warnings
from jsorc_gitops.cli.rendering import read_inputs, render_inputs
from jsorc_gitops.cli.stdout import say_last


def print_stream(root: Path, environments: Collection[str], *, interpreter: str, as_list: bool) -> int:
    from jsorc_gitops.model.settings import parse_settings
    from jsorc_gitops.render.stream import format_list, format_stream

    # What lies in rendered/ is neither read nor written.
    inputs = read_inputs(root, environments, interpreter=interpreter, alone=True)
    settings = parse_settings(inputs.settings, source="jsorc.yaml", services=inputs.services)
    there = environments or settings.environments
    if len(set(there)) > 1:
        raise click.UsageError(f"--stdout prints one tree; choose one: --env {' or --env '.join(there)}")
    rendering = render_inputs(inputs)
    print_warnings(rendering.warnings)
    [manifests] = rendering.trees.values()
    text = format_list(manifests.values()) if as_list else format_stream(manifests.values())
    say_last(text.encode())
    return 0
