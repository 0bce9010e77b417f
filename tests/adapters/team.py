"""A repository on a git server, and people with clones of it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.adapters.delivering import Renderer
from tests.adapters.git_http import GitServer
from tests.render.builders import make_object
from tests.render.worktree import Worktree


def make_config(name: str, value: str) -> dict[str, str]:
    """The file of a service with one ConfigMap."""
    return {f"templates/{name}/config.yaml": make_object(name=name, more=f"data:\n  value: '{value}'\n")}


class Team:
    """`server` holds one repository, rendered once; each clone is someone's work tree on main."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.server = server
        self.url = server.create("team.git")
        self.path = server.folder / "team.git"
        self._folder = folder
        first = self.clone("first")
        first.commit({"jsorc.yaml": "", **make_config("redis", "0")}, "start")
        Renderer(first.root).commit()
        first.git("push", "--quiet", "origin", "main")

    def clone(self, name: str) -> Worktree:
        path = self._folder / name
        subprocess.run(["git", "clone", "--quiet", self.path, path], check=True, capture_output=True)
        work = Worktree(path)
        work.git("remote", "set-url", "origin", self.url)
        return work

    def git(self, *arguments: str) -> str:
        """Git in the server's repository."""
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")

    def add_hook(self, name: str, script: str) -> None:
        """A hook of the server's repository."""
        hook = self.path / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        hook.chmod(0o755)


def change(work: Worktree, files: Mapping[str, str], message: str = "by hand") -> str:
    """Commit by hand, and push."""
    revision = work.commit(files, message)
    work.git("push", "--quiet", "origin", "HEAD")
    return revision
