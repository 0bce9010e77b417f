"""`jsorc init`: a repository that renders, to be changed from there."""

from pathlib import Path

import click

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
@click.pass_obj
def init(root: Path) -> None:
    """Write jsorc.yaml and templates/ for the services that Jaseci ships.

    Files that are there already are never overwritten.
    """
    from jsorc_gitops.adapters.files import read_shipped_definitions, write_new_files

    services = read_shipped_definitions()
    texts = {"jsorc.yaml": _SETTINGS.format(services=", ".join(services))}
    for service in services.values():
        texts |= {f"templates/{service.name}/{name}": text for name, text in service.texts.items()}
    write_new_files(root, texts)
    click.echo(f"jsorc.yaml and templates/ ({', '.join(services)}) are written.")
    click.echo("Look through them, commit them, then: jsorc render --commit")
