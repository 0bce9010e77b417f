"""`jsorc render --commit`, `--branch` and `--push`: from a rendering to where others find it."""

import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsorc_gitops.cli.rendering import Inputs, read_inputs, remember, render_inputs

if TYPE_CHECKING:
    from jsorc_gitops.cli.printing import Printer
    from jsorc_gitops.render.changes import ServiceChange
    from jsorc_gitops.render.commit import CommitOptions
    from jsorc_gitops.render.delivery import Patience
    from jsorc_gitops.render.outcome import Commit
    from jsorc_gitops.render.publish import Rendering


def commit_here(
    inputs: Inputs,
    rendering: "Rendering",
    options: "CommitOptions",
    printer: "Printer",
    *,
    pushing: bool,
) -> int:
    """Commit rendered/ to the branch that is checked out, and push that."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.layout import FOLDER
    from jsorc_gitops.render.commit import commit
    from jsorc_gitops.render.outcome import Commit

    repository = Repository(inputs.root)
    head = repository.get_head()
    before = repository.read_tree(head, FOLDER) if printer.whole else None
    revision, changes = commit(rendering, inputs.folder, repository, options)
    made = Commit(revision=revision, branch=repository.get_branch()) if revision else None
    _tell_commit(printer, inputs, rendering, changes, made, before=before, against=head, elsewhere=False)
    remember(inputs, rendering)
    if pushing:
        push_here(inputs.root, inputs.environments, options, printer, interpreter=inputs.interpreter)
    return 0


def push_here(
    root: Path,
    environments: Collection[str],
    options: "CommitOptions",
    printer: "Printer",
    *,
    interpreter: str,
) -> None:
    """Push the branch that is checked out; where others were first, render and commit again on theirs."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.render.commit import commit
    from jsorc_gitops.render.delivery import push_head

    repository = Repository(root)

    def render_again(*, allow_prune: Sequence[str]) -> str | None:
        # Their commits may have changed the definitions as well as what was rendered.
        fresh = read_inputs(root, environments, interpreter=interpreter)
        again = render_inputs(fresh)
        return commit(again, fresh.folder, repository, replace(options, allow_prune=tuple(allow_prune)))[0]

    printer.tell_push(push_head(repository, _make_patience(), render_again=render_again))


def commit_elsewhere(
    inputs: Inputs,
    rendering: "Rendering",
    options: "CommitOptions",
    branch: str,
    printer: "Printer",
    *,
    pushing: bool,
) -> int:
    """Commit rendered/ to a branch that is not checked out, and push that."""
    from jsorc_gitops.adapters.git import Repository
    from jsorc_gitops.model.layout import FOLDER
    from jsorc_gitops.render.commit import check_source, commit_to_branch
    from jsorc_gitops.render.delivery import check_branch, push_branch
    from jsorc_gitops.render.outcome import Commit

    repository = Repository(inputs.root)
    source = check_source(rendering.sources, repository, options)
    tip = repository.get_tip(branch)
    if tip:
        check_branch(repository, branch, tip)
    revision, changes = commit_to_branch(
        rendering, repository, branch, options, source=source, parent=tip, replacing=tip
    )
    made = Commit(revision=revision, branch=branch) if revision else None
    there = (repository.read_tree(tip, FOLDER) if tip else {}) if printer.whole else None
    _tell_commit(printer, inputs, rendering, changes, made, before=there, against=tip, elsewhere=True)

    def commit_again(*, parent: str, replacing: str, allow_prune: Sequence[str]) -> str | None:
        again = replace(options, allow_prune=tuple(allow_prune))
        return commit_to_branch(
            rendering, repository, branch, again, source=source, parent=parent, replacing=replacing
        )[0]

    if pushing and repository.get_tip(branch):
        printer.tell_push(
            push_branch(repository, branch, _make_patience(), source=source, commit_again=commit_again)
        )
    return 0


def _make_patience() -> "Patience":
    from jsorc_gitops.render.delivery import Patience

    return Patience(sleep=time.sleep, random=random.random)


def _tell_commit(
    printer: "Printer",
    inputs: Inputs,
    rendering: "Rendering",
    changes: "Sequence[ServiceChange]",
    made: "Commit | None",
    *,
    before: Mapping[str, str] | None,
    against: str,
    elsewhere: bool,
) -> None:
    """Tell it beside what was committed `before`, None where fields are not told."""
    from jsorc_gitops.render.publish import compare

    if before is not None:
        rendering = compare(rendering.files, rendering.trees, before, folders=rendering.folders)
    printer.tell_commit(
        inputs, rendering, changes, made, before=before or {}, against=against, elsewhere=elsewhere
    )
