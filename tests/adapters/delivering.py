"""Render, commit and push, as a process: `python -m tests.adapters.delivering ROOT [--branch B] SERVICE …`.

The services are consents to pruning. It renders once a line comes in, and prints how the delivery ended.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jsorc_gitops.adapters.files import TreeFolder, read_definitions, read_settings_text
from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.adapters.schemas import read_kubernetes_schemas
from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.layout import FOLDER
from jsorc_gitops.render import publish
from jsorc_gitops.render.commit import CommitOptions, commit, commit_to_branch
from jsorc_gitops.render.delivery import Delivery, Patience, check_branch, push_branch, push_head

PATIENCE = Patience(sleep=time.sleep, random=random.random)
HURRIED = Patience(sleep=lambda _: None, random=lambda: 0.0)


class Renderer:
    """What the command line does for one folder, before and during a delivery."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = Repository(root)

    def render(self, folder: TreeFolder) -> publish.Rendering:
        python = PythonDefinitions(self.root)
        texts = read_settings_text(self.root), read_definitions(self.root)
        return publish.render(*texts, folder.read_tree(), python=python, schemas=read_kubernetes_schemas)

    def commit(self, *, allow_prune: Sequence[str] = ()) -> str | None:
        folder = TreeFolder(self.root / FOLDER)
        options = CommitOptions(version="0", allow_prune=tuple(allow_prune))
        return commit(self.render(folder), folder, self.repository, options)[0]

    def push(self, patience: Patience = HURRIED) -> Delivery:
        return push_head(self.repository, patience, render_again=self.commit)


class BranchRenderer(Renderer):
    """The same for a branch that is not checked out."""

    def __init__(self, root: Path, branch: str) -> None:
        super().__init__(root)
        self.branch = branch
        self.source = self.repository.get_head()

    def commit(self, *, allow_prune: Sequence[str] = ()) -> str | None:
        tip = self.repository.get_tip(self.branch)
        if tip:
            check_branch(self.repository, self.branch, tip)
        return self.commit_on(parent=tip, replacing=tip, allow_prune=allow_prune)

    def commit_on(self, *, parent: str, replacing: str, allow_prune: Sequence[str]) -> str | None:
        return commit_to_branch(
            self.render(TreeFolder(self.root / "nowhere")),
            self.repository,
            self.branch,
            CommitOptions(version="0", allow_prune=tuple(allow_prune)),
            source=self.source,
            parent=parent,
            replacing=replacing,
        )[0]

    def push(self, patience: Patience = HURRIED) -> Delivery:
        return push_branch(
            self.repository, self.branch, patience, source=self.source, commit_again=self.commit_on
        )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--branch")
    parser.add_argument("service", nargs="*")
    arguments = parser.parse_args()
    # A shell that starts something in the background has it ignore ^C, and that is passed on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin.readline()
    try:
        renderer = (
            BranchRenderer(arguments.root, arguments.branch) if arguments.branch else Renderer(arguments.root)
        )
        renderer.commit(allow_prune=arguments.service)
        print(renderer.push(PATIENCE).ending)
    except JsorcError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
