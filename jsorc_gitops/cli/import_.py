"""`jsorc import`: what a team has already, in a cluster or in Jaseci's code, as a service under templates/."""

import sys
from typing import TYPE_CHECKING, Any

import click

from jsorc_gitops.errors import DefinitionError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jsorc_gitops.model.objects import Manifest

_PLACE = "templates"


@click.command("import")
@click.argument("source", metavar="FILE|-|MODULE:NAME")
@click.option("--service", metavar="NAME", help="The service's name. Default: that of the file or of NAME.")
@click.option("--plain-secrets", is_flag=True, help="Write Secrets as they are, for git to keep in clear text.")
@click.option(
    "--python",
    "interpreter",
    metavar="PROGRAM",
    default=sys.executable,
    help="With MODULE:NAME: the Python, 3.8 or newer, that imports it. Default: the one that runs jsorc.",
)
@click.pass_obj
def import_(root: "Path", *, source: str, service: str | None, plain_secrets: bool, interpreter: str) -> None:
    """Write templates/NAME/ for objects that exist: manifests in a file or, with -, on standard input (as
    kubectl get -o yaml gives them), or a class or dict of Jaseci as MODULE:NAME.

    What a server or another tool set is left out. Nothing that is there is overwritten.
    """
    from jsorc_gitops.adapters.files import write_new_files
    from jsorc_gitops.model.settings import DNS_LABEL
    from jsorc_gitops.render.importing import derive_service_name, import_service

    name = service or derive_service_name(source)
    if not DNS_LABEL.match(name):
        raise click.UsageError("say --service NAME: lower-case letters, digits and '-'")
    folder = f"{_PLACE}/{name}"
    if (root / folder).exists():
        raise SettingsError(f"{folder} is there already; choose another --service, or move it away")
    manifests, config = _read_source(root, source, interpreter)
    imported = import_service(manifests, service=name, config=config, plain_secrets=plain_secrets)
    write_new_files(root, {f"{folder}/{path}": text for path, text in imported.texts.items()})
    count = len(imported.refs)
    click.echo(f"{folder}/ is written, with {count} object{'' if count == 1 else 's'}.")
    for ref, reason in imported.left_out:
        click.echo(f"left out: {ref}, {reason}")
    if not _is_kept_alive(root, name):
        click.echo(f"note: keep_alive in jsorc.yaml does not name {name}, so jsorc reconcile would not apply it")
    click.echo("Look through it, commit it, then: jsorc render --commit")


def _read_source(root: "Path", source: str, interpreter: str) -> "tuple[list[Manifest], Mapping[str, Any]]":
    from jsorc_gitops.adapters.files import read_manifest_text
    from jsorc_gitops.adapters.python import PythonDefinitions
    from jsorc_gitops.model.services import PYTHON_NAME
    from jsorc_gitops.render.importing import parse_manifests
    from jsorc_gitops.render.python import parse_built

    path = root / source
    if source == "-":
        return parse_manifests(read_manifest_text(None), source="standard input"), {}
    if path.exists():
        return parse_manifests(read_manifest_text(path), source=source), {}
    if not PYTHON_NAME.match(source):
        raise DefinitionError(f"{source}: no such file, and no package.module:NAME")
    built = PythonDefinitions(root, interpreter=interpreter).build_definition(source, {})
    return parse_built(built, where=f"python {source}")


def _is_kept_alive(root: "Path", service: str) -> bool:
    from jsorc_gitops.adapters.files import read_settings_text
    from jsorc_gitops.model.settings import parse_settings

    try:
        return parse_settings(read_settings_text(root), source="jsorc.yaml").keeps_alive(service)
    except SettingsError:
        return True  # render says what is wrong with it
