"""`jsorc rbac`: the rights that a pass needs."""

import re
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.options import at_cluster, in_environment

if TYPE_CHECKING:
    from pathlib import Path

_ACCOUNT = re.compile(r"([-a-z0-9]+/)?[-.a-z0-9]+")
_NOTE = """\
# What HEAD needs. Where a kind has left git, a pass needs its rights once more, to prune what was of it:
# apply these after that pass.
"""


@click.command()
@in_environment
@click.option(
    "--service-account",
    default="jsorc",
    metavar="[NAMESPACE/]NAME",
    help="Who is given them; without a namespace, in the tree's own.",
)
@at_cluster
@click.pass_obj
def rbac(
    root: "Path", *, environment: str, service_account: str, kubeconfig: str | None, context: str | None
) -> int:
    """Print the least Roles with which `jsorc reconcile` can apply HEAD's rendered/, as YAML for kubectl.

    The API server is asked for the names of resources, and nothing else. Apply them as somebody who may grant
    rights; jsorc never widens its own.
    """
    if not _ACCOUNT.fullmatch(service_account):
        raise click.UsageError(f"--service-account: {service_account!r} is neither NAME nor NAMESPACE/NAME")
    namespace, _, account = service_account.rpartition("/")
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.doors import open_cluster
    from jsorc_gitops.cli.reading import read_tree
    from jsorc_gitops.model.layout import rights_name
    from jsorc_gitops.model.yaml import format_documents
    from jsorc_gitops.reconcile.rbac import compute_rules, make_roles

    repository = Repository(root)
    tree, _ = read_tree(repository, repository.get_head(), root=root, environment=environment)
    with open_cluster(kubeconfig, context, read_only=True) as cluster:
        cluster.read_discovery()
        rules = compute_rules(tree, cluster.find_resource)
    home = tree.settings.namespace
    roles = make_roles(rules, name=rights_name(home, tree.name), account=account, namespace=namespace or home)
    click.echo(_NOTE + format_documents(roles), nl=False)
    return 0
