"""`jsorc init`: a repository that renders, to be changed from there."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import click

from jsorc_gitops.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from jsorc_gitops.model.services import ServiceFiles

# What Jaseci itself keeps alive unless it is told otherwise (META_CONFIG of its commit 3b5ad63d1).
_USUAL = ("promon", "redis", "task", "mail")
# What is itself in the cluster, with rights that it must not apply.
_ITSELF = "jsorc"

_SETTINGS = """\
# What jsorc does here; every key: docs/settings.md in jsorc's own repository.
enabled: true          # false: jsorc reconcile does nothing, the rendered tree stays as it is
quiet: true            # print changes, warnings and errors only
interval: 10           # seconds between the passes of jsorc reconcile --loop
namespace: default     # where the services' objects go
keep_alive: [{services}]

# The Jaseci server whose services are reset once their pods are ready. The credentials are never
# written here: the variable (or file) holds {{origin: URL, token: TOKEN}}.
# jaseci:
#   url: http://jaseci.default.svc
#   credentials: {{env: JASECI_CREDENTIALS}}
"""


@click.command()
@click.option(
    "--service",
    "names",
    metavar="NAME",
    multiple=True,
    help=f"This service instead of {', '.join(_USUAL)}; repeatable. What it depends on comes along.",
)
@click.pass_obj
def init(root: "Path", *, names: tuple[str, ...]) -> None:
    """Make a repository that renders: jsorc.yaml, templates/ for services that Jaseci ships, and git.

    Files that are there already are never overwritten. In a repository that has a jsorc.yaml, --service
    adds to templates/ alone. Where there is a git repository, nothing is done to it.
    """
    from jsorc_gitops.adapters.files import check_new_files, read_shipped_definitions, write_new_files
    from jsorc_gitops.adapters.git_command import is_in_repository, write_repository

    shipped = read_shipped_definitions()
    services = _choose(shipped, names or _USUAL)
    texts = {f"templates/{name}/{path}": text for name in services for path, text in shipped[name].texts.items()}
    added = bool(names) and (root / "jsorc.yaml").exists()
    if not added:
        _check_new(root / "jsorc.yaml")
        # The last to be written: without it, init can be run again.
        texts["jsorc.yaml"] = _SETTINGS.format(services=", ".join(each for each in services if each != _ITSELF))
    check_new_files(root, texts)
    begun = not is_in_repository(root)
    if begun:
        write_repository(root)
    write_new_files(root, texts)
    folders = f"templates/ ({', '.join(services)})"
    written = f"{folders} is written" if added else f"jsorc.yaml and {folders} are written"
    click.echo(f"{written}{', in a new git repository' if begun else ''}.")
    if added:
        click.echo("Where jsorc.yaml has keep_alive, name them there.")
    if _ITSELF in services:
        click.echo(f"{_ITSELF} stays out of keep_alive where jsorc itself applies the tree: docs/cron.md.")
    click.echo("Look through them, then:")
    for command in _list_next(root, services):
        click.echo(f"  {command}")


def _check_new(settings: "Path") -> None:
    if settings.exists():
        raise SettingsError(
            f"{settings} is there already; nothing was written; jsorc init --service NAME adds a service"
        )


def _list_next(root: "Path", services: Collection[str]) -> list[str]:
    """The commands to a first render commit, as they can be pasted."""
    import shlex

    there = [] if root == root.cwd() else [f"cd {shlex.quote(str(root))}"]
    message = shlex.quote(f"Begin with {', '.join(services)}")
    return [*there, "git add jsorc.yaml templates", f"git commit --message {message}", "jsorc render --commit"]


def _choose(shipped: "Mapping[str, ServiceFiles]", names: Collection[str]) -> list[str]:
    """These services and all that they depend on, sorted."""
    from jsorc_gitops.model.services import parse_definition

    chosen: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in shipped:
            raise click.UsageError(f"jsorc ships no service {name!r}; it has {', '.join(shipped)}")
        if name not in chosen:
            chosen.add(name)
            pending += parse_definition(shipped[name], services=frozenset(shipped)).depends_on
    return sorted(chosen)
