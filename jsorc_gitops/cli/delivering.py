"""`jsorc render --commit`, `--branch` and `--push`: from a rendering to where others find it."""

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from jsorc_gitops.cli.printing import print_changes
from jsorc_gitops.cli.rendering import Inputs, read_inputs, render_inputs

if TYPE_CHECKING:
    from jsorc_gitops.render.commit import CommitOptions
    from jsorc_gitops.render.delivery import Delivery, Patience
    from jsorc_gitops.render.publish import Rendering


def commit_here(
    inputs: Inputs, rendering: "Rendering", options: "CommitOptions", *, whole: bool, pushing: bool
) -> int:
    """Commit rendered/ to the branch that is checked out, and push that."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.layout import FOLDER
    from jsorc_gitops.render.commit import commit
    from jsorc_gitops.render.delivery import push_head

    repository = Repository(inputs.root)
    before = repository.read_tree(repository.get_head(), FOLDER) if whole else None
    revision, changes = commit(rendering, inputs.folder, repository, options)
    print_changes(inputs, rendering, changes, before)
    _print_commit(revision, rendering)

    def render_again(*, allow_prune: Sequence[str]) -> str | None:
        # Their commits may have changed the definitions as well as what was rendered.
        fresh = read_inputs(inputs.root, inputs.environments, interpreter=inputs.interpreter)
        again = render_inputs(fresh)
        return commit(again, fresh.folder, repository, replace(options, allow_prune=tuple(allow_prune)))[0]

    if pushing:
        _print_delivery(push_head(repository, _make_patience(), render_again=render_again))
    return 0


def commit_elsewhere(
    inputs: Inputs, rendering: "Rendering", options: "CommitOptions", branch: str, *, whole: bool, pushing: bool
) -> int:
    """Commit rendered/ to a branch that is not checked out, and push that."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.layout import FOLDER
    from jsorc_gitops.render.commit import check_source, commit_to_branch
    from jsorc_gitops.render.delivery import check_branch, push_branch

    repository = Repository(inputs.root)
    source = check_source(rendering, repository, options)
    tip = repository.get_tip(branch)
    if tip:
        check_branch(repository, branch, tip)
    revision, changes = commit_to_branch(
        rendering, repository, branch, options, source=source, parent=tip, replacing=tip
    )
    there = repository.read_tree(tip, FOLDER) if whole and tip else {}
    print_changes(inputs, rendering, changes, there if whole else None)
    _print_commit(revision, rendering, branch=branch)

    def commit_again(*, parent: str, replacing: str, allow_prune: Sequence[str]) -> str | None:
        again = replace(options, allow_prune=tuple(allow_prune))
        return commit_to_branch(
            rendering, repository, branch, again, source=source, parent=parent, replacing=replacing
        )[0]

    if pushing and repository.get_tip(branch):
        _print_delivery(
            push_branch(repository, branch, _make_patience(), source=source, commit_again=commit_again)
        )
    return 0


def _make_patience() -> "Patience":
    from jsorc_gitops.render.delivery import Patience

    return Patience(sleep=time.sleep, random=random.random)


def _print_commit(revision: str | None, rendering: "Rendering", *, branch: str = "") -> None:
    if revision is None:
        click.echo(f"Nothing changed: {rendering.objects} objects as committed.")
    else:
        click.echo(f"Committed {revision[:12]}{f' to {branch}' if branch else ''}.")


def _print_delivery(delivery: "Delivery") -> None:
    from jsorc_gitops.render.delivery import Ending

    said = {
        Ending.PUSHED: f"Pushed {delivery.revision[:12]} to {delivery.place}.",
        Ending.UP_TO_DATE: f"{delivery.place} has it already, at {delivery.revision[:12]}.",
        Ending.NEWER: f"{delivery.place} has a newer render already, {delivery.revision[:12]}.",
    }
    click.echo(said[delivery.ending])
