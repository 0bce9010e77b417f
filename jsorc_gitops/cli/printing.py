"""What `jsorc render` says of an outcome."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jsorc_gitops.cli.rendering import Inputs
    from jsorc_gitops.render.changes import ServiceChange
    from jsorc_gitops.render.publish import Rendering


def report_up_to_date(objects: int, warnings: Sequence[str]) -> int:
    print_warnings(warnings)
    click.echo(f"rendered/ is up to date: {objects} objects.")
    return 0


def print_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def print_changes(
    inputs: "Inputs",
    rendering: "Rendering",
    changes: "Sequence[ServiceChange]",
    before: Mapping[str, str] | None,
) -> None:
    """A line for each object that changed; with all of rendered/ as it was `before`, every field."""
    if before is not None:
        _print_fields(inputs, rendering, before)
        return
    for change in changes:
        click.echo(change.service or "tree")
        for line in change.lines:
            click.echo(f"  {line}")


def _print_fields(inputs: "Inputs", rendering: "Rendering", before: Mapping[str, str]) -> None:
    from jsorc_gitops.render.publish import compare_trees
    from jsorc_gitops.render.wording import format_diff

    key = inputs.read_mask_key()
    for comparison in compare_trees(rendering, before, against="", mask_key=key):
        for diff in comparison.diffs:
            for line in format_diff(diff):
                click.echo(line)


def print_files(rendering: "Rendering", *, verb: str) -> None:
    diff = rendering.diff
    counts = [
        f"{len(paths)} {word}"
        for paths, word in ((diff.added, "added"), (diff.changed, "changed"), (diff.removed, "removed"))
        if paths
    ]
    click.echo(f"rendered/ {verb} written: {', '.join(counts)} of {len(rendering.files)} files.")
