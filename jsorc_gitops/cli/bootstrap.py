"""`jsorc bootstrap`: what has Flux or Argo CD sync rendered/."""

from typing import TYPE_CHECKING, Literal

import click

from jsorc_gitops.cli.duration import is_duration, parse_duration
from jsorc_gitops.cli.options import in_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAMESPACES = {"flux": "flux-system", "argocd": "argocd"}
_NOTES = {
    ("flux", True): "# What HEAD needs. When a service comes, goes or depends on another, print it again.\n",
    ("argocd", False): "# What HEAD needs. When a kind or a namespace comes or goes, print it again.\n",
    ("argocd", True): "# What HEAD needs. When a kind, a namespace or a service comes or goes, print it again.\n",
}


def _check_interval(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not is_duration(value) or not parse_duration(context, parameter, value)):
        raise click.BadParameter(f"{value!r} is no duration like 1h, 30m or 90s", context, parameter)
    return value


@click.command()
@click.argument("tool", type=click.Choice(["flux", "argocd"]))
@click.option("--repo", "url", required=True, metavar="URL", help="Where it clones the repository from.")
@click.option("--branch", metavar="NAME", help="The branch it follows; by default the one checked out here.")
@in_environment
@click.option("--per-service", is_flag=True, help="An object for each service, in the order of dependsOn.")
@click.option("--name", help="What its objects are called; by default jsorc.NAMESPACE.TREE.")
@click.option("--namespace", help="Where they lie; by default flux-system or argocd.")
@click.option("--interval", callback=_check_interval, metavar="DURATION", help="Flux: how often it looks; 1m.")
@click.option("--secret-ref", metavar="NAME", help="Flux: the Secret with which it clones.")
@click.option("--decryption-secret", metavar="NAME", help="Flux: the Secret with the keys of SOPS.")
@click.pass_obj
def bootstrap(
    root: "Path",
    /,
    *,
    tool: Literal["flux", "argocd"],
    url: str,
    branch: str | None,
    environment: str,
    per_service: bool,
    name: str | None,
    namespace: str | None,
    **flux: str | None,
) -> int:
    """Print the objects with which Flux or Argo CD syncs rendered/, as YAML to commit or to apply.

    It goes by HEAD's rendered/, and asks no cluster.
    """
    _check_options(tool, url, flux)
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.reading import read_tree
    from jsorc_gitops.model.layout import FOLDER, compute_folder
    from jsorc_gitops.model.yaml import format_documents
    from jsorc_gitops.render.bootstrap import Plan, check_plan, make_argocd, make_flux

    repository = Repository(root)
    tree, _ = read_tree(repository, repository.get_head(), root=root, environment=environment)
    plan = Plan(
        tree=tree,
        url=url,
        branch=branch or repository.get_branch(),
        path=f"{repository.prefix}{FOLDER}/{compute_folder(tree.name)}".rstrip("/"),
        name=name or f"jsorc.{tree.settings.namespace}.{tree.name}",
        namespace=namespace or _NAMESPACES[tool],
        per_service=per_service,
    )
    check_plan(plan, tool)
    if tool == "flux":
        bodies = make_flux(
            plan,
            interval=flux["interval"] or "1m",
            clone_with=flux["secret_ref"] or "",
            decrypt_with=flux["decryption_secret"] or "",
        )
    else:
        bodies = make_argocd(plan)
    click.echo(_NOTES.get((tool, per_service), "") + format_documents(bodies), nl=False)
    return 0


def _check_options(tool: str, url: str, flux: "Mapping[str, str | None]") -> None:
    """Raise UsageError for what goes with neither tool nor URL."""
    given = [f"--{each.replace('_', '-')}" for each, value in flux.items() if value is not None]
    if given and tool != "flux":
        raise click.UsageError(f"{', '.join(given)}: only Flux has it in these objects")
    if tool == "flux" and url.startswith("ssh://") and not flux["secret_ref"]:
        raise click.UsageError("--repo: Flux clones over ssh with a key; name its Secret with --secret-ref")
