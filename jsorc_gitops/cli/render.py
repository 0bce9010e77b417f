"""`jsorc render`: service definitions to rendered/, and into a commit."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsorc_gitops.adapters.files import TreeFolder
    from jsorc_gitops.render.changes import ServiceChange
    from jsorc_gitops.render.publish import Rendering

EXIT_DIFFERENCES = 6


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 6 when rendered/ is not what would be written.")
@click.option("--commit", "committing", is_flag=True, help="Commit rendered/, and nothing else, when it changed.")
@click.option(
    "--allow-prune",
    metavar="SERVICE",
    multiple=True,
    help="With --commit: consent, in the commit, to pruning this service beyond the prune budget.",
)
@click.pass_obj
def render(root: Path, *, check: bool, committing: bool, allow_prune: tuple[str, ...]) -> int:
    """Turn the services under templates/ into grouped manifests under rendered/."""
    # Only what a command needs is imported, so that jsorc --help pays for click alone.
    from jsorc_gitops.adapters.files import TreeFolder, read_definitions, read_settings_text
    from jsorc_gitops.render import publish

    if check and committing:
        raise click.UsageError("--check writes nothing, so it does not go with --commit")
    if allow_prune and not committing:
        raise click.UsageError("--allow-prune is written into a commit, so it needs --commit")
    folder = TreeFolder(root / "rendered")
    rendering = publish.render(read_settings_text(root), read_definitions(root), folder)
    for stranger in rendering.strangers:
        click.echo(f"warning: rendered/{stranger} was not written by jsorc and belongs to no service", err=True)
    if committing:
        return _commit(root, folder, rendering, allow_prune)
    if not rendering.diff:
        click.echo(f"rendered/ is up to date: {len(rendering.manifests)} objects.")
        return 0
    if not check:
        publish.write(rendering, folder)
    _print_changes(rendering.changes)
    _print_files(rendering, verb="would be" if check else "was")
    return EXIT_DIFFERENCES if check else 0


def _commit(root: Path, folder: "TreeFolder", rendering: "Rendering", allow_prune: tuple[str, ...]) -> int:
    from jsorc_gitops import __version__
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.render import publish

    repository = Repository(root)
    try:
        commit, changes = publish.commit(
            rendering, folder, repository, version=__version__, allow_prune=allow_prune
        )
    finally:
        repository.close()
    if commit is None:
        click.echo(f"Nothing changed: {len(rendering.manifests)} objects as committed.")
        return 0
    _print_changes(changes)
    click.echo(f"Committed {commit[:12]}.")
    return 0


def _print_changes(changes: "Sequence[ServiceChange]") -> None:
    for change in changes:
        click.echo(change.service or "tree")
        for line in change.lines:
            click.echo(f"  {line}")


def _print_files(rendering: "Rendering", *, verb: str) -> None:
    diff = rendering.diff
    counts = [
        f"{len(paths)} {word}"
        for paths, word in ((diff.added, "added"), (diff.changed, "changed"), (diff.removed, "removed"))
        if paths
    ]
    click.echo(f"rendered/ {verb} written: {', '.join(counts)} of {len(rendering.files)} files.")
