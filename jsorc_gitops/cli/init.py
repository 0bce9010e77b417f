"""`jsorc init`: a repository that renders, to be changed from there."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jsorc_gitops.model.services import ServiceFiles

# What Jaseci itself keeps alive unless it is told otherwise (META_CONFIG of its commit 3b5ad63d1).
_USUAL = ("promon", "redis", "task", "mail")

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
def init(root: Path, *, names: tuple[str, ...]) -> None:
    """Write jsorc.yaml and templates/ for services that Jaseci ships.

    Files that are there already are never overwritten. In a repository that has a jsorc.yaml, --service
    adds to templates/ alone.
    """
    from jsorc_gitops.adapters.files import read_shipped_definitions, write_new_files

    shipped = read_shipped_definitions()
    services = _choose(shipped, names or _USUAL)
    texts = {f"templates/{name}/{path}": text for name in services for path, text in shipped[name].texts.items()}
    added = bool(names) and (root / "jsorc.yaml").exists()
    if not added:
        texts["jsorc.yaml"] = _SETTINGS.format(services=", ".join(services))
    write_new_files(root, texts)
    folders = f"templates/ ({', '.join(services)})"
    if added:
        click.echo(f"{folders} is written. Where jsorc.yaml has keep_alive, name them there.")
    else:
        click.echo(f"jsorc.yaml and {folders} are written.")
    click.echo("Look through them, commit them, then: jsorc render --commit")


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
