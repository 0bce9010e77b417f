"""What `jsorc status` does; imported where it runs, not for --help."""

import gc
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.stdout import say_last
from jsorc_gitops.cli.telling import STYLES
from jsorc_gitops.cli.terminal import Progress, clean_text, wants_colour
from jsorc_gitops.errors import JsorcError

if TYPE_CHECKING:
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.tree import Tree
    from jsorc_gitops.reconcile.status import TreeStatus

JASECI_SECONDS = 8.0  # for a call; Jaseci itself needs 6 s to say that task is down, and a person waits here


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The command line, as far as looking needs it."""

    root: Path
    services: tuple[str, ...]
    environment: str
    jaseci: bool
    kubeconfig: str | None
    context: str | None


def look(invocation: Invocation) -> "TreeStatus":
    """How the fleet of HEAD is now. Raises JsorcError."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.cli.doors import open_cluster, open_doors
    from jsorc_gitops.cli.reading import read_tree
    from jsorc_gitops.reconcile.status import read_status

    # As for a pass: what is read lives to the end.
    gc.set_threshold(100_000, 50, 1000)
    repository = Repository(invocation.root)
    revision = repository.get_head()
    tree, _ = read_tree(repository, revision, root=invocation.root, environment=invocation.environment)
    with (
        open_cluster(invocation.kubeconfig, invocation.context, read_only=True) as cluster,
        open_doors(
            cluster,
            tree,
            repository,
            root=invocation.root,
            progress=Progress(),
            asks_jaseci=invocation.jaseci,
            seconds=JASECI_SECONDS,
        ) as doors,
    ):
        return read_status(
            tree,
            revision,
            doors,
            count_apart=repository.count_apart,
            read_at=lambda commit: _read_at(invocation, repository, commit),
            services=invocation.services,
        )


def _read_at(invocation: Invocation, repository: "Repository", commit: str) -> "Tree | None":
    from jsorc_gitops.cli.reading import read_tree

    try:
        return read_tree(repository, commit, root=invocation.root, environment=invocation.environment)[0]
    except JsorcError:
        return None


def print_document(status: "TreeStatus") -> None:
    from jsorc_gitops.reconcile.status_json import make_document

    say_last((json.dumps(make_document(status), ensure_ascii=False, indent=2) + "\n").encode())


def print_tree(status: "TreeStatus", *, verbose: bool) -> None:
    from jsorc_gitops.reconcile.status_text import LINES, PLAIN, format_status

    try:
        LINES.branch.encode(sys.stdout.encoding)
        guides = LINES
    except UnicodeEncodeError:
        guides = PLAIN
    lines = format_status(status, verbose=verbose, guides=guides)
    text = "".join(f"{each.guide}{click.style(clean_text(each.text), **STYLES[each.tone])}\n" for each in lines)
    say_last(text, color=wants_colour())
